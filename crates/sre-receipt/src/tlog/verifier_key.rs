//! Keys of signed notes: a name and a public key in one line of text, the vkey of C2SP
//! `signed-note`.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::{KeyError, PublicKey};

/// Longest key name, in bytes.
const NAME_LIMIT_BYTES: usize = 255;

/// Name of a log or a witness, by convention a URL without its scheme: 1 to 255 bytes without white
/// space, control characters and `+`.
///
/// What a key signs as a note begins with such a name and a line end. `DSSEv1 …`, which a receipt's
/// signed bytes begin with, has a space and cannot be one; `cosignature/v1` is refused. So no
/// signature over a note can stand for anything else that a key of this program signs.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct KeyName(String);

/// A text that is no key name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "a key name is 1 to 255 bytes without white space, control characters and `+`, for instance example.com/log"
)]
pub struct KeyNameError;

/// What a key signs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum NoteKind {
    /// A note (C2SP `signed-note`, type 0x01).
    Ed25519 = 1,
    /// Another log's checkpoint, with the time (C2SP `tlog-cosignature`, type 0x04).
    Cosignature = 4,
}

/// A key of a log or a witness. As text: `<name>+<key id>+<base64 of kind and key>`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifierKey {
    /// Whose.
    pub name: KeyName,
    /// For what.
    pub kind: NoteKind,
    /// The key.
    pub key: PublicKey,
}

/// A text that is no vkey.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum VerifierKeyError {
    /// Not three parts separated by `+`, or not base64.
    #[error("a verifier key is one line: <name>+<8 hexadecimal digits>+<base64>")]
    Form,
    /// The name is invalid.
    #[error(transparent)]
    Name(#[from] KeyNameError),
    /// The kind is not supported here.
    #[error(
        "the verifier key is of type {0:#04x}; this version reads Ed25519 (0x01) and Ed25519 cosignatures (0x04)"
    )]
    Kind(u8),
    /// The key is invalid.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The id in the middle belongs to another name or key: a slip of the pen.
    #[error("the id {found} in the verifier key does not fit its name and key ({expected})")]
    Id {
        /// As written.
        found: String,
        /// As computed.
        expected: String,
    },
}

impl KeyName {
    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for KeyName {
    type Error = KeyNameError;

    fn try_from(text: String) -> Result<Self, KeyNameError> {
        let is_fine = |c: char| !c.is_whitespace() && !c.is_control() && c != '+';
        let good = !text.is_empty() && text.len() <= NAME_LIMIT_BYTES && text.chars().all(is_fine);
        if good && !text.starts_with("cosignature/") {
            Ok(Self(text))
        } else {
            Err(KeyNameError)
        }
    }
}

impl FromStr for KeyName {
    type Err = KeyNameError;

    fn from_str(text: &str) -> Result<Self, KeyNameError> {
        text.to_owned().try_into()
    }
}

impl From<KeyName> for String {
    fn from(name: KeyName) -> Self {
        name.0
    }
}

impl fmt::Display for KeyName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl VerifierKey {
    /// The key of a log.
    #[must_use]
    pub const fn log(name: KeyName, key: PublicKey) -> Self {
        Self {
            name,
            kind: NoteKind::Ed25519,
            key,
        }
    }

    /// The key of a witness.
    #[must_use]
    pub const fn witness(name: KeyName, key: PublicKey) -> Self {
        Self {
            name,
            kind: NoteKind::Cosignature,
            key,
        }
    }

    /// The id in signature lines. Short, so it finds a key and proves nothing.
    #[must_use]
    pub fn id(&self) -> u32 {
        let hash = Sha256::new()
            .chain_update(self.name.as_str())
            .chain_update([b'\n', self.kind as u8])
            .chain_update(self.key.as_bytes())
            .finalize();
        u32::from_be_bytes([hash[0], hash[1], hash[2], hash[3]])
    }
}

impl fmt::Display for VerifierKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let material = STANDARD.encode([&[self.kind as u8], &self.key.as_bytes()[..]].concat());
        write!(f, "{}+{:08x}+{material}", self.name, self.id())
    }
}

impl FromStr for VerifierKey {
    type Err = VerifierKeyError;

    fn from_str(text: &str) -> Result<Self, VerifierKeyError> {
        let mut parts = text.splitn(3, '+');
        let (Some(name), Some(id), Some(material)) = (parts.next(), parts.next(), parts.next())
        else {
            return Err(VerifierKeyError::Form);
        };
        let material = STANDARD
            .decode(material)
            .map_err(|_| VerifierKeyError::Form)?;
        let (kind, key) = material.split_first().ok_or(VerifierKeyError::Form)?;
        let kind = match kind {
            1 => NoteKind::Ed25519,
            4 => NoteKind::Cosignature,
            other => return Err(VerifierKeyError::Kind(*other)),
        };
        let key = PublicKey::from_bytes(key.try_into().map_err(|_| KeyError::Length)?)?;
        let parsed = Self {
            name: name.parse()?,
            kind,
            key,
        };
        let expected = format!("{:08x}", parsed.id());
        if id == expected {
            Ok(parsed)
        } else {
            Err(VerifierKeyError::Id {
                found: id.chars().take(20).collect(),
                expected,
            })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of C2SP `signed-note`.
    #[test]
    fn the_verifier_key_of_the_specification_is_read_and_written() {
        let text = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k";
        let key: VerifierKey = text.parse().expect("the key of the specification");
        assert_eq!(
            (key.name.as_str(), key.id()),
            ("example.com/foo", 0x530d_903a)
        );
        assert_eq!(key.to_string(), text);
        let other = text.replace("530d903a", "530d903b");
        assert!(matches!(
            other.parse::<VerifierKey>(),
            Err(VerifierKeyError::Id { .. })
        ));
    }
}
