//! One receipt of another node, checked and replayed.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};
use sre_client::{Client, ClientError, Sources};
use sre_core::{
    BlobDigest, CommitResult, CommitStatus, Method, OrderId, OrderResult, OrderStatus,
    ReceiptDigest, SkillDigest, Verdict, VerifyResult,
};
use sre_da::format_uri;
use sre_receipt::{
    Envelope, Examination, Examiner, Host, IssueContext, NodeKey, Policy, Receipt, Trust,
    VerdictStatement,
};
use sre_sandbox::Execution;
use sre_verify::{Verifier, VerifyRequest};

use crate::options::WatchOptions;

/// Bytes that are not there are asked for again after this time, so that a short failure does not
/// become a verdict. Bytes for which there is no answer are asked for at the next looks.
const SECOND_LOOK: Duration = Duration::from_secs(1);

/// Checks receipts of one executor.
pub struct Checker {
    executor: Client,
    sources: Arc<Sources>,
    verifier: Verifier,
    examiner: Examiner,
    key: Arc<NodeKey>,
    program: String,
}

/// A receipt that was fetched, before it is decided whether it is replayed.
pub struct Fetched {
    digest: ReceiptDigest,
    bytes: Option<Vec<u8>>,
    unanswered: Option<ClientError>,
    examination: Examination,
}

/// What was found.
pub struct Found {
    /// The verdict.
    pub result: VerifyResult,
    /// Which order; `None` where the receipt itself cannot be had or read.
    pub order_id: Option<OrderId>,
    /// The verdict, signed.
    pub statement: Option<VerdictStatement>,
    /// What is sent to the challenge URL; `None` when there is nothing to challenge.
    pub challenge: Option<Value>,
    /// The verdict is `unavailable` because the executor did not answer, and may be another when it
    /// does.
    pub unanswered: Option<ClientError>,
}

impl Checker {
    /// Replays what the executor of `options` has, believes `trust`, signs with `key`.
    pub fn new(options: &WatchOptions, trust: Trust, key: Arc<NodeKey>) -> Self {
        let executor = options.executor.clone();
        let mut sources = Sources::default();
        sources.add_service(executor.clone());
        let sources = Arc::new(sources);
        let verifier = (options.verifier)(Arc::clone(&sources) as _);
        Self {
            executor,
            sources,
            verifier,
            examiner: Examiner::new(trust, Policy::default()),
            key,
            program: options.program.clone(),
        }
    }

    /// Believes `trust` and signs with `key` from now on.
    pub fn use_keys(&mut self, trust: Trust, key: Arc<NodeKey>) {
        (self.examiner, self.key) = (Examiner::new(trust, Policy::default()), key);
    }

    /// Fetches and examines a receipt.
    pub async fn fetch(&self, digest: ReceiptDigest) -> Fetched {
        let mut answer = self.blob(digest.into()).await;
        if matches!(answer, Ok(None)) {
            tokio::time::sleep(SECOND_LOOK).await;
            answer = self.blob(digest.into()).await;
        }
        let (bytes, unanswered) = match answer {
            Ok(bytes) => (bytes, None),
            Err(unanswered) => (None, Some(unanswered)),
        };
        let examination = self
            .examiner
            .examine(bytes.as_deref().unwrap_or_default(), None);
        Fetched {
            digest,
            bytes,
            unanswered,
            examination,
        }
    }

    async fn blob(&self, digest: BlobDigest) -> Result<Option<Vec<u8>>, ClientError> {
        let found = self.executor.envelope(digest).await?;
        Ok(found.filter(|bytes| BlobDigest::of(bytes) == digest))
    }

    /// The verdict on it, signed, with what may be held against the executor.
    pub async fn check(&self, fetched: Fetched) -> Found {
        let Fetched {
            digest,
            bytes,
            unanswered,
            examination,
        } = fetched;
        let Some(bytes) = bytes else {
            let mut missing =
                format!("the receipt {digest} is in the log, and its bytes cannot be had");
            if let Some(unanswered) = &unanswered {
                missing.push_str(&format!(": {unanswered}"));
            }
            let result = alone(examination, Verdict::Unavailable, missing);
            return Found {
                unanswered,
                ..self.found(digest, None, result, None)
            };
        };
        let Some(claim) = examination.claim(format_uri) else {
            return self.found(digest, Some(&bytes), examination.without_replay(), None);
        };
        let request = VerifyRequest {
            claim: claim.clone(),
            reported_output: None,
        };
        let before = self.sources.errors().count;
        let (mut replayed, mut execution) = self.verifier.verify_and_show(request.clone()).await;
        if replayed.verdict == Verdict::Unavailable {
            tokio::time::sleep(SECOND_LOOK).await;
            (replayed, execution) = self.verifier.verify_and_show(request).await;
        }
        // A question of another check may have been the one without an answer; then this order is
        // checked once more, too.
        let errors = self.sources.errors();
        let is_unanswered = replayed.verdict == Verdict::Unavailable && errors.count > before;
        let own = execution.filter(|_| replayed.verdict == Verdict::Diverged);
        let is_repeated = replayed
            .divergence
            .as_ref()
            .is_some_and(|found| found.repeated == Some(true));
        let own = own.and_then(|execution| self.own_receipt(claim, &execution, is_repeated));
        let found = self.found(
            digest,
            Some(&bytes),
            examination.conclude(replayed),
            own.as_ref(),
        );
        Found {
            unanswered: errors.last.filter(|_| is_unanswered),
            ..found
        }
    }

