//! The embedded default: everything below one data folder, no service.
//!
//! | below the data folder | holds |
//! |---|---|
//! | `journal.sqlite3` | orders and results |
//! | `holders/` | lock files of the processes that work on orders |
//! | `callback-keys` | the secrets that sign callbacks |
//! | `keys/` | the key that signs receipts, and whom to believe, see [`KeyFolder`] |
//! | `log.sqlite3` | the transparency log; receipts and full tiles are in `blobs/` |
//! | `blobs/` | everything content-addressed, see [`sre_da::LocalStore`] |
//!
//! Compiled programs are kept in the platform's cache folder and not here: they belong to the machine and to no order, and
//! compiling a language runtime takes long enough that all data folders should share it.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use etcetera::BaseStrategy;
use sre_commit::Committer;
use sre_core::OrderResult;
use sre_da::{LocalStore, LocalStoreOptions, Store, StoreError};
use sre_log::{Log, Notary};
use sre_receipt::{Host, KeyFolder};
use sre_sandbox::wasm::{CompilationNotice, WasmOptions, WasmSandbox};
use sre_sandbox::{Executor, LanguageRuntime, Sandbox, SandboxError};
use sre_verify::Verifier;

use crate::{
    AcceptError, Acceptance, AddressPolicy, CallbackError, CallbackKeys, ExecuteError, HttpCallback, Journal,
    JournalError, KeysError, OperatorLimits, Orchestrator, OrderConfig, Parts, Registrar, RegistrarError,
};

/// The sandbox and what it accepts, before anything is opened or written.
pub struct Embedded {
    folder: DataFolder,
    executor: Executor,
    acceptance: Acceptance,
}

/// How to build an [`Embedded`].
#[derive(Default)]
pub struct EmbeddedOptions {
    /// What orders may ask for.
    pub limits: OperatorLimits,
    /// Where compiled programs are kept; may be deleted at any time. Default: the platform's cache folder.
    pub cache_folder: Option<PathBuf>,
    /// Told before a language runtime is compiled. Default nobody.
    pub notice: Option<CompilationNotice>,
    /// Language runtimes besides those this program ships, for replays that name them. Whoever made one decides what
    /// scripts return in it. Default none.
    pub trusted_runtimes: Vec<LanguageRuntime>,
    /// How native skills run, if the operator allows them at all. Default: they are refused.
    #[cfg(all(feature = "native", target_os = "linux"))]
    pub native: Option<sre_sandbox::native::NativeOptions>,
}

/// A data folder and the places in it.
#[derive(Debug, Clone)]
pub struct DataFolder(PathBuf);

