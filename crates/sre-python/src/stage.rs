//! Stages that Python replaces, for one order at a time.
//!
//! The orchestrator has one commit and one verify stage, which look at the order's task for a
//! replacement. A replacement runs as a coroutine on the event loop that waits for the order; its
//! answer comes back through a [`Reply`]. Retries and time limits are the orchestrator's: when it
//! gives up on a stage, the coroutine is cancelled.

use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::time::Duration;

use async_trait::async_trait;
use pyo3::prelude::*;
use serde_json::{Value, json};
use sre_commit::{Commit, CommitError, CommitRequest, Committed};
use sre_core::{CommitResult, ErrorCode, Verdict, VerifyResult, canonical_json};
use sre_da::Store;
use sre_orchestrator::OrderConfig;
use sre_sandbox::SandboxError;
use sre_verify::{Verify, VerifyRequest};
use tokio::sync::oneshot;

use crate::claim::Claim;
use crate::json::to_python;
use crate::task::Waiter;
use crate::threads::{Message, threads};

/// What one order's Python stages are.
#[derive(Default)]
pub(crate) struct Stages {
    commit: Option<Arc<Stage>>,
    verify: Option<Arc<Stage>>,
}

tokio::task_local! {
    pub(crate) static STAGES: Stages;
}

/// A coroutine function on an event loop.
pub(crate) struct Stage {
    event_loop: Py<PyAny>,
    /// `start(reply, claim)`: begins the stage on the loop.
    start: Py<PyAny>,
    courier: mpsc::Sender<Message>,
    /// For the verify stage; the commit stage is within the attempt's.
    time_limit: Duration,
}

/// The stages of an order with this waiter.
pub(crate) fn stages(
    py: Python<'_>,
    waiter: &Waiter,
    order: &OrderConfig,
    commit: Option<Py<PyAny>>,
    verify: Option<Py<PyAny>>,
) -> PyResult<Stages> {
    let Some((event_loop, ..)) = waiter else {
        return Ok(Stages::default());
    };
    if commit.is_none() && verify.is_none() {
        return Ok(Stages::default());
    }
    let threads = threads().map_err(|failure| failure.into_exception(py))?;
    let time_limit =
        Duration::try_from_secs_f64(order.timeout_seconds).unwrap_or(Duration::from_secs(300));
    let stage = |start: Py<PyAny>| {
        let (event_loop, courier) = (event_loop.clone_ref(py), threads.courier.clone());
        Arc::new(Stage {
            event_loop,
            start,
            courier,
            time_limit,
        })
    };
    Ok(Stages {
        commit: commit.map(stage),
        verify: verify.map(stage),
    })
}

/// How a Python stage ended.
enum Ended {
    Returned(Value),
    /// It says that its input is at fault; trying again will not help.
    Rejected(String),
    TimedOut,
    /// Anything else it raised.
    Raised(String),
}

/// Where a Python stage puts its answer. The first one counts.
#[pyclass(frozen, module = "sre_runtime._native")]
pub(crate) struct Reply(Arc<Mutex<ReplySlot>>);

struct ReplySlot {
    sender: Option<oneshot::Sender<Ended>>,
    cancel: Option<Py<PyAny>>,
    abandoned: bool,
}

#[pymethods]
impl Reply {
    /// What to call on the loop when the answer is no longer wanted; false if it is not wanted
    /// already.
    fn on_cancel(&self, cancel: Py<PyAny>) -> bool {
        let mut slot = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        slot.cancel = Some(cancel);
        !slot.abandoned
    }

    /// The stage returned this dict. Raises what is wrong with it.
    fn returned(&self, py: Python<'_>, value: &Bound<'_, PyAny>, name: &str) -> PyResult<()> {
        let value =
            crate::order::dict(value, name).map_err(|failure| failure.into_exception(py))?;
        self.send(Ended::Returned(value));
        Ok(())
    }

    /// The stage raised something; `kind` is `rejected`, `timeout` or another.
    fn raised(&self, kind: &str, message: String) {
        self.send(match kind {
            "rejected" => Ended::Rejected(message),
            "timeout" => Ended::TimedOut,
            _ => Ended::Raised(message),
        });
    }
}

impl Reply {
    fn send(&self, ended: Ended) {
        let sender = self
            .0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .sender
            .take();
        // The stage may have been given up meanwhile.
        drop(sender.map(|sender| sender.send(ended)));
    }
}

/// Cancels the coroutine when its answer is no longer waited for.
struct Waiting {
    stage: Arc<Stage>,
    slot: Arc<Mutex<ReplySlot>>,
}

impl Drop for Waiting {
    fn drop(&mut self) {
        let mut slot = self.slot.lock().unwrap_or_else(PoisonError::into_inner);
        slot.abandoned = true;
        let answered = slot.sender.is_none();
        if let (Some(cancel), false) = (slot.cancel.take(), answered) {
            let stage = Arc::clone(&self.stage);
            let call = move |py: Python<'_>| {
                stage.cancel(py, &cancel);
                Ok(())
            };
            drop(self.stage.courier.send(Message::Call(Box::new(call))));
        }
    }
}

impl Stage {
    async fn run(self: &Arc<Self>, claim: Option<Value>) -> Ended {
        let (sender, receiver) = oneshot::channel();
        let slot = Arc::new(Mutex::new(ReplySlot {
            sender: Some(sender),
            cancel: None,
            abandoned: false,
        }));
        let _waiting = Waiting {
            stage: Arc::clone(self),
            slot: Arc::clone(&slot),
        };
        let stage = Arc::clone(self);
        let begin = move |py: Python<'_>| stage.begin(py, Reply(slot), claim);
        if self.courier.send(Message::Call(Box::new(begin))).is_err() {
            return Ended::Raised(String::from("the interpreter is shutting down"));
        }
        receiver
            .await
            .unwrap_or_else(|_| Ended::Raised(String::from("the stage ended without an answer")))
    }

