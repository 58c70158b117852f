//! The end of an attempt: a result, or another attempt. How an order ends that never got to one.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use rusqlite::{OptionalExtension, Transaction, params};
use sre_core::{ErrorCode, OrderResult, OrderStatus};

use crate::lease::Lease;
use crate::outbox::OpenCallback;
use crate::{EventKind, Journal, JournalError, events, outbox, receipts};

/// When the next attempt may begin.
#[derive(Debug, Clone)]
pub struct Retry {
    /// From now.
    pub pause: Duration,
    /// Why there is another, for people.
    pub reason: String,
}

/// What ends an order that never got to a commitment.
pub(super) struct Ending<'a> {
    pub(super) status: OrderStatus,
    pub(super) code: ErrorCode,
    pub(super) message: &'a str,
}

/// What is needed to end an order that is open.
pub(super) struct OpenRow {
    pub(super) sequence: i64,
    pub(super) order_id: String,
    pub(super) accepted_at_ms: i64,
    pub(super) attempt: u32,
}

impl Journal {
    /// Records how an order ended, together with its callback. When this returns, both survive.
    /// After an error the order is given back.
    ///
    /// # Errors
    /// [`JournalError::LeaseLost`] when somebody else decides; otherwise what the storage said.
    pub async fn finish(&self, lease: Lease, result: &OrderResult) -> Result<(), JournalError> {
        let text: Arc<str> = serde_json::to_string(result)
            .map_err(|error| JournalError::damaged(result.order_id.as_str(), &error))?
            .into();
        let recorded = Arc::clone(&text);
        let (key, status, attempt, now) = (lease.key, result.status, lease.attempt, self.now_ms());
        let ended = self
            .database
            .write(move |transaction| {
                let callback = transaction
                    .prepare_cached(&format!(
                        "DELETE FROM open_orders WHERE sequence = ?1 AND token = ?2 RETURNING {}",
                        OpenCallback::RETURNING
                    ))?
                    .query_row(params![key.sequence, key.token], OpenCallback::read)
                    .optional()?;
                let Some(callback) = callback else {
                    return Ok(false);
                };
                insert_result(
                    transaction,
                    now,
                    key.sequence,
                    attempt,
                    status,
                    &recorded,
                    &callback,
                )?;
                Ok(true)
            })
            .await?;
        lease.settle();
        if !ended {
            return Err(JournalError::LeaseLost(result.order_id.clone()));
        }
        self.ended(key.sequence, Some(text));
        Ok(())
    }

    /// Gives the order back for another attempt. After an error it is given back without one.
    ///
    /// # Errors
    /// As [`Journal::finish`].
    pub async fn retry(&self, lease: Lease, retry: Retry) -> Result<(), JournalError> {
        let (key, attempt, now) = (lease.key, lease.attempt, self.now_ms());
        let due_ms = now.saturating_add(i64::try_from(retry.pause.as_millis()).unwrap_or(i64::MAX));
        let changed = self
            .database
            .write(move |transaction| {
                let changed = transaction
                    .prepare_cached(
                        "UPDATE open_orders SET state = 'waiting', holder = NULL, set_at_ms = ?3, due_ms = ?4
                         WHERE sequence = ?1 AND token = ?2",
                    )?
                    .execute(params![key.sequence, key.token, now, due_ms])?;
                if changed == 1 {
                    let reason = Some(retry.reason.as_str());
                    events::add(transaction, now, key.sequence, attempt, EventKind::Retrying, reason)?;
                }
                Ok(changed)
            })
            .await?;
        let order_id = lease.order_id.clone();
        lease.settle();
        self.watches.notify(key.sequence);
        if changed == 1 {
            Ok(())
        } else {
            Err(JournalError::LeaseLost(order_id))
        }
    }

    /// Everybody within this process hears of the end.
    pub(super) fn ended(&self, sequence: i64, result: Option<Arc<str>>) {
        self.open.fetch_sub(1, Ordering::Relaxed);
        self.receipts_due.notify_one();
        self.watches.ended(sequence, result);
    }
}

pub(super) fn open_rows(
    transaction: &Transaction<'_>,
    sql: &str,
    params: impl rusqlite::Params,
) -> rusqlite::Result<Vec<OpenRow>> {
    transaction
        .prepare_cached(sql)?
        .query_map(params, |row| {
            Ok(OpenRow {
                sequence: row.get(0)?,
                order_id: row.get(1)?,
                accepted_at_ms: row.get(2)?,
                attempt: row.get(3)?,
            })
        })?
        .collect()
}

/// Ends an open order that has committed nothing; its result.
pub(super) fn end(
    transaction: &Transaction<'_>,
    now: i64,
    row: &OpenRow,
    ending: &Ending<'_>,
) -> rusqlite::Result<OrderResult> {
    let callback = transaction
        .prepare_cached(&format!(
            "DELETE FROM open_orders WHERE sequence = ?1 RETURNING {}",
            OpenCallback::RETURNING
        ))?
        .query_row([row.sequence], OpenCallback::read)?;
    let unreadable = |error: Box<dyn std::error::Error + Send + Sync>| {
        rusqlite::Error::FromSqlConversionFailure(0, rusqlite::types::Type::Text, error)
    };
    let result = OrderResult {
        order_id: row
            .order_id
            .parse()
            .map_err(|error: sre_core::OrderIdError| unreadable(error.into()))?,
        status: ending.status,
        commit_result: None,
        verification: None,
        execution_time_ms: u64::try_from(now - row.accepted_at_ms).unwrap_or(0),
        error_message: Some(ending.message.to_owned()),
        error_code: Some(ending.code.to_string()),
        output: None,
        attempts: row.attempt,
        logs: String::new(),
    };
    let text = serde_json::to_string(&result).map_err(|error| unreadable(error.into()))?;
    insert_result(
        transaction,
        now,
        row.sequence,
        row.attempt,
        ending.status,
        &text,
        &callback,
    )?;
    Ok(result)
}

fn insert_result(
    transaction: &Transaction<'_>,
    now: i64,
    sequence: i64,
    attempt: u32,
    status: OrderStatus,
    text: &str,
    callback: &OpenCallback,
) -> rusqlite::Result<()> {
    transaction
        .prepare_cached("INSERT INTO results (sequence, finished_at_ms, status, result) VALUES (?1, ?2, ?3, ?4)")?
        .execute(params![sequence, now, status.as_str(), text])?;
    receipts::insert(transaction, now, sequence)?;
    events::add(
        transaction,
        now,
        sequence,
        attempt,
        EventKind::Finished,
        Some(status.as_str()),
    )?;
    outbox::insert(transaction, now, sequence, callback)
}
