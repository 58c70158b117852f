//! The parts of the pipeline below one data folder, opened when they are first needed.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use futures_util::{StreamExt, stream};
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use serde_json::{Value, json};
use sre_commit::{Commit, CommitRequest, Committer};
use sre_core::{Canonical, CommitResult, OrderId, OrderResult, OrderStatus, canonical_json};
use sre_da::Store;
use sre_orchestrator::{
    AcceptedOrder, AddressPolicy, DataFolder, Embedded, EmbeddedError, EmbeddedOptions, ExecuteError, JournalError,
    Orchestrator, OrderConfig, default_data_folder,
};
use sre_sandbox::{Executor, OwnedJob};
use sre_verify::{Verifier, Verify, VerifyRequest};
use tokio::task::block_in_place;

use crate::failure::Failure;
use crate::json::from_python;
use crate::order;
use crate::stage::{STAGES, SwitchCommit, SwitchVerify, stages};
use crate::task::{Answer, Waiter, start};

/// Every runtime that may have something open, for [`close_all`].
static RUNTIMES: Mutex<Vec<Weak<Inner>>> = Mutex::new(Vec::new());

/// The pipeline over one data folder. Making one opens, reads and writes nothing.
#[pyclass(frozen, module = "sre_runtime._native")]
pub(crate) struct Runtime(Arc<Inner>);

struct Inner {
    data_dir: Option<PathBuf>,
    cache_dir: Option<PathBuf>,
    /// `listener(result)`, called on the thread that finished the order.
    listener: Py<PyAny>,
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
}

#[pymethods]
impl Runtime {
    #[new]
    fn new(listener: Py<PyAny>, data_dir: Option<PathBuf>, cache_dir: Option<PathBuf>) -> Self {
        let inner = Arc::new(Inner {
            data_dir,
            cache_dir,
            listener,
            wants_failures: AtomicBool::new(false),
            wants_successes: AtomicBool::new(false),
            parts: Mutex::default(),
        });
        let mut runtimes = lock(&RUNTIMES);
        runtimes.retain(|known| known.strong_count() > 0);
        runtimes.push(Arc::downgrade(&inner));
        Self(inner)
    }

    /// Whether the listener is called with results that are completed, or with the others.
    fn listen(&self, completed: bool, wanted: bool) {
        self.0.wants(completed).store(wanted, Ordering::SeqCst);
    }

    /// The whole pipeline on one order; answers an `OrderResult`.
    fn execute(
        &self,
        py: Python<'_>,
        config: &Bound<'_, PyAny>,
        waiter: Waiter,
        commit: Option<Py<PyAny>>,
        verify: Option<Py<PyAny>>,
    ) -> PyResult<Py<PyAny>> {
        let order = read(py, config)?;
        let stages = stages(py, &waiter, &order, commit, verify)?;
        let inner = Arc::clone(&self.0);
        start(
            py,
            waiter,
            STAGES.scope(stages, async move {
                let accepted = inner.accept(order).await?;
                let (orchestrator, order_id) = (inner.orchestrator()?, accepted.order_id().clone());
                match orchestrator.execute(accepted).await {
                    // The same order was run twice at once, and the other run was first: its result is this one's too.
                    Err(ExecuteError::Journal(JournalError::LeaseLost(_))) => stored_result(&orchestrator, &order_id),
                    ended => answer(&ended?),
                }
            }),
        )
    }

    /// Runs orders, `in_flight` at once, and answers how many seconds it took: what `scripts/bench-python.py` compares with.
    fn execute_many(&self, py: Python<'_>, configs: Vec<Bound<'_, PyAny>>, in_flight: usize) -> PyResult<Py<PyAny>> {
        let orders = configs.iter().map(|config| read(py, config)).collect::<PyResult<Vec<_>>>()?;
        let inner = Arc::clone(&self.0);
        start(py, None, async move {
            let begun = Instant::now();
            let run = |order: OrderConfig| {
                let inner = Arc::clone(&inner);
                tokio::spawn(async move {
                    let accepted = inner.accept(order).await?;
                    inner.orchestrator()?.execute(accepted).await.map_err(Failure::from)
                })
            };
            let mut running = stream::iter(orders).map(run).buffer_unordered(in_flight.max(1));
            while let Some(ended) = running.next().await {
                ended.map_err(|error| Failure::bug(error.to_string()))??;
            }
            Ok(Answer::Json(json!(begun.elapsed().as_secs_f64())))
        })
    }

