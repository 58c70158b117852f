//! One file that verifies offline: a receipt, its proof, and every blob the receipt leads to.
//!
//! ```text
//! SHA256SUMS           as sha256sum -c reads it, of all that follows
//! blobs/<64 hex>       each blob under its digest
//! receipt.json         the signed envelope
//! receipt.tlog-proof   the proof of its place in the log, if there is one yet
//! ```
//! A plain tar archive, so that anybody can look into it with tools they have, in one canonical
//! form, so that no byte of it is without meaning. It is not compressed: nothing can expand, the
//! limit on the file is the limit on everything. *Rejected:* `.tar.gz` and `.zip`, which have many
//! spellings of one content, unauthenticated fields, and bombs; JSON with base64, which is a third
//! larger and needs a program to be looked into.

use std::collections::BTreeMap;
use std::sync::Arc;

use sre_core::{BlobDigest, Digest};

use crate::ustar::{self, UstarError};

/// Longest bundle, in bytes.
pub const BUNDLE_LIMIT_BYTES: u64 = 256 << 20;
/// Most files: those of a large package, of a large tree, and what belongs to an order.
pub const BUNDLE_LIMIT_FILES: usize = 65_536;

const SUMS: &str = "SHA256SUMS";
const BLOBS: &str = "blobs/";
const RECEIPT: &str = "receipt.json";
const PROOF: &str = "receipt.tlog-proof";

/// A receipt and what belongs to it. Every blob has the digest it stands under; nothing else is
/// checked.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Bundle {
    /// The envelope.
    pub receipt: Vec<u8>,
    /// The proof; `None` while it is pending.
    pub proof: Option<Vec<u8>>,
    /// Blobs by digest.
    pub blobs: BTreeMap<BlobDigest, Arc<[u8]>>,
}

/// Why bytes are no bundle.
#[derive(Debug, thiserror::Error)]
pub enum BundleError {
    /// Longer than [`BUNDLE_LIMIT_BYTES`].
    #[error("the bundle has {0} bytes, the limit is {BUNDLE_LIMIT_BYTES}")]
    TooLong(u64),
    /// Not the archive that this program writes.
    #[error("the bundle is damaged or was packed by another program: {0}")]
    Archive(String),
    /// A file that does not belong there.
    #[error("the bundle has a file that does not belong there: {0:?}")]
    Foreign(String),
    /// A blob with other bytes than its name says.
    #[error("the blob {expected} in the bundle has the digest {actual}")]
    Mismatch {
        /// Its name.
        expected: BlobDigest,
        /// What it is.
        actual: BlobDigest,
    },
    /// There is no receipt in it.
    #[error("the bundle has no {RECEIPT}")]
    NoReceipt,
    /// The list of sums is another one.
    #[error("{SUMS} in the bundle does not fit its files")]
    Sums,
}

impl From<UstarError> for BundleError {
    fn from(error: UstarError) -> Self {
        Self::Archive(error.to_string())
    }
}

impl Bundle {
    /// Whether a file that begins like this is meant to be a bundle.
    #[must_use]
    pub fn looks_like(bytes: &[u8]) -> bool {
        bytes.starts_with(SUMS.as_bytes()) && bytes.get(257..262) == Some(b"ustar")
    }

    /// The file.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let files = self.files();
        let files: Vec<(&str, &[u8])> = files
            .iter()
            .map(|(name, bytes)| (name.as_str(), *bytes))
            .collect();
        let sums = sums(files.iter().copied());
        ustar::write([(SUMS, sums.as_bytes())].into_iter().chain(files))
    }

    /// Reads a bundle, checks its form and every digest.
    ///
    /// # Errors
    /// [`BundleError`].
    pub fn parse(bytes: &[u8]) -> Result<Self, BundleError> {
        if bytes.len() as u64 > BUNDLE_LIMIT_BYTES {
            return Err(BundleError::TooLong(bytes.len() as u64));
        }
        let files = ustar::read(bytes, BUNDLE_LIMIT_FILES)?;
        let (mut bundle, mut receipt, mut listed) = (Self::default(), None, None);
        for (name, content) in &files {
            match *name {
                SUMS => listed = Some(*content),
                RECEIPT => receipt = Some(content.to_vec()),
                PROOF => bundle.proof = Some(content.to_vec()),
                other => {
                    let expected = other
                        .strip_prefix(BLOBS)
                        .and_then(|hex| hex.parse::<BlobDigest>().ok());
                    let expected =
                        expected.ok_or_else(|| BundleError::Foreign(other.to_owned()))?;
                    let actual = BlobDigest::of(content);
                    if actual != expected {
                        return Err(BundleError::Mismatch { expected, actual });
                    }
                    bundle.blobs.insert(expected, Arc::from(*content));
                }
            }
        }
        bundle.receipt = receipt.ok_or(BundleError::NoReceipt)?;
        let expected = sums(files.into_iter().filter(|(name, _)| *name != SUMS));
        if listed == Some(expected.as_bytes()) {
            Ok(bundle)
        } else {
            Err(BundleError::Sums)
        }
    }

    /// All files but the sums, in ascending order of names.
    fn files(&self) -> Vec<(String, &[u8])> {
        let blobs = self
            .blobs
            .iter()
            .map(|(digest, bytes)| (format!("{BLOBS}{digest}"), &**bytes));
        let proof = self
            .proof
            .iter()
            .map(|proof| (PROOF.to_owned(), proof.as_slice()));
        blobs
            .chain([(RECEIPT.to_owned(), self.receipt.as_slice())])
            .chain(proof)
            .collect()
    }
}

fn sums<'a>(files: impl Iterator<Item = (&'a str, &'a [u8])>) -> String {
    files
        .map(|(name, content)| format!("{}  {name}\n", Digest::of(content)))
        .collect()
}