    /// Called by the courier.
    fn begin(&self, py: Python<'_>, reply: Reply, claim: Option<Value>) -> PyResult<()> {
        let slot = Reply(Arc::clone(&reply.0));
        let claim = claim.map(|claim| to_python(py, &claim)).transpose()?;
        let begun =
            self.event_loop
                .call_method1(py, "call_soon_threadsafe", (&self.start, reply, claim));
        if let Err(error) = begun {
            slot.send(Ended::Raised(format!(
                "the event loop of the order is gone: {error}"
            )));
        }
        Ok(())
    }

    /// Called by the courier. A loop that is closed runs no coroutine.
    fn cancel(&self, py: Python<'_>, cancel: &Py<PyAny>) {
        drop(
            self.event_loop
                .call_method1(py, "call_soon_threadsafe", (cancel,)),
        );
    }
}

/// The commit stage of orders from Python.
pub(crate) struct SwitchCommit {
    committer: Arc<dyn Commit>,
    store: Arc<dyn Store>,
}

impl SwitchCommit {
    pub(crate) fn new(committer: Arc<dyn Commit>, store: Arc<dyn Store>) -> Self {
        Self { committer, store }
    }

    /// The value a replaced stage committed, if it is in the store.
    async fn output(&self, result: &CommitResult) -> Option<Value> {
        let bytes = self.store.get(result.result_hash?.into()).await.ok()?;
        canonical_json::parse(&bytes).ok()
    }
}

#[async_trait]
impl Commit for SwitchCommit {
    async fn commit_result(&self, request: CommitRequest) -> Result<Committed, CommitError> {
        let stage = STAGES
            .try_with(|stages| stages.commit.clone())
            .ok()
            .flatten();
        let Some(stage) = stage else {
            return self.committer.commit_result(request).await;
        };
        let claim = Claim::of(&request);
        let time_limit = request.job.time_limit;
        // The stage may run a guest itself, which takes a slot.
        drop(request);
        let result = match stage.run(None).await {
            Ended::Returned(value) => claim.complete(value).map_err(SandboxError::Rejected)?,
            Ended::Rejected(message) => return Err(SandboxError::Rejected(message).into()),
            Ended::TimedOut => return Err(SandboxError::Timeout(time_limit).into()),
            Ended::Raised(message) => return Err(CommitError::Stage(message)),
        };
        let error_code = result
            .result_hash
            .is_none()
            .then_some(ErrorCode::CommitFailed);
        let output = self.output(&result).await;
        Ok(Committed {
            result,
            output,
            command: None,
            logs: String::new(),
            error_code,
        })
    }
}

/// The verify stage of orders from Python.
pub(crate) struct SwitchVerify(Arc<dyn Verify>);

impl SwitchVerify {
    pub(crate) fn new(verifier: Arc<dyn Verify>) -> Self {
        Self(verifier)
    }
}

#[async_trait]
impl Verify for SwitchVerify {
    async fn verify_result(&self, request: VerifyRequest) -> VerifyResult {
        let stage = STAGES
            .try_with(|stages| stages.verify.clone())
            .ok()
            .flatten();
        let Some(stage) = stage else {
            return self.0.verify_result(request).await;
        };
        let expected = match request.claim.result_hash {
            Some(hash) => hash.to_string(),
            None => request.claim.commitment.outcome.to_string(),
        };
        let claim = serde_json::to_value(&request.claim).unwrap_or_default();
        let message = match tokio::time::timeout(stage.time_limit, stage.run(Some(claim))).await {
            Ok(Ended::Returned(value)) => match complete_verdict(value, &expected) {
                Ok(result) => return result,
                Err(message) => message,
            },
            Ok(Ended::Rejected(message) | Ended::Raised(message)) => message,
            Ok(Ended::TimedOut) => String::from("verify_result timed out"),
            Err(_) => format!(
                "verify_result took longer than {} s",
                stage.time_limit.as_secs_f64()
            ),
        };
        unverifiable(expected, message)
    }
}

fn unverifiable(expected_hash: String, error: String) -> VerifyResult {
    VerifyResult {
        is_valid: false,
        verdict: Verdict::Unverifiable,
        method: sre_core::Method::Hash,
        expected_hash,
        actual_hash: None,
        error: Some(error),
        checks: Vec::new(),
        divergence: None,
    }
}

/// A stage may return the fields of the specification alone. Without a verdict, `is_valid` means
/// that hashes held: nothing says that there was a replay.
fn complete_verdict(value: Value, expected: &str) -> Result<VerifyResult, String> {
    let Value::Object(mut fields) = value else {
        return Err(String::from("verify_result: must be an object"));
    };
    fields.retain(|_, value| !value.is_null());
    let valid = fields
        .get("is_valid")
        .and_then(Value::as_bool)
        .unwrap_or_default();
    for (name, value) in [
        (
            "verdict",
            json!(if valid {
                Verdict::HashOnly
            } else {
                Verdict::Unverifiable
            }),
        ),
        ("method", json!(sre_core::Method::Hash)),
        ("expected_hash", json!(expected)),
        ("actual_hash", Value::Null),
        ("error", Value::Null),
        ("checks", json!([])),
    ] {
        fields.entry(name).or_insert(value);
    }
    let result: VerifyResult = serde_json::from_value(Value::Object(fields))
        .map_err(|error| format!("verify_result: {error}"))?;
    if result.is_valid == result.verdict.is_valid() {
        Ok(result)
    } else {
        Err(format!(
            "verify_result.verdict: {} contradicts is_valid",
            result.verdict
        ))
    }
}
