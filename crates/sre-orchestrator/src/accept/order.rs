//! Orders as they are accepted, as the journal keeps them, and as an attempt needs them.
//!
//! [`AcceptedOrder`] is what acceptance ends in. The journal records it ([`NewOrder`]); a worker
//! acquires it again, which gives an [`AttemptOrder`]: what an attempt needs and nothing that only
//! the acceptance knows.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use sre_core::{Backend, Canonical, Digest, Invocation, OrderId, Profile};
use sre_journal::{AcquiredOrder, JournalError, NewOrder};
use sre_skill::{Entry, Skill};
use url::Url;

use crate::invocation::Resolved;
use crate::trace_context::TraceParent;

/// An order that can be executed: everything was read, checked and resolved.
#[derive(Debug, Clone)]
pub struct AcceptedOrder {
    /// What an attempt needs.
    pub(crate) attempt: AttemptOrder,
    pub(crate) verdicts_required: u32,
    pub(crate) callback_url: Option<Url>,
    pub(crate) priority: i32,
    pub(crate) request: Digest,
}

/// What an attempt needs of an order, whether it was accepted a moment ago or acquired from the
/// journal.
#[derive(Debug, Clone)]
pub(crate) struct AttemptOrder {
    pub(crate) order_id: OrderId,
    pub(crate) skill: Arc<Skill>,
    /// What is started.
    pub(crate) entry: Arc<Entry>,
    pub(crate) input: Arc<[u8]>,
    /// How it is called; `None` in the JSON contract.
    pub(crate) invocation: Option<Arc<Canonical<Invocation>>>,
    pub(crate) profile: Arc<Canonical<Profile>>,
    pub(crate) attempt_time: Duration,
    pub(crate) execution_time: Duration,
    pub(crate) retries: RetryPolicy,
    /// Whether its result goes to a callback, so that the courier is to be woken.
    pub(crate) has_callback: bool,
    pub(crate) trace: Option<TraceParent>,
    /// What the invocation brought with it, where the order was accepted by this process a moment
    /// ago. It must be stored before the order is recorded.
    pub(crate) resolved: Option<Arc<Resolved>>,
}

/// Which failures are tried again.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
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
    #[serde(flatten)]
    retries: RetryPolicy,
}

impl ExecutionSpec {
    /// What the journal kept.
    pub(crate) fn decode(acquired: &AcquiredOrder) -> Result<Self, JournalError> {
        serde_json::from_str(&acquired.work).map_err(|error| damaged(acquired, error))
    }

    pub(crate) fn retries(&self) -> RetryPolicy {
        self.retries
    }

    pub(crate) fn backend(&self) -> Backend {
        self.profile.backend
    }

    /// The order as an attempt needs it.
    pub(crate) fn into_attempt(
        self,
        acquired: &AcquiredOrder,
        skill: Arc<Skill>,
    ) -> Result<AttemptOrder, JournalError> {
        let invocation = match &acquired.invocation {
            Some(text) => Some(
                serde_json::from_str::<Invocation>(text)
                    .map_err(|error| damaged(acquired, error))?,
            ),
            None => None,
        };
        let entry = match &invocation {
            Some(invocation) => skill.entry(&invocation.entry),
            None => skill.default_entry(),
        };
        Ok(AttemptOrder {
            order_id: acquired.lease.order_id().clone(),
            entry: Arc::new(entry.map_err(|error| damaged(acquired, error))?),
            skill,
            input: Arc::clone(&acquired.input),
            invocation: invocation.map(|invocation| Arc::new(Canonical::new(invocation))),
            profile: Arc::new(Canonical::new(self.profile)),
            attempt_time: Duration::from_millis(self.attempt_time_ms),
            execution_time: Duration::from_millis(self.execution_time_ms),
            retries: self.retries,
            has_callback: acquired.has_callback,
            trace: acquired.trace.as_ref().and_then(|trace| trace.parse().ok()),
            resolved: None,
        })
    }
}

fn damaged(
    acquired: &AcquiredOrder,
    error: impl std::error::Error + Send + Sync + 'static,
) -> JournalError {
    JournalError::damaged(acquired.lease.order_id().as_str(), error)
}

impl AcceptedOrder {
    /// Makes the order part of the submitter's trace.
    #[must_use]
    pub fn with_trace(mut self, trace: Option<TraceParent>) -> Self {
        self.attempt.trace = trace;
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
        let attempt = &self.attempt;
        let work = ExecutionSpec {
            profile: self.profile().clone(),
            attempt_time_ms: milliseconds(attempt.attempt_time),
            execution_time_ms: milliseconds(attempt.execution_time),
            retries: attempt.retries,
        };
        // Canonical JSON is UTF-8.
        let text = |canonical: &Canonical<Invocation>| {
            String::from_utf8_lossy(canonical.bytes()).into_owned()
        };
        NewOrder {
            order_id: attempt.order_id.clone(),
            request: self.request,
            submitter: submitter.to_owned(),
            skill: attempt.skill.digest(),
            backend: attempt.profile.backend,
            priority: self.priority,
            max_retries: attempt.retries.max_retries,
            queue_time,
            verdicts_required: self.verdicts_required,
            callback_url: self.callback_url.as_ref().map(Url::to_string),
            trace: attempt.trace.as_ref().map(TraceParent::to_string),
            // Strings as keys and finite numbers: it serialises.
            work: serde_json::to_string(&work).unwrap_or_default(),
            input: Arc::clone(&attempt.input),
            invocation: attempt.invocation.as_deref().map(text),
        }
    }

    /// Identity of the order.
    #[must_use]
    pub fn order_id(&self) -> &OrderId {
        &self.attempt.order_id
    }

    /// What it runs.
    #[must_use]
    pub fn skill(&self) -> &Arc<Skill> {
        &self.attempt.skill
    }

    /// On what, as canonical JSON.
    #[must_use]
    pub fn input(&self) -> &[u8] {
        &self.attempt.input
    }

    /// How its program is called; `None` in the JSON contract.
    #[must_use]
    pub fn invocation(&self) -> Option<&Invocation> {
        self.attempt
            .invocation
            .as_ref()
            .map(|invocation| &***invocation)
    }

    /// Matching verdicts of others that it needs before it counts as final.
    #[must_use]
    pub fn verdicts_required(&self) -> u32 {
        self.verdicts_required
    }

    /// Under which limits, clock and seed.
    #[must_use]
    pub fn profile(&self) -> &Profile {
        &self.attempt.profile
    }
}
