//! How outcomes come to an event loop: a queue, and a pair of sockets that wakes the loop.
//!
//! Whoever has an outcome puts it here without the interpreter's lock; the loop fetches it with the
//! lock it has anyway. So between a result and the coroutine that waits for it there is one thread
//! change, and no thread of the pipeline ever waits for Python.

use std::io::{self, Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::sync::{Mutex, PoisonError};

use pyo3::prelude::*;

use crate::task::{Outcome, Settled};

/// What has arrived for one event loop.
#[pyclass(frozen, module = "sre_runtime._native")]
pub(crate) struct Mailbox {
    arrived: Mutex<Vec<(Py<PyAny>, Outcome)>>,
    bell: UnixStream,
    ear: UnixStream,
}

#[pymethods]
impl Mailbox {
    #[new]
    fn new() -> PyResult<Self> {
        let (bell, ear) = UnixStream::pair()?;
        bell.set_nonblocking(true)?;
        ear.set_nonblocking(true)?;
        Ok(Self {
            arrived: Mutex::default(),
            bell,
            ear,
        })
    }

    /// Readable when something has arrived.
    fn fileno(&self) -> i32 {
        self.ear.as_raw_fd()
    }

    /// Everything that has arrived: futures, each with its value or exception.
    fn take(&self, py: Python<'_>) -> PyResult<Vec<Settled>> {
        // First, so that what arrives from here on rings again.
        if let Err(error) = (&self.ear).read(&mut [0; 64])
            && error.kind() != io::ErrorKind::WouldBlock
        {
            return Err(error.into());
        }
        let arrived =
            std::mem::take(&mut *self.arrived.lock().unwrap_or_else(PoisonError::into_inner));
        Ok(arrived
            .into_iter()
            .map(|(future, outcome)| outcome.settle(py, future))
            .collect())
    }
}

impl Mailbox {
    /// Brings an outcome; needs no interpreter.
    pub(crate) fn put(&self, future: Py<PyAny>, outcome: Outcome) {
        let mut arrived = self.arrived.lock().unwrap_or_else(PoisonError::into_inner);
        arrived.push((future, outcome));
        if arrived.len() == 1 {
            // Full means that it rings already.
            drop((&self.bell).write(&[0]));
        }
    }
}
