//! Reading orders: one, many, and what happened to them.

use std::collections::BTreeMap;

use async_trait::async_trait;
use jiff::Timestamp;
use serde::Serialize;
use sre_core::{OrderId, OrderResult, SkillDigest};

use crate::error::JournalError;
use crate::verdict_ledger::Finality;
use crate::watch::Watch;

/// Reads orders. Nothing here changes anything.
#[async_trait]
pub trait OrderReader: Send + Sync {
    /// What is known of an order; `None` if it was never accepted, or was purged.
    ///
    /// # Errors
    /// [`JournalError`].
    async fn get(&self, order_id: &OrderId) -> Result<Option<JournalEntry>, JournalError>;

    /// The orders that `filter` lets through, newest first, at most `limit`.
    ///
    /// # Errors
    /// [`JournalError`].
    async fn list(
        &self,
        filter: &OrderFilter,
        limit: usize,
    ) -> Result<Vec<OrderSummary>, JournalError>;

    /// The order's events after number `after`, oldest first, at most `limit`; `None` if the order
    /// is unknown.
    ///
    /// # Errors
    /// [`JournalError`].
    async fn events(
        &self,
        order_id: &OrderId,
        after: u64,
        limit: usize,
    ) -> Result<Option<Vec<Event>>, JournalError>;

    /// Whether an order was ever accepted under this id, also one that was purged.
    ///
    /// # Errors
    /// [`JournalError`].
    async fn is_known(&self, order_id: &OrderId) -> Result<bool, JournalError>;

    /// The order's place in the journal; `None` if it was never accepted, or was purged.
    ///
    /// # Errors
    /// [`JournalError`].
    async fn sequence(&self, order_id: &OrderId) -> Result<Option<i64>, JournalError>;

    /// Who submitted an order that was purged; `None` for an order that is still there, or was
    /// never accepted.
    ///
    /// # Errors
    /// [`JournalError`].
    async fn purged(&self, order_id: &OrderId) -> Result<Option<String>, JournalError>;

    /// Open orders by state: `ready`, `waiting`, `running`, `verifying`.
    ///
    /// # Errors
    /// [`JournalError`].
    async fn count_by_state(&self) -> Result<BTreeMap<String, i64>, JournalError>;

    /// Wakes when this process records something about the order at `sequence`.
    fn watch(&self, sequence: i64) -> Watch;
}

/// An order as the journal knows it.
#[derive(Debug, Clone)]
pub struct JournalEntry {
    /// Which order.
    pub order_id: OrderId,
    /// Its place in the journal.
    pub sequence: i64,
    /// Who submitted it.
    pub submitter: String,
    /// What it runs.
    pub skill: SkillDigest,
    /// The resolved invocation as canonical JSON; `None` in the JSON contract.
    pub invocation: Option<String>,
    /// When it was accepted.
    pub accepted_at: Timestamp,
    /// Where it is.
    pub state: OrderState,
    /// Attempts begun; 0 once it has ended, where the result says it.
    pub attempts: u32,
    /// How it ended, as the JSON of an [`OrderResult`]; `None` while it is open.
    pub result: Option<String>,
    /// The verdicts it needs and has; `None` where it needs no verdicts.
    pub finality: Option<Finality>,
}

impl JournalEntry {
    /// The result.
    ///
    /// # Errors
    /// [`JournalErrorKind::Damaged`](crate::JournalErrorKind::Damaged).
    pub fn parsed_result(&self) -> Result<Option<OrderResult>, JournalError> {
        self.result
            .as_deref()
            .map(|text| parse_result(self.order_id.as_str(), text))
            .transpose()
    }
}

pub(crate) fn parse_result(order_id: &str, text: &str) -> Result<OrderResult, JournalError> {
    serde_json::from_str(text).map_err(|error| JournalError::damaged(order_id, error))
}

/// Where an order is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum OrderState {
    /// Waiting for a worker or for the next attempt.
    Queued,
    /// Executing and committing.
    Running,
    /// Fetching, recomputing and replaying.
    Verifying,
    /// It has a result.
    Finished,
}

impl OrderState {
    /// What is shown as the status of an order, the open ones first: the states, and for one that
    /// is finished how it ended ([`OrderStatus`](sre_core::OrderStatus)).
    pub const SHOWN: [&'static str; 6] = [
        "queued",
        "running",
        "verifying",
        "completed",
        "failed",
        "timeout",
    ];
}

/// Which orders to list. Every field narrows the list.
#[derive(Debug, Clone, Default)]
pub struct OrderFilter {
    /// One of [`OrderState::SHOWN`].
    pub status: Option<String>,
    /// Of this skill.
    pub skill: Option<SkillDigest>,
    /// Of this submitter.
    pub submitter: Option<String>,
    /// Older than the order at this place of the journal.
    pub before: Option<i64>,
}

/// One order of a list.
#[derive(Debug, Clone, PartialEq)]
pub struct OrderSummary {
    /// Its place in the journal.
    pub sequence: i64,
    /// Which order.
    pub order_id: String,
    /// As in [`OrderFilter::status`].
    pub status: String,
    /// Who submitted it.
    pub submitter: String,
    /// What it runs.
    pub skill: SkillDigest,
    /// When it was accepted.
    pub accepted_at: Timestamp,
    /// When it ended.
    pub finished_at: Option<Timestamp>,
    /// Whether it has the verdicts it needs; `None` where it needs no verdicts.
    pub is_final: Option<bool>,
}

/// One event of an order.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Event {
    /// Place among the order's events, from 1, without gaps.
    #[serde(skip)]
    pub number: u64,
    /// When it was recorded.
    pub at: Timestamp,
    /// Attempts begun by then.
    pub attempt: u32,
    /// What happened.
    pub kind: EventKind,
    /// More about it, for people; null when there is nothing to add.
    pub detail: Option<String>,
}

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum EventKind {
    /// The order is in the journal.
    Accepted,
    /// An attempt begins.
    Running,
    /// The attempt has committed; the replay begins.
    Verifying,
    /// The attempt failed and another follows.
    Retrying,
    /// The attempt was released and does not count.
    Returned,
    /// Cancellation was asked for.
    Cancelling,
    /// It has ended; the last event.
    Finished,
}

impl EventKind {
    const ALL: [Self; 7] = [
        Self::Accepted,
        Self::Running,
        Self::Verifying,
        Self::Retrying,
        Self::Returned,
        Self::Cancelling,
        Self::Finished,
    ];

    /// The name in JSON.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Running => "running",
            Self::Verifying => "verifying",
            Self::Retrying => "retrying",
            Self::Returned => "returned",
            Self::Cancelling => "cancelling",
            Self::Finished => "finished",
        }
    }

    pub(crate) fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }
}

#[cfg(test)]
mod tests {
    use sre_core::OrderStatus;

    use super::*;

    #[test]
    fn every_shown_status_is_an_open_state_or_an_order_status() {
        let open = [
            OrderState::Queued,
            OrderState::Running,
            OrderState::Verifying,
        ];
        let open = open.map(|state| serde_json::to_value(state).expect("a name"));
        let ended = [
            OrderStatus::Completed,
            OrderStatus::Failed,
            OrderStatus::Timeout,
        ]
        .map(|status| status.as_str());
        let shown: Vec<_> = open
            .iter()
            .filter_map(|name| name.as_str())
            .chain(ended)
            .collect();
        assert_eq!(shown, OrderState::SHOWN);
    }
}
