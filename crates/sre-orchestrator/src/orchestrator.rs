//! One order from acceptance to its result.
//!
//! Whoever works on an order holds its lease and makes one attempt; what becomes of the attempt goes into the journal before
//! anything else happens. [`Orchestrator::execute`] does this for one order in this process, [`Workers`](crate::Workers) for
//! whatever the journal has; both come by here.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use futures_util::FutureExt;
use sre_commit::{Commit, CommitError, CommitRequest, Committed};
use sre_core::{Backend, OrderId, OrderResult, OrderStatus, VerifyResult};
use sre_da::{Store, StoreError};
use sre_sandbox::{ErrorKind, Executor, SandboxError};
use sre_verify::{Verify, VerifyRequest};
use tracing::Instrument;

use crate::accept::RetryPolicy;
use crate::callback::{Callback, Courier, Schedule};
use crate::journal::{Accepted, ClaimWish, Claimed, Journal, JournalError, Lease, Retry};
use crate::listeners::Listeners;
use crate::meter::{Meter, MeteredStage, NoMeter};
use crate::shelf::{Shelf, ShelfError};
use crate::tracer::order_context;
use crate::{AcceptedOrder, Backoff, TraceParent, Tracing};

/// Runs accepted orders. Built from its parts, each of which can be another.
pub struct Orchestrator {
    executor: Executor,
    commit: Arc<dyn Commit>,
    verify: Arc<dyn Verify>,
    shelf: Shelf,
    journal: Arc<Journal>,
    courier: Arc<Courier>,
    backoff: Backoff,
    meter: Arc<dyn Meter>,
    tracing: Tracing,
    listeners: Listeners,
}

/// The parts of an [`Orchestrator`].
pub struct Parts {
    /// Runs guests.
    pub executor: Executor,
    /// The commit stage.
    pub commit: Arc<dyn Commit>,
    /// The verify stage.
    pub verify: Arc<dyn Verify>,
    /// Delivers callbacks.
    pub callback: Arc<dyn Callback>,
    /// Holds the skills of orders that wait.
    pub store: Arc<dyn Store>,
    /// Holds everything else that must survive.
    pub journal: Arc<Journal>,
    /// Between attempts.
    pub backoff: Backoff,
    /// Between deliveries of a callback.
    pub schedule: Schedule,
    /// Is told how long things take.
    pub meter: Arc<dyn Meter>,
    /// Is told which spans of traces have ended.
    pub tracing: Tracing,
}

impl Parts {
    /// These parts with the defaults for the rest: backoff, schedule, nothing measured and nothing traced.
    #[must_use]
    pub fn new(
        executor: Executor,
        commit: Arc<dyn Commit>,
        verify: Arc<dyn Verify>,
        callback: Arc<dyn Callback>,
        store: Arc<dyn Store>,
        journal: Arc<Journal>,
    ) -> Self {
        let (backoff, schedule, meter) = (Backoff::default(), Schedule::default(), Arc::new(NoMeter));
        let tracing = Tracing::default();
        Self { executor, commit, verify, callback, store, journal, backoff, schedule, meter, tracing }
    }
}

/// Where an order is, for whoever watches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Waiting for a slot or for the next attempt.
    Queued,
    /// Executing and committing.
    Running,
    /// Fetching, recomputing and replaying.
    Verifying,
    /// Telling the submitter.
    Reporting,
}

/// Why an order has no result. It stays open in the journal and can be executed again.
#[derive(Debug, thiserror::Error)]
pub enum ExecuteError {
    /// Another order was accepted under this id.
    #[error("order {0} exists already with other contents; choose another order_id")]
    Conflict(OrderId),
    /// The journal failed.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The skill could not be stored; the order was not accepted.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What became of an attempt. It is in the journal already.
#[derive(Debug)]
pub(crate) enum Ended {
    /// The order has its result.
    Finished(Box<OrderResult>),
    /// Another attempt follows after this time.
    Again(Duration),
}

/// Why an attempt committed nothing.
#[derive(Debug)]
enum AttemptError {
    Timeout(Duration),
    Commit(CommitError),
    Skill(ShelfError),
    Unreadable(JournalError),
    Cancelled,
    Panicked,
}

/// How often an order that another process works on is looked at.
const FOLLOW_PERIOD: Duration = Duration::from_millis(200);

/// How often this process says that it lives.
pub(crate) const RENEW_PERIOD: Duration = Duration::from_secs(15);

/// Who submits where nobody says.
const LOCAL: &str = "local";

impl Orchestrator {
    /// An orchestrator of these parts.
    #[must_use]
    pub fn new(parts: Parts) -> Self {
        let Parts { executor, commit, verify, callback, store, journal, backoff, schedule, meter, tracing } = parts;
        let courier = Courier::new(Arc::clone(&journal), callback, schedule, Arc::clone(&meter));
        let courier = Arc::new(courier.with_tracing(tracing.clone()));
        let (shelf, listeners) = (Shelf::new(store), Listeners::default());
        Self { executor, commit, verify, shelf, journal, courier, backoff, meter, tracing, listeners }
    }

