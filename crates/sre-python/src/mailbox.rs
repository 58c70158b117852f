//! How outcomes come to an event loop: a queue, and a pair of sockets that wakes the loop.
//!
//! A thread of the pipeline puts an outcome here without the interpreter's lock; the loop fetches it
//! with the lock it has anyway. So between a result and the coroutine that waits for it there is one
//! thread change, and no thread of the pipeline ever waits for Python.

use std::io::{self, Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::sync::{Mutex, PoisonError};

use pyo3::prelude::*;

use crate::outcome::{Outcome, Settled};

/// What has arrived for one event loop.
#[pyclass(frozen, module = "sre_runtime._native")]
pub(crate) struct Mailbox {
    arrived: Mutex<Vec<(Py<PyAny>, Outcome)>>,
    wake: UnixStream,
    woken: UnixStream,
}

#[pymethods]
impl Mailbox {
    #[new]
    fn new() -> PyResult<Self> {
        let (wake, woken) = UnixStream::pair()?;
        wake.set_nonblocking(true)?;
        woken.set_nonblocking(true)?;
        Ok(Self {
            arrived: Mutex::default(),
            wake,
            woken,
        })
    }

    /// Readable when something has arrived.
    fn fileno(&self) -> i32 {
        self.woken.as_raw_fd()
    }

    /// Everything that has arrived: futures, each with its value or exception.
    fn take(&self, py: Python<'_>) -> PyResult<Vec<Settled>> {
        // First, so that what arrives from here on wakes the loop again.
        if let Err(error) = (&self.woken).read(&mut [0; 64])
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
            // A full socket wakes the loop already.
            drop((&self.wake).write(&[0]));
        }
    }
}
