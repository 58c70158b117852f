//! What is signed: an in-toto Statement v1 (<https://github.com/in-toto/attestation>).

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use sre_core::{Digest, canonical_json};

/// The type of every statement.
pub const STATEMENT_TYPE: &str = "https://in-toto.io/Statement/v1";

/// A statement about one subject.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Statement<P> {
    /// [`STATEMENT_TYPE`].
    #[serde(rename = "_type")]
    pub kind: String,
    /// What it is about: exactly one.
    pub subject: Vec<Subject>,
    /// What `predicate` is, as a URI.
    #[serde(rename = "predicateType")]
    pub predicate_type: String,
    /// What is said about it.
    pub predicate: P,
}

/// What a statement is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Subject {
    /// What the digest was taken over.
    pub name: String,
    /// Its digest.
    pub digest: Sha256,
}

/// A digest in in-toto's form: a map from algorithm to value, with one entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sha256 {
    /// The digest.
    pub sha256: Digest,
}

/// Why a payload is not the statement that was expected.
#[derive(Debug, thiserror::Error)]
pub enum StatementError {
    /// Not strict JSON.
    #[error("the statement is not JSON: {0}")]
    Json(#[from] canonical_json::JsonError),
    /// Another kind of statement, or a version of it that this program does not know.
    #[error("the statement is a {found:?}; this version reads {expected:?}")]
    Unknown {
        /// What it says it is.
        found: String,
        /// What was expected.
        expected: &'static str,
    },
    /// Members are missing, unknown or of other types.
    #[error("the statement is malformed: {0}")]
    Shape(#[from] serde_json::Error),
    /// None, or more than one.
    #[error("the statement has {0} subjects, not one")]
    Subjects(usize),
    /// The same value in other words.
    #[error("the statement is not in canonical form (RFC 8785)")]
    NotCanonical,
}

impl Subject {
    /// The subject with this name and digest.
    #[must_use]
    pub fn of((name, sha256): (&str, Digest)) -> Self {
        Self {
            name: name.to_owned(),
            digest: Sha256 { sha256 },
        }
    }
}

impl<P: Serialize + DeserializeOwned> Statement<P> {
    /// A statement about one subject.
    #[must_use]
    pub fn new(name: &str, digest: Digest, predicate_type: &str, predicate: P) -> Self {
        Self {
            kind: STATEMENT_TYPE.to_owned(),
            subject: vec![Subject::of((name, digest))],
            predicate_type: predicate_type.to_owned(),
            predicate,
        }
    }

    /// The canonical JSON that is signed.
    #[must_use]
    pub fn to_canonical(&self) -> Vec<u8> {
        canonical_json::to_vec(self)
    }

    /// Reads a statement with this predicate type.
    ///
    /// # Errors
    /// [`StatementError`]; [`StatementError::Unknown`] when it is a well-formed statement about
    /// something else.
    pub fn parse(payload: &[u8], predicate_type: &'static str) -> Result<Self, StatementError> {
        // Whatever this tolerates, the comparison below does not.
        let parsed = serde_json::from_slice::<Self>(payload);
        let is_known = |s: &Self| s.kind == STATEMENT_TYPE && s.predicate_type == predicate_type;
        let statement = match parsed {
            Ok(statement) if is_known(&statement) => statement,
            parsed => return Err(why_not(payload, predicate_type, parsed.err())),
        };
        if statement.subject.len() != 1 {
            return Err(StatementError::Subjects(statement.subject.len()));
        }
        if statement.to_canonical() == payload {
            Ok(statement)
        } else {
            Err(StatementError::NotCanonical)
        }
    }
}

/// Another version has another shape, and its type is what explains it.
fn why_not(
    payload: &[u8],
    predicate_type: &'static str,
    error: Option<serde_json::Error>,
) -> StatementError {
    let value = match canonical_json::parse(payload) {
        Ok(value) => value,
        Err(error) => return error.into(),
    };
    for (member, expected) in [("_type", STATEMENT_TYPE), ("predicateType", predicate_type)] {
        match value.get(member).and_then(|found| found.as_str()) {
            Some(found) if found != expected => {
                return StatementError::Unknown {
                    found: found.chars().take(80).collect(),
                    expected,
                };
            }
            _ => {}
        }
    }
    error.map_or(StatementError::NotCanonical, StatementError::Shape)
}
