//! A value that was put into canonical form once.

use std::ops::Deref;
use std::sync::Arc;

use serde::{Serialize, Serializer};

use crate::{BlobDigest, Digest, canonical_json};

/// A value together with its canonical JSON and the digest of that, computed when it was made and
/// never again.
///
/// The bytes and the digest belong to the value by construction: it cannot be changed any more.
#[derive(Debug, Clone, PartialEq)]
pub struct Canonical<T> {
    value: T,
    bytes: Arc<[u8]>,
    digest: Digest,
}

impl<T: Serialize> Canonical<T> {
    /// Writes `value` in canonical form and digests it.
    #[must_use]
    pub fn new(value: T) -> Self {
        let bytes: Arc<[u8]> = canonical_json::to_vec(&value).into();
        let digest = Digest::of(&bytes);
        Self {
            value,
            bytes,
            digest,
        }
    }
}

impl<T> Canonical<T> {
    /// The canonical JSON.
    #[must_use]
    pub fn bytes(&self) -> &Arc<[u8]> {
        &self.bytes
    }

    /// The digest of the canonical JSON, as the type of digest that fits the value.
    #[must_use]
    pub fn digest<D: From<Digest>>(&self) -> D {
        self.digest.into()
    }

    /// The digest as an address.
    #[must_use]
    pub fn address(&self) -> BlobDigest {
        self.digest.into()
    }

    /// The value alone.
    #[must_use]
    pub fn into_value(self) -> T {
        self.value
    }
}

impl<T> Deref for Canonical<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

/// Serialises as the value alone.
impl<T: Serialize> Serialize for Canonical<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.value.serialize(serializer)
    }
}
