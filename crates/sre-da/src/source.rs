//! Bytes by digest from places that are only read: a bundle, another node, several places in turn.

use std::sync::Arc;

use async_trait::async_trait;
use sre_core::BlobDigest;

use crate::blob::Blob;
use crate::store::Store;
use crate::store_error::StoreError;

/// A place that blobs come from. Every source is a [`Store`] that takes none.
#[async_trait]
pub trait Source: Send + Sync {
    /// The bytes that this place has under `digest`, if any. They need not be checked: reads
    /// through [`Store`] check the digest.
    ///
    /// # Errors
    /// What kept the place from answering.
    async fn fetch(&self, digest: BlobDigest) -> Result<Option<Arc<[u8]>>, StoreError>;

    /// The place, for messages.
    fn place(&self) -> String;
}

#[async_trait]
impl<S: Source> Store for S {
    async fn put(&self, blobs: Vec<Blob>) -> Result<(), StoreError> {
        if blobs.is_empty() {
            Ok(())
        } else {
            Err(StoreError::ReadOnly)
        }
    }

    async fn get(&self, digest: BlobDigest) -> Result<Arc<[u8]>, StoreError> {
        let bytes = self
            .fetch(digest)
            .await?
            .ok_or(StoreError::NotFound { digest })?;
        StoreError::expect_digest(digest, &bytes, || self.place())?;
        Ok(bytes)
    }

    async fn exists(&self, digest: BlobDigest) -> Result<bool, StoreError> {
        Ok(self.fetch(digest).await?.is_some())
    }
}
