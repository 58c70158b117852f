//! Bytes by digest and size.

use serde::{Deserialize, Serialize};

use crate::{BlobDigest, Digest};

/// Names bytes that are kept elsewhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Content {
    /// SHA-256 of the bytes, which is their address in a store.
    pub sha256: BlobDigest,
    /// Their number.
    pub size: u64,
}

impl Content {
    /// Names `bytes`.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        Self {
            sha256: Digest::of(bytes).into(),
            size: bytes.len() as u64,
        }
    }
}
