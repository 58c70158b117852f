//! What went wrong, on its way to becoming a Python exception.
//!
//! The exception classes are Python's (`sre_runtime/errors.py`); here they have names only. Codes
//! are those of `docs/reference/errors.md` and of `docs/reference/python-package.md`.

use std::borrow::Cow;

use pyo3::prelude::*;
use sre_client::{ClientError, Problem};
use sre_core::{ErrorCode, OrderId};
use sre_da::{FetchError, StoreError};
use sre_log::NotaryError;
use sre_orchestrator::{AcceptError, ConfigError, EmbeddedError, ExecuteError, RegistrarError};
use sre_receipt::KeyFolderError;
use sre_sandbox::{ErrorKind, SandboxError};
use sre_skill::{SkillError, SkillErrorKind};

/// An exception that has not been raised yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Failure {
    /// Its class in `sre_runtime.errors`.
    class: &'static str,
    code: Cow<'static, str>,
    field: Option<String>,
    /// What a service answered.
    status: Option<u16>,
    message: String,
}

impl Failure {
    fn new(class: &'static str, code: ErrorCode, message: impl Into<String>) -> Self {
        Self {
            class,
            code: Cow::Borrowed(code.as_str()),
            field: None,
            status: None,
            message: message.into(),
        }
    }

    fn in_field(self, field: &str) -> Self {
        Self {
            field: Some(field.to_owned()),
            ..self
        }
    }

    /// A field has a value of the wrong type.
    pub(crate) fn of_type(field: &str, message: impl std::fmt::Display) -> Self {
        Self::at(field, "InvalidType", ErrorCode::InvalidType, message)
    }

    /// A field has a value of the right type that is wrong.
    pub(crate) fn of_value(field: &str, message: impl std::fmt::Display) -> Self {
        Self::at(field, "InvalidOrder", ErrorCode::OrderInvalid, message)
    }

    fn at(
        field: &str,
        class: &'static str,
        code: ErrorCode,
        message: impl std::fmt::Display,
    ) -> Self {
        Self::new(class, code, format!("{field}: {message}")).in_field(field)
    }

    /// An invariant broke.
    pub(crate) fn bug(message: impl Into<String>) -> Self {
        Self::new("InternalError", ErrorCode::Internal, message)
    }

    /// Another process took the order over, and it has no result yet.
    pub(crate) fn order_lost(order_id: &OrderId) -> Self {
        let message = format!(
            "order {order_id} was taken over while it ran here, and has no result yet; ask for its result later, or \
             submit it again under the same order_id"
        );
        Self::new("OrderLost", ErrorCode::OrderLost, message).in_field("order_id")
    }

    /// The answer does not come from this program's service, or from another version of it.
    pub(crate) fn answer_invalid(message: impl Into<String>) -> Self {
        Self::new("ServiceError", ErrorCode::AnswerInvalid, message)
    }

    /// A service refused a request.
    pub(crate) fn refused(status: u16, code: String, detail: String) -> Self {
        let (class, field) = match (status, code.as_str()) {
            (_, "order_conflict") | (409, "order_forgotten") => {
                ("ServiceConflict", Some(String::from("order_id")))
            }
            (429 | 503, _) => ("ServiceUnavailable", None),
            (422, _) => ("ServiceRefused", None),
            _ => ("ServiceError", None),
        };
        Self {
            field,
            status: Some(status),
            // A later version of the service may have codes that this one does not know.
            code: Cow::Owned(code),
            ..Self::new(class, ErrorCode::Refused, detail)
        }
    }

    /// What a receipt leads to is not all there.
    pub(crate) fn evidence_lost(order_id: &OrderId, error: &StoreError) -> Self {
        Self::new(
            "ReceiptFailed",
            ErrorCode::EvidenceLost,
            format!("order {order_id} cannot be bundled: {error}"),
        )
    }

    /// The bundle would be longer than a bundle may be.
    pub(crate) fn bundle_too_large(bytes: usize, limit_bytes: u64) -> Self {
        let message =
            format!("the bundle would have {bytes} bytes, and the limit is {limit_bytes}");
        Self::new("ReceiptFailed", ErrorCode::BundleTooLarge, message)
    }

    /// The interpreter is on its way out.
    pub(crate) fn closed() -> Self {
        Self::new(
            "ClosedError",
            ErrorCode::Closed,
            "the runtime is closed: the interpreter is shutting down",
        )
    }

    /// The runtime was started by the process this one was forked from.
    pub(crate) fn forked() -> Self {
        let message = "this process was forked while orders were in flight; fork before the first order or when none \
                       runs, or start processes with the methods \"spawn\" or \"forkserver\"";
        Self::new("ForkedError", ErrorCode::Forked, message)
    }

    /// The exception.
    pub(crate) fn into_exception(self, py: Python<'_>) -> PyErr {
        let Self {
            class,
            code,
            field,
            status,
            message,
        } = self;
        let made = py
            .import("sre_runtime.errors")
            .and_then(|errors| errors.getattr(class))
            .and_then(|class| match status {
                Some(status) => class.call1((message, code, field, status)),
                None => class.call1((message, code, field)),
            });
        made.map_or_else(|error| error, PyErr::from_value)
    }
}