    /// Calls `listener` with every result that is not `completed`. What it does, panicking included, changes nothing.
    pub fn register_failure_callback(&self, listener: impl Fn(&OrderResult) + Send + Sync + 'static) {
        self.listeners.failure().register(Arc::new(listener));
    }

    /// Forgets all registered failure callbacks.
    pub fn clear_failure_callbacks(&self) {
        self.listeners.failure().clear();
    }

    /// Calls `listener` with every result that is `completed`. What it does, panicking included, changes nothing.
    pub fn register_success_callback(&self, listener: impl Fn(&OrderResult) + Send + Sync + 'static) {
        self.listeners.success().register(Arc::new(listener));
    }

    /// Forgets all registered success callbacks.
    pub fn clear_success_callbacks(&self) {
        self.listeners.success().clear();
    }

    /// The journal that holds the results.
    #[must_use]
    pub fn journal(&self) -> &Arc<Journal> {
        &self.journal
    }

    /// The skills of orders.
    #[must_use]
    pub fn shelf(&self) -> &Shelf {
        &self.shelf
    }

    /// The verify stage.
    #[must_use]
    pub fn verify(&self) -> &Arc<dyn Verify> {
        &self.verify
    }

    /// Who is told of spans.
    #[must_use]
    pub fn tracing(&self) -> &Tracing {
        &self.tracing
    }

    pub(crate) fn courier(&self) -> &Arc<Courier> {
        &self.courier
    }

    pub(crate) fn backoff(&self) -> Backoff {
        self.backoff
    }

    pub(crate) fn meter(&self) -> &dyn Meter {
        &*self.meter
    }

    /// Executes an order and returns its result once that is durable. The same order again returns the same result;
    /// an order that was interrupted runs again; one that another process works on is waited for.
    ///
    /// # Errors
    /// [`ExecuteError`]: there is no result, and the order, if it was accepted, is still open.
    pub async fn execute(&self, order: AcceptedOrder) -> Result<OrderResult, ExecuteError> {
        self.execute_observed(order, &|_| ()).await
    }

    /// As [`Orchestrator::execute`], telling `observer` of every change of stage.
    ///
    /// # Errors
    /// As [`Orchestrator::execute`].
    pub async fn execute_observed(
        &self,
        order: AcceptedOrder,
        observer: &(dyn Fn(Stage) + Send + Sync),
    ) -> Result<OrderResult, ExecuteError> {
        let span = tracing::info_span!("order", order_id = %order.order_id);
        let work = async {
            tokio::select! {
                result = self.execute_in_span(order, observer) => result,
                never = self.keep_alive() => match never {},
            }
        };
        work.instrument(span).await
    }

    async fn execute_in_span(
        &self,
        order: AcceptedOrder,
        observer: &(dyn Fn(Stage) + Send + Sync),
    ) -> Result<OrderResult, ExecuteError> {
        // Before the order is accepted: whoever takes it over needs the skill. Without an order it harms nobody.
        self.shelf.put(&order.skill).await?;
        let mut lease = match self.journal.accept(order.to_record(LOCAL, None), ClaimWish::Always).await? {
            Accepted::New { lease, .. } => lease,
            Accepted::Open { lease, .. } => {
                tracing::warn!("the order was accepted before and has no result; executing it again");
                lease
            }
            Accepted::Finished { result, .. } => {
                self.report(&order.order_id).await;
                return Ok(*result);
            }
            Accepted::Conflict => return Err(ExecuteError::Conflict(order.order_id)),
        };
        // If the process dies from here on, the lease dies with it: a service that shares the folder makes the next attempt, or
        // the order stays open until it is submitted again. Blobs that were stored meanwhile harm nobody.
        loop {
            let Some(held) = lease else { return self.follow(&order.order_id, observer).await };
            let sequence = held.sequence();
            let never = std::future::pending();
            match self.attempt(&order, held, observer, never).await? {
                Ended::Finished(result) => {
                    // From here on result and callback are durable. If the process dies now, the callback stays in the outbox.
                    observer(Stage::Reporting);
                    self.report(&order.order_id).await;
                    return Ok(*result);
                }
                Ended::Again(pause) => {
                    observer(Stage::Queued);
                    tokio::time::sleep(pause).await;
                    lease = self.journal.claim_one(sequence).await?.map(|claimed| claimed.lease);
                }
            }
        }
    }

