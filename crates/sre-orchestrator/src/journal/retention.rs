//! Forgetting old orders.

use std::time::Duration;

use rusqlite::params;
use sre_core::{Digest, OrderResult, SkillDigest};

use super::{Journal, JournalError, entry};

/// What kept orders still need; see [`Journal::each_kept`].
#[derive(Debug)]
pub enum Kept {
    /// A result, with whatever its commitment names.
    Result(Box<OrderResult>),
    /// The skill of an order that is open, or one that was uploaded.
    Skill(SkillDigest),
}

/// Rows forgotten in one transaction, so that nobody waits for long.
const BATCH: i64 = 1000;

impl Journal {
    /// Forgets orders that ended more than `age` ago and whose callback is not pending. Returns how many. An id that was
    /// forgotten is new again.
    ///
    /// # Errors
    /// [`JournalError`]; some may have been forgotten.
    pub async fn forget(&self, age: Duration) -> Result<u64, JournalError> {
        let before = self.now_ms().saturating_sub(i64::try_from(age.as_millis()).unwrap_or(i64::MAX));
        let mut forgotten = 0;
        let mut after = 0_i64;
        loop {
            let (last, removed) = self
                .database
                .write(move |transaction| {
                    let sequences: Vec<i64> = transaction
                        .prepare_cached(
                            "SELECT sequence FROM results LEFT JOIN outbox USING (sequence)
                             WHERE sequence > ?1 AND finished_at_ms < ?2 AND coalesce(state <> 'pending', TRUE)
                             ORDER BY sequence LIMIT ?3",
                        )?
                        .query_map(params![after, before, BATCH], |row| row.get(0))?
                        .collect::<rusqlite::Result<_>>()?;
                    for sequence in &sequences {
                        for table in ["events", "outbox", "receipts_due", "verdicts", "finality", "results", "orders"] {
                            transaction
                                .prepare_cached(&format!("DELETE FROM {table} WHERE sequence = ?1"))?
                                .execute([sequence])?;
                        }
                    }
                    Ok((sequences.last().copied(), sequences.len() as u64))
                })
                .await?;
            forgotten += removed;
            match last {
                Some(last) => after = last,
                None => return Ok(forgotten),
            }
        }
    }

    /// Tells `visit` everything that orders and uploaded skills of this journal still need.
    ///
    /// # Errors
    /// [`JournalError`]; not everything was told.
    pub fn each_kept(&self, mut visit: impl FnMut(Kept)) -> Result<(), JournalError> {
        let reader = self.database.reader()?;
        let mut results = reader.prepare_cached("SELECT order_id, result FROM results JOIN orders USING (sequence)")?;
        let mut rows = results.query([])?;
        while let Some(row) = rows.next()? {
            let (order_id, text): (String, String) = (row.get(0)?, row.get(1)?);
            visit(Kept::Result(Box::new(entry::parse_result(&order_id, &text)?)));
        }
        let mut skills = reader.prepare_cached(
            "SELECT skill FROM orders JOIN open_orders USING (sequence) WHERE skill IS NOT NULL
             UNION SELECT digest FROM skills",
        )?;
        let mut rows = skills.query([])?;
        while let Some(row) = rows.next()? {
            visit(Kept::Skill(Digest::from_bytes(row.get(0)?).into()));
        }
        Ok(())
    }
}
