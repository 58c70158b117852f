//! The end of an attempt: a result, another attempt, or the wish of somebody that it be over.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use rusqlite::{OptionalExtension, Transaction, params};
use sre_core::{OrderId, OrderResult, OrderStatus};

use super::lease::Lease;
use super::outbox::OpenCallback;
use super::{EventKind, Journal, JournalError, entry, events, outbox, receipts};

/// When the next attempt may begin.
#[derive(Debug, Clone)]
pub struct Retry {
    /// From now.
    pub pause: Duration,
    /// Why there is another, for people.
    pub reason: String,
}

/// Answer to [`Journal::cancel`].
#[derive(Debug)]
pub enum Cancelled {
    /// The order was never accepted.
    Unknown,
    /// It had ended before; this is how.
    Finished(Box<OrderResult>),
    /// It was waiting and has ended now.
    Ended(Box<OrderResult>),
    /// Somebody works on it and will be told to stop.
    Asked {
        /// Its place in the journal.
        sequence: i64,
    },
}

/// What ends an order that never got to a commitment.
pub(super) struct Ending<'a> {
    pub(super) status: OrderStatus,
    pub(super) code: &'a str,
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
    /// Records how an order ended, together with its callback. When this returns, both survive. After an error the order is
    /// given back.
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
                let Some(callback) = callback else { return Ok(false) };
                insert_result(transaction, now, key.sequence, attempt, status, &recorded, &callback)?;
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
        if changed == 1 { Ok(()) } else { Err(JournalError::LeaseLost(order_id)) }
    }

    /// Ends an order that nobody works on; asks for the end of one that somebody does.
    ///
    /// # Errors
    /// [`JournalError`]; nothing has changed.
    pub async fn cancel(&self, order_id: &OrderId) -> Result<Cancelled, JournalError> {
        self.give_back().await?;
        let Some(entry) = self.get(order_id)? else { return Ok(Cancelled::Unknown) };
        let (sequence, now) = (entry.sequence, self.now_ms());
        let row = OpenRow {
            sequence,
            order_id: order_id.as_str().to_owned(),
            accepted_at_ms: entry.accepted_at.as_millisecond(),
            attempt: 0,
        };
        // Whether it ended here, and its result if there is one.
        let (ended, result) = self
            .database
            .write(move |transaction| {
                let held: Option<(bool, u32)> = transaction
                    .prepare_cached("SELECT holder IS NOT NULL, attempt FROM open_orders WHERE sequence = ?1")?
                    .query_row([sequence], |row| Ok((row.get(0)?, row.get(1)?)))
                    .optional()?;
                match held {
                    None => {}
                    Some((true, attempt)) => {
                        let asked = transaction
                            .prepare_cached("UPDATE open_orders SET cancel = 1 WHERE sequence = ?1 AND cancel = 0")?
                            .execute([sequence])?;
                        if asked == 1 {
                            events::add(transaction, now, sequence, attempt, EventKind::Cancelling, None)?;
                        }
                    }
                    Some((false, attempt)) => {
                        end(transaction, now, &OpenRow { attempt, ..row }, &CANCELLED)?;
                    }
                }
                let result = transaction
                    .prepare_cached("SELECT result FROM results WHERE sequence = ?1")?
                    .query_row([sequence], |row| row.get::<_, String>(0))
                    .optional()?;
                Ok((held.is_some_and(|(held, _)| !held), result))
            })
            .await?;
        let Some(text) = result else {
            self.watches.notify(sequence);
            return Ok(Cancelled::Asked { sequence });
        };
        let result = Box::new(entry::parse_result(order_id.as_str(), &text)?);
        if !ended {
            return Ok(Cancelled::Finished(result));
        }
        self.ended(sequence, None);
        Ok(Cancelled::Ended(result))
    }

    /// Ends the orders that have waited for their first attempt longer than they may, at most `limit`. Returns how many.
    ///
    /// # Errors
    /// [`JournalError`].
    pub async fn expire(&self, limit: usize) -> Result<usize, JournalError> {
        let (now, limit) = (self.now_ms(), i64::try_from(limit).unwrap_or(i64::MAX));
        let sql = "SELECT sequence, order_id, accepted_at_ms, attempt FROM open_orders JOIN orders USING (sequence)
            WHERE state = 'ready' AND attempt = 0 AND queue_until_ms < ?1 LIMIT ?2";
        if !self.database.reader()?.prepare_cached(sql)?.exists(params![now, limit])? {
            return Ok(0);
        }
        let ended = self
            .database
            .write(move |transaction| {
                let rows = open_rows(transaction, sql, params![now, limit])?;
                for row in &rows {
                    end(transaction, now, row, &EXPIRED)?;
                }
                Ok(rows)
            })
            .await?;
        ended.iter().for_each(|row| self.ended(row.sequence, None));
        Ok(ended.len())
    }

    /// Everybody within this process hears of the end.
    pub(super) fn ended(&self, sequence: i64, result: Option<Arc<str>>) {
        self.open.fetch_sub(1, Ordering::Relaxed);
        self.receipts_due.notify_one();
        self.watches.ended(sequence, result);
    }
}

/// The result of an order that was cancelled before it was committed.
pub(super) const CANCELLED: Ending<'_> =
    Ending { status: OrderStatus::Failed, code: "cancelled", message: "the order was cancelled" };

const EXPIRED: Ending<'_> = Ending {
    status: OrderStatus::Timeout,
    code: "queue_timeout",
    message: "the order waited for its first attempt longer than the queue's time limit; nothing ran",
};

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

/// Ends an open order that has committed nothing.
pub(super) fn end(transaction: &Transaction<'_>, now: i64, row: &OpenRow, ending: &Ending<'_>) -> rusqlite::Result<()> {
    let callback = transaction
        .prepare_cached(&format!("DELETE FROM open_orders WHERE sequence = ?1 RETURNING {}", OpenCallback::RETURNING))?
        .query_row([row.sequence], OpenCallback::read)?;
    let unreadable = |error: Box<dyn std::error::Error + Send + Sync>| {
        rusqlite::Error::FromSqlConversionFailure(0, rusqlite::types::Type::Text, error)
    };
    let result = OrderResult {
        order_id: row.order_id.parse().map_err(|error: sre_core::OrderIdError| unreadable(error.into()))?,
        status: ending.status,
        commit_result: None,
        verification: None,
        execution_time_ms: u64::try_from(now - row.accepted_at_ms).unwrap_or(0),
        error_message: Some(ending.message.to_owned()),
        error_code: Some(ending.code.to_owned()),
        output: None,
        attempts: row.attempt,
        logs: String::new(),
    };
    let text = serde_json::to_string(&result).map_err(|error| unreadable(error.into()))?;
    insert_result(transaction, now, row.sequence, row.attempt, ending.status, &text, &callback)
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
    events::add(transaction, now, sequence, attempt, EventKind::Finished, Some(status.as_str()))?;
    outbox::insert(transaction, now, sequence, callback)
}
