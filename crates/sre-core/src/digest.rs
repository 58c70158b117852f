//! SHA-256 digests, one type per thing that is digested.
//!
//! A digest of a skill cannot be passed where a digest of an input is meant. [`BlobDigest`] is the
//! address of bytes in a store; every other digest converts into it, because each of them *is* the
//! address of the bytes it was taken over.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use sha2::Digest as _;

const HEX_DIGITS: &[u8; 16] = b"0123456789abcdef";

/// A SHA-256 digest (FIPS 180-4) of 32 bytes, written as 64 lower-case hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Digest([u8; 32]);

impl Digest {
    /// The digest of `bytes`.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        Self(sha2::Sha256::digest(bytes).into())
    }

    /// A digest from its 32 bytes.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The 32 bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The 64 digits, written into `text`.
    fn write_into<'a>(&self, text: &'a mut [u8; 64]) -> &'a str {
        for (byte, digits) in self.0.iter().zip(text.as_chunks_mut::<2>().0) {
            *digits = [
                HEX_DIGITS[usize::from(byte >> 4)],
                HEX_DIGITS[usize::from(byte & 15)],
            ];
        }
        str::from_utf8(text).expect("hexadecimal digits are ASCII")
    }
}

/// A digest of bytes that come in pieces.
#[derive(Clone, Default)]
pub struct Hasher(sha2::Sha256);

impl Hasher {
    /// A digest of nothing so far.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the next bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// The digest of all bytes.
    #[must_use]
    pub fn finish(self) -> Digest {
        Digest(self.0.finalize().into())
    }
}

impl fmt::Debug for Hasher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Hasher")
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.write_into(&mut [0; 64]))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "sha256:{self}")
    }
}

/// A text that is no digest.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a digest is 64 lower-case hexadecimal digits, found {0:?}")]
pub struct DigestParseError(String);

impl FromStr for Digest {
    type Err = DigestParseError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let refuse = || DigestParseError(text.chars().take(80).collect());
        // Upper case would give one digest two names.
        if text.bytes().any(|b| b.is_ascii_uppercase()) {
            return Err(refuse());
        }
        let mut bytes = [0; 32];
        hex::decode_to_slice(text, &mut bytes).map_err(|_| refuse())?;
        Ok(Self(bytes))
    }
}

impl Serialize for Digest {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.write_into(&mut [0; 64]))
    }
}

impl<'de> Deserialize<'de> for Digest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(de::Error::custom)
    }
}

macro_rules! digest_of {
    ($($(#[$doc:meta])* $name:ident),* $(,)?) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(Digest);

        impl $name {
            /// The digest of `bytes`.
            #[must_use]
            pub fn of(bytes: &[u8]) -> Self {
                Self(Digest::of(bytes))
            }

            /// The untyped digest.
            #[must_use]
            pub const fn digest(&self) -> Digest {
                self.0
            }
        }

        impl From<Digest> for $name {
            fn from(digest: Digest) -> Self {
                Self(digest)
            }
        }

        impl FromStr for $name {
            type Err = DigestParseError;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                text.parse().map(Self)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({})", stringify!($name), self.0)
            }
        }
    )*};
}

digest_of! {
    /// Address of bytes in a store.
    BlobDigest,
    /// Digest of a skill: of the canonical JSON of its [`Manifest`](crate::Manifest).
    SkillDigest,
    /// Digest of the canonical JSON of an order's input.
    InputDigest,
    /// Digest of the canonical JSON of an [`Invocation`](crate::Invocation).
    InvocationDigest,
    /// Digest of the canonical JSON of a [`Tree`](crate::Tree).
    TreeDigest,
    /// Digest of the canonical JSON of a recorded network.
    TranscriptDigest,
    /// Digest of the canonical JSON of the [`Profile`](crate::Profile) a skill ran under.
    ProfileDigest,
    /// Digest of the canonical JSON of the [`Engine`](crate::Engine) that ran it.
    RuntimeDigest,
    /// Digest of the canonical JSON of an [`Outcome`](crate::Outcome).
    OutcomeDigest,
    /// Digest of the canonical JSON a skill returned.
    OutputDigest,
    /// Digest of the canonical JSON of a [`Commitment`](crate::Commitment).
    CommitmentDigest,
    /// Digest of the canonical JSON of a signed receipt: what a transparency log lists.
    ReceiptDigest,
}

macro_rules! is_address {
    ($($name:ident),*) => {$(
        impl From<$name> for BlobDigest {
            fn from(digest: $name) -> Self {
                Self(digest.0)
            }
        }
    )*};
}

is_address!(
    SkillDigest,
    InputDigest,
    InvocationDigest,
    TreeDigest,
    TranscriptDigest,
    ProfileDigest,
    RuntimeDigest,
    OutcomeDigest,
    OutputDigest,
    CommitmentDigest,
    ReceiptDigest
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sha256_of_the_fips_180_vector() {
        let text = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(Digest::of(b"abc").to_string(), text);
        assert_eq!(text.parse(), Ok(Digest::of(b"abc")));
    }

    #[test]
    fn other_spellings_are_refused() {
        let text = Digest::of(b"abc").to_string();
        for wrong in [
            text.to_uppercase(),
            text[..62].to_owned(),
            format!("{text}00"),
            text.replace('b', "g"),
        ] {
            assert!(wrong.parse::<Digest>().is_err(), "{wrong}");
        }
    }
}