    fn found(
        &self,
        digest: ReceiptDigest,
        receipt: Option<&[u8]>,
        result: VerifyResult,
        own: Option<&Receipt>,
    ) -> Found {
        let parsed = receipt.and_then(|bytes| Receipt::read(Envelope::parse(bytes).ok()?).ok());
        let order_id = parsed.map(|receipt| receipt.predicate().order_id.clone());
        let statement = order_id.clone().map(|id| {
            VerdictStatement::issue(digest, id, &result, Timestamp::now(), &self.key.secret)
        });
        let challenge = (!result.is_valid).then(|| {
            json!({
                "format": "sre.challenge/v1",
                "kind": "order",
                "executor": self.executor.address().as_str(),
                "verdict": result.verdict,
                "error": result.error,
                "divergence": result.divergence,
                "receipt_digest": digest,
                "receipt": receipt.and_then(|bytes| serde_json::from_slice::<Value>(bytes).ok()),
                "own_receipt": own.map(|own| envelope(own.envelope())),
                "signed_verdict": statement.as_ref().map(|statement| envelope(statement.envelope())),
            })
        });
        Found {
            result,
            order_id,
            statement,
            challenge,
            unanswered: None,
        }
    }

    /// What this node says the order does: the same skill, input and limits, and the outcome of the
    /// replay. A replay that diverged was made twice; where both agree, that is this node's own
    /// verification.
    fn own_receipt(
        &self,
        mut claim: CommitResult,
        execution: &Execution,
        is_repeated: bool,
    ) -> Option<Receipt> {
        let outcome = execution.outcome;
        claim.commitment.outcome = outcome.digest();
        claim.commitment_hash = claim.commitment.digest();
        claim.commitment_uri = format_uri(claim.commitment_hash.into());
        claim.result_hash = outcome.output();
        claim.result_uri = outcome.output().map(|output| format_uri(output.into()));
        claim.status = if outcome.output().is_some() {
            CommitStatus::Success
        } else {
            CommitStatus::Failed
        };
        (claim.resources, claim.isolation) = (execution.resources, execution.isolation.clone());
        let milliseconds = u64::try_from(execution.elapsed.as_millis()).unwrap_or(u64::MAX);
        claim.execution_time_ms = milliseconds;
        let hash = outcome
            .output()
            .map_or_else(|| outcome.digest().to_string(), |output| output.to_string());
        let verification = is_repeated.then(|| VerifyResult {
            is_valid: true,
            verdict: Verdict::Matched,
            method: Method::Replay,
            expected_hash: hash.clone(),
            actual_hash: Some(hash),
            error: None,
            checks: Vec::new(),
            divergence: None,
        });
        let result = OrderResult {
            order_id: claim.order_id.clone(),
            status: if outcome.error_code(None).is_none() {
                OrderStatus::Completed
            } else {
                OrderStatus::Failed
            },
            commit_result: Some(claim),
            verification,
            execution_time_ms: milliseconds,
            error_message: None,
            error_code: outcome.error_code(None).map(|code| code.to_string()),
            output: None,
            command: None,
            attempts: 1,
            logs: String::new(),
        };
        let host = Host::this(&self.program);
        let context = IssueContext {
            finished_at: Timestamp::now(),
            outcome: Some(outcome),
            host,
        };
        Receipt::issue(&result, context, &self.key.secret)
            .inspect_err(|error| tracing::error!(%error, "no receipt can be made of the replay"))
            .ok()
    }
}

impl Fetched {
    /// What it ran; `None` where nothing was committed or the receipt cannot be read.
    pub fn skill(&self) -> Option<SkillDigest> {
        let receipt = self.examination.receipt.as_ref()?;
        receipt
            .predicate()
            .provable
            .as_ref()
            .map(|provable| provable.commitment.skill)
    }

    /// Which order; `None` where the receipt cannot be read.
    pub fn order_id(&self) -> Option<&OrderId> {
        self.examination
            .receipt
            .as_ref()
            .map(|receipt| &receipt.predicate().order_id)
    }

    /// Its digest.
    pub fn digest(&self) -> ReceiptDigest {
        self.digest
    }

    /// Whether it cannot be had.
    pub fn is_missing(&self) -> bool {
        self.bytes.is_none()
    }

    /// When the order ended, in the executor's words.
    pub fn finished_at(&self) -> Option<Timestamp> {
        self.examination
            .receipt
            .as_ref()
            .map(|receipt| receipt.predicate().reported.finished_at)
    }

    /// Whether it is a sound receipt of an order that committed nothing: there is nothing to
    /// replay.
    pub fn has_nothing_committed(&self) -> bool {
        let receipt = self.examination.receipt.as_ref();
        self.examination.flaw.is_none()
            && receipt.is_some_and(|receipt| receipt.predicate().provable.is_none())
    }

    /// Whether it is wrong in itself, which no sampling may overlook.
    pub fn is_flawed(&self) -> bool {
        self.bytes.is_none() || self.examination.flaw.is_some()
    }
}

/// An envelope as JSON. This program wrote it or has read it.
fn envelope(envelope: &Envelope) -> Value {
    serde_json::from_slice(&envelope.to_canonical()).unwrap_or_default()
}

/// A verdict without a receipt.
fn alone(examination: Examination, verdict: Verdict, error: String) -> VerifyResult {
    let mut result = examination.without_replay();
    (result.verdict, result.error) = (verdict, Some(error));
    result
}
