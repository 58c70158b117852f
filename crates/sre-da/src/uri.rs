//! Addresses as text: `da:sha256:<64 lower-case hexadecimal digits>`.

use sre_core::{BlobDigest, DigestParseError};

const PREFIX: &str = "da:sha256:";

/// Why a text is not a blob address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UriError {
    /// The text does not start with `da:sha256:`.
    #[error("a blob address starts with \"da:sha256:\", found {found:?}")]
    Scheme {
        /// The first 80 characters of the text.
        found: String,
    },
    /// What follows the prefix is not a digest.
    #[error("the blob address has no valid digest")]
    Digest(#[from] DigestParseError),
}

/// The address of the blob with this digest. The inverse of [`parse_uri`].
#[must_use]
pub fn format_uri(digest: BlobDigest) -> String {
    format!("{PREFIX}{digest}")
}

/// The digest in a blob address. Exactly one spelling is accepted for each digest.
///
/// # Errors
/// [`UriError`] names what was found instead.
pub fn parse_uri(uri: &str) -> Result<BlobDigest, UriError> {
    let refuse = || UriError::Scheme {
        found: uri.chars().take(80).collect(),
    };
    Ok(uri.strip_prefix(PREFIX).ok_or_else(refuse)?.parse()?)
}
