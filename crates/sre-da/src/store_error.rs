//! How a store fails.
//!
//! Every message names the digest or path it is about and, where the cause allows it, what to do.
//! All of these are operating failures or signs of tampering, never the doing of a skill.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use sre_core::BlobDigest;

use crate::durable;
use crate::group_commit::{OpenError, WriteError, advice_for, io_cause, is_passing, sqlite_cause};

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
    /// The store is shutting down, or its writer has died.
    #[error("the store is closed")]
    Closed,
    /// The store could not be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The file system refused.
    #[error("cannot {action} {}: {source}{}", path.display(), durable::advice(source))]
    Io {
        /// What was attempted, as a verb.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// The database of small blobs refused.
    #[error("database {}: {source}{}", path.display(), advice_for(source))]
    Sqlite {
        /// The database file.
        path: PathBuf,
        /// What SQLite said; shared by all puts of one failed transaction.
        source: Arc<rusqlite::Error>,
    },
}

/// The variants of [`StoreError`] without their context, for decisions and metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum StoreErrorKind {
    /// [`StoreError::NotFound`].
    NotFound,
    /// [`StoreError::Mismatch`].
    Mismatch,
    /// [`StoreError::TooLarge`].
    TooLarge,
    /// [`StoreError::Closed`].
    Closed,
    /// [`StoreError::Open`].
    Open,
    /// [`StoreError::Io`].
    Io,
    /// [`StoreError::Sqlite`].
    Sqlite,
}

impl StoreError {
    /// Which variant this is.
    #[must_use]
    pub const fn kind(&self) -> StoreErrorKind {
        match self {
            Self::NotFound { .. } => StoreErrorKind::NotFound,
            Self::Mismatch { .. } => StoreErrorKind::Mismatch,
            Self::TooLarge { .. } => StoreErrorKind::TooLarge,
            Self::Closed => StoreErrorKind::Closed,
            Self::Open(_) => StoreErrorKind::Open,
            Self::Io { .. } => StoreErrorKind::Io,
            Self::Sqlite { .. } => StoreErrorKind::Sqlite,
        }
    }

    /// Whether the same call may succeed later without anybody changing the request: a full or busy
    /// disk may, a missing blob, wrong bytes or a missing permission will not.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::NotFound { .. }
            | Self::Mismatch { .. }
            | Self::TooLarge { .. }
            | Self::Closed => false,
            Self::Open(error) => error.is_retryable(),
            Self::Io { source, .. } => durable::is_passing(source),
            Self::Sqlite { source, .. } => is_passing(source),
        }
    }

    /// What kind of failure it is, in a word without a path, as [`OpenError::cause`].
    #[must_use]
    pub fn cause(&self) -> &'static str {
        match self {
            Self::Open(error) => error.cause(),
            Self::Sqlite { source, .. } => sqlite_cause(source),
            Self::Io { source, .. } => io_cause(source),
            Self::NotFound { .. }
            | Self::Mismatch { .. }
            | Self::TooLarge { .. }
            | Self::Closed => "failed",
        }
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

impl From<WriteError> for StoreError {
    fn from(error: WriteError) -> Self {
        match error {
            WriteError::Job { path, source } | WriteError::Commit { path, source } => {
                Self::Sqlite {
                    path: path.to_path_buf(),
                    source,
                }
            }
            WriteError::Moved { path } => Self::Open(OpenError::Moved {
                path: path.to_path_buf(),
            }),
            // A panicking insert is a bug that has been reported loudly by the panic hook already.
            WriteError::Panicked { .. } | WriteError::Closed => Self::Closed,
        }
    }
}
