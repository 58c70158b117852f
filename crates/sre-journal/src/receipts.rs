//! Which orders still need a receipt.
//!
//! A row is made in the transaction that ends its order and removed when the receipt is durable in
//! the log, so an order that has ended and has no receipt is always found again. Whoever dies in
//! between issues it twice, and of two the log keeps the first.

use std::time::Duration;

use jiff::Timestamp;
use rusqlite::{OptionalExtension, Row, Transaction, params};
use sre_core::{OrderId, OrderResult};

use crate::{Journal, JournalError, entry};

/// An order that has ended and needs a receipt.
#[derive(Debug, Clone)]
pub struct DueReceipt {
    /// Its place in the journal.
    pub sequence: i64,
    /// Which order.
    pub order_id: String,
    /// Attempts to issue it that failed.
    pub attempt: u32,
    /// When the order ended.
    pub finished_at: Timestamp,
    /// The [`OrderResult`] as JSON.
    result: String,
}

/// Orders that need a receipt now, in the order of their acceptance.
#[derive(Debug)]
pub struct DueReceipts {
    /// As many as were asked for.
    pub orders: Vec<DueReceipt>,
    /// There may be more of them.
    pub has_more: bool,
}

/// How long a log is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogSize {
    /// Its name.
    pub origin: String,
    /// Entries that were numbered and are durable there.
    pub entries: u64,
}

/// How many orders need a receipt.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ReceiptsDue {
    /// All of them.
    pub waiting: u64,
    /// Those whose receipt could not be issued so far.
    pub failing: u64,
}

impl DueReceipt {
    /// How the order ended.
    ///
    /// # Errors
    /// [`JournalError::Damaged`].
    pub fn result(&self) -> Result<OrderResult, JournalError> {
        entry::parse_result(&self.order_id, &self.result)
    }
}

const COLUMNS: &str =
    "SELECT results.sequence, order_id, coalesce(attempt, 0), finished_at_ms, result FROM ";

/// The order needs a receipt.
pub(super) fn insert(
    transaction: &Transaction<'_>,
    now: i64,
    sequence: i64,
) -> rusqlite::Result<()> {
    transaction
        .prepare_cached("INSERT INTO receipts_due VALUES (?1, 0, ?2, ?2, NULL)")?
        .execute(params![sequence, now])
        .map(drop)
}

fn note(transaction: &Transaction<'_>, log: &LogSize) -> rusqlite::Result<()> {
    transaction
        .prepare_cached(
            "INSERT INTO log_seen VALUES (?1, ?2)
             ON CONFLICT DO UPDATE SET entries = excluded.entries WHERE excluded.entries > entries",
        )?
        .execute(params![
            log.origin,
            i64::try_from(log.entries).unwrap_or(i64::MAX)
        ])
        .map(drop)
}

fn due(row: &Row<'_>) -> rusqlite::Result<DueReceipt> {
    Ok(DueReceipt {
        sequence: row.get(0)?,
        order_id: row.get(1)?,
        attempt: row.get(2)?,
        finished_at: Timestamp::from_millisecond(row.get(3)?).unwrap_or(Timestamp::UNIX_EPOCH),
        result: row.get(4)?,
    })
}

impl Journal {
    /// Orders that need a receipt now: at most `limit_orders`, and none after the one whose result
    /// makes it `limit_bytes`.
    ///
    /// # Errors
    /// [`JournalError`].
    pub fn due_receipts(
        &self,
        limit_orders: usize,
        limit_bytes: usize,
    ) -> Result<DueReceipts, JournalError> {
        let reader = self.database.reader()?;
        // What was set in the future of now is due: the clock has jumped. CROSS JOIN keeps SQLite
        // from going through all results, of which there are many, to find the few that are due.
        let mut statement = reader.prepare_cached(&format!(
            "{COLUMNS} receipts_due CROSS JOIN results USING (sequence) CROSS JOIN orders USING (sequence)
             WHERE due_ms <= ?1 OR set_at_ms > ?1 ORDER BY receipts_due.sequence LIMIT ?2"
        ))?;
        let (mut orders, mut bytes) = (Vec::new(), 0);
        for row in statement.query_map(
            params![
                self.now_ms(),
                i64::try_from(limit_orders).unwrap_or(i64::MAX)
            ],
            due,
        )? {
            let order = row?;
            bytes += order.result.len();
            orders.push(order);
            if bytes >= limit_bytes {
                return Ok(DueReceipts {
                    orders,
                    has_more: true,
                });
            }
        }
        let has_more = orders.len() == limit_orders;
        Ok(DueReceipts { orders, has_more })
    }

