//! Errors as problem documents (RFC 9457) with a stable code.

use std::time::Duration;

use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use sre_core::ErrorCode;
use sre_service::ServiceError;

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

    pub(crate) fn busy(code: ErrorCode, detail: impl Into<String>, retry_after: Duration) -> Self {
        Self::new(code, detail).after(retry_after)
    }

    pub(crate) fn after(mut self, time: Duration) -> Self {
        self.retry_after = Some(time);
        self
    }

    /// A failure of the host. The reason goes to the log: a client learns no paths.
    pub(crate) fn operating(code: ErrorCode, error: &dyn std::fmt::Display) -> Self {
        ServiceError::operating(code, error).into()
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

impl From<ServiceError> for Problem {
    fn from(error: ServiceError) -> Self {
        let problem = Self::new(error.code(), error.detail());
        match error.retry_after() {
            Some(time) => problem.after(time),
            None => problem,
        }
    }
}
