//! A log as others see it: a checkpoint and tiles by name.

use async_trait::async_trait;
use sre_receipt::tlog::TilePath;

/// Longest tile or bundle of entries, in bytes: 256 entries of two length bytes and a kilobyte.
pub const TILE_LIMIT_BYTES: usize = 256 * (2 + 1024);

/// Where a log is read from. Nothing that comes from here is believed.
#[async_trait]
pub trait LogSource: Send + Sync {
    /// The signed checkpoint, at most [`NOTE_LIMIT_BYTES`](sre_receipt::tlog::NOTE_LIMIT_BYTES).
    ///
    /// # Errors
    /// [`SourceError`].
    async fn checkpoint(&self) -> Result<Vec<u8>, SourceError>;

    /// A tile, or a bundle of entries.
    ///
    /// # Errors
    /// [`SourceError`].
    async fn tile(&self, path: TilePath) -> Result<Vec<u8>, SourceError>;
}

/// Why a log could not be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SourceError {
    /// It has no such thing.
    #[error("the log has no {0}")]
    Missing(String),
    /// It could not be reached, or answered with more than it may.
    #[error("the log cannot be read: {0}")]
    Unreachable(String),
}
