//! One order from acceptance to its result.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::FutureExt;
use sre_commit::{Commit, CommitError, CommitRequest, Committed};
use sre_core::{OrderResult, OrderStatus, VerifyResult};
use sre_sandbox::{ErrorKind, Executor, SandboxError};
use sre_verify::{Verify, VerifyRequest};
use tracing::Instrument;

use crate::listeners::FailureListeners;
use crate::{Accepted, AcceptedOrder, Backoff, Callback, Journal, JournalError};

/// Runs accepted orders. Built from its parts, each of which can be another.
pub struct Orchestrator {
    executor: Executor,
    commit: Arc<dyn Commit>,
    verify: Arc<dyn Verify>,
    callback: Arc<dyn Callback>,
    journal: Arc<Journal>,
    backoff: Backoff,
    listeners: FailureListeners,
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
    Conflict(sre_core::OrderId),
    /// The journal failed.
    #[error(transparent)]
    Journal(#[from] JournalError),
}

/// Why an attempt committed nothing.
#[derive(Debug)]
enum AttemptError {
    Timeout(Duration),
    Commit(CommitError),
}

impl Orchestrator {
    /// An orchestrator of these parts, with the default backoff.
    #[must_use]
    pub fn new(
        executor: Executor,
        commit: Arc<dyn Commit>,
        verify: Arc<dyn Verify>,
        callback: Arc<dyn Callback>,
        journal: Arc<Journal>,
    ) -> Self {
        let (backoff, listeners) = (Backoff::default(), FailureListeners::default());
        Self { executor, commit, verify, callback, journal, backoff, listeners }
    }

    /// Replaces the backoff between attempts.
    #[must_use]
    pub fn with_backoff(mut self, backoff: Backoff) -> Self {
        self.backoff = backoff;
        self
    }

    /// Calls `listener` with every result that is not `completed`. What it does, panicking included, changes nothing.
    pub fn register_failure_callback(&self, listener: impl Fn(&OrderResult) + Send + Sync + 'static) {
        self.listeners.register(Arc::new(listener));
    }

    /// Forgets all registered failure callbacks.
    pub fn clear_failure_callbacks(&self) {
        self.listeners.clear();
    }

    /// The journal that holds the results.
    #[must_use]
    pub fn journal(&self) -> &Journal {
        &self.journal
    }

    /// Executes an order and returns its result once that is durable. The same order again returns the same result;
    /// an order that was interrupted runs again.
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
        self.execute_in_span(order, observer).instrument(span).await
    }

    async fn execute_in_span(
        &self,
        order: AcceptedOrder,
        observer: &(dyn Fn(Stage) + Send + Sync),
    ) -> Result<OrderResult, ExecuteError> {
        match self.journal.accept(&order.order_id, order.request).await? {
            Accepted::New => {}
            // Whoever accepted it is gone, or works on it at this moment; the journal keeps whichever result comes first.
            Accepted::Open => tracing::warn!("the order was accepted before and has no result; executing it again"),
            Accepted::Finished(result) => return Ok(*result),
            Accepted::Conflict => return Err(ExecuteError::Conflict(order.order_id)),
        }
        // If the process dies from here to `finish`, the order stays open in the journal; submitting it again executes it
        // again. Blobs that were stored meanwhile have no order and harm nobody.
        let result = self.run(&order, observer).await;
        self.journal.finish(&result).await?;
        // From here on the result is durable. If the process dies now, the callback is not made.
        tracing::info!(status = result.status.as_str(), attempts = result.attempts, "order finished");
        observer(Stage::Reporting);
        self.report(&order, &result).await;
        Ok(result)
    }

    async fn run(&self, order: &AcceptedOrder, observer: &(dyn Fn(Stage) + Send + Sync)) -> OrderResult {
        let started = Instant::now();
        let mut attempt = 1;
        loop {
            let span = tracing::info_span!("attempt", attempt);
            let ended = self.attempt(order, observer).instrument(span).await;
            let failure = match ended {
                Ok((committed, verification)) => {
                    return finished(order, attempt, started.elapsed(), committed, verification);
                }
                Err(failure) => failure,
            };
            if attempt > order.max_retries || !failure.is_retryable(order) {
                return failed(order, attempt, started.elapsed(), &failure);
            }
            let pause = self.backoff.pause(attempt, rand::random());
            tracing::warn!(attempt, error = %failure, pause_ms = pause.as_millis() as u64, "attempt failed; trying again");
            observer(Stage::Queued);
            tokio::time::sleep(pause).await;
            attempt += 1;
        }
    }

    async fn attempt(
        &self,
        order: &AcceptedOrder,
        observer: &(dyn Fn(Stage) + Send + Sync),
    ) -> Result<(Committed, VerifyResult), AttemptError> {
        observer(Stage::Queued);
        // Waiting for a slot is queueing and not part of the attempt's time.
        let slot = self.executor.slot().await.map_err(|error| AttemptError::Commit(error.into()))?;
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
        let committed = tokio::time::timeout(order.attempt_time, self.commit.commit_result(request))
            .await
            .map_err(|_| AttemptError::Timeout(order.attempt_time))?
            .map_err(AttemptError::from)?;
        tracing::debug!(commitment = %committed.result.commitment_hash, "committed");
        observer(Stage::Verifying);
        let request = VerifyRequest { claim: committed.result.clone(), reported_output: None };
        let verification = self.verify.verify_result(request).await;
        tracing::debug!(verdict = verification.verdict.as_str(), "verified");
        Ok((committed, verification))
    }

    /// Tells everybody. Nothing that happens here changes the result.
    async fn report(&self, order: &AcceptedOrder, result: &OrderResult) {
        self.listeners.notify(result);
        let Some(url) = &order.callback_url else { return };
        let host = url.host_str().unwrap_or_default();
        match AssertUnwindSafe(self.callback.deliver(url, result)).catch_unwind().await {
            Ok(Ok(())) => tracing::info!(host, "callback delivered"),
            Ok(Err(error)) => tracing::warn!(host, %error, "callback failed"),
            Err(_) => tracing::error!(host, "callback panicked"),
        }
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
        }
    }
}

impl AttemptError {
    /// An operating failure may pass; a timeout is retried only where the order asks for it; nothing else is.
    fn is_retryable(&self, order: &AcceptedOrder) -> bool {
        match self {
            Self::Timeout(_) => order.retry_on_timeout,
            Self::Commit(CommitError::Store(error)) => error.is_retryable(),
            Self::Commit(CommitError::Sandbox(error)) => error.kind() == ErrorKind::Unavailable,
        }
    }

    fn status(&self) -> OrderStatus {
        match self {
            Self::Timeout(_) => OrderStatus::Timeout,
            Self::Commit(_) => OrderStatus::Failed,
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::Timeout(_) => "timeout",
            Self::Commit(CommitError::Store(_)) => "store_failed",
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
    attempts: u32,
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
        attempts,
        logs,
    }
}

fn failed(order: &AcceptedOrder, attempts: u32, elapsed: Duration, failure: &AttemptError) -> OrderResult {
    OrderResult {
        order_id: order.order_id.clone(),
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
