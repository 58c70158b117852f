//! A receipt: what an executor signs about an order that has ended.
//!
//! The subject is the outcome. The predicate keeps two kinds of facts apart by name: `provable` is
//! what anybody can recompute and replay, `reported` is the executor's word. Failures of the skill
//! are provable like successes; an order that committed nothing (a time limit, a full disk) has a
//! receipt with `provable: null`, which says how it ended and proves nothing more.
//!
//! The schema is published as `docs/schemas/receipt-v1.json`; a test holds this file to it.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sre_core::Isolation as Measured;
use sre_core::{
    AcceptExit, Backend, BlobDigest, COMMITMENT_FORMAT, CommitResult, CommitStatus, Commitment,
    CommitmentDigest, Digest, Method, OrderId, OrderResult, OrderStatus, Outcome, OutputDigest,
    ReceiptDigest, Resources, Verdict, canonical_json,
};

use crate::{Envelope, KeyId, PublicKey, SecretKey, Statement, StatementError};

/// Predicate type of a receipt of this version.
pub const PREDICATE_TYPE: &str = "urn:sre:receipt:v1";
const FORMAT: &str = "sre.receipt/v1";
const SUBJECT_OUTCOME: &str = "outcome";
const SUBJECT_ENDING: &str = "ending";

/// What a receipt says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Predicate {
    /// `sre.receipt/v1`.
    pub format: String,
    /// Which order. The executor's word, but a receipt is for this order and no other.
    pub order_id: OrderId,
    /// Who signed.
    pub executor: Signer,
    /// What a replay proves; null when the order committed nothing.
    pub provable: Option<Provable>,
    /// What the executor says beside it.
    pub reported: Reported,
}

/// The key that signed a statement.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Signer {
    /// Its name.
    pub key: KeyId,
    /// The key itself, so that a signature can be checked before anybody decides whom to trust.
    pub public_key: PublicKey,
}

/// What anybody can recompute and replay.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Provable {
    /// Digests of skill, input, profile, runtime and outcome.
    pub commitment: Commitment,
    /// Digest of the commitment.
    pub commitment_hash: CommitmentDigest,
    /// What the skill did; its digest is the commitment's.
    pub outcome: Outcome,
    /// Digest of the returned value; null unless the skill returned one.
    pub result_hash: Option<OutputDigest>,
    /// The exit codes that count as success, as the committed invocation has them. Absent in the
    /// JSON contract, where a returned value is success.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accept_exit: Option<AcceptExit>,
}

impl Provable {
    /// Whether the skill did what the order wants of it.
    #[must_use]
    pub fn is_success(&self) -> bool {
        self.outcome.is_success(self.accept_exit.as_ref())
    }
}

/// What only the executor knows. Signed, not provable.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reported {
    /// How the order ended.
    pub status: OrderStatus,
    /// Stable code of what went wrong; null when completed.
    pub error_code: Option<String>,
    /// When it ended.
    pub finished_at: Timestamp,
    /// From acceptance to the end, in milliseconds.
    pub execution_time_ms: u64,
    /// Attempts made.
    pub attempts: u32,
    /// What the executor's own verification found; null when nothing was committed.
    pub verification: Option<OwnVerification>,
    /// What separated the skill from the host; null when nothing was committed.
    pub isolation: Option<Isolation>,
    /// What the execution used; null when nothing was committed.
    pub resources: Option<Resources>,
    /// Where it ran.
    pub host: Host,
}

/// The executor's verification of its own work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OwnVerification {
    /// What it found.
    pub verdict: Verdict,
    /// How it was found.
    pub method: Method,
}

/// What separated the skill from the host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Isolation {
    /// Which backend ran it.
    pub backend: Backend,
    /// What the backend measured of it from inside; null where there is nothing to measure: a
    /// WebAssembly guest is kept by the engine that `runtime` names.
    pub measured: Option<Measured>,
}

/// Where it ran, in the words of the executor.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Host {
    /// Program and version.
    pub software: String,
    /// Operating system.
    pub os: String,
    /// Processor architecture.
    pub arch: String,
}

/// What is not in an order's result but in its receipt.
#[derive(Debug, Clone)]
pub struct IssueContext {
    /// When the order ended.
    pub finished_at: Timestamp,
    /// What the skill did; needed when the order committed something.
    pub outcome: Option<Outcome>,
    /// Where it ran.
    pub host: Host,
}

