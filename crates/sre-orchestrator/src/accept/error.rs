//! Why an order is refused.

use sre_core::ErrorCode;
use sre_sandbox::{ErrorKind, SandboxError};
use sre_skill::SkillError;

use crate::invocation::InputsError;

/// Why an order is refused. Nothing ran and nothing was written.
#[derive(Debug, thiserror::Error)]
pub enum AcceptError {
    /// The package cannot be read or describes no skill.
    #[error("skill_package: {0}")]
    Skill(#[from] SkillError),
    /// A field of the order is wrong or above a cap.
    #[error("{field}: {message}")]
    Field {
        /// Which field.
        field: &'static str,
        /// What is wrong, and what is allowed.
        message: String,
    },
    /// The input violates the skill's schema.
    #[error("input_data does not satisfy the skill's input schema {0}")]
    InputSchema(String),
    /// What the invocation refers to cannot be read now.
    #[error("the invocation's inputs: {0}")]
    Inputs(#[source] InputsError),
    /// The sandbox cannot run the skill.
    #[error("the skill cannot run: {0}")]
    Sandbox(#[source] SandboxError),
}

/// The families of [`AcceptError`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AcceptErrorKind {
    /// The submitter must change something.
    BadInput,
    /// The host failed; the same order may be accepted later.
    Operating,
}

impl AcceptError {
    /// The family.
    #[must_use]
    pub fn kind(&self) -> AcceptErrorKind {
        match self {
            Self::Sandbox(error) if error.kind() != ErrorKind::Rejected => {
                AcceptErrorKind::Operating
            }
            Self::Inputs(_) => AcceptErrorKind::Operating,
            _ => AcceptErrorKind::BadInput,
        }
    }

    /// Stable code.
    #[must_use]
    pub fn code(&self) -> ErrorCode {
        match self {
            Self::Skill(error) => error.kind().code(),
            Self::Field { .. } => ErrorCode::OrderInvalid,
            Self::InputSchema(_) => ErrorCode::InputSchema,
            Self::Inputs(_) => ErrorCode::StoreFailed,
            Self::Sandbox(error) if error.kind() == ErrorKind::Rejected => ErrorCode::SkillRejected,
            Self::Sandbox(_) => ErrorCode::SandboxUnavailable,
        }
    }
}

pub(crate) fn field(field: &'static str, message: impl Into<String>) -> AcceptError {
    AcceptError::Field {
        field,
        message: message.into(),
    }
}
