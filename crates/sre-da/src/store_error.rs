//! How a store fails.
//!
//! Every message names the digest or path it is about and, where the cause allows it, what to do.
//! All of these are operating failures or signs of tampering, never caused by a skill. No type
//! of a database or of a client library appears here, so that a store over another medium fails in
//! the same words.

use std::error::Error;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use sre_core::BlobDigest;
use sre_durable::{StorageCause, advice, is_transient};

/// Why a store could not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// No blob has this digest here.
    #[error("no blob {digest} in this store")]
    NotFound {
        /// The digest asked for.
        digest: BlobDigest,
    },
    /// The bytes have another digest than they should. On reading: the storage was tampered with or
    /// is failing; putting the right bytes again repairs it.
    #[error("digest mismatch: expected {expected}, found {actual} in {place}")]
    Mismatch {
        /// The digest the bytes should have.
        expected: BlobDigest,
        /// The digest they have.
        actual: BlobDigest,
        /// Where the bytes were found.
        place: String,
    },
    /// The blob is over the store's limit.
    #[error("blob {digest} has {size_bytes} bytes, the limit is {limit_bytes}")]
    TooLarge {
        /// The digest of the blob.
        digest: BlobDigest,
        /// Its size in bytes.
        size_bytes: u64,
        /// The limit in bytes.
        limit_bytes: u64,
    },
    /// A blob that comes in pieces is over the store's limit.
    #[error("the blob has more than {limit_bytes} bytes, which is the limit")]
    LimitExceeded {
        /// The limit in bytes.
        limit_bytes: u64,
    },
    /// The store is shutting down, or its writer has died.
    #[error("the store is closed")]
    Closed,
    /// The store cannot be written through this handle.
    #[error("the store is read-only")]
    ReadOnly,
    /// The file system refused.
    #[error("cannot {action} {}: {source}{}", path.display(), advice(source))]
    Io {
        /// What was attempted, as a verb.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// The medium below the store refused: a database, or a server.
    #[error("{source}")]
    Backend {
        /// What kind of failure it is.
        cause: StorageCause,
        /// Whether the same call may succeed later without a change to the request.
        retryable: bool,
        /// The medium's own error; its message stands alone.
        source: Arc<dyn Error + Send + Sync>,
    },
}

/// The variants of [`StoreError`] without their context, for decisions and metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum StoreErrorKind {
    /// [`StoreError::NotFound`].
    NotFound,
    /// [`StoreError::Mismatch`].
    Mismatch,
    /// [`StoreError::TooLarge`] and [`StoreError::LimitExceeded`].
    TooLarge,
    /// [`StoreError::Closed`].
    Closed,
    /// [`StoreError::ReadOnly`].
    ReadOnly,
    /// [`StoreError::Io`].
    Io,
    /// [`StoreError::Backend`].
    Backend,
}

impl StoreError {
    /// Which variant this is.
    #[must_use]
    pub const fn kind(&self) -> StoreErrorKind {
        match self {
            Self::NotFound { .. } => StoreErrorKind::NotFound,
            Self::Mismatch { .. } => StoreErrorKind::Mismatch,
            Self::TooLarge { .. } | Self::LimitExceeded { .. } => StoreErrorKind::TooLarge,
            Self::Closed => StoreErrorKind::Closed,
            Self::ReadOnly => StoreErrorKind::ReadOnly,
            Self::Io { .. } => StoreErrorKind::Io,
            Self::Backend { .. } => StoreErrorKind::Backend,
        }
    }

    /// Whether the same call may succeed later without a change to the request: a full or busy
    /// disk may, a missing blob, wrong bytes or a missing permission will not.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::NotFound { .. }
            | Self::Mismatch { .. }
            | Self::TooLarge { .. }
            | Self::LimitExceeded { .. }
            | Self::Closed
            | Self::ReadOnly => false,
            Self::Io { source, .. } => is_transient(source),
            Self::Backend { retryable, .. } => *retryable,
        }
    }

    /// What kind of failure of the medium it is.
    #[must_use]
    pub fn cause(&self) -> StorageCause {
        match self {
            Self::Io { source, .. } => StorageCause::of_io(source),
            Self::Backend { cause, .. } => *cause,
            Self::ReadOnly => StorageCause::ReadOnly,
            Self::NotFound { .. }
            | Self::Mismatch { .. }
            | Self::TooLarge { .. }
            | Self::LimitExceeded { .. }
            | Self::Closed => StorageCause::Failed,
        }
    }

    /// Whether the disk has no space left.
    #[must_use]
    pub fn is_disk_full(&self) -> bool {
        self.cause() == StorageCause::DiskFull
    }

    pub(crate) fn io(
        action: &'static str,
        path: impl Into<PathBuf>,
    ) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io {
            action,
            path,
            source,
        }
    }

    pub(crate) fn expect_digest(
        expected: BlobDigest,
        bytes: &[u8],
        place: impl FnOnce() -> String,
    ) -> Result<(), Self> {
        let actual = BlobDigest::of(bytes);
        if actual == expected {
            Ok(())
        } else {
            Err(Self::Mismatch {
                expected,
                actual,
                place: place(),
            })
        }
    }
}
