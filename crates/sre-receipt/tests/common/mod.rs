//! Orders that have ended, and their receipts, without running anything.
#![allow(dead_code, reason = "each test uses some of it")]

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde_json::json;
use sre_core::{
    Backend, COMMITMENT_FORMAT, CommitResult, CommitStatus, Commitment, Content, Digest, Ending,
    Method, OrderResult, OrderStatus, Outcome, OutputDigest, Resources, Verdict, VerifyResult,
    canonical_json,
};
use sre_receipt::tlog::{Checkpoint, Entry, Hash, Note, TlogProof};
use sre_receipt::{
    Bundle, Examiner, Host, IssueContext, NodeKey, Policy, Purpose, Receipt, SecretKey, Trust,
    TrustedKey,
};

/// 2026-01-01, as all times here.
pub fn now() -> Timestamp {
    "2026-01-01T00:00:00Z".parse().expect("a time")
}

/// The key of a node with this name.
pub fn node(seed: u8) -> NodeKey {
    let name = format!("node{seed}.example/log").parse().expect("a name");
    NodeKey {
        name,
        secret: SecretKey::from_seed(&[seed; 32]),
    }
}

pub fn returned() -> Outcome {
    Outcome::returned(OutputDigest::of(&canonical_json::to_vec(
        &json!({"words": 6}),
    )))
}

/// The outcome of a program that ended like this and printed nothing.
pub fn ended(ending: Ending) -> Outcome {
    Outcome::ended(ending, Content::of(b""))
}

/// The result of an order whose skill did this.
pub fn result(order_id: &str, outcome: Outcome) -> OrderResult {
    let commitment = Commitment {
        format: COMMITMENT_FORMAT.to_owned(),
        skill: Digest::of(b"skill").into(),
        input: Digest::of(b"input").into(),
        invocation: None,
        profile: Digest::of(b"profile").into(),
        runtime: Digest::of(b"runtime").into(),
        transcript: None,
        outcome: outcome.digest(),
    };
    let commitment_hash = commitment.digest();
    let is_success = outcome.output().is_some();
    let commit = CommitResult {
        order_id: order_id.parse().expect("an order id"),
        result_uri: outcome.output().map(|output| format!("da:sha256:{output}")),
        result_hash: outcome.output(),
        execution_time_ms: 3,
        status: if is_success {
            CommitStatus::Success
        } else {
            CommitStatus::Failed
        },
        error_message: outcome.error_code(None).map(|_| outcome.to_string()),
        accept_exit: None,
        commitment,
        commitment_hash,
        commitment_uri: format!("da:sha256:{commitment_hash}"),
        backend: Backend::Wasm,
        backend_note: None,
        isolation: None,
        resources: Resources {
            fuel: 20_032,
            cpu_ms: 0.25,
            peak_memory_bytes: 1 << 20,
        },
    };
    let verification = VerifyResult {
        is_valid: true,
        verdict: Verdict::Matched,
        method: Method::Replay,
        expected_hash: outcome.digest().to_string(),
        actual_hash: None,
        error: None,
        checks: Vec::new(),
        divergence: None,
    };
    OrderResult {
        order_id: commit.order_id.clone(),
        status: if is_success {
            OrderStatus::Completed
        } else {
            OrderStatus::Failed
        },
        error_message: commit.error_message.clone(),
        error_code: outcome.error_code(None).map(|code| code.to_string()),
        commit_result: Some(commit),
        verification: Some(verification),
        execution_time_ms: 4,
        output: None,
        command: None,
        attempts: 1,
        logs: String::new(),
    }
}

/// The result of an order that reached its time limit.
pub fn timed_out(order_id: &str) -> OrderResult {
    OrderResult {
        status: OrderStatus::Timeout,
        commit_result: None,
        verification: None,
        error_message: Some(String::from("the time limit was reached")),
        error_code: Some(String::from("timeout")),
        ..result(order_id, returned())
    }
}

pub fn context(outcome: Option<Outcome>) -> IssueContext {
    let host = Host {
        software: String::from("sre 0.1.0"),
        os: String::from("linux"),
        arch: String::from("x86_64"),
    };
    IssueContext {
        finished_at: now(),
        outcome,
        host,
    }
}

/// A receipt of node 1.
pub fn receipt(order_id: &str, outcome: Outcome) -> Receipt {
    Receipt::issue(
        &result(order_id, outcome),
        context(Some(outcome)),
        &node(1).secret,
    )
    .expect("a receipt")
}

/// A log of two entries, the second of which is the receipt, signed by `log`.
pub fn proof(receipt: &Receipt, log: &NodeKey) -> TlogProof {
    let first = Hash::leaf(&Entry::receipt(Digest::of(b"another receipt").into()).to_canonical());
    let second = Hash::leaf(&Entry::receipt(receipt.digest()).to_canonical());
    let checkpoint = Checkpoint {
        origin: log.name.clone(),
        size: 2,
        root: Hash::node(&first, &second),
    };
    let mut note = Note::new(checkpoint.to_text()).expect("a note");
    note.sign(log.name.clone(), &log.secret);
    TlogProof {
        index: 1,
        path: vec![first],
        checkpoint: note,
    }
}

pub fn bundle(receipt: &Receipt) -> Bundle {
    let blobs =
        [&b"skill"[..], b"input", b"profile"].map(|bytes| (Digest::of(bytes).into(), bytes.into()));
    Bundle {
        receipt: receipt.envelope().to_canonical(),
        proof: Some(proof(receipt, &node(1)).to_string().into_bytes()),
        blobs: blobs.into_iter().collect(),
    }
}

/// Trusts `key` for these purposes at any time.
pub fn trusted(key: &NodeKey, purposes: &[Purpose]) -> TrustedKey {
    TrustedKey {
        name: key.name.clone(),
        public_key: key.secret.public(),
        purposes: purposes.iter().copied().collect::<BTreeSet<_>>(),
        not_before: None,
        not_after: None,
    }
}

/// An examiner that trusts node 1 for receipts and its log.
pub fn examiner() -> Examiner {
    let mut trust = Trust::default();
    trust
        .add(trusted(&node(1), &[Purpose::Receipt, Purpose::Log]))
        .expect("a new key");
    Examiner::new(trust, Policy::default())
}
