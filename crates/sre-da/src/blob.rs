//! Bytes together with the digest they are addressed by.

use std::fmt;
use std::sync::Arc;

use sre_core::BlobDigest;

use crate::store_error::StoreError;

/// Bytes and their address. Cheap to clone: the bytes are shared.
///
/// The digest of a blob made by [`Blob::new`] is right by construction; that of
/// [`Blob::with_digest`] is a claim, which [`Store::put`](crate::Store::put) checks before it
/// writes anything.
#[derive(Clone)]
pub struct Blob {
    digest: BlobDigest,
    bytes: Arc<[u8]>,
    checked: bool,
}

impl Blob {
    /// A blob of `bytes`, whose digest is computed here.
    #[must_use]
    pub fn new(bytes: impl Into<Arc<[u8]>>) -> Self {
        let bytes = bytes.into();
        Self {
            digest: BlobDigest::of(&bytes),
            bytes,
            checked: true,
        }
    }

    /// A blob of `bytes` that are claimed to have `digest`, as it arrives from elsewhere.
    #[must_use]
    pub fn with_digest(digest: BlobDigest, bytes: impl Into<Arc<[u8]>>) -> Self {
        Self {
            digest,
            bytes: bytes.into(),
            checked: false,
        }
    }

    /// The address; for [`Blob::with_digest`] as claimed.
    #[must_use]
    pub const fn digest(&self) -> BlobDigest {
        self.digest
    }

    /// The bytes.
    #[must_use]
    pub const fn bytes(&self) -> &Arc<[u8]> {
        &self.bytes
    }

    /// How many bytes [`Blob::check`] would have to read: none when the digest was computed here.
    #[must_use]
    pub fn unchecked_bytes(&self) -> usize {
        if self.checked { 0 } else { self.bytes.len() }
    }

    /// Recomputes the digest where it is only a claim.
    ///
    /// # Errors
    /// [`StoreError::Mismatch`] when the bytes have another digest.
    pub fn check(&mut self) -> Result<(), StoreError> {
        if !self.checked {
            StoreError::expect_digest(self.digest, &self.bytes, || {
                "the blob to be stored".to_owned()
            })?;
            self.checked = true;
        }
        Ok(())
    }
}

impl fmt::Debug for Blob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Blob({}, {} bytes)", self.digest, self.bytes.len())
    }
}