    /// The same of one order, whether or not it has a receipt; `None` while it is open or unknown.
    ///
    /// # Errors
    /// [`JournalError`].
    pub fn due_receipt(&self, order_id: &OrderId) -> Result<Option<DueReceipt>, JournalError> {
        let reader = self.database.reader()?;
        let mut statement = reader.prepare_cached(&format!(
            "{COLUMNS} orders CROSS JOIN results USING (sequence) LEFT JOIN receipts_due USING (sequence)
             WHERE order_id = ?1"
        ))?;
        Ok(statement.query_row([order_id.as_str()], due).optional()?)
    }

    /// Records that these orders have a receipt, durable and numbered in the log, which has this
    /// length by now.
    ///
    /// # Errors
    /// [`JournalError::Write`]; they stay due, and the same receipts are found.
    pub async fn receipts_issued(
        &self,
        sequences: Vec<i64>,
        log: LogSize,
    ) -> Result<(), JournalError> {
        self.database
            .write(move |transaction| {
                let mut issued = 0_usize;
                for sequence in &sequences {
                    issued += transaction
                        .prepare_cached("DELETE FROM receipts_due WHERE sequence = ?1")?
                        .execute([sequence])?;
                }
                transaction
                    .prepare_cached("UPDATE coverage SET receipts = receipts + ?1")?
                    .execute([i64::try_from(issued).unwrap_or(i64::MAX)])?;
                note(transaction, &log)
            })
            .await?;
        Ok(())
    }

    /// Records how long the log is; what was recorded of a longer one stays.
    ///
    /// # Errors
    /// [`JournalError::Write`].
    pub async fn record_log_size(&self, log: LogSize) -> Result<(), JournalError> {
        self.database
            .write(move |transaction| note(transaction, &log))
            .await?;
        Ok(())
    }

    /// The entries that the log of this name has had at least. Where none was ever noted, of
    /// whatever name, it is what an earlier version counted that tells whether there was one.
    ///
    /// # Errors
    /// [`JournalError`].
    pub fn log_high_water_mark(&self, origin: &str) -> Result<u64, JournalError> {
        let reader = self.database.reader()?;
        let mut statement = reader.prepare_cached(
            "SELECT coalesce((SELECT entries FROM log_seen WHERE origin = ?1),
                             iif(EXISTS (SELECT 1 FROM log_seen), 0, (SELECT min(receipts, 1) FROM coverage)))",
        )?;
        Ok(statement
            .query_row([origin], |row| row.get::<_, i64>(0))?
            .unsigned_abs())
    }

    /// Records why an order's receipt could not be issued; it is tried again after `pause`.
    ///
    /// # Errors
    /// [`JournalError::Write`]; it stays due.
    pub async fn receipt_failed(
        &self,
        sequence: i64,
        pause: Duration,
        error: String,
    ) -> Result<(), JournalError> {
        let now = self.now_ms();
        let due_ms = now.saturating_add(i64::try_from(pause.as_millis()).unwrap_or(i64::MAX));
        self.database
            .write(move |transaction| {
                transaction
                    .prepare_cached(
                        "UPDATE receipts_due SET attempt = attempt + 1, set_at_ms = ?2, due_ms = ?3, error = ?4
                         WHERE sequence = ?1",
                    )?
                    .execute(params![sequence, now, due_ms, error])
            })
            .await?;
        Ok(())
    }

    /// How many orders need a receipt.
    ///
    /// # Errors
    /// [`JournalError`].
    pub fn count_receipts_due(&self) -> Result<ReceiptsDue, JournalError> {
        let reader = self.database.reader()?;
        let mut statement =
            reader.prepare_cached("SELECT count(*), count(error) FROM receipts_due")?;
        Ok(statement.query_row([], |row| {
            Ok(ReceiptsDue {
                waiting: row.get::<_, i64>(0)?.unsigned_abs(),
                failing: row.get::<_, i64>(1)?.unsigned_abs(),
            })
        })?)
    }

    /// Ends when this process has ended an order since the last call.
    pub async fn receipt_wanted(&self) {
        self.receipts_due.notified().await;
    }
}
