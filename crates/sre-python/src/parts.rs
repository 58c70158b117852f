//! What a runtime has open: the sandbox, the store, the journal, the log of receipts. Each is
//! opened when it is first needed.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use pyo3::prelude::*;
use sre_core::{OrderResult, OrderStatus};
use sre_da::Store;
#[cfg(target_os = "linux")]
use sre_orchestrator::default_cache_folder;
use sre_orchestrator::{
    AcceptedOrder, AddressPolicy, DataFolder, Embedded, EmbeddedOptions, InvocationConfig,
    Orchestrator, OrderConfig, Registrar, StoredInputs, default_data_folder,
};
use tokio::task::block_in_place;

use crate::failure::Failure;
use crate::native::Native;
use crate::stage::{SwitchCommit, SwitchVerify};
use crate::threads::on_stop;

/// What receipts name as the program that made them.
const PROGRAM: &str = concat!("sre-runtime for Python ", env!("CARGO_PKG_VERSION"));

/// Every runtime that may have something open, for [`close_all`].
static RUNTIMES: Mutex<Vec<Weak<Inner>>> = Mutex::new(Vec::new());

/// One data folder, and the listener for results.
pub(crate) struct Inner {
    data_dir: Option<PathBuf>,
    cache_dir: Option<PathBuf>,
    /// `listener(result)`, called on the thread that finished the order.
    listener: Py<PyAny>,
    native: Option<Native>,
    wants_failures: AtomicBool,
    wants_successes: AtomicBool,
    parts: Mutex<Parts>,
}

/// What is open. The sandbox comes first: an order that it refuses opens nothing.
#[derive(Default)]
struct Parts {
    process: u32,
    sandbox: Option<Arc<Embedded>>,
    store: Option<Arc<dyn Store>>,
    orchestrator: Option<Arc<Orchestrator>>,
    registrar: Option<Arc<Registrar>>,
}

impl Inner {
    /// Nothing is opened yet.
    pub(crate) fn new(
        listener: Py<PyAny>,
        data_dir: Option<PathBuf>,
        cache_dir: Option<PathBuf>,
        native: Option<Native>,
    ) -> Arc<Self> {
        let inner = Arc::new(Self {
            data_dir,
            cache_dir,
            listener,
            native,
            wants_failures: AtomicBool::new(false),
            wants_successes: AtomicBool::new(false),
            parts: Mutex::default(),
        });
        on_stop(close_all);
        let mut runtimes = lock(&RUNTIMES);
        runtimes.retain(|known| known.strong_count() > 0);
        runtimes.push(Arc::downgrade(&inner));
        inner
    }

    /// Whether the listener is called with results that are completed, or with the others.
    pub(crate) fn listen(&self, completed: bool, wanted: bool) {
        self.wants(completed).store(wanted, Ordering::SeqCst);
    }

    pub(crate) async fn accept(
        self: &Arc<Self>,
        order: OrderConfig,
    ) -> Result<AcceptedOrder, Failure> {
        let sandbox = self.sandbox()?;
        let refers = order
            .invocation
            .as_ref()
            .is_some_and(InvocationConfig::has_references);
        if !refers {
            return Ok(sandbox.acceptance().accept(order).await?);
        }
        let orchestrator = self.orchestrator()?;
        let (store, journal) = (orchestrator.store(), orchestrator.journal());
        // The data folder is the caller's own: his orders may use all that is there.
        let inputs = StoredInputs::new(Arc::clone(store), Arc::clone(journal), None);
        Ok(sandbox.acceptance().accept_from(order, &inputs).await?)
    }

    pub(crate) fn folder(&self) -> Result<DataFolder, Failure> {
        Ok(DataFolder::new(
            self.data_dir.clone().map_or_else(default_data_folder, Ok)?,
        ))
    }

    #[cfg(target_os = "linux")]
    fn cache_folder(&self) -> Option<PathBuf> {
        self.cache_dir
            .clone()
            .or_else(|| default_cache_folder().ok())
    }

    pub(crate) fn sandbox(&self) -> Result<Arc<Embedded>, Failure> {
        let mut parts = lock(&self.parts);
        if let Some(sandbox) = &parts.sandbox {
            return Ok(Arc::clone(sandbox));
        }
        let options = EmbeddedOptions {
            cache_folder: self.cache_dir.clone(),
            #[cfg(target_os = "linux")]
            native: self
                .native
                .as_ref()
                .map(|native| native.options(self.cache_folder().as_deref())),
            ..EmbeddedOptions::default()
        };
        let folder = self.folder()?;
        let sandbox = Arc::new(block_in_place(|| Embedded::new(folder, options))?);
        parts.process = std::process::id();
        parts.sandbox = Some(Arc::clone(&sandbox));
        Ok(sandbox)
    }

