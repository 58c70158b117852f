//! [`ReceiptQueue`] over SQLite.

use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use rusqlite::{OptionalExtension, Row, Transaction, params};
use sre_core::OrderId;

use super::error::SqliteError;
use super::journal::SqliteJournal;
use crate::clock::milliseconds;
use crate::error::JournalError;
use crate::receipt_queue::{DueReceipt, DueReceipts, LogSize, ReceiptQueue, ReceiptsDue};

const COLUMNS: &str =
    "SELECT results.sequence, order_id, coalesce(attempt, 0), finished_at_ms, result FROM ";

#[async_trait]
impl ReceiptQueue for SqliteJournal {
    async fn due_receipts(
        &self,
        limit_orders: usize,
        limit_bytes: usize,
    ) -> Result<DueReceipts, JournalError> {
        Ok(due_receipts(self, limit_orders, limit_bytes)?)
    }

    async fn due_receipt(&self, order_id: &OrderId) -> Result<Option<DueReceipt>, JournalError> {
        Ok(due_receipt(self, order_id)?)
    }

    async fn receipts_issued(&self, sequences: Vec<i64>, log: LogSize) -> Result<(), JournalError> {
        Ok(receipts_issued(self, sequences, log).await?)
    }

    async fn receipt_failed(
        &self,
        sequence: i64,
        pause: Duration,
        error: String,
    ) -> Result<(), JournalError> {
        Ok(receipt_failed(self, sequence, pause, error).await?)
    }

    async fn count_receipts_due(&self) -> Result<ReceiptsDue, JournalError> {
        Ok(count_receipts_due(self)?)
    }

    async fn receipt_wanted(&self) {
        self.receipts_due.notified().await;
    }

    async fn record_log_size(&self, log: LogSize) -> Result<(), JournalError> {
        let recorded = self
            .database
            .write(move |transaction| record_size(transaction, &log));
        Ok(recorded.await.map_err(SqliteError::from)?)
    }

    async fn log_high_water_mark(&self, origin: &str) -> Result<u64, JournalError> {
        Ok(log_high_water_mark(self, origin)?)
    }
}

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

fn due_receipts(
    journal: &SqliteJournal,
    limit_orders: usize,
    limit_bytes: usize,
) -> Result<DueReceipts, SqliteError> {
    let reader = journal.database.reader()?;
    // What was set in the future of now is due: the clock was set back. CROSS JOIN keeps SQLite
    // from going through all results, of which there are many, to find the few that are due.
    let mut statement = reader.prepare_cached(&format!(
        "{COLUMNS} receipts_due CROSS JOIN results USING (sequence) CROSS JOIN orders USING (sequence)
         WHERE due_ms <= ?1 OR set_at_ms > ?1 ORDER BY receipts_due.sequence LIMIT ?2"
    ))?;
    let limit = i64::try_from(limit_orders).unwrap_or(i64::MAX);
    let (mut orders, mut bytes) = (Vec::new(), 0);
    for row in statement.query_map(params![journal.now_ms(), limit], due)? {
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

fn due_receipt(
    journal: &SqliteJournal,
    order_id: &OrderId,
) -> Result<Option<DueReceipt>, SqliteError> {
    let reader = journal.database.reader()?;
    let mut statement = reader.prepare_cached(&format!(
        "{COLUMNS} orders CROSS JOIN results USING (sequence) LEFT JOIN receipts_due USING (sequence)
         WHERE order_id = ?1"
    ))?;
    Ok(statement.query_row([order_id.as_str()], due).optional()?)
}

async fn receipts_issued(
    journal: &SqliteJournal,
    sequences: Vec<i64>,
    log: LogSize,
) -> Result<(), SqliteError> {
    let recorded = journal.database.write(move |transaction| {
        // Counted by rows that go, so that the same call again counts nothing twice.
        let mut issued = 0_usize;
        for sequence in &sequences {
            issued += transaction
                .prepare_cached("DELETE FROM receipts_due WHERE sequence = ?1")?
                .execute([sequence])?;
        }
        transaction
            .prepare_cached("UPDATE coverage SET receipts = receipts + ?1")?
            .execute([i64::try_from(issued).unwrap_or(i64::MAX)])?;
        // In the same transaction: a journal that has issued receipts knows of their log.
        record_size(transaction, &log)
    });
    Ok(recorded.await?)
}

async fn receipt_failed(
    journal: &SqliteJournal,
    sequence: i64,
    pause: Duration,
    error: String,
) -> Result<(), SqliteError> {
    let now = journal.now_ms();
    let due_ms = now.saturating_add(milliseconds(pause));
    let recorded = journal.database.write(move |transaction| {
        transaction
            .prepare_cached(
                "UPDATE receipts_due SET attempt = attempt + 1, set_at_ms = ?2, due_ms = ?3, error = ?4
                 WHERE sequence = ?1",
            )?
            .execute(params![sequence, now, due_ms, error])
    });
    recorded.await?;
    Ok(())
}

fn count_receipts_due(journal: &SqliteJournal) -> Result<ReceiptsDue, SqliteError> {
    let reader = journal.database.reader()?;
    let mut statement = reader.prepare_cached("SELECT count(*), count(error) FROM receipts_due")?;
    Ok(statement.query_row([], |row| {
        Ok(ReceiptsDue {
            waiting: row.get::<_, i64>(0)?.unsigned_abs(),
            failing: row.get::<_, i64>(1)?.unsigned_abs(),
        })
    })?)
}

fn record_size(transaction: &Transaction<'_>, log: &LogSize) -> rusqlite::Result<()> {
    let entries = i64::try_from(log.entries).unwrap_or(i64::MAX);
    transaction
        .prepare_cached(
            "INSERT INTO log_sizes VALUES (?1, ?2)
             ON CONFLICT DO UPDATE SET entries = excluded.entries WHERE excluded.entries > entries",
        )?
        .execute(params![log.origin, entries])
        .map(drop)
}

fn log_high_water_mark(journal: &SqliteJournal, origin: &str) -> Result<u64, SqliteError> {
    let reader = journal.database.reader()?;
    let mut statement = reader.prepare_cached("SELECT entries FROM log_sizes WHERE origin = ?1")?;
    let entries: Option<i64> = statement.query_row([origin], |row| row.get(0)).optional()?;
    Ok(entries.unwrap_or(0).unsigned_abs())
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
