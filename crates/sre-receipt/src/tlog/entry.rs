//! What the log lists: the digest of a signed envelope, and which kind of statement it is.

use serde::{Deserialize, Serialize};
use sre_core::ReceiptDigest;

/// Longest entry, in bytes. The entries of this version have about 120.
const ENTRY_LIMIT_BYTES: usize = 1024;
const FORMAT: &str = "sre.log-entry/v1";

/// One entry of a log. The envelope is in the log's blob store, under the digest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry {
    /// What the envelope states.
    pub kind: EntryKind,
    /// SHA-256 of the envelope's canonical JSON.
    pub sha256: ReceiptDigest,
}

/// What an envelope states.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EntryKind {
    /// A receipt.
    Receipt,
    /// A verdict on a receipt.
    Verdict,
}

/// Bytes that are no entry.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not an entry of this version: the canonical JSON of format, kind and sha256")]
pub struct EntryError;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Form {
    format: String,
    kind: EntryKind,
    sha256: ReceiptDigest,
}

impl EntryKind {
    /// The name used in JSON.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Receipt => "receipt",
            Self::Verdict => "verdict",
        }
    }
}

impl Entry {
    /// The entry of a receipt.
    #[must_use]
    pub const fn receipt(sha256: ReceiptDigest) -> Self {
        Self {
            kind: EntryKind::Receipt,
            sha256,
        }
    }

    /// The entry of a verdict.
    #[must_use]
    pub const fn verdict(sha256: ReceiptDigest) -> Self {
        Self {
            kind: EntryKind::Verdict,
            sha256,
        }
    }

    /// The bytes that are hashed into the tree.
    #[must_use]
    pub fn to_canonical(&self) -> Vec<u8> {
        // The canonical form written down, because a log writes millions of them; `parse` and a
        // test hold it to that.
        format!(
            r#"{{"format":"{FORMAT}","kind":"{}","sha256":"{}"}}"#,
            self.kind.as_str(),
            self.sha256
        )
        .into_bytes()
    }

    /// Reads an entry.
    ///
    /// # Errors
    /// [`EntryError`].
    pub fn parse(bytes: &[u8]) -> Result<Self, EntryError> {
        if bytes.len() > ENTRY_LIMIT_BYTES {
            return Err(EntryError);
        }
        let form: Form = serde_json::from_slice(bytes).map_err(|_| EntryError)?;
        let entry = Self {
            kind: form.kind,
            sha256: form.sha256,
        };
        if form.format == FORMAT && entry.to_canonical() == bytes {
            Ok(entry)
        } else {
            Err(EntryError)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sre_core::canonical_json;

    #[test]
    fn an_entry_is_canonical_json() {
        for entry in [
            Entry::receipt(ReceiptDigest::of(b"a")),
            Entry::verdict(ReceiptDigest::of(b"b")),
        ] {
            let bytes = entry.to_canonical();
            let value = canonical_json::parse(&bytes).expect("JSON");
            assert_eq!(canonical_json::to_vec(&value), bytes);
            assert_eq!(Entry::parse(&bytes), Ok(entry));
            assert_eq!(Entry::parse(&[&bytes[..], b" "].concat()), Err(EntryError));
        }
    }
}
