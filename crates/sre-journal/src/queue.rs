//! The queue of orders: accepting them, working on them under leases, ending them.
//!
//! An order that was accepted stays in the queue until it has a result. A worker acquires it, which
//! begins an attempt, and either finishes it, asks for another attempt, or releases it.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use sre_core::{Backend, Digest, OrderId, OrderResult, SkillDigest};

use crate::backoff::Backoff;
use crate::error::JournalError;
use crate::lease::Lease;
use crate::reader::JournalEntry;
use crate::watch::Watch;

/// How often a worker loop looks for dead holders.
pub const RECOVERY_PERIOD: Duration = Duration::from_secs(5);

/// Accepting orders, working on them, ending them.
#[async_trait]
pub trait OrderQueue: Send + Sync {
    /// Records an order, unless its id is taken, and acquires it if `policy` says so. When this
    /// returns, what it returns survives.
    ///
    /// # Errors
    /// [`JournalError`]; the order was not accepted.
    async fn accept(
        &self,
        order: NewOrder,
        policy: AcquirePolicy,
    ) -> Result<Accepted, JournalError>;

    /// Acquires up to `limit` orders that are ready for `backend` and begins an attempt of each.
    /// Submitters take turns in the order of their names, beginning after `after`; within a
    /// submitter, larger priorities come first, then older orders.
    ///
    /// # Errors
    /// [`JournalError`]; nothing was acquired.
    async fn acquire(
        &self,
        backend: Backend,
        limit: usize,
        after: &str,
    ) -> Result<Vec<AcquiredOrder>, JournalError>;

    /// Acquires the order at `sequence` and begins an attempt, also when the order waits for its
    /// next attempt; `None` while another worker has it, or when it has ended.
    ///
    /// # Errors
    /// [`JournalError`]; nothing was acquired.
    async fn acquire_one(&self, sequence: i64) -> Result<Option<AcquiredOrder>, JournalError>;

    /// Records that the attempt's commit is done and its replay begins. Does not wait for the disk:
    /// watchers learn of it once it is durable, and a crash before that takes the attempt with it.
    /// Does nothing under an old lease.
    ///
    /// # Errors
    /// A [`JournalError`] when the journal is closed.
    async fn record_verifying(&self, lease: &Lease) -> Result<(), JournalError>;

    /// Records how an order ended, together with its callback. When this returns, both survive.
    /// After an error the order is released.
    ///
    /// # Errors
    /// [`JournalErrorKind::LeaseLost`](crate::JournalErrorKind::LeaseLost) when another worker has
    /// acquired the order meanwhile; otherwise what the storage said.
    async fn finish(&self, lease: Lease, result: &OrderResult) -> Result<(), JournalError>;

    /// Returns the order to the queue for another attempt after a pause. After an error the order
    /// is released.
    ///
    /// # Errors
    /// As [`OrderQueue::finish`].
    async fn retry(&self, lease: Lease, retry: Retry) -> Result<(), JournalError>;

    /// Returns the orders of dropped leases to the queue; their attempts do not count. Most methods
    /// of this trait do this first.
    ///
    /// # Errors
    /// [`JournalError`]; a later call releases them.
    async fn release(&self) -> Result<(), JournalError>;

    /// Ends an order that waits; asks the worker of one that runs to stop.
    ///
    /// # Errors
    /// [`JournalError`]; nothing has changed.
    async fn cancel(&self, order_id: &OrderId) -> Result<Cancelled, JournalError>;

    /// The sequence numbers of orders that this process works on and that are to be cancelled.
    ///
    /// # Errors
    /// [`JournalError`].
    async fn cancelling(&self) -> Result<HashSet<i64>, JournalError>;

    /// Ends orders that have waited too long for their first attempt, at most `limit`. Returns how
    /// many. Waiting is measured by a clock that does not jump.
    ///
    /// # Errors
    /// [`JournalError`].
    async fn expire(&self, limit: usize) -> Result<usize, JournalError>;

    /// Ends the leases of holders that have died: an interrupted attempt is an operating failure
    /// and follows the order's retry policy. Callbacks that they were delivering are due at once.
    /// `random` is a number in `0.0..1.0` for the jitter.
    ///
    /// # Errors
    /// [`JournalError`]; nothing has changed.
    async fn recover(&self, backoff: Backoff, random: f64) -> Result<Recovered, JournalError>;

    /// Says that this process lives, which keeps its leases for another minute.
    ///
    /// # Errors
    /// [`JournalError`].
    async fn heartbeat(&self) -> Result<(), JournalError>;

    /// Says that this process holds nothing any more. Without it, another process finds this one
    /// dead and recovers what it held.
    ///
    /// # Errors
    /// [`JournalError`].
    async fn deregister(&self) -> Result<(), JournalError>;

