//! [`Outbox`] over SQLite: inserting callbacks, recording and reading deliveries.

use async_trait::async_trait;
use jiff::Timestamp;
use rusqlite::{OptionalExtension, Row, Transaction, params};
use sre_core::OrderId;

use super::error::SqliteError;
use super::journal::SqliteJournal;
use super::schema::NEVER_DUE;
use super::{deliveries, verdict_ledger};
use crate::error::JournalError;
use crate::outbox::{Delivery, DeliveryOutcome, DeliveryState, Outbox, Outgoing};
use crate::slots::DeliverySlots;

/// Where the result of an order goes.
pub(super) struct Callback {
    pub(super) url: String,
    pub(super) trace: Option<String>,
    pub(super) submitter: String,
}

#[async_trait]
impl Outbox for SqliteJournal {
    async fn acquire_callbacks(&self, slots: DeliverySlots) -> Result<Vec<Outgoing>, JournalError> {
        Ok(deliveries::acquire_callbacks(self, slots).await?)
    }

    async fn acquire_callback(&self, sequence: i64) -> Result<Option<Outgoing>, JournalError> {
        Ok(deliveries::acquire_callback(self, sequence).await?)
    }

    async fn delivered(
        &self,
        outgoing: &Outgoing,
        outcome: DeliveryOutcome,
    ) -> Result<(), JournalError> {
        Ok(delivered(self, outgoing, outcome).await?)
    }

    async fn delivery(&self, order_id: &OrderId) -> Result<Option<Delivery>, JournalError> {
        Ok(delivery(self, order_id)?)
    }

    async fn redeliver(&self, order_id: &OrderId) -> Result<Option<Delivery>, JournalError> {
        Ok(redeliver(self, order_id).await?)
    }

    async fn pending_callbacks(&self) -> Result<i64, JournalError> {
        Ok(pending_callbacks(self)?)
    }
}

/// Adds the callback of an order that has just ended: due at once, or held where the order waits
/// for verdicts.
pub(super) fn insert(
    transaction: &Transaction<'_>,
    now: i64,
    sequence: i64,
    callback: &Callback,
) -> rusqlite::Result<()> {
    let message_id = format!("msg_{}", uuid::Uuid::now_v7().simple());
    let host = url::Url::parse(&callback.url)
        .map(|url| receiver(&url))
        .unwrap_or_default();
    let due_ms = if verdict_ledger::is_awaited(transaction, sequence)? {
        NEVER_DUE
    } else {
        now
    };
    transaction
        .prepare_cached(
            "INSERT INTO outbox
                 (sequence, message_id, url, host, state, attempt, token, holder, set_at_ms, due_ms, error, trace, submitter)
             VALUES (?1, ?2, ?3, ?4, 'pending', 0, 0, NULL, ?5, ?6, NULL, ?7, ?8)",
        )?
        .execute(params![
            sequence,
            message_id,
            callback.url,
            host,
            now,
            due_ms,
            callback.trace,
            callback.submitter
        ])
        .map(drop)
}

/// Scheme, host and port.
fn receiver(url: &url::Url) -> String {
    let port = url
        .port()
        .map(|port| format!(":{port}"))
        .unwrap_or_default();
    format!(
        "{}://{}{port}",
        url.scheme(),
        url.host_str().unwrap_or_default()
    )
}

async fn delivered(
    journal: &SqliteJournal,
    outgoing: &Outgoing,
    outcome: DeliveryOutcome,
) -> Result<(), SqliteError> {
    let (sequence, token, now) = (outgoing.sequence, outgoing.token, journal.now_ms());
    journal
        .database
        .write(move |transaction| {
            let (state, due_ms, error) = match &outcome {
                DeliveryOutcome::Delivered => (DeliveryState::Delivered, now, None),
                DeliveryOutcome::Refused(error) => (DeliveryState::Refused, now, Some(error)),
                DeliveryOutcome::GivenUp(error) => (DeliveryState::GivenUp, now, Some(error)),
                DeliveryOutcome::Later { pause_ms, error } => {
                    let pause = i64::try_from(*pause_ms).unwrap_or(i64::MAX);
                    let due_ms = now.saturating_add(pause);
                    (DeliveryState::Pending, due_ms, Some(error))
                }
            };
            transaction
                .prepare_cached(
                    "UPDATE outbox SET state = ?3, holder = NULL, set_at_ms = ?4, due_ms = ?5, error = ?6
                     WHERE sequence = ?1 AND token = ?2",
                )?
                .execute(params![sequence, token, state.as_str(), now, due_ms, error])
        })
        .await?;
    Ok(())
}

fn delivery(journal: &SqliteJournal, order_id: &OrderId) -> Result<Option<Delivery>, SqliteError> {
    let reader = journal.database.reader()?;
    let mut statement = reader.prepare_cached(
        "SELECT order_id, message_id, host, state, attempt, due_ms, error
         FROM outbox JOIN orders USING (sequence) WHERE order_id = ?1",
    )?;
    Ok(statement
        .query_row([order_id.as_str()], read_delivery)
        .optional()?)
}

async fn redeliver(
    journal: &SqliteJournal,
    order_id: &OrderId,
) -> Result<Option<Delivery>, SqliteError> {
    let (id, now) = (order_id.as_str().to_owned(), journal.now_ms());
    journal
        .database
        .write(move |transaction| {
            // A new token: a delivery under way must not record its outcome over this.
            transaction
                .prepare_cached(
                    "UPDATE outbox SET state = 'pending', attempt = 0, holder = NULL, token = token + 1,
                         set_at_ms = ?2, due_ms = ?2
                     WHERE sequence = (SELECT sequence FROM orders WHERE order_id = ?1)",
                )?
                .execute(params![id, now])
        })
        .await?;
    delivery(journal, order_id)
}

fn pending_callbacks(journal: &SqliteJournal) -> Result<i64, SqliteError> {
    let reader = journal.database.reader()?;
    let mut statement =
        reader.prepare_cached("SELECT count(*) FROM outbox WHERE state = 'pending'")?;
    Ok(statement.query_row([], |row| row.get(0))?)
}

fn read_delivery(row: &Row<'_>) -> rusqlite::Result<Delivery> {
    let state: String = row.get(3)?;
    let state = DeliveryState::parse(&state).unwrap_or(DeliveryState::Pending);
    let due = Timestamp::from_millisecond(row.get(5)?).ok();
    Ok(Delivery {
        order_id: row.get(0)?,
        message_id: row.get(1)?,
        receiver: row.get(2)?,
        state,
        attempts: row.get(4)?,
        // Never due is later than any time there is.
        next_attempt_at: due.filter(|_| state == DeliveryState::Pending),
        last_error: row.get(6)?,
    })
}
