//! What Python asks of the pipeline over one data folder.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::{StreamExt, stream};
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use serde_json::{Value, json};
use sre_commit::{Commit, Committer};
use sre_core::{Canonical, OrderId, OrderResult, canonical_json};
use sre_journal::{Finality, JournalErrorKind};
use sre_orchestrator::{AcceptedOrder, EmbeddedError, ExecuteError, Orchestrator, OrderConfig};
use sre_sandbox::{Executor, OwnedCall, OwnedJob, SandboxError};
use sre_verify::{Verify, VerifyRequest};

use crate::bundles;
use crate::failure::Failure;
use crate::json::from_python;
use crate::native::Native;
use crate::order;
use crate::outcome::Answer;
use crate::parts::Inner;
use crate::receipts::{self, Request};
use crate::stage::{STAGES, stages};
use crate::task::{Waiter, start};

/// The pipeline over one data folder. Making one opens, reads and writes nothing.
#[pyclass(frozen, module = "sre_runtime._native")]
pub(crate) struct Runtime(Arc<Inner>);

#[pymethods]
impl Runtime {
    #[new]
    #[pyo3(signature = (listener, data_dir, cache_dir, native = None))]
    fn new(
        py: Python<'_>,
        listener: Py<PyAny>,
        data_dir: Option<PathBuf>,
        cache_dir: Option<PathBuf>,
        native: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<Self> {
        let native = native
            .map(Native::read)
            .transpose()
            .map_err(|failure| failure.into_exception(py))?;
        Ok(Self(Inner::new(listener, data_dir, cache_dir, native)))
    }

    /// Whether the listener is called with results that are completed, or with the others.
    fn listen(&self, completed: bool, wanted: bool) {
        self.0.listen(completed, wanted);
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
                let needs_verdicts = accepted.verdicts_required() > 0;
                match orchestrator.execute(accepted).await {
                    // The same order was run twice at once, and the other run was first: its result
                    // is this one's too.
                    Err(ExecuteError::Journal(error))
                        if error.kind() == JournalErrorKind::LeaseLost =>
                    {
                        answer(
                            &finished(&orchestrator, &order_id)
                                .await?
                                .ok_or_else(|| Failure::order_lost(&order_id))?,
                        )
                    }
                    // What it waits for stands beside its result.
                    Ok(_) if needs_verdicts => answer(&finished(&orchestrator, &order_id).await?),
                    ended => answer(&ended?),
                }
            }),
        )
    }

    /// Runs orders, `in_flight` at once, and answers how many seconds it took: what
    /// `scripts/bench-python.py` compares with.
    fn execute_many(
        &self,
        py: Python<'_>,
        configs: Vec<Bound<'_, PyAny>>,
        in_flight: usize,
    ) -> PyResult<Py<PyAny>> {
        let orders = configs
            .iter()
            .map(|config| read(py, config))
            .collect::<PyResult<Vec<_>>>()?;
        let inner = Arc::clone(&self.0);
        start(py, None, async move {
            let begun = Instant::now();
            let run = |order: OrderConfig| {
                let inner = Arc::clone(&inner);
                tokio::spawn(async move {
                    let accepted = inner.accept(order).await?;
                    inner
                        .orchestrator()?
                        .execute(accepted)
                        .await
                        .map_err(Failure::from)
                })
            };
            let mut running = stream::iter(orders)
                .map(run)
                .buffer_unordered(in_flight.max(1));
            while let Some(ended) = running.next().await {
                ended.map_err(|error| Failure::bug(error.to_string()))??;
            }
            Ok(Answer::Json(json!(begun.elapsed().as_secs_f64())))
        })
    }

    /// The commit stage alone; answers a `CommitResult`. Nothing is written into the journal.
    fn commit(
        &self,
        py: Python<'_>,
        config: &Bound<'_, PyAny>,
        waiter: Waiter,
    ) -> PyResult<Py<PyAny>> {
        let order = read(py, config)?;
        let inner = Arc::clone(&self.0);
        start(py, waiter, async move {
            let accepted = inner.accept(order).await?;
            let executor = inner.sandbox()?.executor().clone();
            let committer = Committer::new(executor.clone(), inner.store()?);
            let store = inner.store()?;
            let request = accepted
                .commit_request(&*store, executor.slot().await?)
                .await?;
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
        let (_, claim) = order::claim(claim).map_err(|failure| failure.into_exception(py))?;
        let reported_output = reported_output
            .map(|output| from_python(output, "output"))
            .transpose()
            .map_err(|failure| failure.into_exception(py))?;
        let inner = Arc::clone(&self.0);
        start(py, waiter, async move {
            let verifier = inner.sandbox()?.verifier_over(inner.store()?);
            answer(
                &verifier
                    .verify_result(VerifyRequest {
                        claim,
                        reported_output,
                    })
                    .await,
            )
        })
    }

    /// One execution in the sandbox; answers a `SandboxResult`. Nothing is stored.
    fn run_in_sandbox(
        &self,
        py: Python<'_>,
        config: &Bound<'_, PyAny>,
        waiter: Waiter,
    ) -> PyResult<Py<PyAny>> {
        let order = read(py, config)?;
        let inner = Arc::clone(&self.0);
        start(py, waiter, async move {
            let accepted = inner.accept(order).await?;
            execute_once(inner.sandbox()?.executor(), &accepted).await
        })
    }

    /// Stores bytes; answers their address.
    fn store(
        &self,
        py: Python<'_>,
        bytes: &Bound<'_, PyBytes>,
        waiter: Waiter,
    ) -> PyResult<Py<PyAny>> {
        let bytes: Arc<[u8]> = bytes.as_bytes().into();
        self.put(py, bytes, waiter)
    }

    /// Stores the canonical JSON of a value; answers its address.
    fn store_json(
        &self,
        py: Python<'_>,
        value: &Bound<'_, PyAny>,
        waiter: Waiter,
    ) -> PyResult<Py<PyAny>> {
        let value = from_python(value, "value").map_err(|failure| failure.into_exception(py))?;
        self.put(py, canonical_json::to_vec(&value).into(), waiter)
    }

    /// Fetches the bytes at an address, or, with `as_json`, the value they are the canonical JSON
    /// of.
    fn fetch(
        &self,
        py: Python<'_>,
        uri: &Bound<'_, PyAny>,
        as_json: bool,
        waiter: Waiter,
    ) -> PyResult<Py<PyAny>> {
        let uri = order::text(uri, "uri").map_err(|failure| failure.into_exception(py))?;
        let inner = Arc::clone(&self.0);
        start(py, waiter, async move {
            let bytes = sre_da::fetch_result(&*inner.store()?, &uri).await?;
            if !as_json {
                return Ok(Answer::Bytes(bytes));
            }
            let value = canonical_json::parse(&bytes);
            Ok(Answer::Json(value.map_err(|error| {
                Failure::of_value("uri", format!("holds no JSON: {error}"))
            })?))
        })
    }

    /// What the journal knows of an order: its `OrderResult`, or `None` while it is open or was
    /// never accepted.
    fn result(
        &self,
        py: Python<'_>,
        order_id: &Bound<'_, PyAny>,
        waiter: Waiter,
    ) -> PyResult<Py<PyAny>> {
        let order_id = order::id(order_id).map_err(|failure| failure.into_exception(py))?;
        let inner = Arc::clone(&self.0);
        start(py, waiter, async move {
            answer(&finished(&*inner.orchestrator()?, &order_id).await?)
        })
    }

    /// The receipt of an order that has ended, with the proof of its place in the log; `None` for
    /// an order without a result.
    fn receipt(
        &self,
        py: Python<'_>,
        order_id: &Bound<'_, PyAny>,
        waiter: Waiter,
    ) -> PyResult<Py<PyAny>> {
        let order_id = order::id(order_id).map_err(|failure| failure.into_exception(py))?;
        let inner = Arc::clone(&self.0);
        start(py, waiter, async move {
            // Before anything is opened that has to be made: an order without a result has no
            // receipt.
            if finished(&*inner.orchestrator()?, &order_id)
                .await?
                .is_none()
            {
                return answer(&());
            }
            answer(&receipts::shown(&*inner.registrar().await?, &order_id).await?)
        })
    }

    /// The bundle of an order that has ended, as bytes of a file; `None` for an order without a
    /// result.
    fn bundle(
        &self,
        py: Python<'_>,
        order_id: &Bound<'_, PyAny>,
        with_runtime: &Bound<'_, PyAny>,
        waiter: Waiter,
    ) -> PyResult<Py<PyAny>> {
        let asked = order::id(order_id)
            .and_then(|id| Ok((id, order::truth(with_runtime, "with_runtime")?)));
        let (order_id, with_runtime) = asked.map_err(|failure| failure.into_exception(py))?;
        let inner = Arc::clone(&self.0);
        start(py, waiter, async move {
            if finished(&*inner.orchestrator()?, &order_id)
                .await?
                .is_none()
            {
                return answer(&());
            }
            let (registrar, store) = (inner.registrar().await?, inner.store()?);
            bundles::of_folder(&registrar, &*store, &order_id, with_runtime)
                .await
                .map(Answer::Bytes)
        })
    }

    /// A verdict on a receipt or a bundle from anywhere; answers a `VerifyResult`.
    fn verify_receipt(
        &self,
        py: Python<'_>,
        receipt: &Bound<'_, PyAny>,
        proof: Option<&Bound<'_, PyAny>>,
        trust: Option<&Bound<'_, PyAny>>,
        require_proof: &Bound<'_, PyAny>,
        witnesses: &Bound<'_, PyAny>,
        waiter: Waiter,
    ) -> PyResult<Py<PyAny>> {
        let request = Request::read(receipt, proof, trust, require_proof, witnesses);
        let request = request.map_err(|failure| failure.into_exception(py))?;
        let inner = Arc::clone(&self.0);
        start(py, waiter, async move {
            answer(&receipts::verify(&inner, request).await?)
        })
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
        entry: Arc::new(order.skill().default_entry().map_err(SandboxError::from)?),
        call: OwnedCall::Json(order.input().into()),
        profile: Arc::new(Canonical::new(order.profile().clone())),
        time_limit: time_limit(order),
        language_runtime: None,
    };
    let execution = executor.execute(slot, job).await?;
    let error_code = execution.outcome.error_code(None);
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

/// An order that has ended, as the journal knows it.
#[derive(serde::Serialize)]
struct Finished {
    #[serde(flatten)]
    result: OrderResult,
    #[serde(skip_serializing_if = "Option::is_none")]
    finality: Option<Finality>,
}

async fn finished(
    orchestrator: &Orchestrator,
    order_id: &OrderId,
) -> Result<Option<Finished>, Failure> {
    let entry = orchestrator.journal().get(order_id).await;
    let entry = entry.map_err(EmbeddedError::from)?;
    let Some(entry) = entry else { return Ok(None) };
    let result = entry.parsed_result().map_err(EmbeddedError::from)?;
    Ok(result.map(|result| Finished {
        result,
        finality: entry.finality,
    }))
}

fn answer<T: serde::Serialize>(value: &T) -> Result<Answer, Failure> {
    serde_json::to_value(value)
        .map(Answer::Json)
        .map_err(|error| Failure::bug(format!("a result cannot be written as JSON: {error}")))
}
