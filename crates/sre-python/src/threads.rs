//! The threads behind Python's: where futures run, and the courier that brings results back.
//!
//! Both are made at the first order and belong to the process that made them. Results go to event
//! loops through mailboxes (see `mailbox`). What needs the interpreter before a loop can go on,
//! which is replaced stages and loops that cannot watch a socket, goes through one thread, the
//! courier: threads that run guests never wait for Python.
//!
//! **Interpreter shutdown.** [`close`] runs at exit, before the interpreter goes: it drops all
//! orders, which stops their guests, and joins the threads. Their journal entries stay open, and
//! submitting the order again runs it again.
//!
//! **Fork.** A forked child has no threads but the one that forked, and must not touch a database
//! its parent has open. [`before_fork`] therefore closes everything when no order is in flight;
//! parent and child open it again at their next order. A child that was forked while orders ran
//! says so instead of waiting for threads it does not have.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError, mpsc};
use std::thread::JoinHandle;
use std::time::Duration;

use pyo3::prelude::*;
use tokio::runtime::{Builder, Handle, Runtime as Tokio};
use tokio::sync::watch;

use crate::failure::Failure;
use crate::outcome::{Outcome, Settled};

/// How long the threads get to end.
const CLOSING_TIME: Duration = Duration::from_secs(5);

