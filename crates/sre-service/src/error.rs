//! Why a request was not done.

use std::fmt;
use std::time::Duration;

use sre_core::{ErrorCode, OrderId};
use sre_da::{StoreError, StoreErrorKind};
use sre_journal::JournalError;
use sre_orchestrator::{AcceptError, AcceptErrorKind, ConfigError, SkillCacheError, SubmitError};
use sre_skill::SkillError;

/// Why a request was not done, in words that may be shown to the caller.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceError {
    code: ErrorCode,
    detail: String,
    retry_after: Option<Duration>,
}

impl ServiceError {
    /// A refusal.
    pub fn new(code: ErrorCode, detail: impl Into<String>) -> Self {
        Self {
            code,
            detail: detail.into(),
            retry_after: None,
        }
    }

    /// A refusal for now: the same request may be made again after this time.
    pub fn busy(code: ErrorCode, detail: impl Into<String>, retry_after: Duration) -> Self {
        Self {
            retry_after: Some(retry_after),
            ..Self::new(code, detail)
        }
    }

    /// A failure of the host. The reason goes to the log: a caller learns no paths.
    pub fn operating(code: ErrorCode, error: &dyn fmt::Display) -> Self {
        tracing::error!(%error, %code, "a request failed");
        let detail = "the service could not do this; its operator finds the reason in the log";
        Self::busy(code, detail, Duration::from_secs(5))
    }

    pub(crate) fn no_order(id: &OrderId) -> Self {
        Self::new(ErrorCode::OrderUnknown, format!("there is no order {id}"))
    }

    pub(crate) fn purged_order(id: &OrderId) -> Self {
        let detail = format!("order {id} has ended and was purged since, with its result");
        Self::new(ErrorCode::OrderForgotten, detail)
    }

    /// The stable code.
    #[must_use]
    pub fn code(&self) -> ErrorCode {
        self.code
    }

    /// What is wrong.
    #[must_use]
    pub fn detail(&self) -> &str {
        &self.detail
    }

    /// When the same request may succeed; `None` where waiting does not help.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        self.retry_after
    }
}

impl fmt::Display for ServiceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.detail)
    }
}

impl std::error::Error for ServiceError {}

impl From<JournalError> for ServiceError {
    fn from(error: JournalError) -> Self {
        Self::operating(ErrorCode::JournalFailed, &error)
    }
}

impl From<StoreError> for ServiceError {
    fn from(error: StoreError) -> Self {
        match error.kind() {
            StoreErrorKind::TooLarge => Self::new(ErrorCode::BodyTooLarge, error.to_string()),
            _ if error.is_disk_full() => {
                tracing::error!(%error, "a blob cannot be stored");
                let detail = "the disk of the service is full; nothing was stored";
                Self::busy(ErrorCode::StoreFailed, detail, Duration::from_secs(60))
            }
            _ => Self::operating(ErrorCode::StoreFailed, &error),
        }
    }
}

impl From<SkillError> for ServiceError {
    fn from(error: SkillError) -> Self {
        Self::new(error.kind().code(), error.to_string())
    }
}

impl From<SkillCacheError> for ServiceError {
    fn from(error: SkillCacheError) -> Self {
        if error.is_unknown() {
            let detail = "there is no skill with this digest; upload it with POST /v1/skills";
            return Self::new(ErrorCode::SkillUnknown, detail);
        }
        Self::operating(ErrorCode::StoreFailed, &error)
    }
}

impl From<ConfigError> for ServiceError {
    fn from(error: ConfigError) -> Self {
        match error {
            ConfigError::Skill(error) => error.into(),
            other => Self::new(ErrorCode::OrderInvalid, other.to_string()),
        }
    }
}

impl From<AcceptError> for ServiceError {
    fn from(error: AcceptError) -> Self {
        match error.kind() {
            AcceptErrorKind::BadInput => Self::new(error.code(), error.to_string()),
            AcceptErrorKind::Operating => Self::operating(error.code(), &error),
        }
    }
}

impl From<SubmitError> for ServiceError {
    fn from(error: SubmitError) -> Self {
        let detail = error.to_string();
        let soon = Duration::from_secs(1);
        match &error {
            SubmitError::Conflict(_) => Self::new(ErrorCode::OrderConflict, detail),
            SubmitError::Forgotten(_) => Self::new(ErrorCode::OrderForgotten, detail),
            SubmitError::Full { .. } => Self::busy(ErrorCode::QueueFull, detail, soon),
            SubmitError::Stopping => Self::busy(ErrorCode::ShuttingDown, detail, 5 * soon),
            SubmitError::NoWorkers(_) => Self::new(ErrorCode::BackendUnavailable, detail),
            SubmitError::Journal(error) => Self::operating(ErrorCode::JournalFailed, error),
            SubmitError::Store(error) => Self::operating(ErrorCode::StoreFailed, error),
        }
    }
}
