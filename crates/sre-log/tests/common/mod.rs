//! A log on a real disk.
#![allow(dead_code, reason = "each test uses some of it")]

use std::path::Path;
use std::sync::Arc;

use sre_core::{
    Backend, COMMITMENT_FORMAT, CommitResult, CommitStatus, Commitment, Content, Digest, Ending,
    OrderId, OrderResult, OrderStatus, Outcome, Resources,
};
use sre_da::{LocalStore, LocalStoreOptions};
use sre_log::{Log, LogError, Submission};
use sre_receipt::tlog::Entry;
use sre_receipt::{NodeKey, SecretKey};

pub fn key(seed: u8) -> Arc<NodeKey> {
    let name = "node.example/log".parse().expect("a name");
    Arc::new(NodeKey {
        name,
        secret: SecretKey::from_seed(&[seed; 32]),
    })
}

pub fn store(folder: &Path) -> Arc<LocalStore> {
    Arc::new(
        LocalStore::open(&folder.join("blobs"), LocalStoreOptions::default()).expect("a store"),
    )
}

pub async fn try_open(folder: &Path, seed: u8) -> Result<Log, LogError> {
    Log::open(&folder.join("log.sqlite3"), store(folder), key(seed)).await
}

pub async fn open(folder: &Path) -> Log {
    try_open(folder, 1).await.expect("a log")
}

/// The entry with this number in every test.
pub fn entry(number: u64) -> Entry {
    Entry::receipt(Digest::of(&number.to_le_bytes()).into())
}

pub fn submissions(numbers: std::ops::Range<u64>) -> Vec<Submission> {
    let one = |n: u64| Submission {
        entry: entry(n),
        order_id: format!("order-{n}").parse().expect("an order id"),
    };
    numbers.map(one).collect()
}

/// Submits and integrates.
pub async fn grow(log: &Log, numbers: std::ops::Range<u64>) {
    log.submit(submissions(numbers)).await.expect("numbers");
    log.integrate().await.expect("a checkpoint");
}

/// When everything ends.
pub fn now() -> jiff::Timestamp {
    "2026-01-01T00:00:00Z".parse().expect("a time")
}

/// The outcome of a program that ended like this and printed nothing.
pub fn ended(ending: Ending) -> Outcome {
    Outcome::ended(ending, Content::of(b""))
}

/// The result of an order whose skill failed like that; everything else about it follows from its
/// id.
pub fn result(order_id: &str, outcome: Outcome) -> OrderResult {
    let any = Digest::of(order_id.as_bytes());
    let commitment = Commitment {
        format: COMMITMENT_FORMAT.to_owned(),
        skill: any.into(),
        input: any.into(),
        invocation: None,
        profile: any.into(),
        runtime: any.into(),
        transcript: None,
        outcome: outcome.digest(),
    };
    let order_id: OrderId = order_id.parse().expect("an order id");
    let commit = CommitResult {
        order_id: order_id.clone(),
        result_uri: None,
        result_hash: None,
        execution_time_ms: 1,
        status: CommitStatus::Failed,
        error_message: Some(outcome.to_string()),
        accept_exit: None,
        commitment_hash: commitment.digest(),
        commitment_uri: format!("da:sha256:{}", commitment.digest()),
        commitment,
        backend: Backend::Wasm,
        backend_note: None,
        isolation: None,
        resources: Resources::default(),
    };
    OrderResult {
        order_id,
        status: OrderStatus::Failed,
        commit_result: Some(commit),
        verification: None,
        execution_time_ms: 1,
        error_message: Some(outcome.to_string()),
        error_code: outcome.error_code(None).map(|code| code.to_string()),
        output: None,
        command: None,
        attempts: 1,
        logs: String::new(),
    }
}
