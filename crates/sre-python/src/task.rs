//! One future, and who waits for it: an event loop or a thread.

use std::panic::AssertUnwindSafe;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::Duration;

use futures_util::FutureExt;
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use serde_json::Value;
use tokio::task::AbortHandle;

use crate::failure::Failure;
use crate::json::to_python;
use crate::threads::{InFlight, Parcel, threads};

/// How often a waiting thread looks for signals, so that Ctrl-C works.
const SIGNAL_INTERVAL: Duration = Duration::from_millis(50);

/// What a future gives Python.
#[derive(Debug)]
pub(crate) enum Answer {
    /// A JSON value.
    Json(Value),
    /// Bytes.
    Bytes(std::sync::Arc<[u8]>),
}

/// How a future ended.
#[derive(Debug)]
pub(crate) struct Outcome(pub(crate) Result<Answer, Failure>);

impl Outcome {
    pub(crate) fn and_then_python(self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        match self.0 {
            Ok(Answer::Json(value)) => Ok(to_python(py, &value)?.unbind()),
            Ok(Answer::Bytes(bytes)) => Ok(PyBytes::new(py, &bytes).into_any().unbind()),
            Err(failure) => Err(failure.into_exception(py)),
        }
    }
}

/// A running future. Forgetting it does not stop it.
#[pyclass(frozen, module = "sre_runtime._native")]
pub(crate) struct Task(AbortHandle);

#[pymethods]
impl Task {
    /// Drops the future, which stops the guest. Nothing happens when it has ended.
    fn cancel(&self) {
        self.0.abort();
    }
}

/// Where the outcome goes: an event loop and a future of it, or `None` for the calling thread.
pub(crate) type Waiter = Option<(Py<PyAny>, Py<PyAny>)>;

/// Starts `future`. With an event loop, returns its [`Task`]; else waits, without the interpreter's lock, and returns the
/// answer.
pub(crate) fn start<F>(py: Python<'_>, waiter: Waiter, future: F) -> PyResult<Py<PyAny>>
where
    F: Future<Output = Result<Answer, Failure>> + Send + 'static,
{
    let threads = threads().map_err(|failure| failure.into_exception(py))?;
    let in_flight = InFlight::new();
    let guarded = async move {
        let _in_flight = in_flight;
        let ended = AssertUnwindSafe(future).catch_unwind().await;
        Outcome(ended.unwrap_or_else(|panic| Err(Failure::bug(panic_message(&*panic)))))
    };
    match waiter {
        Some((event_loop, waiting)) => {
            let courier = threads.courier;
            let task = threads.tokio.spawn(async move {
                let outcome = guarded.await;
                // The courier is gone only when the interpreter is.
                drop(courier.send(Parcel::Settle(event_loop, waiting, outcome)));
            });
            Ok(Task(task.abort_handle()).into_pyobject(py)?.into_any().unbind())
        }
        None => {
            let (sender, receiver) = mpsc::channel();
            let task = threads.tokio.spawn(async move { drop(sender.send(guarded.await)) });
            wait(py, receiver, &task.abort_handle())
        }
    }
}

fn wait(py: Python<'_>, mut receiver: mpsc::Receiver<Outcome>, task: &AbortHandle) -> PyResult<Py<PyAny>> {
    loop {
        let received;
        (receiver, received) = py.detach(move || {
            let received = receiver.recv_timeout(SIGNAL_INTERVAL);
            (receiver, received)
        });
        match received {
            Ok(outcome) => return outcome.and_then_python(py),
            Err(RecvTimeoutError::Timeout) => py.check_signals().inspect_err(|_| task.abort())?,
            Err(RecvTimeoutError::Disconnected) => return Err(Failure::closed().into_exception(py)),
        }
    }
}

fn panic_message(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    format!("a bug in the runtime: {}", text.unwrap_or("it panicked"))
}
