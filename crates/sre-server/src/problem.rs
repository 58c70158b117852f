//! Errors as problem documents (RFC 9457) with a stable code.

use std::time::Duration;

use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use sre_core::ErrorCode;
use sre_journal::JournalError;
use sre_orchestrator::{AcceptError, AcceptErrorKind, ConfigError, SkillCacheError, SubmitError};
use sre_skill::SkillError;

/// Why a request was not done.
#[derive(Debug, Clone)]
pub struct Problem {
    status: StatusCode,
    code: ErrorCode,
    detail: String,
    retry_after: Option<Duration>,
}

/// The document.
#[derive(Serialize)]
struct Document<'a> {
    r#type: String,
    title: &'static str,
    status: u16,
    detail: &'a str,
    code: ErrorCode,
}

impl Problem {
    /// A problem with the status of its code.
    pub(crate) fn new(code: ErrorCode, detail: impl Into<String>) -> Self {
        // A code that no route should use still has to be answered with something.
        let status = code
            .http_status()
            .and_then(|status| StatusCode::from_u16(status).ok())
            .unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        Self {
            status,
            code,
            detail: detail.into(),
            retry_after: None,
        }
    }

    /// The same with another status, where the route knows better than the code.
    pub(crate) fn with_status(self, status: StatusCode) -> Self {
        Self { status, ..self }
    }

    pub(crate) fn no_order(id: &impl std::fmt::Display) -> Self {
        Self::new(ErrorCode::OrderUnknown, format!("there is no order {id}"))
    }

    pub(crate) fn forgotten_order(id: &impl std::fmt::Display) -> Self {
        let detail = format!("order {id} has ended and has been forgotten since, with its result");
        Self::new(ErrorCode::OrderForgotten, detail)
    }

    pub(crate) fn busy(code: ErrorCode, detail: impl Into<String>, retry_after: Duration) -> Self {
        Self::new(code, detail).after(retry_after)
    }

    pub(crate) fn after(mut self, time: Duration) -> Self {
        self.retry_after = Some(time);
        self
    }

    /// The host's fault. What it was goes to the log; a client learns no paths.
    pub(crate) fn operating(code: ErrorCode, error: &dyn std::fmt::Display) -> Self {
        tracing::error!(%error, %code, "a request failed");
        let detail = "the service could not do this; its operator finds the reason in the log";
        Self::new(code, detail).after(Duration::from_secs(5))
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let document = Document {
            r#type: format!("urn:sre:problem:{}", self.code),
            title: self.status.canonical_reason().unwrap_or("Error"),
            status: self.status.as_u16(),
            detail: &self.detail,
            code: self.code,
        };
        // Strings and a number: it serialises.
        let body = serde_json::to_vec(&document).unwrap_or_default();
        let mut response = (self.status, body).into_response();
        let headers = response.headers_mut();
        headers.insert(
            CONTENT_TYPE,
            HeaderValue::from_static("application/problem+json"),
        );
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Some(time) = self.retry_after {
            headers.insert(RETRY_AFTER, time.as_secs().max(1).into());
        }
        if self.status == StatusCode::UNAUTHORIZED {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}

impl From<JournalError> for Problem {
    fn from(error: JournalError) -> Self {
        Self::operating(ErrorCode::JournalFailed, &error)
    }
}

impl From<SkillError> for Problem {
    fn from(error: SkillError) -> Self {
        Self::new(error.kind().code(), error.to_string())
    }
}

impl From<SkillCacheError> for Problem {
    fn from(error: SkillCacheError) -> Self {
        if error.is_unknown() {
            return Self::new(
                ErrorCode::SkillUnknown,
                "there is no skill with this digest; upload it with POST /v1/skills",
            );
        }
        Self::operating(ErrorCode::StoreFailed, &error)
    }
}

impl From<ConfigError> for Problem {
    fn from(error: ConfigError) -> Self {
        match error {
            ConfigError::Skill(error) => error.into(),
            other => Self::new(ErrorCode::OrderInvalid, other.to_string()),
        }
    }
}

impl From<AcceptError> for Problem {
    fn from(error: AcceptError) -> Self {
        match error.kind() {
            AcceptErrorKind::BadInput => Self::new(error.code(), error.to_string()),
            AcceptErrorKind::Operating => Self::operating(error.code(), &error),
        }
    }
}

impl From<SubmitError> for Problem {
    fn from(error: SubmitError) -> Self {
        let soon = Duration::from_secs(1);
        match &error {
            SubmitError::Conflict(_) => Self::new(ErrorCode::OrderConflict, error.to_string()),
            SubmitError::Forgotten(_) => Self::new(ErrorCode::OrderForgotten, error.to_string())
                .with_status(StatusCode::CONFLICT),
            SubmitError::Full { .. } => Self::busy(ErrorCode::QueueFull, error.to_string(), soon),
            SubmitError::Stopping => {
                Self::new(ErrorCode::ShuttingDown, error.to_string()).after(5 * soon)
            }
            SubmitError::NoWorkers(_) => {
                Self::new(ErrorCode::BackendUnavailable, error.to_string())
            }
            SubmitError::Journal(error) => Self::operating(ErrorCode::JournalFailed, error),
            SubmitError::Store(error) => Self::operating(ErrorCode::StoreFailed, error),
        }
    }
}
