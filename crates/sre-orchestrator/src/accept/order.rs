//! Orders as they are executed, and as the journal keeps them.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use sre_core::{Backend, Canonical, Digest, OrderId, Profile};
use sre_skill::Skill;
use url::Url;

use crate::trace_context::TraceParent;
use sre_journal::{AcquiredOrder, JournalError, NewOrder};

/// An order that can be executed: everything was read, checked and resolved.
#[derive(Debug, Clone)]
pub struct AcceptedOrder {
    pub(crate) order_id: OrderId,
    pub(crate) skill: Arc<Skill>,
    pub(crate) input: Arc<[u8]>,
    pub(crate) profile: Arc<Canonical<Profile>>,
    pub(crate) attempt_time: Duration,
    pub(crate) execution_time: Duration,
    pub(crate) max_retries: u32,
    pub(crate) retry_on_timeout: bool,
    pub(crate) verdicts_required: u32,
    pub(crate) callback_url: Option<Url>,
    pub(crate) priority: i32,
    pub(crate) trace: Option<TraceParent>,
    pub(crate) request: Digest,
}

/// Which failures are tried again.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct RetryPolicy {
    pub(crate) max_retries: u32,
    pub(crate) retry_on_timeout: bool,
}

/// What the journal keeps of an accepted order, besides what has a column of its own.
#[derive(Serialize, Deserialize)]
pub(crate) struct ExecutionSpec {
    profile: Profile,
    attempt_time_ms: u64,
    execution_time_ms: u64,
    max_retries: u32,
    retry_on_timeout: bool,
}

impl ExecutionSpec {
    /// What the journal kept.
    pub(crate) fn decode(claimed: &AcquiredOrder) -> Result<Self, JournalError> {
        serde_json::from_str(&claimed.work)
            .map_err(|error| JournalError::damaged(claimed.lease.order_id().as_str(), error))
    }

    pub(crate) fn policy(&self) -> RetryPolicy {
        RetryPolicy {
            max_retries: self.max_retries,
            retry_on_timeout: self.retry_on_timeout,
        }
    }

    pub(crate) fn backend(&self) -> Backend {
        self.profile.backend
    }

    /// The order as it was accepted.
    pub(crate) fn into_order(self, claimed: &AcquiredOrder, skill: Arc<Skill>) -> AcceptedOrder {
        AcceptedOrder {
            order_id: claimed.lease.order_id().clone(),
            skill,
            input: Arc::clone(&claimed.input),
            profile: Arc::new(Canonical::new(self.profile)),
            attempt_time: Duration::from_millis(self.attempt_time_ms),
            execution_time: Duration::from_millis(self.execution_time_ms),
            max_retries: self.max_retries,
            retry_on_timeout: self.retry_on_timeout,
            // The journal has columns of its own for these.
            verdicts_required: 0,
            callback_url: None,
            priority: 0,
            trace: claimed.trace.as_ref().and_then(|trace| trace.parse().ok()),
            request: claimed.request,
        }
    }
}

impl AcceptedOrder {
    /// Makes the order part of the submitter's trace.
    #[must_use]
    pub fn with_trace(mut self, trace: Option<TraceParent>) -> Self {
        self.trace = trace;
        self
    }

    /// As the journal records it, for `submitter`.
    #[must_use]
    pub fn record(&self, submitter: &str) -> NewOrder {
        self.to_record(submitter, None)
    }

    /// As it is recorded.
    pub(crate) fn to_record(&self, submitter: &str, queue_time: Option<Duration>) -> NewOrder {
        let milliseconds = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        let work = ExecutionSpec {
            profile: self.profile().clone(),
            attempt_time_ms: milliseconds(self.attempt_time),
            execution_time_ms: milliseconds(self.execution_time),
            max_retries: self.max_retries,
            retry_on_timeout: self.retry_on_timeout,
        };
        NewOrder {
            order_id: self.order_id.clone(),
            request: self.request,
            submitter: submitter.to_owned(),
            skill: self.skill.digest(),
            backend: self.profile.backend,
            priority: self.priority,
            max_retries: self.max_retries,
            queue_time,
            verdicts_required: self.verdicts_required,
            callback_url: self.callback_url.as_ref().map(Url::to_string),
            // Strings as keys and finite numbers: it serialises.
            work: serde_json::to_string(&work).unwrap_or_default(),
            trace: self.trace.as_ref().map(TraceParent::to_string),
            input: Arc::clone(&self.input),
            invocation: None,
        }
    }

    /// Identity of the order.
    #[must_use]
    pub fn order_id(&self) -> &OrderId {
        &self.order_id
    }

    /// What it runs.
    #[must_use]
    pub fn skill(&self) -> &Arc<Skill> {
        &self.skill
    }

    /// On what, as canonical JSON.
    #[must_use]
    pub fn input(&self) -> &[u8] {
        &self.input
    }

    /// Matching verdicts of others that it needs before it counts as final.
    #[must_use]
    pub fn verdicts_required(&self) -> u32 {
        self.verdicts_required
    }

    /// Under which limits, clock and seed.
    #[must_use]
    pub fn profile(&self) -> &Profile {
        &self.profile
    }
}
