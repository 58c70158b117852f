//! Parts for orchestrators under test: a sandbox that does as it is told, and stages that are
//! watched.
//!
//! The sandbox is a double because the faults it plays (an engine that is unavailable twice and
//! then works, a guest that hangs until it is stopped) cannot be caused at will in a real one.
//! Store, journal, committer and verifier are real.

#![allow(dead_code, reason = "each test binary uses its part")]

#[path = "../../../sre-sandbox/tests/common/played.rs"]
mod played;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use futures_util::FutureExt as _;
use played::Played;
use serde_json::{Value, json};
use sre_commit::{Commit, CommitError, CommitRequest, Committed, Committer};
use sre_core::Ending;
use sre_core::{OrderResult, Resources, VerifyResult};
use sre_da::{LocalStore, LocalStoreOptions, Store};
use sre_journal::{Backoff, SqliteJournal};
use sre_orchestrator::{
    Acceptance, Callback, CallbackError, CallbackMessage, OperatorLimits, Orchestrator,
    OrderConfig, Parts, Schedule,
};
use sre_sandbox::{Execution, Executor, Job, SandboxError, Stop, judge};
use sre_skill::{PackageLimits, Skill};
use sre_verify::{Verifier, Verify, VerifyRequest};
use tempfile::TempDir;

/// What the scripted sandbox does in one execution.
#[derive(Debug, Clone, Copy)]
pub enum Act {
    /// Prints this and exits 0.
    Print(&'static str),
    /// Exits with this code.
    Exit(i32),
    /// Cannot start.
    Unavailable,
    /// Runs until it is stopped.
    Hang,
    /// Reaches the execution's time limit.
    TimeOut,
    /// Breaks.
    Panic,
}

/// Plays its acts in turn; the last one again and again.
pub struct Script {
    acts: Vec<Act>,
    pub executions: AtomicUsize,
    pub stopped: AtomicUsize,
}

impl Script {
    fn play(&self, job: &Job<'_>, stop: &Stop) -> Result<Execution, SandboxError> {
        let index = self.executions.fetch_add(1, Ordering::SeqCst);
        let (ending, printed) = match self.acts[index.min(self.acts.len() - 1)] {
            Act::Print(text) => (Ending::Exited { code: 0 }, text),
            Act::Exit(code) => (Ending::Exited { code }, ""),
            Act::Unavailable => {
                return Err(SandboxError::Unavailable(String::from("no instance slot")));
            }
            Act::TimeOut => return Err(SandboxError::Timeout(job.time_limit)),
            Act::Panic => panic!("the backend breaks"),
            Act::Hang => {
                while !stop.is_stopped() {
                    std::thread::sleep(Duration::from_millis(1));
                }
                self.stopped.fetch_add(1, Ordering::SeqCst);
                return Err(SandboxError::Cancelled);
            }
        };
        let judged = judge(job.skill, ending, printed.as_bytes(), || Ok(()))?;
        Ok(Execution::new(
            judged,
            String::from("a log line\n"),
            Resources::default(),
            Duration::from_millis(1),
        ))
    }
}

/// Writes down who was called with what.
#[derive(Default)]
pub struct Watch(pub Mutex<Vec<String>>);

impl Watch {
    pub fn note(&self, line: impl Into<String>) {
        self.0.lock().expect("no panic").push(line.into());
    }