    pub(crate) fn store(&self) -> Result<Arc<dyn Store>, Failure> {
        let mut parts = lock(&self.parts);
        if let Some(store) = &parts.store {
            return Ok(Arc::clone(store));
        }
        let folder = self.folder()?;
        let store: Arc<dyn Store> = Arc::new(block_in_place(|| folder.open_store())?);
        parts.process = std::process::id();
        parts.store = Some(Arc::clone(&store));
        Ok(store)
    }

    pub(crate) fn orchestrator(self: &Arc<Self>) -> Result<Arc<Orchestrator>, Failure> {
        let sandbox = self.sandbox()?;
        let mut parts = lock(&self.parts);
        if let Some(orchestrator) = &parts.orchestrator {
            return Ok(Arc::clone(orchestrator));
        }
        let mut stages = block_in_place(|| sandbox.parts(AddressPolicy::any()))?;
        stages.commit = Arc::new(SwitchCommit::new(stages.commit, Arc::clone(&stages.store)));
        stages.verify = Arc::new(SwitchVerify::new(stages.verify));
        parts.store = Some(Arc::clone(&stages.store));
        let orchestrator = Orchestrator::new(stages);
        // Weak, because the orchestrator is a part of what it would hold.
        for register in [true, false] {
            let inner = Arc::downgrade(self);
            let listener = move |result: &OrderResult| {
                if let Some(inner) = inner.upgrade() {
                    inner.notify(result);
                }
            };
            if register {
                orchestrator.register_failure_callback(listener);
            } else {
                orchestrator.register_success_callback(listener);
            }
        }
        let orchestrator = Arc::new(orchestrator);
        parts.orchestrator = Some(Arc::clone(&orchestrator));
        Ok(orchestrator)
    }

    /// Signs and keeps the receipts of this folder. Its key is made if it is missing.
    pub(crate) async fn registrar(self: &Arc<Self>) -> Result<Arc<Registrar>, Failure> {
        if let Some(registrar) = &lock(&self.parts).registrar {
            return Ok(Arc::clone(registrar));
        }
        let journal = Arc::clone(self.orchestrator()?.journal());
        let folder = self.folder()?;
        let registrar = folder
            .open_registrar(journal, self.store()?, PROGRAM)
            .await?;
        let registrar = Arc::new(registrar);
        // Two tasks may open it at once; both write into one log, and the second is dropped.
        Ok(Arc::clone(
            lock(&self.parts).registrar.get_or_insert(registrar),
        ))
    }

    fn wants(&self, completed: bool) -> &AtomicBool {
        if completed {
            &self.wants_successes
        } else {
            &self.wants_failures
        }
    }

    /// Tells Python, if it wants to know. Runs on a thread of the pipeline, which another one
    /// replaces meanwhile.
    fn notify(&self, result: &OrderResult) {
        if !self
            .wants(result.status == OrderStatus::Completed)
            .load(Ordering::SeqCst)
        {
            return;
        }
        block_in_place(|| {
            // Without an interpreter there is no listener to call.
            Python::try_attach(|py| {
                if let Err(error) = tell(py, &self.listener, result) {
                    error.write_unraisable(py, None);
                }
            })
        });
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        close(std::mem::take(
            self.parts.get_mut().unwrap_or_else(PoisonError::into_inner),
        ));
    }
}

fn tell(py: Python<'_>, listener: &Py<PyAny>, result: &OrderResult) -> PyResult<()> {
    let value = serde_json::to_value(result).unwrap_or_default();
    listener
        .call1(py, (crate::json::to_python(py, &value)?,))
        .map(drop)
}

/// Closes what every runtime has open. Each opens it again when it is needed.
fn close_all() {
    let runtimes: Vec<Arc<Inner>> = lock(&RUNTIMES).iter().filter_map(Weak::upgrade).collect();
    for inner in runtimes {
        let parts = std::mem::take(&mut *lock(&inner.parts));
        close(parts);
    }
}

fn close(parts: Parts) {
    if parts.process != 0 && parts.process != std::process::id() {
        // The threads that would have to end are another process's, and so are the open files.
        Box::leak(Box::new(parts));
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