    /// Maintenance, to be called about once a second: releases dropped leases, repairs due times
    /// after the wall clock was set back, and counts the open orders.
    ///
    /// # Errors
    /// [`JournalError`].
    async fn tick(&self) -> Result<(), JournalError>;

    /// Whether an order is ready for `backend`, or will be with the next acquisition.
    ///
    /// # Errors
    /// [`JournalError`].
    async fn has_work(&self, backend: Backend) -> Result<bool, JournalError>;

    /// Orders that have not ended, as far as this process knows: what other processes did since the
    /// last [`tick`](OrderQueue::tick) may be missing.
    fn open_orders(&self) -> usize;

    /// From the order's acceptance until now, by a clock that does not jump.
    fn since_accepted(&self, lease: &Lease) -> Duration;
}

/// An order to be recorded.
#[derive(Debug, Clone)]
pub struct NewOrder {
    /// Identity.
    pub order_id: OrderId,
    /// Digest of what was asked for. The same id with another digest is a conflict.
    pub request: Digest,
    /// Who submits it.
    pub submitter: String,
    /// What it runs.
    pub skill: SkillDigest,
    /// Where it runs.
    pub backend: Backend,
    /// Larger ones first, among the orders of one submitter.
    pub priority: i32,
    /// Further attempts after an operating failure.
    pub max_retries: u32,
    /// How long it may wait for its first attempt.
    pub queue_time: Option<Duration>,
    /// Matching verdicts that it needs before it counts as final.
    pub verdicts_required: u32,
    /// Where the result goes.
    pub callback_url: Option<String>,
    /// The submitter's trace (a W3C `traceparent`), if there is one.
    pub trace: Option<String>,
    /// Everything else that running it needs, as JSON. The journal does not read it.
    pub work: String,
    /// The input as canonical JSON.
    pub input: Arc<[u8]>,
    /// The resolved invocation as canonical JSON; `None` in the JSON contract.
    pub invocation: Option<String>,
}

/// Whether accepting an order also acquires it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AcquirePolicy {
    /// The order waits for a worker.
    Never,
    /// A new order is acquired at once.
    IfNew,
    /// An order that no living worker has is acquired at once, also one that was interrupted; the
    /// interrupted attempt does not count.
    Always,
}

/// Answer to [`OrderQueue::accept`].
#[derive(Debug)]
pub enum Accepted {
    /// The order is new, and durable.
    New {
        /// The lease, where the policy asked for one.
        lease: Option<Lease>,
        /// What the journal knows of it.
        entry: Box<JournalEntry>,
        /// Wakes with everything that is recorded after the acceptance.
        watch: Watch,
    },
    /// The same order was accepted before and has not ended.
    Open {
        /// The lease, where the policy asked for one and no other worker has it.
        lease: Option<Lease>,
        /// Who submitted it first.
        submitter: String,
    },
    /// The same order was accepted before and has ended.
    Finished {
        /// How.
        result: Box<OrderResult>,
        /// Who submitted it first.
        submitter: String,
    },
    /// Another order was accepted under this id.
    Conflict,
    /// An order of this id was purged. Its receipt stays in the log, and an id has one receipt, so
    /// the id cannot be used again.
    Reserved,
}

/// An order with the right to work on it.
#[derive(Debug)]
pub struct AcquiredOrder {
    /// The right.
    pub lease: Lease,
    /// Who submitted it.
    pub submitter: String,
    /// What it runs.
    pub skill: SkillDigest,
    /// As [`NewOrder::request`].
    pub request: Digest,
    /// As [`NewOrder::trace`].
    pub trace: Option<String>,
    /// As [`NewOrder::work`].
    pub work: String,
    /// As [`NewOrder::input`].
    pub input: Arc<[u8]>,
    /// As [`NewOrder::invocation`].
    pub invocation: Option<String>,
    /// Whether its result goes to a callback.
    pub has_callback: bool,
    /// Milliseconds since it was accepted.
    pub queued_ms: u64,
}

/// When the next attempt may begin.
#[derive(Debug, Clone)]
pub struct Retry {
    /// From now.
    pub pause: Duration,
    /// Why there is another, for people.
    pub reason: String,
}

/// Answer to [`OrderQueue::cancel`].
#[derive(Debug)]
pub enum Cancelled {
    /// The order was never accepted, or was purged.
    Unknown,
    /// It had ended before; this is how.
    Finished(Box<OrderResult>),
    /// It was waiting and has ended now.
    Ended(Box<OrderResult>),
    /// A worker has it and will be told to stop.
    Asked {
        /// Its place in the journal.
        sequence: i64,
    },
}

/// What a recovery did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Recovered {
    /// Holders found dead.
    pub holders: usize,
    /// Orders whose attempt was interrupted and that have another one.
    pub retried: usize,
    /// Orders whose last attempt was interrupted.
    pub ended: usize,
}