/// Why the embedded runtime cannot work.
#[derive(Debug, thiserror::Error)]
pub enum EmbeddedError {
    /// The order is refused; nothing ran and nothing was written.
    #[error(transparent)]
    Accept(#[from] AcceptError),
    /// The order has no result.
    #[error(transparent)]
    Execute(#[from] ExecuteError),
    /// The sandbox could not be built.
    #[error(transparent)]
    Sandbox(#[from] SandboxError),
    /// The data folder cannot be made.
    #[error("the data folder {} cannot be used: {source}; choose another with --data-dir or SRE_DATA_DIR", path.display())]
    Folder {
        /// Which folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// There is no home folder to put the data folder into.
    #[error("no home folder was found; name a data folder with --data-dir or SRE_DATA_DIR")]
    NoHome,
    /// The blob store cannot be opened.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The journal cannot be opened.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The callback client could not be built.
    #[error(transparent)]
    Callback(#[from] CallbackError),
    /// The key that signs receipts, or the log, cannot be used.
    #[error(transparent)]
    Registrar(#[from] RegistrarError),
    /// There are no keys to sign callbacks with.
    #[error(transparent)]
    Keys(#[from] KeysError),
}

/// The platform's cache folder for this program, for instance `~/.cache/sre`.
///
/// # Errors
/// [`EmbeddedError::NoHome`].
pub fn default_cache_folder() -> Result<PathBuf, EmbeddedError> {
    let strategy = etcetera::choose_base_strategy().map_err(|_| EmbeddedError::NoHome)?;
    Ok(strategy.cache_dir().join("sre"))
}

/// The platform's data folder for this program, for instance `~/.local/share/sre`.
///
/// # Errors
/// [`EmbeddedError::NoHome`].
pub fn default_data_folder() -> Result<PathBuf, EmbeddedError> {
    let strategy = etcetera::choose_base_strategy().map_err(|_| EmbeddedError::NoHome)?;
    Ok(strategy.data_dir().join("sre"))
}

impl DataFolder {
    /// The data folder at `path`; nothing is made yet.
    #[must_use]
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self(path.into())
    }

    /// The folder itself.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Whether an order was ever accepted here. Makes nothing.
    #[must_use]
    pub fn has_journal(&self) -> bool {
        self.journal().exists()
    }

    fn journal(&self) -> PathBuf {
        self.0.join("journal.sqlite3")
    }

    /// Makes the folder, for this user alone.
    fn create(&self) -> Result<(), EmbeddedError> {
        let mut builder = std::fs::DirBuilder::new();
        builder.recursive(true);
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.create(&self.0).map_err(|source| EmbeddedError::Folder { path: self.0.clone(), source })
    }

    /// Opens the blob store, making it if need be.
    ///
    /// # Errors
    /// [`EmbeddedError`].
    pub fn open_store(&self) -> Result<LocalStore, EmbeddedError> {
        self.create()?;
        Ok(LocalStore::open(&self.0.join("blobs"), LocalStoreOptions::default())?)
    }

    /// Opens the journal, making it if need be.
    ///
    /// # Errors
    /// [`EmbeddedError`].
    pub fn open_journal(&self) -> Result<Journal, EmbeddedError> {
        self.create()?;
        Ok(Journal::open(&self.journal())?)
    }
}

impl DataFolder {
    /// Opens the journal for this process alone.
    ///
    /// # Errors
    /// [`EmbeddedError`].
    pub fn open_journal_alone(&self) -> Result<Journal, EmbeddedError> {
        self.create()?;
        Ok(Journal::open_alone(&self.journal())?)
    }

    /// The folder of the key that signs receipts; nothing is made.
    #[must_use]
    pub fn keys(&self) -> KeyFolder {
        KeyFolder::new(self.0.join("keys"))
    }

    /// Where the transparency log is, if there is one.
    #[must_use]
    pub fn log(&self) -> PathBuf {
        self.0.join("log.sqlite3")
    }

    /// Opens key and log, making what is missing, and puts the registrar of `journal` together. `program` is named in receipts
    /// as what made them.
    ///
    /// # Errors
    /// [`EmbeddedError::Registrar`].
    pub async fn open_registrar(
        &self,
        journal: Arc<Journal>,
        store: Arc<dyn Store>,
        program: &str,
    ) -> Result<Registrar, EmbeddedError> {
        self.create()?;
        let key = self.keys().load_or_create().map_err(RegistrarError::from)?;
        let log = Log::open(&self.log(), Arc::clone(&store), Arc::new(key)).await.map_err(RegistrarError::from)?;
        let notary = Notary::new(store, Arc::new(log), Host::this(program));
        Ok(Registrar::new(journal, notary, self.keys()))
    }

    /// Opens the keys that sign callbacks, making them if need be.
    ///
    /// # Errors
    /// [`EmbeddedError`].
    pub fn open_callback_keys(&self) -> Result<CallbackKeys, EmbeddedError> {
        self.create()?;
        Ok(CallbackKeys::open(&self.0.join("callback-keys"))?)
    }
}

impl Embedded {
    /// Builds the sandbox for `folder`, with two slots per core: while one guest's result is on its way, the next one runs.
    /// Writes nothing.
    ///
    /// # Errors
    /// [`EmbeddedError::Sandbox`].
    pub fn new(folder: DataFolder, options: EmbeddedOptions) -> Result<Self, EmbeddedError> {
        #[cfg(all(feature = "native", target_os = "linux"))]
        let native = options.native.clone();
        let EmbeddedOptions { limits, cache_folder, notice, trusted_runtimes, .. } = options;
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
        #[cfg_attr(not(all(feature = "native", target_os = "linux")), expect(unused_mut, reason = "one backend only"))]
        let mut backends = vec![wasm];
        #[cfg(all(feature = "native", target_os = "linux"))]
        if let Some(native) = native {
            backends.push(Arc::new(sre_sandbox::native::NativeSandbox::new(native)));
        }
        let executor = Executor::new(backends, slots);
        let acceptance = Acceptance::new(limits, executor.clone());
        Ok(Self { folder, executor, acceptance })
    }

    /// What this runtime accepts.
    #[must_use]
    pub fn acceptance(&self) -> &Acceptance {
        &self.acceptance
    }

    /// Where skills run, for whoever puts an orchestrator together from other stages.
    #[must_use]
    pub fn executor(&self) -> &Executor {
        &self.executor
    }

    /// Opens store and journal and puts the orchestrator together, for the operator's own orders: their callbacks may go to any
    /// address.
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
    pub fn parts_over(&self, store: Arc<dyn Store>, policy: AddressPolicy) -> Result<Parts, EmbeddedError> {
        let journal = Arc::new(self.folder.open_journal()?);
        let commit = Arc::new(Committer::new(self.executor.clone(), Arc::clone(&store)));
        let verify = Arc::new(self.verifier_over(Arc::clone(&store)));
        let callback = Arc::new(HttpCallback::new(policy, Arc::new(self.folder.open_callback_keys()?))?);
        Ok(Parts::new(self.executor.clone(), commit, verify, callback, store, journal))
    }

    /// A verifier over this data folder, for claims that are already there.
    ///
    /// # Errors
    /// [`EmbeddedError`].
    pub fn verifier(&self) -> Result<Verifier, EmbeddedError> {
        Ok(self.verifier_over(Arc::new(self.folder.open_store()?)))
    }

    /// A verifier over other bytes than those of this data folder, which is not touched. It grants replays what orders may
    /// ask for here.
    #[must_use]
    pub fn verifier_over(&self, store: Arc<dyn Store>) -> Verifier {
        Verifier::new(self.executor.clone(), store).with_limits(self.acceptance.limits().replay())
    }
}

/// Executes one order on the embedded default, in the platform's data folder.
///
/// Builds the sandbox and opens the folder each time; a program with more than one order keeps an [`Embedded`] and an
/// [`Orchestrator`].
///
/// # Errors
/// [`EmbeddedError`]; an order that ran and failed is an [`OrderResult`] and no error.
pub async fn execute_skill_order(config: OrderConfig) -> Result<OrderResult, EmbeddedError> {
    let embedded = Embedded::new(DataFolder::new(default_data_folder()?), EmbeddedOptions::default())?;
    let order = embedded.acceptance().accept(config).await?;
    Ok(embedded.open()?.execute(order).await?)
}
