//! Callbacks that are still to be delivered, and what became of the others.
//!
//! A row is made in the transaction that ends its order, so a result whose callback nobody knows of cannot exist. Delivery is
//! at least once: a process that dies between a delivery and its record delivers again, under the same message id.

use jiff::Timestamp;
use rusqlite::{OptionalExtension, Row, Transaction, params};
use serde::Serialize;
use sre_core::OrderId;

use super::{Journal, JournalError, verdicts};
use crate::TraceParent;

/// A callback to be delivered now.
#[derive(Debug, Clone)]
pub struct Outgoing {
    /// The order's place in the journal.
    pub sequence: i64,
    token: i64,
    /// The same for every delivery of this callback.
    pub message_id: String,
    /// Which order.
    pub order_id: String,
    /// Who submitted it.
    pub submitter: String,
    /// Where to.
    pub url: String,
    /// Host and port of the URL.
    pub host: String,
    /// Deliveries begun, this one included.
    pub attempt: u32,
    /// The OrderResult as JSON.
    pub body: String,
    /// The submitter's trace, if there is one.
    pub trace: Option<TraceParent>,
}

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
pub enum Outcome {
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
pub(super) const HELD_MS: i64 = i64::MAX;

const COLUMNS: &str = "sequence, token, message_id, url, host, attempt, trace";

/// What an open order says of its callback.
pub(super) struct OpenCallback {
    url: Option<String>,
    trace: Option<String>,
}

impl OpenCallback {
    /// What `DELETE FROM open_orders` is to return for [`OpenCallback::read`].
    pub(super) const RETURNING: &str =
        "callback_url, CASE WHEN callback_url IS NOT NULL AND json_valid(work) THEN work ->> '$.trace' END";

    pub(super) fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self { url: row.get(0)?, trace: row.get(1)? })
    }
}

/// Adds the order's callback, if it has one: due at once, or held where the order waits for verdicts.
pub(super) fn insert(
    transaction: &Transaction<'_>,
    now: i64,
    sequence: i64,
    callback: &OpenCallback,
) -> rusqlite::Result<()> {
    let Some(url) = &callback.url else { return Ok(()) };
    let message_id = format!("msg_{}", uuid::Uuid::now_v7().simple());
    let host = url::Url::parse(url).map(|url| receiver(&url)).unwrap_or_default();
    let due_ms = if verdicts::is_awaited(transaction, sequence)? { HELD_MS } else { now };
    transaction
        .prepare_cached(
            "INSERT INTO outbox
                 (sequence, message_id, url, host, state, attempt, token, holder, set_at_ms, due_ms, error, trace)
             VALUES (?1, ?2, ?3, ?4, 'pending', 0, 0, NULL, ?5, ?6, NULL, ?7)",
        )?
        .execute(params![sequence, message_id, url, host, now, due_ms, callback.trace])
        .map(drop)
}

/// Scheme, host and port.
fn receiver(url: &url::Url) -> String {
    let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
    format!("{}://{}{port}", url.scheme(), url.host_str().unwrap_or_default())
}

impl Journal {
    /// Claims up to `limit` callbacks that are due, leaving out the `busy` hosts (a JSON array).
    ///
    /// # Errors
    /// [`JournalError`]; nothing was claimed.
    pub async fn claim_callbacks(&self, limit: usize, busy: &[String]) -> Result<Vec<Outgoing>, JournalError> {
        let due = format!(
            "SELECT {COLUMNS} FROM outbox WHERE state = 'pending' AND holder IS NULL AND due_ms <= ?1
             AND host NOT IN (SELECT value FROM json_each(?2)) ORDER BY due_ms LIMIT ?3"
        );
        let busy = serde_json::to_string(busy).unwrap_or_else(|_| String::from("[]"));
        let (now, limit) = (self.now_ms(), i64::try_from(limit).unwrap_or(i64::MAX));
        if !self.database.reader()?.prepare_cached(&due)?.exists(params![now, busy, limit])? {
            return Ok(Vec::new());
        }
        let holder = self.holder.name().to_owned();
        let claimed = self.database.write(move |transaction| {
            let rows: Vec<Outgoing> = transaction
                .prepare_cached(&due)?
                .query_map(params![now, busy, limit], outgoing)?
                .collect::<rusqlite::Result<_>>()?;
            rows.into_iter().map(|row| take(transaction, row, &holder)).collect()
        });
        Ok(claimed.await?)
    }

