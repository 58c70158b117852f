//! [`OrderReader`] over SQLite.

use std::collections::BTreeMap;

use async_trait::async_trait;
use rusqlite::OptionalExtension;
use sre_core::{Digest, OrderId};

use super::accept::timestamp;
use super::error::SqliteError;
use super::journal::SqliteJournal;
use super::{events, list, verdict_ledger};
use crate::error::JournalError;
use crate::reader::{Event, JournalEntry, OrderFilter, OrderReader, OrderState, OrderSummary};
use crate::watch::Watch;

#[async_trait]
impl OrderReader for SqliteJournal {
    async fn get(&self, order_id: &OrderId) -> Result<Option<JournalEntry>, JournalError> {
        Ok(get(self, order_id)?)
    }

    async fn list(
        &self,
        filter: &OrderFilter,
        limit: usize,
    ) -> Result<Vec<OrderSummary>, JournalError> {
        Ok(list::list(self, filter, limit).await?)
    }

    async fn events(
        &self,
        order_id: &OrderId,
        after: u64,
        limit: usize,
    ) -> Result<Option<Vec<Event>>, JournalError> {
        let Some(sequence) = sequence(self, order_id)? else {
            return Ok(None);
        };
        let reader = self.database.reader().map_err(SqliteError::from)?;
        let found = events::read(&reader, order_id, sequence, after, limit)?;
        Ok(Some(found))
    }

    async fn is_known(&self, order_id: &OrderId) -> Result<bool, JournalError> {
        Ok(is_known(self, order_id)?)
    }

    async fn sequence(&self, order_id: &OrderId) -> Result<Option<i64>, JournalError> {
        Ok(sequence(self, order_id)?)
    }

    async fn purged(&self, order_id: &OrderId) -> Result<Option<String>, JournalError> {
        Ok(purged(self, order_id)?)
    }

    async fn count_by_state(&self) -> Result<BTreeMap<String, i64>, JournalError> {
        Ok(count_by_state(self)?)
    }

    fn watch(&self, sequence: i64) -> Watch {
        self.watches.of(sequence)
    }
}

fn get(journal: &SqliteJournal, order_id: &OrderId) -> Result<Option<JournalEntry>, SqliteError> {
    let reader = journal.database.reader()?;
    let row = reader
        .prepare_cached(
            "SELECT sequence, orders.submitter, skill, accepted_at_ms, state, attempt, result,
                 coalesce(open_orders.invocation, results.invocation)
             FROM orders LEFT JOIN open_orders USING (sequence) LEFT JOIN results USING (sequence)
             WHERE order_id = ?1 AND coalesce(state, result) IS NOT NULL",
        )?
        .query_row([order_id.as_str()], |row| {
            Ok((
                row.get(0)?,
                row.get(1)?,
                row.get::<_, [u8; 32]>(2)?,
                row.get(3)?,
                row.get::<_, Option<String>>(4)?,
                row.get::<_, Option<u32>>(5)?,
                row.get(6)?,
                row.get(7)?,
            ))
        })
        .optional()?;
    let Some((sequence, submitter, skill, accepted_at_ms, state, attempts, result, invocation)) =
        row
    else {
        return Ok(None);
    };
    Ok(Some(JournalEntry {
        order_id: order_id.clone(),
        sequence,
        submitter,
        skill: Digest::from_bytes(skill).into(),
        invocation,
        accepted_at: timestamp(order_id, accepted_at_ms)?,
        state: state.map_or(OrderState::Finished, |state| open_state(&state)),
        attempts: attempts.unwrap_or(0),
        finality: verdict_ledger::finality(&reader, sequence)?,
        result,
    }))
}

fn is_known(journal: &SqliteJournal, order_id: &OrderId) -> Result<bool, SqliteError> {
    let reader = journal.database.reader()?;
    let mut statement = reader.prepare_cached("SELECT 1 FROM orders WHERE order_id = ?1")?;
    Ok(statement.exists([order_id.as_str()])?)
}

pub(super) fn sequence(
    journal: &SqliteJournal,
    order_id: &OrderId,
) -> Result<Option<i64>, SqliteError> {
    let reader = journal.database.reader()?;
    let mut statement = reader.prepare_cached(
        "SELECT sequence FROM orders LEFT JOIN open_orders USING (sequence) LEFT JOIN results USING (sequence)
         WHERE order_id = ?1 AND coalesce(state, status) IS NOT NULL",
    )?;
    Ok(statement
        .query_row([order_id.as_str()], |row| row.get(0))
        .optional()?)
}

fn purged(journal: &SqliteJournal, order_id: &OrderId) -> Result<Option<String>, SqliteError> {
    let reader = journal.database.reader()?;
    let mut statement = reader.prepare_cached(
        "SELECT orders.submitter FROM orders
         LEFT JOIN open_orders USING (sequence) LEFT JOIN results USING (sequence)
         WHERE order_id = ?1 AND coalesce(state, status) IS NULL",
    )?;
    Ok(statement
        .query_row([order_id.as_str()], |row| row.get(0))
        .optional()?)
}

fn count_by_state(journal: &SqliteJournal) -> Result<BTreeMap<String, i64>, SqliteError> {
    let reader = journal.database.reader()?;
    let mut statement =
        reader.prepare_cached("SELECT state, count(*) FROM open_orders GROUP BY state")?;
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

fn open_state(state: &str) -> OrderState {
    match state {
        "running" => OrderState::Running,
        "verifying" => OrderState::Verifying,
        _ => OrderState::Queued,
    }
}
