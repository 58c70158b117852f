//! Operating failures of a sandbox.

use std::time::Duration;

/// Why there is no outcome.
#[derive(Debug, thiserror::Error)]
pub enum SandboxError {
    /// The skill cannot run on this backend: wrong kind, invalid module, imports that are not
    /// offered. Trying again will not help.
    #[error("{0}")]
    Rejected(String),
    /// The wall-clock limit was reached, or the guest slept past it on its own clock.
    #[error("the skill was stopped after its time limit of {} s", .0.as_secs_f64())]
    Timeout(Duration),
    /// The caller stopped it.
    #[error("the run was cancelled")]
    Cancelled,
    /// The host lacks something at the moment: memory, an instance slot.
    #[error("the sandbox could not start: {0}")]
    Unavailable(String),
    /// An invariant of the backend broke.
    #[error("bug in the sandbox: {0}")]
    Bug(String),
}

/// The families of [`SandboxError`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorKind {
    /// The skill cannot run on this backend.
    Rejected,
    /// A time limit was reached.
    Timeout,
    /// The caller stopped it.
    Cancelled,
    /// Worth trying again.
    Unavailable,
    /// An invariant broke.
    Bug,
}

impl SandboxError {
    /// The family.
    #[must_use]
    pub const fn kind(&self) -> ErrorKind {
        match self {
            Self::Rejected(_) => ErrorKind::Rejected,
            Self::Timeout(_) => ErrorKind::Timeout,
            Self::Cancelled => ErrorKind::Cancelled,
            Self::Unavailable(_) => ErrorKind::Unavailable,
            Self::Bug(_) => ErrorKind::Bug,
        }
    }
}

impl From<sre_skill::EntryError> for SandboxError {
    fn from(error: sre_skill::EntryError) -> Self {
        Self::Rejected(error.to_string())
    }
}