impl From<ClientError> for Failure {
    fn from(error: ClientError) -> Self {
        match error {
            ClientError::Unreachable(message) => {
                Self::new("ServiceUnavailable", ErrorCode::Unreachable, message)
            }
            ClientError::Invalid(message) => Self::answer_invalid(message),
            ClientError::Refused(Problem {
                status,
                code: Some(code),
                detail,
            }) => Self::refused(status, code, detail),
            ClientError::Refused(Problem { status, .. }) => Self::refused(
                status,
                ErrorCode::AnswerInvalid.to_string(),
                format!("the service answered {status} without a problem document"),
            ),
        }
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
        Self::new(class, kind.code(), message).in_field("skill_package")
    }
}

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Self {
        match error {
            ConfigError::Skill(error) => error.into(),
            other => Self::new("InvalidOrder", ErrorCode::OrderInvalid, other.to_string()),
        }
    }
}

impl From<AcceptError> for Failure {
    fn from(error: AcceptError) -> Self {
        let code = error.code();
        match error {
            AcceptError::Skill(error) => error.into(),
            AcceptError::Field { field, message } => Self::of_value(field, in_python(&message)),
            AcceptError::InputSchema(_) => {
                Self::new("InvalidInput", code, error.to_string()).in_field("input_data")
            }
            AcceptError::Inputs(_) => Self::new("StoreError", code, error.to_string()),
            AcceptError::Sandbox(ref cause) => match cause.kind() {
                ErrorKind::Rejected => {
                    Self::new("InvalidSkill", code, error.to_string()).in_field("skill_package")
                }
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
                Self::new("OrderConflict", ErrorCode::OrderConflict, message).in_field("order_id")
            }
            ExecuteError::Forgotten(_) => {
                Self::new("OrderConflict", ErrorCode::OrderForgotten, message).in_field("order_id")
            }
            ExecuteError::Store(error) => error.into(),
            ExecuteError::Journal(_) => {
                Self::new("JournalError", ErrorCode::JournalFailed, message)
            }
        }
    }
}

impl From<SandboxError> for Failure {
    fn from(error: SandboxError) -> Self {
        let (class, code) = match error.kind() {
            ErrorKind::Rejected => ("InvalidSkill", ErrorCode::SkillRejected),
            ErrorKind::Timeout => ("OrderTimeout", ErrorCode::Timeout),
            ErrorKind::Cancelled => ("ClosedError", ErrorCode::Cancelled),
            ErrorKind::Unavailable => ("SandboxUnavailable", ErrorCode::SandboxUnavailable),
            ErrorKind::Bug => ("InternalError", ErrorCode::Internal),
        };
        Self::new(class, code, error.to_string())
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        let (class, code) = match error {
            StoreError::NotFound { .. } => ("BlobNotFound", ErrorCode::BlobNotFound),
            StoreError::Mismatch { .. } => ("BlobTampered", ErrorCode::BlobTampered),
            StoreError::TooLarge { .. } => ("BlobTooLarge", ErrorCode::BlobTooLarge),
            _ => ("StoreFailed", ErrorCode::StoreFailed),
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

impl From<KeyFolderError> for Failure {
    fn from(error: KeyFolderError) -> Self {
        Self::new("DataFolderError", ErrorCode::DataFolder, error.to_string())
    }
}

impl From<NotaryError> for Failure {
    fn from(error: NotaryError) -> Self {
        match error {
            NotaryError::Store(error) => error.into(),
            other => Self::new("ReceiptFailed", ErrorCode::ReceiptFailed, other.to_string()),
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

impl From<RegistrarError> for Failure {
    fn from(error: RegistrarError) -> Self {
        match error {
            RegistrarError::Keys(error) => error.into(),
            RegistrarError::Log(error) => NotaryError::from(error).into(),
            RegistrarError::Notary(error) => error.into(),
            RegistrarError::Journal(error) => EmbeddedError::from(error).into(),
            RegistrarError::Unproven(_) => Self::bug(error.to_string()),
            RegistrarError::LogBehind { .. } | RegistrarError::LogUnknown { .. } => {
                Self::new("ReceiptFailed", ErrorCode::LogBehind, error.to_string())
            }
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
                Self::new(class, ErrorCode::DataFolder, in_python(&error.to_string()))
            }
            EmbeddedError::NoHome | EmbeddedError::Unknown { .. } | EmbeddedError::NoJournal(_) => {
                Self::new(
                    "DataFolderError",
                    ErrorCode::DataFolder,
                    in_python(&error.to_string()),
                )
            }
            EmbeddedError::Journal(_) => {
                Self::new("JournalError", ErrorCode::JournalFailed, error.to_string())
            }
            EmbeddedError::Keys(_) => {
                Self::new("DataFolderError", ErrorCode::DataFolder, error.to_string())
            }
            EmbeddedError::Registrar(error) => error.into(),
            EmbeddedError::Callback(_) => Self::bug(error.to_string()),
        }
    }
}

/// A message that names options of the program, with those of Python instead.
fn in_python(message: &str) -> String {
    message
        .replace("--data-dir", "data_dir=")
        .replace("--allow-native", "Orchestrator(native=NativeConfig())")
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
