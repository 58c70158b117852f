//! What went wrong, on its way to becoming a Python exception.
//!
//! The exception classes are Python's (`sre_runtime/errors.py`); here they have names only. Codes are those of
//! `docs/results.md` and of `docs/python-package.md`.

use pyo3::prelude::*;
use sre_da::{FetchError, StoreError};
use sre_orchestrator::{AcceptError, ConfigError, EmbeddedError, ExecuteError};
use sre_sandbox::{ErrorKind, SandboxError};
use sre_skill::{SkillError, SkillErrorKind};

/// An exception that has not been raised yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Failure {
    /// Its class in `sre_runtime.errors`.
    class: &'static str,
    code: &'static str,
    field: Option<String>,
    message: String,
}

impl Failure {
    fn new(class: &'static str, code: &'static str, message: impl Into<String>) -> Self {
        Self { class, code, field: None, message: message.into() }
    }

    /// A field has a value of the wrong type.
    pub(crate) fn of_type(field: &str, message: impl std::fmt::Display) -> Self {
        Self::at(field, "InvalidType", "invalid_type", message)
    }

    /// A field has a value of the right type that is wrong.
    pub(crate) fn of_value(field: &str, message: impl std::fmt::Display) -> Self {
        Self::at(field, "InvalidOrder", "order_invalid", message)
    }

    fn at(field: &str, class: &'static str, code: &'static str, message: impl std::fmt::Display) -> Self {
        Self { class, code, field: Some(field.to_owned()), message: format!("{field}: {message}") }
    }

    /// An invariant broke.
    pub(crate) fn bug(message: impl Into<String>) -> Self {
        Self::new("InternalError", "internal", message)
    }

    /// The interpreter is on its way out.
    pub(crate) fn closed() -> Self {
        Self::new("ClosedError", "closed", "the runtime is closed: the interpreter is shutting down")
    }

    /// The runtime was started by the process this one was forked from.
    pub(crate) fn forked() -> Self {
        let message = "this process was forked while orders were in flight; fork before the first order or when none \
                       runs, or start processes with the methods \"spawn\" or \"forkserver\"";
        Self::new("ForkedError", "forked", message)
    }

    /// The exception.
    pub(crate) fn into_exception(self, py: Python<'_>) -> PyErr {
        let Self { class, code, field, message } = self;
        let made = py
            .import("sre_runtime.errors")
            .and_then(|errors| errors.getattr(class))
            .and_then(|class| class.call1((message, code, field)));
        made.map_or_else(|error| error, PyErr::from_value)
    }
}

impl From<SkillError> for Failure {
    fn from(error: SkillError) -> Self {
        let kind = error.kind();
        let message = format!("skill_package: {error}");
        let class = match kind {
            SkillErrorKind::Unreadable => match io_kind(&error) {
                Some(std::io::ErrorKind::NotFound) => "SkillNotFound",
                Some(std::io::ErrorKind::PermissionDenied) => "SkillNotPermitted",
                _ => "SkillUnreadable",
            },
            _ => "InvalidSkill",
        };
        Self { class, code: kind.code(), field: Some(String::from("skill_package")), message }
    }
}

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Self {
        match error {
            ConfigError::Skill(error) => error.into(),
            other => Self::new("InvalidOrder", "order_invalid", other.to_string()),
        }
    }
}

impl From<AcceptError> for Failure {
    fn from(error: AcceptError) -> Self {
        let code = error.code();
        match error {
            AcceptError::Skill(error) => error.into(),
            AcceptError::Field { field, message } => Self::of_value(field, message),
            AcceptError::InputSchema(_) => Self {
                class: "InvalidInput",
                code,
                field: Some(String::from("input_data")),
                message: error.to_string(),
            },
            AcceptError::Sandbox(ref cause) => match cause.kind() {
                ErrorKind::Rejected => Self {
                    class: "InvalidSkill",
                    code,
                    field: Some(String::from("skill_package")),
                    message: error.to_string(),
                },
                _ => Self::new("SandboxUnavailable", code, error.to_string()),
            },
        }
    }
}

impl From<ExecuteError> for Failure {
    fn from(error: ExecuteError) -> Self {
        let message = error.to_string();
        match error {
            ExecuteError::Conflict(_) => {
                Self { class: "OrderConflict", code: "order_conflict", field: Some("order_id".to_owned()), message }
            }
            ExecuteError::Store(error) => error.into(),
            ExecuteError::Journal(_) => Self::new("JournalError", "journal_failed", message),
        }
    }
}

impl From<SandboxError> for Failure {
    fn from(error: SandboxError) -> Self {
        let (class, code) = match error.kind() {
            ErrorKind::Rejected => ("InvalidSkill", "skill_rejected"),
            ErrorKind::Timeout => ("OrderTimeout", "timeout"),
            ErrorKind::Cancelled => ("ClosedError", "cancelled"),
            ErrorKind::Unavailable => ("SandboxUnavailable", "sandbox_unavailable"),
            ErrorKind::Bug => ("InternalError", "internal"),
        };
        Self::new(class, code, error.to_string())
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        let (class, code) = match error {
            StoreError::NotFound { .. } => ("BlobNotFound", "blob_not_found"),
            StoreError::Mismatch { .. } => ("BlobTampered", "blob_tampered"),
            StoreError::TooLarge { .. } => ("BlobTooLarge", "blob_too_large"),
            _ => ("StoreFailed", "store_failed"),
        };
        Self::new(class, code, error.to_string())
    }
}

impl From<FetchError> for Failure {
    fn from(error: FetchError) -> Self {
        match error {
            FetchError::Uri(error) => Self::of_value("uri", error),
            FetchError::Store(error) => error.into(),
        }
    }
}

impl From<sre_commit::CommitError> for Failure {
    fn from(error: sre_commit::CommitError) -> Self {
        match error {
            sre_commit::CommitError::Sandbox(error) => error.into(),
            sre_commit::CommitError::Store(error) => error.into(),
            sre_commit::CommitError::Stage(message) => Self::bug(message),
        }
    }
}

impl From<EmbeddedError> for Failure {
    fn from(error: EmbeddedError) -> Self {
        match error {
            EmbeddedError::Accept(error) => error.into(),
            EmbeddedError::Execute(error) => error.into(),
            EmbeddedError::Sandbox(error) => error.into(),
            EmbeddedError::Store(error) => error.into(),
            EmbeddedError::Folder { ref source, .. } => {
                let class = match source.kind() {
                    std::io::ErrorKind::PermissionDenied => "DataFolderNotPermitted",
                    _ => "DataFolderError",
                };
                Self::new(class, "data_folder", error.to_string().replace("--data-dir", "data_dir="))
            }
            EmbeddedError::NoHome => {
                Self::new("DataFolderError", "data_folder", error.to_string().replace("--data-dir", "data_dir="))
            }
            EmbeddedError::Journal(_) => Self::new("JournalError", "journal_failed", error.to_string()),
            EmbeddedError::Keys(_) => Self::new("DataFolderError", "data_folder", error.to_string()),
            EmbeddedError::Callback(_) => Self::bug(error.to_string()),
        }
    }
}

/// What the file system said, somewhere below an error.
fn io_kind(error: &(dyn std::error::Error + 'static)) -> Option<std::io::ErrorKind> {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if let Some(error) = error.downcast_ref::<std::io::Error>() {
            return Some(error.kind());
        }
        cause = error.source();
    }
    None
}
