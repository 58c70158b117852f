//! Callbacks that are still to be delivered, and what became of the others.
//!
//! A row is made in the transaction that ends its order, so a result whose callback nobody knows of
//! cannot exist. Delivery is at least once: a process that dies between a delivery and its record
//! delivers again, under the same message id.

use jiff::Timestamp;
use rusqlite::{OptionalExtension, Row, Transaction, params};
use serde::Serialize;
use sre_core::OrderId;

use crate::{Journal, JournalError, Outgoing, verdicts};

/// Where a callback stands.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Delivery {
    /// Which order.
    pub order_id: String,
    /// The same for every delivery of this callback.
    pub message_id: String,
    /// Where to: scheme, host and port; the rest may be a secret.
    pub receiver: String,
    /// What became of it.
    pub state: DeliveryState,
    /// Deliveries begun since it was last asked for.
    pub attempts: u32,
    /// When it is tried next; null when it is not.
    pub next_attempt_at: Option<Timestamp>,
    /// Why the last delivery failed; null when none did.
    pub last_error: Option<String>,
}

/// What became of a callback.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum DeliveryState {
    /// It will be tried (again).
    Pending,
    /// The receiver has acknowledged it.
    Delivered,
    /// The receiver wants no more of them (410).
    Refused,
    /// It was tried as often as the schedule allows.
    GivenUp,
}

/// How a delivery ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DeliveryOutcome {
    /// Acknowledged.
    Delivered,
    /// The receiver wants no more.
    Refused(String),
    /// It failed and is tried again.
    Later {
        /// Milliseconds from now.
        pause_ms: u64,
        /// Why it failed.
        error: String,
    },
    /// It failed for the last time.
    GivenUp(String),
}

/// When a callback is due whose order still waits for verdicts: not before somebody decides.
pub(super) const NEVER_DUE: i64 = i64::MAX;

/// What an open order says of its callback.
pub(super) struct OpenCallback {
    url: Option<String>,
    trace: Option<String>,
    submitter: String,
}

impl OpenCallback {
    /// What `DELETE FROM open_orders` is to return for [`OpenCallback::read`].
    pub(super) const RETURNING: &str = "callback_url, CASE WHEN callback_url IS NOT NULL AND json_valid(work) THEN work ->> '$.trace' END, submitter";

    pub(super) fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            url: row.get(0)?,
            trace: row.get(1)?,
            submitter: row.get(2)?,
        })
    }
}

/// Adds the order's callback, if it has one: due at once, or held where the order waits for
/// verdicts.
pub(super) fn insert(
    transaction: &Transaction<'_>,
    now: i64,
    sequence: i64,
    callback: &OpenCallback,
) -> rusqlite::Result<()> {
    let Some(url) = &callback.url else {
        return Ok(());
    };
    let message_id = format!("msg_{}", uuid::Uuid::now_v7().simple());
    let host = url::Url::parse(url)
        .map(|url| receiver(&url))
        .unwrap_or_default();
    let due_ms = if verdicts::is_awaited(transaction, sequence)? {
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
        .execute(params![sequence, message_id, url, host, now, due_ms, callback.trace, callback.submitter])
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

impl Journal {
    /// Records how a delivery ended. Under an old token nothing is recorded.
    ///
    /// # Errors
    /// [`JournalError`]; the callback stays acquired by this process.
    pub async fn delivered(
        &self,
        outgoing: &Outgoing,
        outcome: DeliveryOutcome,
    ) -> Result<(), JournalError> {
        let (sequence, token, now) = (outgoing.sequence, outgoing.token, self.now_ms());
        self.database
            .write(move |transaction| {
                let (state, due_ms, error) = match &outcome {
                    DeliveryOutcome::Delivered => ("delivered", now, None),
                    DeliveryOutcome::Refused(error) => ("refused", now, Some(error)),
                    DeliveryOutcome::GivenUp(error) => ("given_up", now, Some(error)),
                    DeliveryOutcome::Later { pause_ms, error } => {
                        let pause = i64::try_from(*pause_ms).unwrap_or(i64::MAX);
                        ("pending", now.saturating_add(pause), Some(error))
                    }
                };
                transaction
                    .prepare_cached(
                        "UPDATE outbox SET state = ?3, holder = NULL, set_at_ms = ?4, due_ms = ?5, error = ?6
                         WHERE sequence = ?1 AND token = ?2",
                    )?
                    .execute(params![sequence, token, state, now, due_ms, error])
            })
            .await?;
        Ok(())
    }

    /// Where the callback of an order stands; `None` if it has none (yet).
    ///
    /// # Errors
    /// [`JournalError`].
    pub fn delivery(&self, order_id: &OrderId) -> Result<Option<Delivery>, JournalError> {
        let reader = self.database.reader()?;
        let mut statement = reader.prepare_cached(
            "SELECT order_id, message_id, host, state, attempt, due_ms, error
             FROM outbox JOIN orders USING (sequence) WHERE order_id = ?1",
        )?;
        Ok(statement
            .query_row([order_id.as_str()], delivery)
            .optional()?)
    }

    /// Makes a callback due at once, whatever became of it, with the whole schedule before it;
    /// `None` if there is none.
    ///
    /// # Errors
    /// [`JournalError`]; nothing has changed.
    pub async fn redeliver(&self, order_id: &OrderId) -> Result<Option<Delivery>, JournalError> {
        let (id, now) = (order_id.as_str().to_owned(), self.now_ms());
        self.database
            .write(move |transaction| {
                transaction
                    .prepare_cached(
                        "UPDATE outbox SET state = 'pending', attempt = 0, holder = NULL, token = token + 1,
                             set_at_ms = ?2, due_ms = ?2
                         WHERE sequence = (SELECT sequence FROM orders WHERE order_id = ?1)",
                    )?
                    .execute(params![id, now])
            })
            .await?;
        self.delivery(order_id)
    }

    /// Callbacks that are still to be delivered.
    ///
    /// # Errors
    /// [`JournalError`].
    pub fn pending_callbacks(&self) -> Result<i64, JournalError> {
        let reader = self.database.reader()?;
        let mut statement =
            reader.prepare_cached("SELECT count(*) FROM outbox WHERE state = 'pending'")?;
        Ok(statement.query_row([], |row| row.get(0))?)
    }
}

fn delivery(row: &Row<'_>) -> rusqlite::Result<Delivery> {
    let state: String = row.get(3)?;
    let state = match state.as_str() {
        "delivered" => DeliveryState::Delivered,
        "refused" => DeliveryState::Refused,
        "given_up" => DeliveryState::GivenUp,
        _ => DeliveryState::Pending,
    };
    let due = Timestamp::from_millisecond(row.get(5)?).ok();
    Ok(Delivery {
        order_id: row.get(0)?,
        message_id: row.get(1)?,
        receiver: row.get(2)?,
        state,
        attempts: row.get(4)?,
        next_attempt_at: due.filter(|_| state == DeliveryState::Pending),
        last_error: row.get(6)?,
    })
}
