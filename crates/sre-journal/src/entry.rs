//! What is known of one order.

use std::collections::BTreeMap;

use jiff::Timestamp;
use rusqlite::OptionalExtension;
use serde::Serialize;
use sre_core::{Backend, Digest, OrderId, OrderResult, SkillDigest};

use crate::{Finality, Journal, JournalError, verdicts};

/// An order as the journal knows it.
#[derive(Debug, Clone)]
pub struct JournalEntry {
    /// Which order.
    pub order_id: OrderId,
    /// Its place in the journal.
    pub sequence: i64,
    /// Who submitted it.
    pub submitter: String,
    /// What it runs; `None` for an order of the journal's first version.
    pub skill: Option<SkillDigest>,
    /// When it was accepted.
    pub accepted_at: Timestamp,
    /// Where it is.
    pub state: OrderState,
    /// Attempts begun; 0 once it has ended, where the result says it.
    pub attempts: u32,
    /// How it ended, as the JSON of an [`OrderResult`]; `None` while it is open.
    pub result: Option<String>,
    /// The verdicts it needs and has; `None` where it needs none.
    pub finality: Option<Finality>,
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

impl JournalEntry {
    /// The result.
    ///
    /// # Errors
    /// [`JournalError::Damaged`].
    pub fn parsed_result(&self) -> Result<Option<OrderResult>, JournalError> {
        self.result
            .as_deref()
            .map(|text| parse_result(self.order_id.as_str(), text))
            .transpose()
    }
}

impl Journal {
    /// What is known of an order; `None` if it was never accepted, or was purged.
    ///
    /// # Errors
    /// [`JournalError`].
    pub fn get(&self, order_id: &OrderId) -> Result<Option<JournalEntry>, JournalError> {
        let reader = self.database.reader()?;
        let row = reader
            .prepare_cached(
                "SELECT sequence, orders.submitter, skill, accepted_at_ms, state, attempt, result
                 FROM orders LEFT JOIN open_orders USING (sequence) LEFT JOIN results USING (sequence)
                 WHERE order_id = ?1 AND coalesce(state, result) IS NOT NULL",
            )?
            .query_row([order_id.as_str()], |row| {
                Ok((
                    row.get(0)?,
                    row.get(1)?,
                    row.get::<_, Option<[u8; 32]>>(2)?,
                    row.get(3)?,
                    row.get::<_, Option<String>>(4)?,
                    row.get::<_, Option<u32>>(5)?,
                    row.get(6)?,
                ))
            })
            .optional()?;
        let Some((sequence, submitter, skill, accepted_at_ms, state, attempts, result)) = row
        else {
            return Ok(None);
        };
        Ok(Some(JournalEntry {
            order_id: order_id.clone(),
            sequence,
            submitter,
            skill: skill.map(|bytes| Digest::from_bytes(bytes).into()),
            accepted_at: Timestamp::from_millisecond(accepted_at_ms)
                .map_err(|error| JournalError::damaged(order_id.as_str(), &error))?,
            state: state.map_or(OrderState::Finished, |state| open_state(&state)),
            attempts: attempts.unwrap_or(0),
            finality: verdicts::finality(&reader, sequence)?,
            result,
        }))
    }

    /// Open orders by state, for the metrics.
    ///
    /// # Errors
    /// [`JournalError`].
    pub fn count_by_state(&self) -> Result<BTreeMap<String, i64>, JournalError> {
        let reader = self.database.reader()?;
        let mut statement =
            reader.prepare_cached("SELECT state, count(*) FROM open_orders GROUP BY state")?;
        let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }
}

pub(super) fn open_state(state: &str) -> OrderState {
    match state {
        "running" => OrderState::Running,
        "verifying" => OrderState::Verifying,
        _ => OrderState::Queued,
    }
}

pub(super) fn parse_result(order_id: &str, text: &str) -> Result<OrderResult, JournalError> {
    serde_json::from_str(text).map_err(|error| JournalError::damaged(order_id, &error))
}

pub(super) const fn backend_name(backend: Backend) -> &'static str {
    match backend {
        Backend::Wasm => "wasm",
        Backend::Native => "native",
        Backend::Docker => "docker",
    }
}

#[cfg(test)]
mod tests {
    use sre_core::OrderStatus;

    use crate::*;

    #[test]
    fn what_is_shown_is_where_an_order_is_or_how_it_ended() {
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
