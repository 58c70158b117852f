//! The end of orders that have waited too long for their first attempt.

use rusqlite::params;
use sre_core::{ErrorCode, OrderStatus};

use super::error::SqliteError;
use super::finish::{Ending, end, open_rows};
use super::journal::SqliteJournal;

const EXPIRED: Ending<'_> = Ending {
    status: OrderStatus::Timeout,
    code: ErrorCode::QueueTimeout,
    message: "the order waited for its first attempt longer than the queue's time limit; nothing ran",
};

pub(super) async fn expire(journal: &SqliteJournal, limit: usize) -> Result<usize, SqliteError> {
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let (wall, steady) = (journal.now_ms(), journal.clocks.steady_ms());
    let sql = "SELECT sequence, order_id, queued_at_ms, attempt FROM open_orders JOIN orders USING (sequence)
        WHERE state = 'ready' AND attempt = 0 AND queue_until_ms < ?1 LIMIT ?2";
    // Asked without the writer first, because mostly there is no such order.
    let is_due = journal
        .database
        .reader()?
        .prepare_cached(sql)?
        .exists(params![steady, limit])?;
    if !is_due {
        return Ok(0);
    }
    let ended = journal
        .database
        .write(move |transaction| {
            let rows = open_rows(transaction, sql, params![steady, limit])?;
            for row in &rows {
                end(transaction, wall, steady, row, &EXPIRED)?;
            }
            Ok(rows)
        })
        .await?;
    for row in &ended {
        journal.ended(row.sequence, None);
    }
    Ok(ended.len())
}
