//! How the journal fails.

use std::io;
use std::path::PathBuf;

use sre_core::OrderId;
use sre_durable::StorageCause;
use sre_sqlite::{OpenError, WriteError};

/// Why the journal could not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// The file cannot be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// A change was not kept.
    #[error(transparent)]
    Write(#[from] WriteError),
    /// A row cannot be read.
    #[error("the journal cannot be read: {0}")]
    Read(#[from] rusqlite::Error),
    /// This process cannot say that it lives.
    #[error("cannot lock {}: {source}; let the user that runs this program write there", path.display())]
    Holder {
        /// The lock file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Somebody else uses the journal in a way that excludes this one.
    #[error("{}", if *.alone { "another process uses this data folder; stop it first" } else { "old orders are being removed from this data folder; try again later" })]
    InUse {
        /// Whether this process wanted it for itself.
        alone: bool,
    },
    /// A stored row is not readable.
    #[error("the journal's entry for order {order_id} is damaged: {message}")]
    Damaged {
        /// Which order.
        order_id: String,
        /// What is wrong with it.
        message: String,
    },
    /// The lease is not the order's last one, or the order has ended: somebody else decides.
    #[error("order {0} is no longer ours: it has ended or was acquired by another worker")]
    LeaseLost(OrderId),
}

impl JournalError {
    /// Whether the same call may succeed later without anybody changing anything.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Open(error) => error.is_retryable(),
            Self::Write(error) => error.is_retryable(),
            Self::Read(_) | Self::Holder { .. } | Self::InUse { .. } => true,
            Self::Damaged { .. } | Self::LeaseLost(_) => false,
        }
    }

    /// What kind of failure it is.
    #[must_use]
    pub fn cause(&self) -> StorageCause {
        match self {
            Self::Open(error) => error.cause(),
            Self::Write(error) => error.cause(),
            Self::Read(error) => sre_sqlite::sqlite_cause(error),
            Self::Damaged { .. } => StorageCause::Damaged,
            Self::Holder { .. } | Self::InUse { .. } | Self::LeaseLost(_) => StorageCause::Failed,
        }
    }

    pub(super) fn damaged(order_id: &str, error: &dyn std::fmt::Display) -> Self {
        Self::Damaged {
            order_id: order_id.to_owned(),
            message: error.to_string(),
        }
    }
}
