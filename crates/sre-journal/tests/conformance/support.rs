//! Storages to run the suite on, clocks turned by hand, and short forms of common steps.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use sre_core::{
    Backend, Digest, ErrorCode, Manifest, OrderId, OrderResult, OrderStatus, SkillDigest,
};
use sre_journal::{
    Accepted, AcquirePolicy, AcquiredOrder, Clocks, Event, EventKind, Journal, JournalEntry,
    NewOrder, SqliteJournal,
};
use tempfile::TempDir;

/// When every test begins.
pub const NOW: i64 = 1_700_000_000_000;

/// One journal's storage, which several processes may open. A process dies when its journal is
/// dropped.
pub trait Storage: Sync {
    /// Opens the journal as a new process.
    fn open(&self, clocks: Clocks) -> Arc<dyn Journal>;
}

/// A data folder.
pub struct Sqlite(TempDir);

impl Sqlite {
    pub fn new() -> Self {
        Self(tempfile::tempdir().expect("a folder"))
    }
}

impl Storage for Sqlite {
    fn open(&self, clocks: Clocks) -> Arc<dyn Journal> {
        let path = self.0.path().join("journal.sqlite3");
        Arc::new(SqliteJournal::open_with(&path, clocks).expect("a journal"))
    }
}

/// Clocks that stand still until they are turned.
#[derive(Clone)]
pub struct Hands {
    wall: Arc<AtomicI64>,
    steady: Arc<AtomicI64>,
}

impl Hands {
    pub fn new() -> Self {
        Self {
            wall: Arc::new(NOW.into()),
            steady: Arc::new(NOW.into()),
        }
    }

    pub fn clocks(&self) -> Clocks {
        let (wall, steady) = (Arc::clone(&self.wall), Arc::clone(&self.steady));
        Clocks::new(
            move || wall.load(Ordering::SeqCst),
            move || steady.load(Ordering::SeqCst),
        )
    }

    /// Time passes.
    pub fn pass(&self, time: Duration) {
        self.jump(time.as_millis() as i64);
        self.steady
            .fetch_add(time.as_millis() as i64, Ordering::SeqCst);
    }

    /// The wall clock is set, and no time passes.
    pub fn jump(&self, milliseconds: i64) {
        self.wall.fetch_add(milliseconds, Ordering::SeqCst);
    }
}

pub fn open(storage: &dyn Storage) -> (Arc<dyn Journal>, Hands) {
    let hands = Hands::new();
    (storage.open(hands.clocks()), hands)
}

pub fn id(id: &str) -> OrderId {
    id.parse().expect("an id")
}

pub fn new_order(id: &str, submitter: &str) -> NewOrder {
    NewOrder {
        order_id: id.parse().expect("an id"),
        request: Digest::of(id.as_bytes()),
        submitter: submitter.to_owned(),
        skill: SkillDigest::of(b"a skill"),
        backend: Backend::Wasm,
        priority: 0,
        max_retries: 1,
        verdicts_required: 0,
        queue_time: Some(Duration::from_secs(60)),
        callback_url: Some(String::from("https://example.org/hook?secret=1")),
        trace: None,
        work: String::from("{}"),
        input: Arc::from(&b"{}"[..]),
        invocation: None,
    }
}

pub async fn accept(journal: &dyn Journal, order: NewOrder) -> JournalEntry {
    match journal.accept(order, AcquirePolicy::Never).await {
        Ok(Accepted::New {
            lease: None, entry, ..
        }) => *entry,
        other => panic!("{other:?}"),
    }
}

pub async fn acquire(journal: &dyn Journal, limit: usize, after: &str) -> Vec<AcquiredOrder> {
    journal
        .acquire(Backend::Wasm, limit, after)
        .await
        .expect("an acquisition")
}

pub async fn acquire_only(journal: &dyn Journal) -> AcquiredOrder {
    let mut acquired = acquire(journal, 10, "").await;
    assert_eq!(acquired.len(), 1, "{acquired:?}");
    acquired.remove(0)
}

pub fn ids(acquired: &[AcquiredOrder]) -> Vec<&str> {
    acquired
        .iter()
        .map(|order| order.lease.order_id().as_str())
        .collect()
}

pub fn result(id: &str) -> OrderResult {
    let text = serde_json::json!({
        "order_id": id,
        "status": "failed",
        "commit_result": null,
        "verification": null,
        "execution_time_ms": 7,
        "error_message": "a failure",
        "error_code": "commit_failed",
        "output": null,
        "attempts": 1,
        "logs": "",
    });
    serde_json::from_value(text).expect("a result")
}

pub fn manifest(name: &str) -> Manifest {
    let manifest = serde_json::json!({
        "name": name,
        "version": "1.0.0",
        "io": {},
        "annotations": {},
        "files": [],
    });
    serde_json::from_value(manifest).expect("a manifest")
}

/// Accepts an order and leads it to its end.
pub async fn finish(journal: &dyn Journal, order: NewOrder) -> i64 {
    let name = order.order_id.clone();
    let sequence = accept(journal, order).await.sequence;
    let acquired = journal
        .acquire_one(sequence)
        .await
        .expect("readable")
        .expect("free");
    journal
        .finish(acquired.lease, &result(name.as_str()))
        .await
        .expect("recorded");
    sequence
}

pub async fn entry(journal: &dyn Journal, name: &str) -> JournalEntry {
    journal
        .get(&id(name))
        .await
        .expect("readable")
        .expect("known")
}

/// How an order ended.
pub async fn ended(journal: &dyn Journal, name: &str) -> OrderResult {
    let entry = entry(journal, name).await;
    entry.parsed_result().expect("readable").expect("ended")
}

pub async fn events(journal: &dyn Journal, name: &str) -> Vec<Event> {
    journal
        .events(&id(name), 0, 100)
        .await
        .expect("readable")
        .expect("known")
}

pub async fn kinds(journal: &dyn Journal, name: &str) -> Vec<EventKind> {
    let events = events(journal, name).await;
    events.iter().map(|event| event.kind).collect()
}

pub fn ends_with(result: &OrderResult, status: OrderStatus, code: ErrorCode) -> bool {
    result.status == status && result.error_code.as_deref() == Some(code.as_str())
}
