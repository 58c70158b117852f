//! Whom to believe: the trust file.
//!
//! A JSON file that people may edit: for each key its name, what it is trusted for, and from when
//! to when. A key that is rotated out keeps its entry with an end, so what it signed before stays
//! good. Names are those of signed notes, because a log is its key and its name together: one key
//! could otherwise keep two histories under two names.

use std::collections::BTreeSet;
use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sre_core::canonical_json;

use crate::tlog::{KeyName, VerifierKey};
use crate::{KeyId, PublicKey};

const FORMAT: &str = "sre.trust/v1";
/// Longest trust file, in bytes.
pub const TRUST_LIMIT_BYTES: u64 = 1 << 20;
/// Most keys in it.
const KEYS_LIMIT: usize = 4096;

/// What a key is trusted for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Purpose {
    /// Signs receipts.
    Receipt,
    /// Signs the checkpoints of the log that has its name.
    Log,
    /// Signs verdicts on others' receipts.
    Verdict,
    /// Cosigns others' checkpoints.
    Witness,
}

/// One key and what it is trusted for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrustedKey {
    /// Whose; for a log its origin.
    pub name: KeyName,
    /// The key.
    pub public_key: PublicKey,
    /// For what.
    pub purposes: BTreeSet<Purpose>,
    /// From when on; null for no beginning.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_before: Option<Timestamp>,
    /// Until when, itself included; null for no end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_after: Option<Timestamp>,
}

/// The keys that are trusted here. The default trusts no key.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Trust {
    keys: Vec<TrustedKey>,
}

/// Why a key is not trusted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TrustError {
    /// Not in the trust file.
    #[error("the key {0} is not trusted here; `sre key trust` adds it once you know whose it is")]
    Unknown(KeyId),
    /// Trusted for other things.
    #[error("the key of {name} is not trusted for this purpose ({purpose})")]
    Purpose {
        /// Whose key.
        name: KeyName,
        /// The missing purpose.
        purpose: Purpose,
    },
    /// Not at that time.
    #[error("the key of {name} is trusted {window}, and this is of {at}")]
    Time {
        /// Whose key.
        name: KeyName,
        /// The moment in question.
        at: Timestamp,
        /// When it is trusted.
        window: String,
    },
    /// The file is malformed.
    #[error("the trust file is malformed: {0}")]
    Malformed(String),
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Form {
    format: String,
    keys: Vec<TrustedKey>,
}

impl fmt::Display for Purpose {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Receipt => "receipt",
            Self::Log => "log",
            Self::Verdict => "verdict",
            Self::Witness => "witness",
        })
    }
}

impl TrustedKey {
    /// The key as that of a log.
    #[must_use]
    pub fn as_log(&self) -> VerifierKey {
        VerifierKey::log(self.name.clone(), self.public_key.clone())
    }

    /// The key as that of a witness.
    #[must_use]
    pub fn as_witness(&self) -> VerifierKey {
        VerifierKey::witness(self.name.clone(), self.public_key.clone())
    }

    /// Whether it is trusted for `purpose` at that time.
    ///
    /// # Errors
    /// [`TrustError`] says why not.
    pub fn allows(&self, purpose: Purpose, at: Timestamp) -> Result<(), TrustError> {
        if !self.purposes.contains(&purpose) {
            return Err(TrustError::Purpose {
                name: self.name.clone(),
                purpose,
            });
        }
        if self.not_before.is_some_and(|start| at < start)
            || self.not_after.is_some_and(|end| at > end)
        {
            return Err(TrustError::Time {
                name: self.name.clone(),
                at,
                window: self.window(),
            });
        }
        Ok(())
    }

    /// When it is trusted, in words.
    #[must_use]
    pub fn window(&self) -> String {
        match (self.not_before, self.not_after) {
            (None, None) => String::from("at any time"),
            (Some(start), None) => format!("from {start}"),
            (None, Some(end)) => format!("until {end}"),
            (Some(start), Some(end)) => format!("from {start} until {end}"),
        }
    }
}