    /// Waits for the result of an order that somebody else works on.
    async fn follow(
        &self,
        order_id: &OrderId,
        observer: &(dyn Fn(Stage) + Send + Sync),
    ) -> Result<OrderResult, ExecuteError> {
        tracing::warn!("another worker has this order; waiting for its result");
        observer(Stage::Queued);
        loop {
            let Some(entry) = self.journal.get(order_id)? else {
                return Err(JournalError::LeaseLost(order_id.clone()).into());
            };
            if let Some(result) = entry.parsed_result()? {
                return Ok(result);
            }
            self.journal.recover(self.backoff, rand::random()).await?;
            tokio::time::sleep(FOLLOW_PERIOD).await;
        }
    }

    /// Says from time to time that this process lives.
    pub(crate) async fn keep_alive(&self) -> std::convert::Infallible {
        loop {
            tokio::time::sleep(RENEW_PERIOD).await;
            if let Err(error) = self.journal.renew().await {
                tracing::warn!(%error, "the leases of this process cannot be renewed");
            }
        }
    }

    /// Makes one attempt and records what became of it. An attempt that panics is a bug and fails the order; any other way out
    /// gives the order back.
    pub(crate) async fn attempt(
        &self,
        order: &AcceptedOrder,
        lease: Lease,
        observer: &(dyn Fn(Stage) + Send + Sync),
        cancelled: impl Future<Output = ()>,
    ) -> Result<Ended, JournalError> {
        let attempt = lease.attempt();
        let span = tracing::info_span!("attempt", attempt);
        let order_trace = order.trace.as_ref().map(|parent| order_context(&order.order_id, parent));
        let mut traced = self.tracing.span_of_order("attempt", order_trace.as_ref());
        traced.attribute("sre.attempt", || attempt.to_string());
        let stages = AssertUnwindSafe(self.stages(order, &lease, observer, traced.context())).catch_unwind();
        let ended = async {
            tokio::select! {
                ended = stages => ended.unwrap_or(Err(AttemptError::Panicked)),
                () = cancelled => Err(AttemptError::Cancelled),
            }
        };
        let ended = ended.instrument(span).await;
        if let Err(failure) = &ended {
            traced.fail(failure);
        }
        drop(traced);
        let accepted = SystemTime::now().checked_sub(self.elapsed(&lease)).unwrap_or(SystemTime::UNIX_EPOCH);
        let recorded = match ended {
            Ok((committed, verification)) => {
                let result = finished(order, &lease, self.elapsed(&lease), committed, verification);
                self.finish(order.profile.backend, lease, result).await
            }
            Err(failure) => {
                let policy = RetryPolicy { max_retries: order.max_retries, retry_on_timeout: order.retry_on_timeout };
                self.fail(policy, order.profile.backend, lease, &failure).await
            }
        };
        if let (Some(parent), Ok(Ended::Finished(result))) = (&order.trace, &recorded) {
            self.tracing.order_ended(parent, accepted, result);
        }
        recorded
    }

    /// The order that was claimed, with its lease; `None` when it cannot be had, which is an attempt that failed.
    pub(crate) async fn load(&self, claimed: Claimed) -> Result<Option<(AcceptedOrder, Lease)>, JournalError> {
        let recorded = match claimed.recorded() {
            Ok(recorded) => recorded,
            Err(error) => {
                tracing::error!(%error, "an order in the journal cannot be read");
                let failure = AttemptError::Unreadable(error);
                self.fail(RetryPolicy::default(), Backend::Wasm, claimed.lease, &failure).await?;
                return Ok(None);
            }
        };
        match self.shelf.get(claimed.skill).await {
            Ok(skill) => Ok(Some((recorded.into_order(&claimed, skill), claimed.lease))),
            Err(error) => {
                let failure = AttemptError::Skill(error);
                self.fail(recorded.policy(), recorded.backend(), claimed.lease, &failure).await?;
                Ok(None)
            }
        }
    }