/// A signed receipt. Its parts belong together; whether the signature holds is
/// [`Receipt::verify_signature`]'s question.
#[derive(Debug, Clone, PartialEq)]
pub struct Receipt {
    envelope: Envelope,
    statement: Statement<Predicate>,
}

/// Why there is no receipt.
#[derive(Debug, thiserror::Error)]
pub enum ReceiptError {
    /// The payload is no statement about an order.
    #[error(transparent)]
    Statement(#[from] StatementError),
    /// A format of another version.
    #[error(
        "the receipt has the format {0:?}; this version reads {FORMAT:?} over {COMMITMENT_FORMAT:?}"
    )]
    Format(String),
    /// Its parts contradict each other.
    #[error("the receipt contradicts itself: {0}")]
    Contradiction(&'static str),
}

impl ReceiptError {
    /// Whether it may be a good receipt of a version that this program does not know.
    #[must_use]
    pub const fn is_unknown_version(&self) -> bool {
        matches!(
            self,
            Self::Format(_) | Self::Statement(StatementError::Unknown { .. })
        )
    }
}

impl Host {
    /// This host, running `software`.
    #[must_use]
    pub fn this(software: impl Into<String>) -> Self {
        let (os, arch) = (
            std::env::consts::OS.to_owned(),
            std::env::consts::ARCH.to_owned(),
        );
        Self {
            software: software.into(),
            os,
            arch,
        }
    }
}

impl Signer {
    /// The signer with this key.
    #[must_use]
    pub fn of(key: &SecretKey) -> Self {
        let public_key = key.public();
        Self {
            key: public_key.id(),
            public_key,
        }
    }
}

impl Receipt {
    /// Signs what is known about an order that has ended.
    ///
    /// # Errors
    /// [`ReceiptError::Contradiction`] when the outcome in `context` is missing or is not the
    /// committed one.
    pub fn issue(
        result: &OrderResult,
        context: IssueContext,
        key: &SecretKey,
    ) -> Result<Self, ReceiptError> {
        let provable = match (&result.commit_result, context.outcome) {
            (None, _) => None,
            (Some(_), None) => {
                return Err(ReceiptError::Contradiction(
                    "the committed outcome is not given",
                ));
            }
            (Some(commit), Some(outcome)) => Some(Provable {
                commitment: commit.commitment.clone(),
                commitment_hash: commit.commitment_hash,
                outcome,
                result_hash: commit.result_hash,
                accept_exit: commit.accept_exit.clone(),
            }),
        };
        let commit = result.commit_result.as_ref();
        let found = result.verification.as_ref();
        let predicate = Predicate {
            format: FORMAT.to_owned(),
            order_id: result.order_id.clone(),
            executor: Signer::of(key),
            provable,
            reported: Reported {
                status: result.status,
                error_code: result.error_code.clone(),
                finished_at: context.finished_at,
                execution_time_ms: result.execution_time_ms,
                attempts: result.attempts,
                verification: found.map(|found| OwnVerification {
                    verdict: found.verdict,
                    method: found.method,
                }),
                isolation: commit.map(|c| Isolation {
                    backend: c.backend,
                    measured: c.isolation.clone(),
                }),
                resources: commit.map(|commit| commit.resources),
                host: context.host,
            },
        };
        let (name, digest) = subject(&predicate);
        let statement = Statement::new(name, digest, PREDICATE_TYPE, predicate);
        let receipt = Self {
            envelope: Envelope::sign(statement.to_canonical(), key),
            statement,
        };
        receipt.is_consistent()?;
        Ok(receipt)
    }

    /// Reads what an envelope says, and that it does not contradict itself. The signature is not
    /// checked here.
    ///
    /// # Errors
    /// [`ReceiptError`].
    pub fn read(envelope: Envelope) -> Result<Self, ReceiptError> {
        let receipt = Self {
            statement: Statement::parse(envelope.payload(), PREDICATE_TYPE)?,
            envelope,
        };
        receipt.is_consistent()?;
        Ok(receipt)
    }