impl Trust {
    /// Reads a trust file.
    ///
    /// # Errors
    /// [`TrustError::Malformed`].
    pub fn parse(bytes: &[u8]) -> Result<Self, TrustError> {
        let malformed = |error: &dyn fmt::Display| TrustError::Malformed(error.to_string());
        if bytes.len() as u64 > TRUST_LIMIT_BYTES {
            return Err(malformed(&format_args!(
                "it is longer than {TRUST_LIMIT_BYTES} bytes"
            )));
        }
        let value = canonical_json::parse(bytes).map_err(|error| malformed(&error))?;
        let Form { format, keys } =
            serde_json::from_value(value).map_err(|error| malformed(&error))?;
        if format != FORMAT {
            return Err(malformed(&format_args!(
                "its format is {format:?}, this version reads {FORMAT:?}"
            )));
        }
        if keys.len() > KEYS_LIMIT {
            return Err(malformed(&format_args!(
                "it has more than {KEYS_LIMIT} keys"
            )));
        }
        let mut trust = Self::default();
        for key in keys {
            let id = key.public_key.id();
            trust.add(key).map_err(|_| {
                malformed(&format_args!(
                    "the key {id} stands in it twice under one name"
                ))
            })?;
        }
        Ok(trust)
    }

    /// The file's text.
    #[must_use]
    pub fn to_text(&self) -> String {
        let form = Form {
            format: FORMAT.to_owned(),
            keys: self.keys.clone(),
        };
        // Names, numbers and times only: it serialises.
        serde_json::to_string_pretty(&form).unwrap_or_default() + "\n"
    }

    /// Adds a key.
    ///
    /// # Errors
    /// The key, when it is trusted already under this name.
    pub fn add(&mut self, key: TrustedKey) -> Result<(), Box<TrustedKey>> {
        if self
            .keys
            .iter()
            .any(|other| other.public_key == key.public_key && other.name == key.name)
        {
            return Err(Box::new(key));
        }
        self.keys.push(key);
        Ok(())
    }

    /// Removes every entry of a key; what it signed is no longer believed. Returns what was
    /// removed.
    pub fn remove(&mut self, id: KeyId) -> Vec<TrustedKey> {
        self.keys
            .extract_if(.., |key| key.public_key.id() == id)
            .collect()
    }

    /// Ends the trust in every other key of this name after `at`; what they signed before stays
    /// good.
    pub(crate) fn end_all_but(&mut self, kept: KeyId, name: &KeyName, at: Timestamp) {
        for key in self
            .keys
            .iter_mut()
            .filter(|key| key.name == *name && key.public_key.id() != kept)
        {
            key.not_after = Some(key.not_after.map_or(at, |end| end.min(at)));
        }
    }

    /// All entries.
    #[must_use]
    pub fn keys(&self) -> &[TrustedKey] {
        &self.keys
    }

    /// The entry that lets this key do this at that time.
    ///
    /// # Errors
    /// [`TrustError`] of the entry that came closest.
    pub fn find(
        &self,
        id: KeyId,
        purpose: Purpose,
        at: Timestamp,
    ) -> Result<&TrustedKey, TrustError> {
        let mut closest = TrustError::Unknown(id);
        for key in self.keys.iter().filter(|key| key.public_key.id() == id) {
            match key.allows(purpose, at) {
                Ok(()) => return Ok(key),
                Err(error @ TrustError::Time { .. }) => closest = error,
                Err(error) if matches!(closest, TrustError::Unknown(_)) => closest = error,
                Err(_) => {}
            }
        }
        Err(closest)
    }

    /// The keys that may sign for the log with this origin.
    pub fn logs<'a>(&'a self, origin: &'a KeyName) -> impl Iterator<Item = &'a TrustedKey> {
        self.keys
            .iter()
            .filter(move |key| key.purposes.contains(&Purpose::Log) && key.name == *origin)
    }

    /// The keys that are believed as witnesses.
    pub fn witnesses(&self) -> impl Iterator<Item = &TrustedKey> {
        self.keys
            .iter()
            .filter(|key| key.purposes.contains(&Purpose::Witness))
    }
}
