//! Sandbox, stages, store and journal, put together over one data folder.

use std::path::PathBuf;
use std::sync::Arc;

use sre_commit::Committer;
use sre_core::OrderResult;
use sre_da::Store;
use sre_journal::Journal;
use sre_sandbox::wasm::{CompilationNotice, WasmOptions, WasmSandbox};
use sre_sandbox::{Executor, LanguageRuntime, Sandbox};
use sre_verify::Verifier;

use crate::embedded::{
    DataFolder, EmbeddedError, Executed, default_cache_folder, default_data_folder,
};
use crate::{
    Acceptance, AddressPolicy, HttpCallback, OperatorLimits, Orchestrator, OrderConfig, Parts,
};

/// What receipts name where the embedding program does not name itself.
const PROGRAM: &str = concat!("sre-orchestrator ", env!("CARGO_PKG_VERSION"));

/// The sandbox and what it accepts, before anything is opened or written.
pub struct Embedded {
    folder: DataFolder,
    program: String,
    executor: Executor,
    acceptance: Acceptance,
}

/// How to build an [`Embedded`].
#[derive(Default)]
pub struct EmbeddedOptions {
    /// What receipts name as the program that made them. Default: this library.
    pub program: Option<String>,
    /// What orders may ask for.
    pub limits: OperatorLimits,
    /// Where compiled programs are kept; may be deleted at any time. Default: the platform's cache
    /// folder.
    pub cache_folder: Option<PathBuf>,
    /// Told before a language runtime is compiled. Default: no one is told.
    pub notice: Option<CompilationNotice>,
    /// Language runtimes besides those this program ships, for replays that name them. The author
    /// of one decides what scripts return in it. Default none.
    pub trusted_runtimes: Vec<LanguageRuntime>,
    /// How native skills run, if the operator allows them at all. Default: they are refused.
    #[cfg(all(feature = "native", target_os = "linux"))]
    pub native: Option<sre_sandbox::native::NativeOptions>,
}

impl Embedded {
    /// Builds the sandbox for `folder`, with two slots per core: while one guest's result is on its
    /// way, the next one runs. Writes nothing.
    ///
    /// # Errors
    /// [`EmbeddedError::Sandbox`].
    pub fn new(folder: DataFolder, options: EmbeddedOptions) -> Result<Self, EmbeddedError> {
        #[cfg(all(feature = "native", target_os = "linux"))]
        let native = options.native.clone();
        let EmbeddedOptions {
            program,
            limits,
            cache_folder,
            notice,
            trusted_runtimes,
            ..
        } = options;
        let slots = 2 * std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let mut language_runtimes = sre_runtimes::shipped();
        language_runtimes.extend(trusted_runtimes);
        let options = WasmOptions {
            // Without a home folder there is no cache, and everything else works.
            cache_folder: cache_folder.or_else(|| default_cache_folder().ok()),
            language_runtimes,
            notice,
            ..WasmOptions::default()
        };
        let wasm: Arc<dyn Sandbox> = Arc::new(WasmSandbox::new(options)?);
        #[cfg_attr(
            not(all(feature = "native", target_os = "linux")),
            expect(unused_mut, reason = "one backend only")
        )]
        let mut backends = vec![wasm];
        #[cfg(all(feature = "native", target_os = "linux"))]
        if let Some(native) = native {
            backends.push(Arc::new(sre_sandbox::native::NativeSandbox::new(native)));
        }
        let executor = Executor::new(backends, slots);
        let acceptance = Acceptance::new(limits, executor.clone());
        Ok(Self {
            folder,
            program: program.unwrap_or_else(|| String::from(PROGRAM)),
            executor,
            acceptance,
        })
    }

    /// The data folder.
    #[must_use]
    pub fn folder(&self) -> &DataFolder {
        &self.folder
    }

    /// What receipts name as the program that made them.
    #[must_use]
    pub fn program(&self) -> &str {
        &self.program
    }

    /// What this runtime accepts.
    #[must_use]
    pub fn acceptance(&self) -> &Acceptance {
        &self.acceptance
    }

    /// Where skills run, for an orchestrator with other stages.
    #[must_use]
    pub fn executor(&self) -> &Executor {
        &self.executor
    }

    /// Opens store and journal and puts the orchestrator together, for the operator's own orders:
    /// their callbacks may go to any address.
    ///
    /// # Errors
    /// [`EmbeddedError`].
    pub fn open(&self) -> Result<Orchestrator, EmbeddedError> {
        Ok(Orchestrator::new(self.parts(AddressPolicy::any())?))
    }

    /// As [`Embedded::open`], before the parts are put together, so that some can be replaced.
    ///
    /// # Errors
    /// [`EmbeddedError`].
    pub fn parts(&self, policy: AddressPolicy) -> Result<Parts, EmbeddedError> {
        self.parts_over(Arc::new(self.folder.open_store()?), policy)
    }

    /// As [`Embedded::parts`], with a store that is open already.
    ///
    /// # Errors
    /// [`EmbeddedError`].
    pub fn parts_over(
        &self,
        store: Arc<dyn Store>,
        policy: AddressPolicy,
    ) -> Result<Parts, EmbeddedError> {
        self.parts_with(Arc::new(self.folder.open_journal()?), store, policy)
    }

    /// As [`Embedded::parts_over`], with a journal that is open already.
    ///
    /// # Errors
    /// [`EmbeddedError`].
    pub fn parts_with(
        &self,
        journal: Arc<dyn Journal>,
        store: Arc<dyn Store>,
        policy: AddressPolicy,
    ) -> Result<Parts, EmbeddedError> {
        let commit = Arc::new(Committer::new(self.executor.clone(), Arc::clone(&store)));
        let verify = Arc::new(self.verifier_over(Arc::clone(&store)));
        let callback = Arc::new(HttpCallback::new(
            policy,
            Arc::new(self.folder.open_callback_keys()?),
        )?);
        Ok(Parts::new(
            self.executor.clone(),
            commit,
            verify,
            callback,
            store,
            journal,
        ))
    }

    /// A verifier over this data folder, for claims that are already there.
    ///
    /// # Errors
    /// [`EmbeddedError`].
    pub fn verifier(&self) -> Result<Verifier, EmbeddedError> {
        Ok(self.verifier_over(Arc::new(self.folder.open_store()?)))
    }

    /// A verifier over other bytes than those of this data folder, which is not touched. It grants
    /// replays what orders may ask for here.
    #[must_use]
    pub fn verifier_over(&self, store: Arc<dyn Store>) -> Verifier {
        Verifier::new(self.executor.clone(), store).with_limits(self.acceptance.limits().replay())
    }
}

/// Executes one order on the embedded default, in the platform's data folder, and issues its
/// receipt.
///
/// Builds the sandbox and opens the folder each time; a program with more than one order keeps an
/// [`Embedded`] and an [`Orchestrator`].
///
/// # Errors
/// [`EmbeddedError`]; an order that ran and failed is an [`OrderResult`] and no error.
pub async fn execute_skill_order(config: OrderConfig) -> Result<OrderResult, EmbeddedError> {
    let embedded = Embedded::new(
        DataFolder::new(default_data_folder()?),
        EmbeddedOptions::default(),
    )?;
    let order = embedded.acceptance().accept(config).await?;
    let orchestrator = embedded.open()?;
    let Executed { result, receipt } = embedded.execute(&orchestrator, order, &|_| ()).await?;
    if let Err(error) = receipt {
        tracing::warn!(%error, order_id = %result.order_id, "the order has no receipt yet");
    }
    Ok(result)
}
