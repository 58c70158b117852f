//! What is delivered.

use std::time::Duration;

use async_trait::async_trait;
use url::Url;

use crate::TraceParent;

/// One delivery of one callback.
#[derive(Debug, Clone)]
pub struct CallbackMessage {
    /// Equal in every delivery, so that a receiver can tell that it has seen it.
    pub id: String,
    /// Which order.
    pub order_id: String,
    /// Who submitted it; decides the secret.
    pub submitter: String,
    /// Where to.
    pub url: Url,
    /// Deliveries begun, this one included.
    pub attempt: u32,
    /// The OrderResult as JSON.
    pub body: String,
    /// The trace it belongs to, to be passed on.
    pub trace: Option<TraceParent>,
}

/// Delivers results. What it returns decides whether it is tried again, and changes no result.
#[async_trait]
pub trait Callback: Send + Sync {
    /// Delivers `message`.
    ///
    /// # Errors
    /// [`CallbackError`] when the receiver did not acknowledge it.
    async fn deliver(&self, message: &CallbackMessage) -> Result<(), CallbackError>;
}

/// Why a delivery was not acknowledged.
#[derive(Debug, thiserror::Error)]
pub enum CallbackError {
    /// The request could not be made or got no answer.
    #[error("{0}")]
    Request(String),
    /// The operator does not allow this address or port.
    #[error("{0}")]
    Forbidden(String),
    /// The receiver answered with something other than 2xx.
    #[error("the receiver answered {status}")]
    Status {
        /// The status code.
        status: u16,
        /// How long the receiver asks to be left alone (`Retry-After`, RFC 9110), if it says.
        retry_after: Option<Duration>,
    },
}

impl CallbackError {
    /// Whether the receiver wants no more of them (410 Gone).
    #[must_use]
    pub const fn is_final(&self) -> bool {
        matches!(self, Self::Status { status: 410, .. })
    }

    /// How long the receiver asks to be left alone.
    #[must_use]
    pub const fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Status { retry_after, .. } => *retry_after,
            _ => None,
        }
    }
}