    pub fn lines(&self) -> Vec<String> {
        self.0.lock().expect("no panic").clone()
    }
}

pub struct WatchedCommit(pub Committer, pub Arc<Watch>);

#[async_trait]
impl Commit for WatchedCommit {
    async fn commit_result(&self, request: CommitRequest) -> Result<Committed, CommitError> {
        self.1.note(format!("commit_result({})", request.order_id));
        self.0.commit_result(request).await
    }
}

pub struct WatchedVerify(pub Verifier, pub Arc<Watch>);

#[async_trait]
impl Verify for WatchedVerify {
    async fn verify_result(&self, request: VerifyRequest) -> VerifyResult {
        self.1
            .note(format!("verify_result({})", request.claim.commitment_hash));
        self.0.verify_result(request).await
    }
}

/// How the watched callback behaves.
#[derive(Debug, Clone, Copy)]
pub enum Receiver {
    Acknowledges,
    Refuses,
    Panics,
}

pub struct WatchedCallback(pub Receiver, pub Arc<Watch>);

#[async_trait]
impl Callback for WatchedCallback {
    async fn deliver(&self, message: &CallbackMessage) -> Result<(), CallbackError> {
        let result: OrderResult =
            serde_json::from_str(&message.body).expect("the body is the result");
        assert_eq!(result.order_id.as_str(), message.order_id);
        self.1.note(format!(
            "deliver({}, {})",
            message.url,
            result.status.as_str()
        ));
        match self.0 {
            Receiver::Acknowledges => Ok(()),
            Receiver::Refuses => Err(CallbackError::Status {
                status: 503,
                retry_after: None,
            }),
            Receiver::Panics => panic!("the receiver's client breaks"),
        }
    }
}

/// An orchestrator whose parts can be looked at.
pub struct House {
    pub orchestrator: Arc<Orchestrator>,
    pub acceptance: Acceptance,
    pub script: Arc<Script>,
    pub watch: Arc<Watch>,
    pub data: Arc<TempDir>,
}

pub fn house(acts: &[Act]) -> House {
    house_with(acts, Receiver::Acknowledges)
}

pub fn house_with(acts: &[Act], receiver: Receiver) -> House {
    house_in(
        Arc::new(tempfile::tempdir().expect("a data folder")),
        acts,
        receiver,
    )
}

/// A house over a data folder that others may use too.
pub fn house_in(data: Arc<TempDir>, acts: &[Act], receiver: Receiver) -> House {
    let journal = SqliteJournal::open(&data.path().join("journal.sqlite3")).expect("a journal");
    house_over(data, journal, acts, receiver)
}

pub fn house_over(
    data: Arc<TempDir>,
    journal: SqliteJournal,
    acts: &[Act],
    receiver: Receiver,
) -> House {
    let store = store_in(&data);
    house_on(data, journal, Arc::new(store), acts, receiver)
}

pub fn store_in(data: &TempDir) -> LocalStore {
    LocalStore::open(&data.path().join("blobs"), LocalStoreOptions::default()).expect("a store")
}

/// A house whose store may be another.
pub fn house_on(
    data: Arc<TempDir>,
    journal: SqliteJournal,
    store: Arc<dyn Store>,
    acts: &[Act],
    receiver: Receiver,
) -> House {
    let schedule = Schedule::new(vec![Duration::from_millis(1); 3]);
    house_scheduled(data, journal, store, acts, receiver, schedule)
}

/// A house whose callbacks follow this schedule.
pub fn house_scheduled(
    data: Arc<TempDir>,
    journal: SqliteJournal,
    store: Arc<dyn Store>,
    acts: &[Act],
    receiver: Receiver,
    schedule: Schedule,
) -> House {
    let script = Arc::new(Script {
        acts: acts.to_vec(),
        executions: 0.into(),
        stopped: 0.into(),
    });
    let player = Arc::clone(&script);
    let sandbox = Played::new("script", "1", move |job, stop| player.play(job, stop));
    let executor = Executor::new(vec![Arc::new(sandbox)], 2);
    let watch = Arc::new(Watch::default());
    let commit = Arc::new(WatchedCommit(
        Committer::new(executor.clone(), Arc::clone(&store)),
        Arc::clone(&watch),
    ));
    let verify = Arc::new(WatchedVerify(
        Verifier::new(executor.clone(), Arc::clone(&store)),
        Arc::clone(&watch),
    ));
    let callback = Arc::new(WatchedCallback(receiver, Arc::clone(&watch)));
    let mut parts = Parts::new(
        executor.clone(),
        commit,
        verify,
        callback,
        store,
        Arc::new(journal),
    );
    parts.backoff = Backoff {
        base: Duration::from_millis(1),
        cap: Duration::from_millis(2),
    };
    parts.schedule = schedule;
    let orchestrator = Arc::new(Orchestrator::new(parts));
    House {
        orchestrator,
        acceptance: Acceptance::new(OperatorLimits::default(), executor),
        script,
        watch,
        data,
    }
}

impl House {
    /// Accepts and executes.
    pub async fn run(&self, config: OrderConfig) -> OrderResult {
        let order = self
            .acceptance
            .accept(config)
            .await
            .expect("an acceptable order");
        self.orchestrator.execute(order).await.expect("a result")
    }
}

/// A skill in object form; the scripted sandbox does not look at its program.
pub fn package() -> Value {
    json!({
        "name": "scripted",
        "version": "1.0.0",
        "runtime": { "entrypoint": "main.wat" },
        "io": { "input_schema": { "type": "object", "properties": { "text": { "type": "string" } } } },
        "annotations": {},
        "files": { "main.wat": "(module (func (export \"_start\")))" }
    })
}

pub fn order(id: &str) -> OrderConfig {
    let skill = Skill::from_object(&package(), &PackageLimits::default()).expect("a skill");
    OrderConfig::new(id.parse().expect("an id"), Arc::new(skill))
}

/// Waits until `is_so`, for three minutes at most: a busy machine may be slow, but a test must not
/// wait without end.
/// The answer of a read, where nothing can wait: reads of the SQLite journal are done at once.
pub fn now<T>(read: impl Future<Output = T>) -> T {
    read.now_or_never().expect("a read does not wait")
}

pub async fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    eventually(what, || is_so().then_some(())).await;
}

/// Looks again and again until there is something.
pub async fn eventually<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let waiting = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(
            waiting.elapsed() < Duration::from_secs(180),
            "never: {what}"
        );
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
