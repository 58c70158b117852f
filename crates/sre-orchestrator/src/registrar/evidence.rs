//! Everything a receipt leads to, by digest.

use std::collections::BTreeMap;
use std::sync::Arc;

use sre_core::{BlobDigest, BlobRole, EvidenceWalk};
use sre_da::{Store, StoreError};
use sre_receipt::{BUNDLE_LIMIT_BYTES, BUNDLE_LIMIT_FILES, Bundle, Receipt};

/// Most blobs in a bundle, beside its receipt, proof and sums.
const BLOBS_LIMIT: usize = BUNDLE_LIMIT_FILES - 3;

/// What was found of the blobs that a receipt leads to.
#[derive(Debug, Default)]
pub struct Evidence {
    /// What is there, each with its right digest.
    pub blobs: BTreeMap<BlobDigest, Arc<[u8]>>,
    /// What is not, and why.
    pub missing: Vec<(BlobDigest, StoreError)>,
    /// Bytes of what is there.
    bytes: u64,
    /// Nothing more is fetched: a bundle could not hold it. The receipt may be a stranger's.
    is_full: bool,
}

impl Evidence {
    /// The bundle of `receipt`: one file that verifies offline.
    ///
    /// # Errors
    /// Why the first blob that is missing is.
    pub fn into_bundle(
        self,
        receipt: &Receipt,
        proof: Option<Vec<u8>>,
    ) -> Result<Bundle, StoreError> {
        match self.missing.into_iter().next() {
            Some((_, error)) => Err(error),
            None => Ok(Bundle {
                receipt: receipt.envelope().to_canonical(),
                proof,
                blobs: self.blobs,
            }),
        }
    }

    async fn fetch(&mut self, store: &dyn Store, digest: BlobDigest) -> Option<Arc<[u8]>> {
        if let Some(known) = self.blobs.get(&digest) {
            return Some(Arc::clone(known));
        }
        if self.is_full {
            return None;
        }
        match self.fetch_new(store, digest).await {
            Ok(bytes) => {
                self.bytes += bytes.len() as u64;
                self.blobs.insert(digest, Arc::clone(&bytes));
                Some(bytes)
            }
            Err(error) => {
                self.is_full = matches!(error, StoreError::TooLarge { .. });
                self.missing.push((digest, error));
                None
            }
        }
    }

    async fn fetch_new(
        &self,
        store: &dyn Store,
        digest: BlobDigest,
    ) -> Result<Arc<[u8]>, StoreError> {
        let too_large = |size_bytes| StoreError::TooLarge {
            digest,
            size_bytes,
            limit_bytes: BUNDLE_LIMIT_BYTES - self.bytes,
        };
        if self.blobs.len() + self.missing.len() >= BLOBS_LIMIT {
            return Err(too_large(0));
        }
        let bytes = store.get(digest).await?;
        let size_bytes = bytes.len() as u64;
        if self.bytes + size_bytes > BUNDLE_LIMIT_BYTES {
            Err(too_large(size_bytes))
        } else {
            Ok(bytes)
        }
    }
}

/// Fetches everything a receipt leads to, as far as a bundle can hold it. `with_runtime`: the
/// language runtime too, where the engine names one.
pub async fn evidence(store: &dyn Store, receipt: &Receipt, with_runtime: bool) -> Evidence {
    let (mut found, mut walk) = (Evidence::default(), EvidenceWalk::default());
    if let Some(claim) = receipt.claim(|digest| store.uri(digest)) {
        walk.add_claim(&claim);
    }
    while let Some(blob) = walk.next_blob() {
        if blob.role == BlobRole::LanguageRuntime && !with_runtime {
            continue;
        }
        if let Some(bytes) = found.fetch(store, blob.digest).await {
            walk.read(blob, &bytes);
        }
    }
    found
}
