//! The pipeline for Python: `sre_runtime._native`, the native half of the package in `python/`.
//!
//! Python gets the Rust pipeline with a Python face. This crate is the seam and no more: it reads
//! Python values strictly (`json`, `order`), runs futures on threads of its own (`threads`, `task`,
//! `outcome`, `mailbox`), puts the orchestrator together (`parts`, `runtime`, `native`, `receipts`), lets
//! Python replace stages (`stage`, `claim`), talks to a service (`service`, `events`), and turns
//! errors into exceptions (`failure`). Retries, time limits and callbacks are decided in
//! `sre-orchestrator`; dataclasses and exceptions are Python's.
//!
//! Rules of the seam:
//! - No Python code runs while a value is read: only exact built-in types are, and they have no
//!   methods of their own.
//! - The interpreter lock is never held while waiting.
//! - Only the courier (see `threads`), mailboxes, listeners and Python's own threads touch Python
//!   objects.
//! - A panic is an exception of its own kind, and never crosses the seam.

mod bundles;
mod claim;
mod events;
mod failure;
mod json;
#[cfg(unix)]
mod mailbox;
mod native;
mod order;
mod outcome;
mod parts;
mod receipts;
mod runtime;
mod service;
mod stage;
mod task;
mod threads;

use pyo3::prelude::*;

/// The native half of `sre_runtime`.
#[pymodule]
mod _native {
    #[pymodule_export]
    use crate::events::Events;
    #[cfg(unix)]
    #[pymodule_export]
    use crate::mailbox::Mailbox;
    #[pymodule_export]
    use crate::native::become_launcher;
    #[pymodule_export]
    use crate::runtime::Runtime;
    #[pymodule_export]
    use crate::service::Service;
    #[pymodule_export]
    use crate::stage::Reply;
    #[pymodule_export]
    use crate::task::Task;
    #[pymodule_export]
    use crate::threads::{before_fork, close};
}
