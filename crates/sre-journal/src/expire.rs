//! The end of orders that have waited too long.

use rusqlite::params;
use sre_core::{ErrorCode, OrderStatus};

use crate::finish::{Ending, end, open_rows};
use crate::{Journal, JournalError};

const EXPIRED: Ending<'_> = Ending {
    status: OrderStatus::Timeout,
    code: ErrorCode::QueueTimeout,
    message: "the order waited for its first attempt longer than the queue's time limit; nothing ran",
};

impl Journal {
    /// Ends the orders that have waited for their first attempt longer than they may, at most
    /// `limit`. Returns how many.
    ///
    /// # Errors
    /// [`JournalError`].
    pub async fn expire(&self, limit: usize) -> Result<usize, JournalError> {
        let (now, limit) = (self.now_ms(), i64::try_from(limit).unwrap_or(i64::MAX));
        let sql = "SELECT sequence, order_id, accepted_at_ms, attempt FROM open_orders JOIN orders USING (sequence)
            WHERE state = 'ready' AND attempt = 0 AND queue_until_ms < ?1 LIMIT ?2";
        if !self
            .database
            .reader()?
            .prepare_cached(sql)?
            .exists(params![now, limit])?
        {
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
}