    fn is_consistent(&self) -> Result<(), ReceiptError> {
        let predicate = self.predicate();
        let must = |holds: bool, what| {
            if holds {
                Ok(())
            } else {
                Err(ReceiptError::Contradiction(what))
            }
        };
        if predicate.format != FORMAT {
            return Err(ReceiptError::Format(
                predicate.format.chars().take(80).collect(),
            ));
        }
        if let Some(provable) = &predicate.provable {
            let Provable {
                commitment,
                commitment_hash,
                outcome,
                result_hash,
                accept_exit,
            } = provable;
            if commitment.format != COMMITMENT_FORMAT {
                return Err(ReceiptError::Format(
                    commitment.format.chars().take(80).collect(),
                ));
            }
            must(
                commitment.digest() == *commitment_hash,
                "the commitment has another digest",
            )?;
            must(
                outcome.digest() == commitment.outcome,
                "the outcome is not the committed one",
            )?;
            must(
                outcome.output() == *result_hash,
                "the result is not the outcome's",
            )?;
            must(
                commitment.invocation.is_some() == accept_exit.is_some(),
                "accepted exit codes belong to an invocation",
            )?;
        }
        let reported = &predicate.reported;
        let is_completed = reported.status == OrderStatus::Completed;
        let has_succeeded = predicate
            .provable
            .as_ref()
            .is_some_and(Provable::is_success);
        must(
            has_succeeded || !is_completed,
            "it says completed of an order that did not succeed",
        )?;
        must(
            is_completed == reported.error_code.is_none(),
            "status and error code do not go together",
        )?;
        let is_confirmed = reported
            .verification
            .is_some_and(|found| found.verdict.is_valid());
        must(
            is_confirmed || !is_completed,
            "it says completed of what its own verification did not confirm",
        )?;
        let is_committed = predicate.provable.is_some();
        must(
            reported.isolation.is_some() == is_committed,
            "isolation is reported of what was not committed",
        )?;
        must(
            reported.resources.is_some() == is_committed,
            "resources are reported of what was not committed",
        )?;
        must(
            self.statement.subject == [crate::Subject::of(subject(predicate))],
            "the subject is another one",
        )?;
        let signer = &predicate.executor;
        must(
            signer.public_key.id() == signer.key,
            "the executor's key has another name",
        )?;
        must(
            signer.key == self.envelope.key(),
            "another key is named beside the signature",
        )
    }

    /// Checks the signature with the key that the receipt itself names. That key is anybody's until
    /// it is trusted.
    ///
    /// # Errors
    /// [`BadSignature`](crate::BadSignature).
    pub fn verify_signature(&self) -> Result<(), crate::BadSignature> {
        self.envelope.verify(&self.predicate().executor.public_key)
    }

    /// What it says.
    #[must_use]
    pub fn predicate(&self) -> &Predicate {
        &self.statement.predicate
    }

    /// As it is stored and sent.
    #[must_use]
    pub fn envelope(&self) -> &Envelope {
        &self.envelope
    }

    /// The SHA-256 of the envelope.
    #[must_use]
    pub fn digest(&self) -> ReceiptDigest {
        self.envelope.digest()
    }

    /// The claim that a verifier replays; `None` when the order committed nothing. `uri` gives the
    /// address of a digest.
    #[must_use]
    pub fn claim(&self, uri: impl Fn(BlobDigest) -> String) -> Option<CommitResult> {
        let predicate = self.predicate();
        let (provable, reported) = (predicate.provable.as_ref()?, &predicate.reported);
        Some(CommitResult {
            order_id: predicate.order_id.clone(),
            result_uri: provable.result_hash.map(|hash| uri(hash.into())),
            result_hash: provable.result_hash,
            execution_time_ms: reported.execution_time_ms,
            status: if provable.is_success() {
                CommitStatus::Success
            } else {
                CommitStatus::Failed
            },
            error_message: (!provable.is_success()).then(|| provable.outcome.to_string()),
            accept_exit: provable.accept_exit.clone(),
            commitment: provable.commitment.clone(),
            commitment_hash: provable.commitment_hash,
            commitment_uri: uri(provable.commitment_hash.into()),
            backend: reported.isolation.as_ref()?.backend,
            backend_note: None,
            resources: reported.resources?,
            isolation: reported.isolation.as_ref()?.measured.clone(),
        })
    }
}

/// What a receipt is about: the outcome, or, where nothing was committed, how the order ended.
fn subject(predicate: &Predicate) -> (&'static str, Digest) {
    if let Some(provable) = &predicate.provable {
        return (SUBJECT_OUTCOME, provable.commitment.outcome.digest());
    }
    #[derive(Serialize)]
    struct Ending<'a> {
        order_id: &'a OrderId,
        status: OrderStatus,
        error_code: &'a Option<String>,
    }
    let Predicate {
        order_id,
        reported: Reported {
            status, error_code, ..
        },
        ..
    } = predicate;
    (
        SUBJECT_ENDING,
        Digest::of(&canonical_json::to_vec(&Ending {
            order_id,
            status: *status,
            error_code,
        })),
    )
}