    /// The commit stage alone; answers a `CommitResult`. Nothing is written into the journal.
    fn commit(&self, py: Python<'_>, config: &Bound<'_, PyAny>, waiter: Waiter) -> PyResult<Py<PyAny>> {
        let order = read(py, config)?;
        let inner = Arc::clone(&self.0);
        start(py, waiter, async move {
            let accepted = inner.accept(order).await?;
            let executor = inner.sandbox()?.executor().clone();
            let committer = Committer::new(executor.clone(), inner.store()?);
            let request = CommitRequest {
                order_id: accepted.order_id().clone(),
                skill: Arc::clone(accepted.skill()),
                input: accepted.input().into(),
                profile: Arc::new(Canonical::new(accepted.profile().clone())),
                time_limit: time_limit(&accepted),
                slot: executor.slot().await?,
            };
            answer(&committer.commit_result(request).await?.result)
        })
    }

    /// The verify stage alone; answers a `VerifyResult`.
    fn verify(
        &self,
        py: Python<'_>,
        claim: &Bound<'_, PyAny>,
        reported_output: Option<&Bound<'_, PyAny>>,
        waiter: Waiter,
    ) -> PyResult<Py<PyAny>> {
        let claim = order::dict(claim, "commit_result").and_then(|mut claim| {
            // A missing field is named, a null one is not.
            if let Some(fields) = claim.as_object_mut() {
                fields.retain(|_, value| !value.is_null());
            }
            serde_json::from_value::<CommitResult>(claim).map_err(|error| Failure::of_value("commit_result", error))
        });
        let claim = claim.map_err(|failure| failure.into_exception(py))?;
        let reported_output = reported_output
            .map(|output| from_python(output, "output"))
            .transpose()
            .map_err(|failure| failure.into_exception(py))?;
        let inner = Arc::clone(&self.0);
        start(py, waiter, async move {
            let verifier = Verifier::new(inner.sandbox()?.executor().clone(), inner.store()?);
            answer(&verifier.verify_result(VerifyRequest { claim, reported_output }).await)
        })
    }

    /// One execution in the sandbox; answers a `SandboxResult`. Nothing is stored.
    fn run_in_sandbox(&self, py: Python<'_>, config: &Bound<'_, PyAny>, waiter: Waiter) -> PyResult<Py<PyAny>> {
        let order = read(py, config)?;
        let inner = Arc::clone(&self.0);
        start(py, waiter, async move {
            let accepted = inner.accept(order).await?;
            execute_once(inner.sandbox()?.executor(), &accepted).await
        })
    }

    /// Stores bytes; answers their address.
    fn store(&self, py: Python<'_>, bytes: &Bound<'_, PyBytes>, waiter: Waiter) -> PyResult<Py<PyAny>> {
        let bytes: Arc<[u8]> = bytes.as_bytes().into();
        self.put(py, bytes, waiter)
    }

    /// Stores the canonical JSON of a value; answers its address.
    fn store_json(&self, py: Python<'_>, value: &Bound<'_, PyAny>, waiter: Waiter) -> PyResult<Py<PyAny>> {
        let value = from_python(value, "value").map_err(|failure| failure.into_exception(py))?;
        self.put(py, canonical_json::to_vec(&value).into(), waiter)
    }

    /// Fetches the bytes at an address, or, with `as_json`, the value they are the canonical JSON of.
    fn fetch(&self, py: Python<'_>, uri: &Bound<'_, PyAny>, as_json: bool, waiter: Waiter) -> PyResult<Py<PyAny>> {
        let uri = order::text(uri, "uri").map_err(|failure| failure.into_exception(py))?;
        let inner = Arc::clone(&self.0);
        start(py, waiter, async move {
            let bytes = sre_da::fetch_result(&*inner.store()?, &uri).await?;
            if !as_json {
                return Ok(Answer::Bytes(bytes));
            }
            let value = canonical_json::parse(&bytes);
            Ok(Answer::Json(value.map_err(|error| Failure::of_value("uri", format!("holds no JSON: {error}")))?))
        })
    }

    /// What the journal knows of an order: its `OrderResult`, or `None` while it is open or was never accepted.
    fn result(&self, py: Python<'_>, order_id: &Bound<'_, PyAny>, waiter: Waiter) -> PyResult<Py<PyAny>> {
        let order_id = order::text(order_id, "order_id")
            .and_then(|id| id.parse().map_err(|error| Failure::of_value("order_id", error)))
            .map_err(|failure| failure.into_exception(py))?;
        let inner = Arc::clone(&self.0);
        start(py, waiter, async move { stored_result(&*inner.orchestrator()?, &order_id) })
    }
}

