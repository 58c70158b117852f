//! A verdict: what a verifier signs about another node's receipt.
//!
//! The same envelope and statement as a receipt, with another predicate type, so that neither can
//! stand for the other.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sre_core::{Method, OrderId, ReceiptDigest, Verdict, VerifyResult};

use crate::{BadSignature, Envelope, ReceiptError, SecretKey, Signer, Statement};

/// Predicate type of a verdict of this version.
pub const VERDICT_PREDICATE_TYPE: &str = "urn:sre:verdict:v1";
const FORMAT: &str = "sre.verdict/v1";
const SUBJECT: &str = "receipt";
/// Longest `error`, in characters. It may quote what a stranger wrote, and the envelope must stay
/// within its limit.
const ERROR_LIMIT_CHARS: usize = 4096;

/// What a verdict says. All of it is the verifier's word; a replay checks it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VerdictPredicate {
    /// `sre.verdict/v1`.
    pub format: String,
    /// Which order the receipt is for.
    pub order_id: OrderId,
    /// Who checked.
    pub verifier: Signer,
    /// When.
    pub checked_at: Timestamp,
    /// What was found.
    pub verdict: Verdict,
    /// How.
    pub method: Method,
    /// The hash the receipt claims.
    pub expected_hash: String,
    /// The hash the replay gave; null when it did not get there.
    pub actual_hash: Option<String>,
    /// What is wrong, its first 4,096 characters; null when nothing is.
    pub error: Option<String>,
}

/// A signed verdict.
#[derive(Debug, Clone, PartialEq)]
pub struct VerdictStatement {
    envelope: Envelope,
    statement: Statement<VerdictPredicate>,
}

impl VerdictStatement {
    /// Signs what was found about a receipt.
    #[must_use]
    pub fn issue(
        receipt: ReceiptDigest,
        order_id: OrderId,
        found: &VerifyResult,
        checked_at: Timestamp,
        key: &SecretKey,
    ) -> Self {
        let predicate = VerdictPredicate {
            format: FORMAT.to_owned(),
            order_id,
            verifier: Signer::of(key),
            checked_at,
            verdict: found.verdict,
            method: found.method,
            expected_hash: found.expected_hash.clone(),
            actual_hash: found.actual_hash.clone(),
            error: found
                .error
                .as_ref()
                .map(|error| error.chars().take(ERROR_LIMIT_CHARS).collect()),
        };
        let statement =
            Statement::new(SUBJECT, receipt.digest(), VERDICT_PREDICATE_TYPE, predicate);
        Self {
            envelope: Envelope::sign(statement.to_canonical(), key),
            statement,
        }
    }

    /// Reads a verdict. The signature is not checked here.
    ///
    /// # Errors
    /// [`ReceiptError`].
    pub fn read(envelope: Envelope) -> Result<Self, ReceiptError> {
        let statement: Statement<VerdictPredicate> =
            Statement::parse(envelope.payload(), VERDICT_PREDICATE_TYPE)?;
        let VerdictPredicate {
            format, verifier, ..
        } = &statement.predicate;
        if format != FORMAT {
            return Err(ReceiptError::Format(format.chars().take(80).collect()));
        }
        if statement
            .subject
            .iter()
            .any(|subject| subject.name != SUBJECT)
        {
            return Err(ReceiptError::Contradiction(
                "the subject of a verdict is a receipt",
            ));
        }
        if verifier.key != envelope.key() || verifier.public_key.id() != verifier.key {
            return Err(ReceiptError::Contradiction(
                "another key is named beside the signature",
            ));
        }
        Ok(Self {
            envelope,
            statement,
        })
    }

    /// Checks the signature with the key that the verdict itself names.
    ///
    /// # Errors
    /// [`BadSignature`].
    pub fn verify_signature(&self) -> Result<(), BadSignature> {
        self.envelope.verify(&self.predicate().verifier.public_key)
    }

    /// What it says.
    #[must_use]
    pub fn predicate(&self) -> &VerdictPredicate {
        &self.statement.predicate
    }

    /// Which receipt it is about.
    #[must_use]
    pub fn receipt(&self) -> Option<ReceiptDigest> {
        self.statement
            .subject
            .first()
            .map(|subject| subject.digest.sha256.into())
    }

    /// As it is stored and sent.
    #[must_use]
    pub fn envelope(&self) -> &Envelope {
        &self.envelope
    }
}
