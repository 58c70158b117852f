//! Keys as PEM text (RFC 7468): secret keys as PKCS #8, public keys as SubjectPublicKeyInfo, both
//! as RFC 8410 has them, so that OpenSSL and every library read them.
//!
//! The DER of an Ed25519 key is a constant and 32 bytes, so it is compared and not parsed.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use crate::{KeyError, PublicKey, SecretKey};

const SECRET_LABEL: &str = "PRIVATE KEY";
const PUBLIC_LABEL: &str = "PUBLIC KEY";
/// PKCS #8 version 1, algorithm 1.3.101.112, an octet string of an octet string of 32 bytes.
const SECRET_PREFIX: [u8; 16] = [
    0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20,
];
/// Algorithm 1.3.101.112, a bit string of 32 bytes.
const PUBLIC_PREFIX: [u8; 12] = [
    0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00,
];

/// Why a text is no key in PEM.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PemError {
    /// The lines around the base64 are missing, or are those of something else.
    #[error("not a PEM file of one {0}")]
    Frame(&'static str),
    /// The content is not an Ed25519 key.
    #[error(
        "the PEM file holds no Ed25519 {0}; make one with `sre key new` or `openssl genpkey -algorithm ed25519`"
    )]
    Algorithm(&'static str),
    /// The content is no usable key.
    #[error(transparent)]
    Key(#[from] KeyError),
}

impl SecretKey {
    /// Reads a PKCS #8 file.
    ///
    /// # Errors
    /// [`PemError`].
    pub fn from_pem(text: &str) -> Result<Self, PemError> {
        Ok(Self::from_seed(&*decode(
            text,
            SECRET_LABEL,
            &SECRET_PREFIX,
        )?))
    }

    /// The key as a PKCS #8 file.
    #[must_use]
    pub fn to_pem(&self) -> Zeroizing<String> {
        Zeroizing::new(encode(SECRET_LABEL, &SECRET_PREFIX, &self.seed()))
    }
}

impl PublicKey {
    /// Reads a SubjectPublicKeyInfo file.
    ///
    /// # Errors
    /// [`PemError`].
    pub fn from_pem(text: &str) -> Result<Self, PemError> {
        Ok(Self::from_bytes(&*decode(
            text,
            PUBLIC_LABEL,
            &PUBLIC_PREFIX,
        )?)?)
    }

    /// The key as a SubjectPublicKeyInfo file.
    #[must_use]
    pub fn to_pem(&self) -> String {
        encode(PUBLIC_LABEL, &PUBLIC_PREFIX, self.as_bytes())
    }
}

fn encode(label: &str, prefix: &[u8], key: &[u8; 32]) -> String {
    let der = Zeroizing::new([prefix, key].concat());
    format!(
        "-----BEGIN {label}-----\n{}\n-----END {label}-----\n",
        *Zeroizing::new(STANDARD.encode(&*der))
    )
}

fn decode(text: &str, label: &'static str, prefix: &[u8]) -> Result<Zeroizing<[u8; 32]>, PemError> {
    let frame = || PemError::Frame(label);
    let begin = format!("-----BEGIN {label}-----");
    let end = format!("-----END {label}-----");
    let body = text
        .trim()
        .strip_prefix(&begin)
        .and_then(|rest| rest.strip_suffix(&end))
        .ok_or_else(frame)?;
    let der = Zeroizing::new(STANDARD.decode(body.trim()).map_err(|_| frame())?);
    let key = der
        .strip_prefix(prefix)
        .and_then(|key| <[u8; 32]>::try_from(key).ok());
    key.map(Zeroizing::new).ok_or(PemError::Algorithm(label))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 8410, section 10.3 and 10.1: its example keys.
    #[test]
    fn the_keys_of_rfc_8410_are_read_and_written() {
        let secret = "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC\n\
                      -----END PRIVATE KEY-----\n";
        let public = "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=\n\
                      -----END PUBLIC KEY-----\n";
        let key = SecretKey::from_pem(secret).expect("the key of the RFC");
        assert_eq!(*key.to_pem(), secret);
        assert_eq!(
            key.public(),
            PublicKey::from_pem(public).expect("its public half")
        );
        assert_eq!(key.public().to_pem(), public);
        assert!(matches!(
            SecretKey::from_pem(public),
            Err(PemError::Frame(_))
        ));
        let short = secret.replace("MC4C", "MC8C");
        assert!(matches!(
            SecretKey::from_pem(&short),
            Err(PemError::Algorithm(_))
        ));
    }
}
