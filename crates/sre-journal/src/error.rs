//! How the journal fails.

use std::error::Error;
use std::fmt;

use sre_core::OrderId;
use sre_durable::StorageCause;

/// Why the journal could not do what it was asked. Its message names the file or the order, and
/// says what to do where that is known.
#[derive(Debug)]
pub struct JournalError {
    kind: JournalErrorKind,
    cause: StorageCause,
    is_retryable: bool,
    source: Box<dyn Error + Send + Sync>,
}

/// What kind of failure a [`JournalError`] is, for decisions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum JournalErrorKind {
    /// The storage cannot be opened.
    Open,
    /// The storage cannot be read.
    Read,
    /// A change was not kept.
    Write,
    /// The storage is not the one that was opened any more.
    Moved,
    /// This process cannot register as a holder of leases.
    Liveness,
    /// Another process uses the journal in a way that excludes this one.
    InUse,
    /// A stored row is not readable.
    Damaged,
    /// Another worker has acquired the order since, or the order has ended.
    LeaseLost,
}

impl JournalError {
    pub(crate) fn new(
        kind: JournalErrorKind,
        cause: StorageCause,
        is_retryable: bool,
        source: impl Into<Box<dyn Error + Send + Sync>>,
    ) -> Self {
        Self {
            kind,
            cause,
            is_retryable,
            source: source.into(),
        }
    }

    /// What was stored about an order cannot be read.
    #[must_use]
    pub fn damaged(order_id: &str, message: impl fmt::Display) -> Self {
        Self::new(
            JournalErrorKind::Damaged,
            StorageCause::Damaged,
            false,
            format!("the journal's entry for order {order_id} is damaged: {message}"),
        )
    }

    /// The lease is not the order's last one, or the order has ended: another worker decides.
    #[must_use]
    pub fn lease_lost(order_id: &OrderId) -> Self {
        Self::new(
            JournalErrorKind::LeaseLost,
            StorageCause::Failed,
            false,
            format!(
                "this worker has lost order {order_id}: it has ended or another worker acquired it"
            ),
        )
    }

    /// What kind of failure it is.
    #[must_use]
    pub const fn kind(&self) -> JournalErrorKind {
        self.kind
    }

    /// Whether the same call may succeed later without a change to anything.
    #[must_use]
    pub const fn is_retryable(&self) -> bool {
        self.is_retryable
    }

    /// What the storage reported, as a word for metrics and problem documents.
    #[must_use]
    pub const fn cause(&self) -> StorageCause {
        self.cause
    }
}

impl fmt::Display for JournalError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.source, f)
    }
}

// The message is that of the source, so the chain of sources continues after it.
impl Error for JournalError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.source()
    }
}
