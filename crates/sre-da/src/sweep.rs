//! Listing and removing blobs, for garbage collection.

use async_trait::async_trait;
use sre_core::BlobDigest;

use crate::store::Store;
use crate::store_error::StoreError;

/// A store whose blobs can be listed and removed.
///
/// Only garbage collection removes blobs, and only while no process puts into the store: a process
/// remembers which digests are durable and does not write them again, so a removal during a put
/// could lose a blob that `put` has acknowledged.
#[async_trait]
pub trait BlobSweep: Store {
    /// A page of the blobs in the store, in an order of the store's own. Begin with `None`, then
    /// pass [`BlobPage::next`] of the page before. A page may be empty although more follow. Blobs
    /// that were removed since the first page may be missing; a blob may be listed twice.
    ///
    /// # Errors
    /// What the storage said.
    async fn list(&self, from: Option<&str>) -> Result<BlobPage, StoreError>;

    /// Removes blobs; those that are not there are passed over. A removal is not durable: a blob
    /// may be back after a power cut, and the next collection removes it again.
    ///
    /// # Errors
    /// What the storage said; some may have been removed.
    async fn remove(&self, digests: &[BlobDigest]) -> Result<Removed, StoreError>;
}

/// Some blobs of a store.
#[derive(Debug, Default)]
pub struct BlobPage {
    /// Their digests.
    pub digests: Vec<BlobDigest>,
    /// Where the next page begins; `None` after the last one. Means something only to the store.
    pub next: Option<String>,
}

/// What was removed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Removed {
    /// How many blobs.
    pub blobs: u64,
    /// Their bytes.
    pub bytes: u64,
}

/// Removes every blob that `keep` does not want; the conditions of [`BlobSweep`] hold.
///
/// # Errors
/// [`StoreError`]; some blobs may have been removed.
pub async fn retain(
    store: &dyn BlobSweep,
    keep: &(dyn Fn(BlobDigest) -> bool + Sync),
) -> Result<Removed, StoreError> {
    let (mut removed, mut from) = (Removed::default(), None);
    loop {
        let BlobPage { mut digests, next } = store.list(from.as_deref()).await?;
        digests.retain(|digest| !keep(*digest));
        if !digests.is_empty() {
            let some = store.remove(&digests).await?;
            removed.blobs += some.blobs;
            removed.bytes += some.bytes;
        }
        if next.is_none() {
            return Ok(removed);
        }
        from = next;
    }
}
