//! What must survive: which orders were accepted and how they ended.
//!
//! One SQLite file with one writer thread and group commit (see [`sre_da::group_commit`]). Every answer waits for its
//! fsync. An order is open, whatever became of the process that accepted it, until it has a row in `results`; that row is
//! only ever inserted, so a result never changes. Both tables grow at their end, which keeps the cost of an order the same
//! however many there were before.

use std::path::Path;

use jiff::Timestamp;
use rusqlite::{OptionalExtension, Row, Transaction, params};
use sre_core::{Digest, OrderId, OrderResult};
use sre_da::group_commit::{GroupCommit, GroupCommitOptions, OpenError, WriteError};

/// "srej", big-endian.
const APPLICATION_ID: i32 = 0x7372_656A;

/// Schema version `n` becomes `n + 1`; entries are only ever appended.
const MIGRATIONS: &[&str] = &["
    CREATE TABLE orders (
        sequence INTEGER PRIMARY KEY,
        order_id TEXT NOT NULL UNIQUE,
        request BLOB NOT NULL,
        accepted_at_ms INTEGER NOT NULL
    ) STRICT;
    CREATE TABLE results (
        sequence INTEGER PRIMARY KEY REFERENCES orders,
        finished_at_ms INTEGER NOT NULL,
        status TEXT NOT NULL,
        result TEXT NOT NULL
    ) STRICT;
"];

/// The journal of one data folder.
pub struct Journal {
    database: GroupCommit,
}

/// Answer to [`Journal::accept`].
#[derive(Debug)]
pub enum Accepted {
    /// The order is new.
    New,
    /// The same order was accepted before and has not ended: it may be executed (again).
    Open,
    /// The same order was accepted before and has ended.
    Finished(Box<OrderResult>),
    /// Another order was accepted under this id.
    Conflict,
}

/// An order as the journal knows it.
#[derive(Debug, Clone)]
pub struct JournalEntry {
    /// Which order.
    pub order_id: OrderId,
    /// When it was accepted.
    pub accepted_at: Timestamp,
    /// How it ended; `None` while it is open.
    pub result: Option<OrderResult>,
}

/// Why the journal could not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// The file cannot be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// A change was not kept.
    #[error(transparent)]
    Write(#[from] WriteError),
    /// A row cannot be read.
    #[error("the journal cannot be read: {0}")]
    Read(#[from] rusqlite::Error),
    /// A stored result is not readable.
    #[error("the journal's entry for order {order_id} is damaged: {message}")]
    Damaged {
        /// Which order.
        order_id: String,
        /// What is wrong with it.
        message: String,
    },
    /// A result was to be recorded for an order that is not open.
    #[error("order {0} is not open: it was never accepted or has already ended")]
    NotOpen(OrderId),
}

impl Journal {
    /// Opens the journal at `path`, making it if need be; its folder must exist. Blocks for a few fsyncs.
    ///
    /// # Errors
    /// [`JournalError::Open`].
    pub fn open(path: &Path) -> Result<Self, JournalError> {
        let database = GroupCommit::open(path, MIGRATIONS, GroupCommitOptions::new(APPLICATION_ID))?;
        Ok(Self { database })
    }

    /// Records an order, unless it is known. When this returns [`Accepted::New`], the order survives.
    ///
    /// # Errors
    /// [`JournalError`]; the order was not accepted.
    pub async fn accept(&self, order_id: &OrderId, request: Digest) -> Result<Accepted, JournalError> {
        let id = order_id.clone();
        let known = self.database.write(move |transaction| insert(transaction, &id, request)).await?;
        match known {
            None => Ok(Accepted::New),
            Some((stored, _)) if stored != *request.as_bytes() => Ok(Accepted::Conflict),
            Some((_, None)) => Ok(Accepted::Open),
            Some((_, Some(result))) => Ok(Accepted::Finished(Box::new(parse_result(order_id.as_str(), &result)?))),
        }
    }

    /// Records how an order ended. When this returns, the result survives.
    ///
    /// # Errors
    /// [`JournalError::NotOpen`] when the order has a result already, which is kept; otherwise what the storage said.
    pub async fn finish(&self, result: &OrderResult) -> Result<(), JournalError> {
        let text = serde_json::to_string(result).map_err(|error| damaged(result.order_id.as_str(), &error))?;
        let (id, status) = (result.order_id.clone(), result.status);
        let changed = self
            .database
            .write(move |transaction| {
                transaction
                    .prepare_cached(
                        "INSERT OR IGNORE INTO results
                         SELECT sequence, ?2, ?3, ?4 FROM orders WHERE order_id = ?1",
                    )?
                    .execute(params![id.as_str(), now_ms(), status.as_str(), text])
            })
            .await?;
        if changed == 1 { Ok(()) } else { Err(JournalError::NotOpen(result.order_id.clone())) }
    }

    /// What is known of an order; `None` if it was never accepted.
    ///
    /// # Errors
    /// [`JournalError`].
    pub fn get(&self, order_id: &OrderId) -> Result<Option<JournalEntry>, JournalError> {
        let reader = self.database.reader()?;
        let row = reader
            .prepare_cached(
                "SELECT order_id, accepted_at_ms, result FROM orders LEFT JOIN results USING (sequence)
                 WHERE order_id = ?1",
            )?
            .query_row([order_id.as_str()], read_row)
            .optional()?;
        row.map(entry).transpose()
    }
}

type StoredRow = (String, i64, Option<String>);

fn read_row(row: &Row<'_>) -> rusqlite::Result<StoredRow> {
    Ok((row.get(0)?, row.get(1)?, row.get(2)?))
}

fn entry((order_id, accepted_at_ms, result): StoredRow) -> Result<JournalEntry, JournalError> {
    Ok(JournalEntry {
        accepted_at: Timestamp::from_millisecond(accepted_at_ms).map_err(|error| damaged(&order_id, &error))?,
        result: result.map(|text| parse_result(&order_id, &text)).transpose()?,
        order_id: order_id.parse().map_err(|error| damaged(&order_id, &error))?,
    })
}

/// Inserts the order, or returns the request and result that stand under its id.
fn insert(
    transaction: &Transaction<'_>,
    order_id: &OrderId,
    request: Digest,
) -> rusqlite::Result<Option<([u8; 32], Option<String>)>> {
    let inserted = transaction
        .prepare_cached("INSERT OR IGNORE INTO orders (order_id, request, accepted_at_ms) VALUES (?1, ?2, ?3)")?
        .execute(params![order_id.as_str(), request.as_bytes(), now_ms()])?;
    if inserted == 1 {
        return Ok(None);
    }
    transaction
        .prepare_cached("SELECT request, result FROM orders LEFT JOIN results USING (sequence) WHERE order_id = ?1")?
        .query_row([order_id.as_str()], |row| Ok(Some((row.get(0)?, row.get(1)?))))
}

fn parse_result(order_id: &str, text: &str) -> Result<OrderResult, JournalError> {
    serde_json::from_str(text).map_err(|error| damaged(order_id, &error))
}

fn damaged(order_id: &str, error: &dyn std::fmt::Display) -> JournalError {
    JournalError::Damaged { order_id: order_id.to_owned(), message: error.to_string() }
}

fn now_ms() -> i64 {
    Timestamp::now().as_millisecond()
}
