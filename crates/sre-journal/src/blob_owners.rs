//! Which submitter may name which blobs.
//!
//! Knowing a digest is not a right to its bytes: a submitter may name only blobs that it
//! uploaded or that its orders produced. The bytes are in the blob store.

use async_trait::async_trait;
use sre_core::BlobDigest;

use crate::error::JournalError;

/// Who may name which blobs in an order.
#[async_trait]
pub trait BlobOwners: Send + Sync {
    /// Records that `submitter` may name these blobs, each with its size in bytes, once they are
    /// durable. Recording a blob again renews its age for [`Retention::purge`](crate::Retention).
    ///
    /// # Errors
    /// [`JournalError`]; nothing was recorded.
    async fn record_upload(
        &self,
        submitter: &str,
        blobs: Vec<(BlobDigest, u64)>,
    ) -> Result<(), JournalError>;

    /// Whether `submitter` may name this blob.
    ///
    /// # Errors
    /// [`JournalError`].
    async fn may_use(&self, submitter: &str, digest: BlobDigest) -> Result<bool, JournalError>;
}
