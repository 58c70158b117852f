//! One attempt of an order: its stages, and what becomes of it in the journal.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use futures_util::FutureExt;
use sre_commit::{CommitError, CommitRequest, Committed};
use sre_core::{Backend, OrderId, OrderResult, OrderStatus, VerifyResult};
use sre_sandbox::{ErrorKind, SandboxError};
use sre_verify::VerifyRequest;
use tracing::Instrument;

use crate::accept::RetryPolicy;
use crate::journal::{Claimed, JournalError, Lease, Retry};
use crate::meter::MeteredStage;
use crate::orchestrator::{Orchestrator, Stage};
use crate::shelf::ShelfError;
use crate::tracer::order_context;
use crate::{AcceptedOrder, TraceParent};

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

impl Orchestrator {
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
