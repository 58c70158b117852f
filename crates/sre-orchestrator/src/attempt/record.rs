//! Making an attempt, and recording what became of it.

use std::panic::AssertUnwindSafe;
use std::time::{Duration, Instant, SystemTime};

use futures_util::FutureExt;
use sre_core::{Backend, OrderResult};
use tracing::Instrument;

use super::AttemptError;
use super::result::{failed, finished, milliseconds};
use crate::accept::{AttemptOrder, ExecutionSpec, RetryPolicy};
use crate::meter::MeteredStage;
use crate::orchestrator::{Orchestrator, Stage};
use crate::tracer::order_context;
use sre_journal::{AcquiredOrder, JournalError, Lease, Retry};

/// What became of an attempt. It is in the journal already.
#[derive(Debug)]
pub(crate) enum Ended {
    /// The order has its result.
    Finished(Box<OrderResult>),
    /// Another attempt follows after this time.
    Again(Duration),
}

impl Orchestrator {
    /// Makes one attempt and records what became of it. An attempt that panics is a bug and fails
    /// the order; any other way out gives the order back.
    pub(crate) async fn attempt(
        &self,
        order: &AttemptOrder,
        lease: Lease,
        observer: &(dyn Fn(Stage) + Send + Sync),
        cancelled: impl Future<Output = ()>,
    ) -> Result<Ended, JournalError> {
        let attempt = lease.attempt();
        let span = tracing::info_span!("attempt", attempt);
        let order_trace = order
            .trace
            .as_ref()
            .map(|parent| order_context(&order.order_id, parent));
        let mut traced = self.tracing.span_of_order("attempt", order_trace.as_ref());
        traced.attribute("sre.attempt", || attempt.to_string());
        let stages =
            AssertUnwindSafe(self.stages(order, &lease, observer, traced.context())).catch_unwind();
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
        let accepted = SystemTime::now()
            .checked_sub(self.elapsed(&lease))
            .unwrap_or(SystemTime::UNIX_EPOCH);
        let recorded = match ended {
            Ok((committed, verification)) => {
                let result = finished(
                    order,
                    lease.attempt(),
                    self.elapsed(&lease),
                    committed,
                    verification,
                );
                // Before the result is there: an order that follows it may come at once.
                if let Some(command) = &result.command {
                    self.record_outputs(&lease, command).await?;
                }
                self.finish(order.profile.backend, lease, result).await
            }
            Err(failure) => {
                self.fail(order.retries, order.profile.backend, lease, &failure)
                    .await
            }
        };
        if let (Some(parent), Ok(Ended::Finished(result))) = (&order.trace, &recorded) {
            self.tracing.order_ended(parent, accepted, result);
        }
        recorded
    }

    /// The order that was acquired, with its lease; `None` when it cannot be had, which is an
    /// attempt that failed.
    pub(crate) async fn load(
        &self,
        acquired: AcquiredOrder,
    ) -> Result<Option<(AttemptOrder, Lease)>, JournalError> {
        let recorded = match ExecutionSpec::decode(&acquired) {
            Ok(recorded) => recorded,
            Err(error) => {
                tracing::error!(%error, "an order in the journal cannot be read");
                let failure = AttemptError::Unreadable(error);
                self.fail(
                    RetryPolicy::default(),
                    Backend::Wasm,
                    acquired.lease,
                    &failure,
                )
                .await?;
                return Ok(None);
            }
        };
        let (retries, backend) = (recorded.retries(), recorded.backend());
        let failure = match self.skills.get(acquired.skill).await {
            Ok(skill) => match recorded.into_attempt(&acquired, skill) {
                Ok(order) => return Ok(Some((order, acquired.lease))),
                Err(error) => AttemptError::Unreadable(error),
            },
            Err(error) => AttemptError::Skill(error),
        };
        self.fail(retries, backend, acquired.lease, &failure)
            .await?;
        Ok(None)
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
            let result = failed(
                lease.order_id().clone(),
                attempt,
                self.elapsed(&lease),
                failure,
            );
            return self.finish(backend, lease, result).await;
        }
        let pause = self.backoff.pause(attempt, rand::random());
        tracing::warn!(attempt, error = %failure, pause_ms = milliseconds(pause), "attempt failed; trying again");
        self.journal
            .retry(
                lease,
                Retry {
                    pause,
                    reason: failure.to_string(),
                },
            )
            .await?;
        Ok(Ended::Again(pause))
    }

    async fn finish(
        &self,
        backend: Backend,
        lease: Lease,
        result: OrderResult,
    ) -> Result<Ended, JournalError> {
        let started = Instant::now();
        let recorded = self.journal.finish(lease, &result).await;
        self.meter.stage_ended(
            backend,
            MeteredStage::Finish,
            started.elapsed(),
            recorded.is_err(),
        );
        recorded?;
        self.meter.order_ended(
            backend,
            result.status,
            Duration::from_millis(result.execution_time_ms),
        );
        tracing::info!(
            status = result.status.as_str(),
            attempts = result.attempts,
            "order finished"
        );
        self.listeners.notify(&result);
        Ok(Ended::Finished(Box::new(result)))
    }

    /// From acceptance until now. A clock that was set back meanwhile makes it zero.
    fn elapsed(&self, lease: &Lease) -> Duration {
        self.journal.since_accepted(lease)
    }
}
