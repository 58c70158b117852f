//! The end of an attempt: a result, or another attempt. Also how an order ends that committed
//! nothing.

use std::sync::Arc;

use rusqlite::{OptionalExtension, Row, Transaction, params};
use sre_core::{ErrorCode, OrderResult, OrderStatus};

use super::error::SqliteError;
use super::journal::SqliteJournal;
use super::outbox::{self, Callback};
use super::{events, receipt_queue};
use crate::clock::milliseconds;
use crate::error::JournalError;
use crate::lease::Lease;
use crate::queue::Retry;
use crate::reader::EventKind;

/// How an order ends that committed nothing.
pub(super) struct Ending<'a> {
    pub(super) status: OrderStatus,
    pub(super) code: ErrorCode,
    pub(super) message: &'a str,
}

/// What is needed to end an order that is open.
pub(super) struct OpenRow {
    pub(super) sequence: i64,
    pub(super) order_id: String,
    /// By the steady clock.
    pub(super) queued_at_ms: i64,
    pub(super) attempt: u32,
}

/// What an open order hands on to its result.
struct Remains {
    callback: Option<Callback>,
    invocation: Option<String>,
}

impl Remains {
    /// What `DELETE FROM open_orders` returns for [`Remains::read`].
    const RETURNING: &str = "callback_url, trace, submitter, invocation";

    fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        let url: Option<String> = row.get(0)?;
        let (trace, submitter) = (row.get(1)?, row.get(2)?);
        Ok(Self {
            callback: url.map(|url| Callback {
                url,
                trace,
                submitter,
            }),
            invocation: row.get(3)?,
        })
    }
}

/// Records that the replay begins. Queued, not waited for.
pub(super) async fn record_verifying(
    journal: &SqliteJournal,
    lease: &Lease,
) -> Result<(), SqliteError> {
    let (key, attempt, now) = (lease.key, lease.attempt, journal.now_ms());
    let recorded = journal
        .database
        .enqueue(move |transaction| {
            let changed = transaction
                .prepare_cached(
                    "UPDATE open_orders SET state = 'verifying' WHERE sequence = ?1 AND token = ?2",
                )?
                .execute(params![key.sequence, key.token])?;
            if changed == 1 {
                events::add(
                    transaction,
                    now,
                    key.sequence,
                    attempt,
                    EventKind::Verifying,
                    None,
                )?;
            }
            Ok(())
        })
        .await?;
    if journal.watches.is_watched(key.sequence) {
        let watches = Arc::clone(&journal.watches);
        tokio::spawn(async move {
            if recorded.await.is_ok() {
                watches.notify(key.sequence);
            }
        });
    }
    Ok(())
}

pub(super) async fn finish(
    journal: &SqliteJournal,
    lease: Lease,
    result: &OrderResult,
) -> Result<(), SqliteError> {
    let text: Arc<str> = serde_json::to_string(result)
        .map_err(|error| JournalError::damaged(result.order_id.as_str(), error))?
        .into();
    let recorded = Arc::clone(&text);
    let (key, status, attempt) = (lease.key, result.status, lease.attempt);
    let now = journal.now_ms();
    let has_ended = journal
        .database
        .write(move |transaction| {
            // The token makes sure that an attempt whose order was taken over changes nothing.
            let remains = transaction
                .prepare_cached(&format!(
                    "DELETE FROM open_orders WHERE sequence = ?1 AND token = ?2 RETURNING {}",
                    Remains::RETURNING
                ))?
                .query_row(params![key.sequence, key.token], Remains::read)
                .optional()?;
            let Some(remains) = remains else {
                return Ok(false);
            };
            let sequence = key.sequence;
            insert_result(
                transaction,
                now,
                sequence,
                attempt,
                status,
                &recorded,
                remains,
            )?;
            Ok(true)
        })
        .await?;
    // After an error the lease is dropped instead, and the order released.
    lease.settle();
    if !has_ended {
        return Err(JournalError::lease_lost(&result.order_id).into());
    }
    journal.ended(key.sequence, Some(text));
    Ok(())
}

pub(super) async fn retry(
    journal: &SqliteJournal,
    lease: Lease,
    retry: Retry,
) -> Result<(), SqliteError> {
    let (key, attempt, now) = (lease.key, lease.attempt, journal.now_ms());
    let due_ms = now.saturating_add(milliseconds(retry.pause));
    let changed = journal
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
    journal.watches.notify(key.sequence);
    if changed == 1 {
        Ok(())
    } else {
        Err(JournalError::lease_lost(&order_id).into())
    }
}

/// Open orders that `sql` selects: sequence, id, `queued_at_ms`, attempt.
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
                queued_at_ms: row.get(2)?,
                attempt: row.get(3)?,
            })
        })?
        .collect()
}

/// Ends an open order that has committed nothing; its result. `now` is the wall clock's time and
/// `steady` the steady clock's.
pub(super) fn end(
    transaction: &Transaction<'_>,
    now: i64,
    steady: i64,
    row: &OpenRow,
    ending: &Ending<'_>,
) -> rusqlite::Result<OrderResult> {
    let remains = transaction
        .prepare_cached(&format!(
            "DELETE FROM open_orders WHERE sequence = ?1 RETURNING {}",
            Remains::RETURNING
        ))?
        .query_row([row.sequence], Remains::read)?;
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
        execution_time_ms: u64::try_from(steady - row.queued_at_ms).unwrap_or(0),
        error_message: Some(ending.message.to_owned()),
        error_code: Some(ending.code.to_string()),
        output: None,
        command: None,
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
        remains,
    )?;
    Ok(result)
}

/// Everything that belongs to the end of an order, in one transaction: a reader that finds the
/// result also finds its event, its callback and that it needs a receipt.
fn insert_result(
    transaction: &Transaction<'_>,
    now: i64,
    sequence: i64,
    attempt: u32,
    status: OrderStatus,
    text: &str,
    remains: Remains,
) -> rusqlite::Result<()> {
    transaction
        .prepare_cached(
            "INSERT INTO results (sequence, finished_at_ms, status, invocation, result) VALUES (?1, ?2, ?3, ?4, ?5)",
        )?
        .execute(params![sequence, now, status.as_str(), remains.invocation, text])?;
    receipt_queue::insert(transaction, now, sequence)?;
    events::add(
        transaction,
        now,
        sequence,
        attempt,
        EventKind::Finished,
        Some(status.as_str()),
    )?;
    match remains.callback {
        Some(callback) => outbox::insert(transaction, now, sequence, &callback),
        None => Ok(()),
    }
}
