//! One future, and what waits for it: an event loop or a thread.

use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::time::Duration;

use futures_util::FutureExt;
use pyo3::prelude::*;
use tokio::sync::watch;
use tokio::task::AbortHandle;

use crate::failure::Failure;
#[cfg(unix)]
use crate::mailbox::Mailbox;
use crate::outcome::{Answer, Outcome};
use crate::threads::{InFlight, Message, Threads, threads};

/// How often a waiting thread looks for signals, so that Ctrl-C works.
const SIGNAL_INTERVAL: Duration = Duration::from_millis(50);

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

/// Where the outcome goes: an event loop, a future of it and the loop's `Mailbox` where it has one;
/// or `None` for the calling thread.
pub(crate) type Waiter = Option<(Py<PyAny>, Py<PyAny>, Option<Py<PyAny>>)>;

/// Starts `future`. With an event loop, returns its [`Task`]; else runs it on the calling thread,
/// without the interpreter's lock, and returns the answer.
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
        Some((event_loop, waiting, mailbox)) => {
            let address = Address::new(py, &threads, event_loop, mailbox)?;
            let task = threads
                .tokio
                .spawn(async move { address.deliver(waiting, guarded.await) });
            Ok(Task(task.abort_handle())
                .into_pyobject(py)?
                .into_any()
                .unbind())
        }
        None => run_here(py, threads, Box::pin(guarded)),
    }
}

/// How an outcome comes to an event loop.
enum Address {
    #[cfg(unix)]
    Mailbox(Py<Mailbox>),
    /// By the courier: for loops that cannot watch a socket.
    Loop(Py<PyAny>, std::sync::mpsc::Sender<Message>),
}

impl Address {
    fn new(
        py: Python<'_>,
        threads: &Threads,
        event_loop: Py<PyAny>,
        mailbox: Option<Py<PyAny>>,
    ) -> PyResult<Self> {
        #[cfg(unix)]
        if let Some(mailbox) = mailbox {
            return Ok(Self::Mailbox(
                mailbox.bind(py).cast::<Mailbox>()?.clone().unbind(),
            ));
        }
        #[cfg(not(unix))]
        let _ = (py, mailbox);
        Ok(Self::Loop(event_loop, threads.courier.clone()))
    }

    fn deliver(self, waiting: Py<PyAny>, outcome: Outcome) {
        match self {
            #[cfg(unix)]
            Self::Mailbox(mailbox) => mailbox.get().put(waiting, outcome),
            // The courier is gone only when the interpreter is.
            Self::Loop(event_loop, courier) => {
                drop(courier.send(Message::Settle(event_loop, waiting, outcome)))
            }
        }
    }
}

/// Runs the future on the calling thread, which saves a thread change. Guests and everything else
/// that takes long have threads of their own. Looks for signals in between.
fn run_here(
    py: Python<'_>,
    threads: Threads,
    mut future: Pin<Box<dyn Future<Output = Outcome> + Send>>,
) -> PyResult<Py<PyAny>> {
    let Threads {
        tokio, mut closing, ..
    } = threads;
    loop {
        let turn;
        (future, closing, turn) = py.detach(|| {
            let _inside = tokio.enter();
            let turn = tokio.block_on(async {
                tokio::select! {
                    biased;
                    () = closed(&mut closing) => Turn::Closed,
                    outcome = &mut future => Turn::Ended(outcome),
                    () = tokio::time::sleep(SIGNAL_INTERVAL) => Turn::Waiting,
                }
            });
            if matches!(turn, Turn::Closed) {
                // Before `closing`, which the closing thread waits for.
                future = Box::pin(std::future::pending());
            }
            (future, closing, turn)
        });
        match turn {
            Turn::Ended(outcome) => return outcome.and_then_python(py),
            Turn::Closed => return Err(Failure::closed().into_exception(py)),
            Turn::Waiting => {
                if let Err(interrupt) = py.check_signals() {
                    // Stops the guest.
                    py.detach(|| {
                        let _inside = tokio.enter();
                        drop(future);
                    });
                    return Err(interrupt);
                }
            }
        }
    }
}

enum Turn {
    Ended(Outcome),
    Waiting,
    Closed,
}

/// Until the threads are about to end.
async fn closed(closing: &mut watch::Receiver<bool>) {
    // Without a sender they have.
    drop(closing.wait_for(|closing| *closing).await);
}

fn panic_message(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    format!("a bug in the runtime: {}", text.unwrap_or("it panicked"))
}