    /// Records an attempt that committed nothing.
    async fn fail(
        &self,
        policy: RetryPolicy,
        backend: Backend,
        lease: Lease,
        failure: &AttemptError,
    ) -> Result<Ended, JournalError> {
        let attempt = lease.attempt();
        if attempt > policy.max_retries || !failure.is_retryable(policy) {
            let result = failed(lease.order_id().clone(), attempt, self.elapsed(&lease), failure);
            return self.finish(backend, lease, result).await;
        }
        let pause = self.backoff.pause(attempt, rand::random());
        tracing::warn!(attempt, error = %failure, pause_ms = milliseconds(pause), "attempt failed; trying again");
        self.journal.retry(lease, Retry { pause, reason: failure.to_string() }).await?;
        Ok(Ended::Again(pause))
    }

    async fn finish(&self, backend: Backend, lease: Lease, result: OrderResult) -> Result<Ended, JournalError> {
        let started = Instant::now();
        let recorded = self.journal.finish(lease, &result).await;
        self.meter.stage_ended(backend, MeteredStage::Finish, started.elapsed(), recorded.is_err());
        recorded?;
        self.meter.order_ended(backend, result.status, Duration::from_millis(result.execution_time_ms));
        tracing::info!(status = result.status.as_str(), attempts = result.attempts, "order finished");
        self.listeners.notify(&result);
        Ok(Ended::Finished(Box::new(result)))
    }

    async fn stages(
        &self,
        order: &AcceptedOrder,
        lease: &Lease,
        observer: &(dyn Fn(Stage) + Send + Sync),
        trace: Option<&TraceParent>,
    ) -> Result<(Committed, VerifyResult), AttemptError> {
        let backend = order.profile.backend;
        let metered =
            |stage, started: Instant, failed| self.meter.stage_ended(backend, stage, started.elapsed(), failed);
        observer(Stage::Queued);
        // Waiting for a slot is queueing and not part of the attempt's time.
        let started = Instant::now();
        let traced = self.tracing.span_of_order("slot", trace);
        let slot = self.executor.slot().await.map_err(|error| AttemptError::Commit(error.into()))?;
        drop(traced);
        metered(MeteredStage::Slot, started, false);
        observer(Stage::Running);
        let request = CommitRequest {
            order_id: order.order_id.clone(),
            skill: Arc::clone(&order.skill),
            input: Arc::clone(&order.input),
            profile: Arc::clone(&order.profile),
            time_limit: order.execution_time.min(order.attempt_time),
            slot,
        };
        // When the time is up the future is dropped, which stops the guest.
        let started = Instant::now();
        let mut traced = self.tracing.span_of_order("commit", trace);
        let committed = tokio::time::timeout(order.attempt_time, self.commit.commit_result(request))
            .await
            .map_err(|_| AttemptError::Timeout(order.attempt_time))
            .and_then(|committed| committed.map_err(AttemptError::from));
        if let Err(failure) = &committed {
            traced.fail(failure);
        }
        drop(traced);
        metered(MeteredStage::Commit, started, committed.is_err());
        let committed = committed?;
        tracing::debug!(commitment = %committed.result.commitment_hash, "committed");
        observer(Stage::Verifying);
        // For whoever watches; an attempt does not fail because nobody could be told.
        if let Err(error) = self.journal.record_verifying(lease).await {
            tracing::warn!(%error, "the stage cannot be recorded");
        }
        let started = Instant::now();
        let mut traced = self.tracing.span_of_order("verify", trace);
        let request = VerifyRequest { claim: committed.result.clone(), reported_output: None };
        let verification = self.verify.verify_result(request).await;
        traced.attribute("sre.verdict", || verification.verdict.to_string());
        drop(traced);
        metered(MeteredStage::Verify, started, !verification.is_valid);
        tracing::debug!(verdict = verification.verdict.as_str(), "verified");
        Ok((committed, verification))
    }