    /// Claims the callback of one order, if it is pending and nobody delivers it, due or not.
    ///
    /// # Errors
    /// [`JournalError`]; nothing was claimed.
    pub async fn claim_callback(&self, sequence: i64) -> Result<Option<Outgoing>, JournalError> {
        let one = format!(
            "SELECT {COLUMNS} FROM outbox WHERE sequence = ?1 AND state = 'pending' AND holder IS NULL AND due_ms <> {HELD_MS}"
        );
        if !self.database.reader()?.prepare_cached(&one)?.exists([sequence])? {
            return Ok(None);
        }
        let holder = self.holder.name().to_owned();
        let claimed = self.database.write(move |transaction| {
            let row = transaction.prepare_cached(&one)?.query_row([sequence], outgoing).optional()?;
            row.map(|row| take(transaction, row, &holder)).transpose()
        });
        Ok(claimed.await?)
    }

    /// Records how a delivery ended. Under an old claim nothing is recorded.
    ///
    /// # Errors
    /// [`JournalError`]; the callback stays claimed by this process.
    pub async fn delivered(&self, outgoing: &Outgoing, outcome: Outcome) -> Result<(), JournalError> {
        let (sequence, token, now) = (outgoing.sequence, outgoing.token, self.now_ms());
        self.database
            .write(move |transaction| {
                let (state, due_ms, error) = match &outcome {
                    Outcome::Delivered => ("delivered", now, None),
                    Outcome::Refused(error) => ("refused", now, Some(error)),
                    Outcome::GivenUp(error) => ("given_up", now, Some(error)),
                    Outcome::Later { pause_ms, error } => {
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
        Ok(statement.query_row([order_id.as_str()], delivery).optional()?)
    }

    /// Makes a callback due at once, whatever became of it, with the whole schedule before it; `None` if there is none.
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
        let mut statement = reader.prepare_cached("SELECT count(*) FROM outbox WHERE state = 'pending'")?;
        Ok(statement.query_row([], |row| row.get(0))?)
    }
}

fn outgoing(row: &Row<'_>) -> rusqlite::Result<Outgoing> {
    Ok(Outgoing {
        sequence: row.get(0)?,
        token: row.get(1)?,
        message_id: row.get(2)?,
        order_id: String::new(),
        submitter: String::new(),
        url: row.get(3)?,
        host: row.get(4)?,
        attempt: row.get(5)?,
        body: String::new(),
        // Written by this program; one that cannot be read is left out.
        trace: row.get::<_, Option<String>>(6)?.and_then(|trace| trace.parse().ok()),
    })
}

fn take(transaction: &Transaction<'_>, mut row: Outgoing, holder: &str) -> rusqlite::Result<Outgoing> {
    transaction
        .prepare_cached("UPDATE outbox SET holder = ?2, attempt = attempt + 1, token = token + 1 WHERE sequence = ?1")?
        .execute(params![row.sequence, holder])?;
    (row.order_id, row.submitter, row.body) = transaction
        .prepare_cached(
            "SELECT order_id, submitter, result FROM orders JOIN results USING (sequence) WHERE sequence = ?1",
        )?
        .query_row([row.sequence], |found| Ok((found.get(0)?, found.get(1)?, found.get(2)?)))?;
    if let Some(finality) = verdicts::finality(transaction, row.sequence)? {
        row.body = finality.beside(&row.body);
    }
    row.token += 1;
    row.attempt += 1;
    Ok(row)
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
