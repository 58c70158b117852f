//! What every store of bytes promises, and the two functions most callers need.

use std::sync::Arc;

use async_trait::async_trait;
use sre_core::BlobDigest;

use crate::blob::Blob;
use crate::store_error::StoreError;
use crate::stream::{BlobReader, BlobWriter, WrittenBlob, expect};
use crate::uri::{UriError, format_uri, parse_uri};

/// A store of bytes by digest.
///
/// Nothing is ever changed in place: a digest always stands for the same bytes, so every method may
/// be repeated. Removing is a trait of its own ([`BlobSweep`](crate::BlobSweep)).
#[async_trait]
pub trait Store: Send + Sync {
    /// Stores all blobs and returns when all of them are durable. Idempotent. An empty list is
    /// fine.
    ///
    /// Every digest is checked before anything is written, so a wrong blob leaves no trace and
    /// harms no other put. When the future is dropped early, or after an error, some of the blobs
    /// may have been stored.
    ///
    /// # Errors
    /// [`StoreError::Mismatch`] for a blob whose claimed digest is wrong, [`StoreError::TooLarge`]
    /// for one over the store's limit, otherwise what the storage said. After an error, put again:
    /// nothing is remembered of the failure.
    async fn put(&self, blobs: Vec<Blob>) -> Result<(), StoreError>;

    /// The bytes with this digest, recomputed before they are returned.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], [`StoreError::Mismatch`] when what is stored is not what was put,
    /// otherwise what the storage said.
    async fn get(&self, digest: BlobDigest) -> Result<Arc<[u8]>, StoreError>;

    /// The bytes of several digests, in the order asked for; each as [`Store::get`]. A store that
    /// can answer all at once overrides this.
    async fn get_many(&self, digests: &[BlobDigest]) -> Vec<Result<Arc<[u8]>, StoreError>> {
        get_each(self, digests).await
    }

    /// The blob with this digest, to be read in pieces. All of its bytes were read and checked when
    /// this returns.
    ///
    /// # Errors
    /// As [`Store::get`].
    async fn open(&self, digest: BlobDigest) -> Result<BlobReader, StoreError> {
        Ok(BlobReader::new(self.get(digest).await?))
    }

    /// Begins a blob that comes in pieces. Several may be written at once, also with the same
    /// bytes. A store that can write one without having it in memory overrides this.
    ///
    /// # Errors
    /// What the storage said.
    async fn writer(&self) -> Result<Box<dyn BlobWriter + '_>, StoreError> {
        Ok(Box::new(WholeWriter::new(self)))
    }

    /// Whether there is a durable blob with this digest. Does not read or check its bytes.
    ///
    /// # Errors
    /// What the storage said.
    async fn exists(&self, digest: BlobDigest) -> Result<bool, StoreError>;

    /// Whether something could be stored now. Stores nothing.
    ///
    /// # Errors
    /// What the storage said.
    async fn probe(&self) -> Result<(), StoreError> {
        Ok(())
    }

    /// The address of a digest in this store, whether or not it is there: `da:sha256:<hex>` unless
    /// overridden.
    fn uri(&self, digest: BlobDigest) -> String {
        format_uri(digest)
    }
}

/// The writer of a store that can only put whole blobs.
struct WholeWriter<'a, S: ?Sized> {
    store: &'a S,
    bytes: Vec<u8>,
}

impl<'a, S: ?Sized> WholeWriter<'a, S> {
    fn new(store: &'a S) -> Self {
        Self {
            store,
            bytes: Vec::new(),
        }
    }
}

#[async_trait]
impl<S: Store + ?Sized> BlobWriter for WholeWriter<'_, S> {
    async fn write(&mut self, bytes: &[u8]) -> Result<(), StoreError> {
        self.bytes.extend_from_slice(bytes);
        Ok(())
    }

    async fn finish(
        self: Box<Self>,
        expected: Option<BlobDigest>,
    ) -> Result<WrittenBlob, StoreError> {
        let Self { store, bytes } = *self;
        let size_bytes = bytes.len() as u64;
        let blob = Blob::new(bytes);
        let digest = blob.digest();
        expect(expected, digest)?;
        store.put(vec![blob]).await?;
        Ok(WrittenBlob { digest, size_bytes })
    }
}

/// The bytes of several digests, one after the other.
pub(crate) async fn get_each<S: Store + ?Sized>(
    store: &S,
    digests: &[BlobDigest],
) -> Vec<Result<Arc<[u8]>, StoreError>> {
    let mut answers = Vec::with_capacity(digests.len());
    for digest in digests {
        answers.push(store.get(*digest).await);
    }
    answers
}

/// Why [`fetch_result`] has no bytes.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// The address is malformed; nothing was read.
    #[error(transparent)]
    Uri(#[from] UriError),
    /// The store has no such bytes, or wrong ones, or failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Stores bytes durably and returns their address.
///
/// # Errors
/// As [`Store::put`].
pub async fn store_result(
    store: &dyn Store,
    bytes: impl Into<Arc<[u8]>>,
) -> Result<String, StoreError> {
    let blob = Blob::new(bytes);
    let digest = blob.digest();
    store.put(vec![blob]).await?;
    Ok(store.uri(digest))
}

/// The bytes at an address, checked against the digest in it.
///
/// # Errors
/// [`FetchError::Uri`] for a malformed address, otherwise as [`Store::get`].
pub async fn fetch_result(store: &dyn Store, uri: &str) -> Result<Arc<[u8]>, FetchError> {
    Ok(store.get(parse_uri(uri)?).await?)
}