    /// Delivers the order's callback where it is pending. Nothing that happens here changes the result.
    async fn report(&self, order_id: &OrderId) {
        match self.journal.sequence(order_id) {
            Ok(Some(sequence)) => self.courier.deliver_one(sequence).await,
            Ok(None) => {}
            Err(error) => tracing::warn!(%error, "the outbox cannot be read"),
        }
    }

    /// From acceptance until now. A clock that was set back meanwhile makes it zero.
    fn elapsed(&self, lease: &Lease) -> Duration {
        self.journal.since_accepted(lease)
    }
}

impl From<CommitError> for AttemptError {
    fn from(error: CommitError) -> Self {
        match error {
            CommitError::Sandbox(SandboxError::Timeout(limit)) => Self::Timeout(limit),
            other => Self::Commit(other),
        }
    }
}

impl std::fmt::Display for AttemptError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Timeout(limit) => {
                write!(f, "the skill was stopped after its time limit of {} s", limit.as_secs_f64())
            }
            Self::Commit(error) => error.fmt(f),
            Self::Skill(error) => write!(f, "the skill cannot be loaded: {error}"),
            Self::Unreadable(error) => error.fmt(f),
            Self::Cancelled => f.write_str("the order was cancelled"),
            Self::Panicked => f.write_str("bug: the attempt panicked"),
        }
    }
}

impl AttemptError {
    /// An operating failure may pass; a timeout is retried only where the order asks for it; nothing else is.
    fn is_retryable(&self, policy: RetryPolicy) -> bool {
        match self {
            Self::Timeout(_) => policy.retry_on_timeout,
            Self::Skill(error) => error.is_retryable(),
            Self::Unreadable(_) | Self::Cancelled | Self::Panicked => false,
            Self::Commit(CommitError::Store(error)) => error.is_retryable(),
            Self::Commit(CommitError::Sandbox(error)) => error.kind() == ErrorKind::Unavailable,
            Self::Commit(CommitError::Stage(_)) => true,
        }
    }

    fn status(&self) -> OrderStatus {
        match self {
            Self::Timeout(_) => OrderStatus::Timeout,
            _ => OrderStatus::Failed,
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::Timeout(_) => "timeout",
            Self::Skill(_) | Self::Commit(CommitError::Store(_)) => "store_failed",
            Self::Cancelled => "cancelled",
            Self::Unreadable(_) | Self::Panicked => "internal",
            Self::Commit(CommitError::Stage(_)) => "stage_failed",
            Self::Commit(CommitError::Sandbox(error)) => match error.kind() {
                ErrorKind::Rejected => "skill_rejected",
                ErrorKind::Timeout => "timeout",
                ErrorKind::Cancelled => "cancelled",
                ErrorKind::Unavailable => "sandbox_unavailable",
                ErrorKind::Bug => "internal",
            },
        }
    }
}

fn finished(
    order: &AcceptedOrder,
    lease: &Lease,
    elapsed: Duration,
    committed: Committed,
    verification: VerifyResult,
) -> OrderResult {
    let Committed { result, output, logs, error_code } = committed;
    let (error_code, error_message) = if verification.is_valid {
        (error_code.map(str::to_owned), result.error_message.clone())
    } else {
        let verdict = verification.verdict;
        let detail = verification.error.as_deref().unwrap_or("no detail");
        (Some(String::from("verification_failed")), Some(format!("verification {verdict}: {detail}")))
    };
    let completed = error_code.is_none();
    OrderResult {
        order_id: order.order_id.clone(),
        status: if completed { OrderStatus::Completed } else { OrderStatus::Failed },
        commit_result: Some(result),
        verification: Some(verification),
        execution_time_ms: milliseconds(elapsed),
        error_message,
        error_code,
        output,
        attempts: lease.attempt(),
        logs,
    }
}

fn failed(order_id: OrderId, attempts: u32, elapsed: Duration, failure: &AttemptError) -> OrderResult {
    OrderResult {
        order_id,
        status: failure.status(),
        commit_result: None,
        verification: None,
        execution_time_ms: milliseconds(elapsed),
        error_message: Some(failure.to_string()),
        error_code: Some(failure.code().to_owned()),
        output: None,
        attempts,
        logs: String::new(),
    }
}

fn milliseconds(elapsed: Duration) -> u64 {
    u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX)
}