impl Runtime {
    fn put(&self, py: Python<'_>, bytes: Arc<[u8]>, waiter: Waiter) -> PyResult<Py<PyAny>> {
        let inner = Arc::clone(&self.0);
        start(py, waiter, async move {
            let uri = sre_da::store_result(&*inner.store()?, bytes).await?;
            Ok(Answer::Json(Value::String(uri)))
        })
    }
}

impl Inner {
    async fn accept(&self, order: OrderConfig) -> Result<AcceptedOrder, Failure> {
        Ok(self.sandbox()?.acceptance().accept(order).await?)
    }

    fn folder(&self) -> Result<DataFolder, Failure> {
        Ok(DataFolder::new(self.data_dir.clone().map_or_else(default_data_folder, Ok)?))
    }

    fn sandbox(&self) -> Result<Arc<Embedded>, Failure> {
        let mut parts = lock(&self.parts);
        if let Some(sandbox) = &parts.sandbox {
            return Ok(Arc::clone(sandbox));
        }
        let options = EmbeddedOptions { cache_folder: self.cache_dir.clone(), ..EmbeddedOptions::default() };
        let folder = self.folder()?;
        let sandbox = Arc::new(block_in_place(|| Embedded::new(folder, options))?);
        parts.process = std::process::id();
        parts.sandbox = Some(Arc::clone(&sandbox));
        Ok(sandbox)
    }

    fn store(&self) -> Result<Arc<dyn Store>, Failure> {
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

    fn orchestrator(self: &Arc<Self>) -> Result<Arc<Orchestrator>, Failure> {
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

    fn wants(&self, completed: bool) -> &AtomicBool {
        if completed { &self.wants_successes } else { &self.wants_failures }
    }

    /// Tells Python, if it wants to know. Runs on a thread of the pipeline, which another one replaces meanwhile.
    fn notify(&self, result: &OrderResult) {
        if !self.wants(result.status == OrderStatus::Completed).load(Ordering::SeqCst) {
            return;
        }
        block_in_place(|| {
            // Without an interpreter there is nobody to tell.
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
        close(std::mem::take(self.parts.get_mut().unwrap_or_else(PoisonError::into_inner)));
    }
}

fn tell(py: Python<'_>, listener: &Py<PyAny>, result: &OrderResult) -> PyResult<()> {
    let value = serde_json::to_value(result).unwrap_or_default();
    listener.call1(py, (crate::json::to_python(py, &value)?,)).map(drop)
}

/// Closes what every runtime has open. Each opens it again when it is needed.
pub(crate) fn close_all() {
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

fn read(py: Python<'_>, config: &Bound<'_, PyAny>) -> PyResult<OrderConfig> {
    order::read(config).map_err(|failure| failure.into_exception(py))
}

fn time_limit(order: &AcceptedOrder) -> Duration {
    Duration::from_millis(order.profile().timeout_ms)
}

async fn execute_once(executor: &Executor, order: &AcceptedOrder) -> Result<Answer, Failure> {
    let slot = executor.slot().await?;
    let job = OwnedJob {
        skill: Arc::clone(order.skill()),
        input: order.input().into(),
        profile: Arc::new(Canonical::new(order.profile().clone())),
        time_limit: time_limit(order),
        language_runtime: None,
    };
    let execution = executor.execute(slot, job).await?;
    let error_code = execution.outcome.error_code();
    Ok(Answer::Json(json!({
        "status": if error_code.is_none() { "success" } else { "failed" },
        "output": execution.output,
        "logs": execution.logs,
        "error_code": error_code,
        "error_message": execution.failure,
        "execution_time_ms": u64::try_from(execution.elapsed.as_millis()).unwrap_or(u64::MAX),
        "backend": order.profile().backend,
        "resources": execution.resources,
    })))
}

fn stored_result(orchestrator: &Orchestrator, order_id: &OrderId) -> Result<Answer, Failure> {
    let entry = block_in_place(|| orchestrator.journal().get(order_id)).map_err(EmbeddedError::from)?;
    let result = entry.map(|entry| entry.parsed_result()).transpose().map_err(EmbeddedError::from)?;
    answer(&result.flatten())
}

fn answer<T: serde::Serialize>(value: &T) -> Result<Answer, Failure> {
    serde_json::to_value(value)
        .map(Answer::Json)
        .map_err(|error| Failure::bug(format!("a result cannot be written as JSON: {error}")))
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