/// What the courier brings to an event loop.
pub(crate) enum Message {
    /// The outcome of a task, for the future that waits for it.
    Settle(Py<PyAny>, Py<PyAny>, Outcome),
    /// Something else that needs the interpreter.
    Call(Box<dyn FnOnce(Python<'_>) -> PyResult<()> + Send>),
}

/// What running a future takes.
#[derive(Clone)]
pub(crate) struct Threads {
    pub(crate) tokio: Handle,
    pub(crate) courier: mpsc::Sender<Message>,
    /// Turns true before the threads end. A thread of Python that runs a future drops the future
    /// then, and this after it.
    pub(crate) closing: watch::Receiver<bool>,
}

struct Running {
    process: u32,
    closing: watch::Sender<bool>,
    tokio: Tokio,
    messages: mpsc::Sender<Message>,
    courier: JoinHandle<()>,
}

enum State {
    NotStarted,
    Running(Running),
    /// For good.
    Closed,
}

static STATE: Mutex<State> = Mutex::new(State::NotStarted);
/// What closes files before a fork and at exit.
static ON_STOP: OnceLock<fn()> = OnceLock::new();
static IN_FLIGHT: AtomicUsize = AtomicUsize::new(0);

/// Counts an order as long as it lives.
pub(crate) struct InFlight(());

impl InFlight {
    pub(crate) fn new() -> Self {
        IN_FLIGHT.fetch_add(1, Ordering::SeqCst);
        Self(())
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        IN_FLIGHT.fetch_sub(1, Ordering::SeqCst);
    }
}

/// The threads, started if need be.
///
/// The lock is only ever held by a thread that is attached to the interpreter and is not released
/// in between, so no fork happens while it is held.
pub(crate) fn threads() -> Result<Threads, Failure> {
    let mut state = lock();
    if matches!(*state, State::NotStarted) {
        *state = State::Running(start()?);
    }
    match &*state {
        State::Running(running) if running.process != std::process::id() => Err(Failure::forked()),
        State::Running(running) => Ok(Threads {
            tokio: running.tokio.handle().clone(),
            courier: running.messages.clone(),
            closing: running.closing.subscribe(),
        }),
        State::NotStarted | State::Closed => Err(Failure::closed()),
    }
}

/// Has this called whenever the threads have ended: before a fork, and at exit.
pub(crate) fn on_stop(close: fn()) {
    // Always the same function: a later call changes nothing.
    let _ = ON_STOP.set(close);
}

fn start() -> Result<Running, Failure> {
    let failed = |error| Failure::bug(format!("threads cannot be started: {error}"));
    let tokio = Builder::new_multi_thread()
        .enable_all()
        .thread_name("sre")
        .build()
        .map_err(failed)?;
    let (messages, arriving) = mpsc::channel();
    let courier = std::thread::Builder::new()
        .name(String::from("sre-courier"))
        .spawn(move || deliver(&arriving))
        .map_err(failed)?;
    Ok(Running {
        process: std::process::id(),
        closing: watch::Sender::new(false),
        tokio,
        messages,
        courier,
    })
}

/// Brings messages until every sender is gone, or the interpreter is.
fn deliver(arriving: &mpsc::Receiver<Message>) {
    while let Ok(first) = arriving.recv() {
        let attached = Python::try_attach(|py| {
            // Everything that has arrived while this thread waited for the interpreter.
            let messages: Vec<Message> =
                std::iter::once(first).chain(arriving.try_iter()).collect();
            if let Err(error) = deliver_all(py, messages) {
                error.write_unraisable(py, None);
            }
        });
        if attached.is_none() {
            return;
        }
    }
}

/// One call per event loop for all outcomes that go there.
fn deliver_all(py: Python<'_>, messages: Vec<Message>) -> PyResult<()> {
    let mut settled: Vec<(Py<PyAny>, Vec<Settled>)> = Vec::new();
    for message in messages {
        match message {
            Message::Call(call) => call(py)?,
            Message::Settle(event_loop, future, outcome) => {
                let outcome = outcome.settle(py, future);
                match settled.iter_mut().find(|(known, _)| known.is(&event_loop)) {
                    Some((_, batch)) => batch.push(outcome),
                    None => settled.push((event_loop, vec![outcome])),
                }
            }
        }
    }
    let settle = py
        .import("sre_runtime._waiting")?
        .getattr("settle")?
        .unbind();
    for (event_loop, batch) in settled {
        let batch = batch.into_pyobject(py)?.into_any().unbind();
        call_soon(py, &event_loop, (settle.clone_ref(py), batch));
    }
    Ok(())
}

/// A closed loop has no coroutine that waits.
fn call_soon(py: Python<'_>, event_loop: &Py<PyAny>, arguments: (Py<PyAny>, Py<PyAny>)) {
    drop(event_loop.call_method1(py, "call_soon_threadsafe", arguments));
}

/// Ends everything, for good: called at exit.
#[pyfunction]
pub(crate) fn close(py: Python<'_>) {
    let state = std::mem::replace(&mut *lock(), State::Closed);
    stop(py, state);
}

/// Ends everything if no order is in flight; called before every fork.
#[pyfunction]
pub(crate) fn before_fork(py: Python<'_>) {
    if IN_FLIGHT.load(Ordering::SeqCst) != 0 {
        return;
    }
    let state = {
        let mut state = lock();
        match &*state {
            State::Running(_) => std::mem::replace(&mut *state, State::NotStarted),
            State::NotStarted | State::Closed => return,
        }
    };
    stop(py, state);
}

fn stop(py: Python<'_>, state: State) {
    let State::Running(running) = state else {
        return;
    };
    if running.process != std::process::id() {
        // Neither the threads nor the open files are this process's; nothing of them may be
        // touched.
        Box::leak(Box::new(running));
        return;
    }
    py.detach(move || {
        let Running {
            tokio,
            closing,
            messages,
            courier,
            ..
        } = running;
        // Threads of Python's that run a future stop first: it would panic without the runtime
        // around it.
        closing.send_replace(true);
        drop(tokio.block_on(async { tokio::time::timeout(CLOSING_TIME, closing.closed()).await }));
        tokio.shutdown_timeout(CLOSING_TIME);
        if let Some(close) = ON_STOP.get() {
            close();
        }
        drop(messages);
        // A panic of the courier was printed where it happened.
        drop(courier.join());
    });
}

fn lock() -> MutexGuard<'static, State> {
    STATE.lock().unwrap_or_else(PoisonError::into_inner)
}
