//! Purging old orders.
//!
//! Of an order that was purged its row in `orders` stays: id, digest of the request, submitter,
//! time. An id stands in the log for ever, and so does its receipt; if it were new again, another
//! order would get the receipt of the old one.

use std::time::Duration;

use rusqlite::{OptionalExtension, Transaction, params};
use serde::Serialize;
use sre_core::{Digest, OrderId, OrderResult, SkillDigest};

use crate::{Finality, Journal, JournalError, entry, outbox, verdicts};

/// What kept orders still need; see [`Journal::each_gc_root`].
#[derive(Debug)]
pub enum GcRoot {
    /// A result, with whatever its commitment names.
    Result(Box<OrderResult>),
    /// The skill of an order that is open, or one that was uploaded.
    Skill(SkillDigest),
}

/// How long what has ended is kept.
#[derive(Debug, Clone, Copy)]
pub struct RetentionPolicy {
    /// Orders.
    pub age: Duration,
    /// Orders whose callback is held until verdicts come; never less than `age`.
    pub verdicts_age: Duration,
}

/// What becomes of an old order whose receipt was not issued.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WithoutReceipt {
    /// It is kept: its receipt is still to be issued.
    Keep,
    /// It is purged like others: nobody ever wanted a receipt here.
    Purge,
}

/// What was purged.
#[derive(Debug, Default)]
pub struct Purged {
    /// How many orders.
    pub orders: u64,
    /// How many of them needed verdicts and never had enough.
    pub never_final: u64,
    /// The first [`NEVER_FINAL_LIMIT`] of those.
    pub never_final_orders: Vec<NeverFinal>,
    /// How many orders are old enough and were kept, because their receipt could not be issued so
    /// far.
    pub without_receipt: u64,
}

/// An order that was purged before it was final.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct NeverFinal {
    /// Which order.
    pub order_id: String,
    /// The verdicts it needed and had.
    pub finality: Finality,
    /// Whether its callback was held for them to the end, and so was never sent.
    pub callback_dropped: bool,
}

/// Orders that are named one by one.
pub const NEVER_FINAL_LIMIT: usize = 1000;

/// Rows purged in one transaction, so that nobody waits for long.
const BATCH: i64 = 1000;

impl Journal {
    /// Purges orders that ended too long ago and whose callback is not pending. One that is held
    /// for verdicts nobody has given waits longer, and is dropped with its order. An id that was
    /// purged is never new again.
    ///
    /// # Errors
    /// [`JournalError`]; some may have been purged.
    pub async fn purge(
        &self,
        retention: RetentionPolicy,
        receiptless: WithoutReceipt,
    ) -> Result<Purged, JournalError> {
        let now = self.now_ms();
        let before =
            |age: Duration| now.saturating_sub(i64::try_from(age.as_millis()).unwrap_or(i64::MAX));
        let (ended, held) = (
            before(retention.age),
            before(retention.verdicts_age.max(retention.age)),
        );
        let keeps = receiptless == WithoutReceipt::Keep;
        let without_receipt = if keeps {
            self.count_without_receipt(ended)?
        } else {
            0
        };
        let mut purged = Purged {
            without_receipt,
            ..Purged::default()
        };
        let mut after = 0_i64;
        loop {
            let (last, removed, unfinished) = self
                .database
                .write(move |transaction| {
                    let sequences: Vec<i64> = transaction
                        .prepare_cached(
                            "SELECT sequence FROM results LEFT JOIN outbox USING (sequence)
                             WHERE sequence > ?1 AND finished_at_ms < ?2
                                 AND (coalesce(state <> 'pending', TRUE) OR outbox.due_ms = ?4 AND finished_at_ms < ?5)
                                 AND NOT (?6 AND EXISTS (SELECT 1 FROM receipts_due WHERE sequence = results.sequence))
                             ORDER BY sequence LIMIT ?3",
                        )?
                        .query_map(params![after, ended, BATCH, outbox::NEVER_DUE, held, keeps], |row| row.get(0))?
                        .collect::<rusqlite::Result<_>>()?;
                    let mut unfinished = Vec::new();
                    for sequence in &sequences {
                        unfinished.extend(never_final(transaction, *sequence)?);
                        for table in ["events", "outbox", "receipts_due", "verdicts", "finality", "results"] {
                            transaction
                                .prepare_cached(&format!("DELETE FROM {table} WHERE sequence = ?1"))?
                                .execute([sequence])?;
                        }
                        // Out of the index of skills, where nobody looks for it.
                        transaction
                            .prepare_cached("UPDATE orders SET skill = NULL WHERE sequence = ?1")?
                            .execute([sequence])?;
                    }
                    Ok((sequences.last().copied(), sequences.len() as u64, unfinished))
                })
                .await?;
            purged.orders += removed;
            purged.never_final += unfinished.len() as u64;
            let room = NEVER_FINAL_LIMIT - purged.never_final_orders.len();
            purged
                .never_final_orders
                .extend(unfinished.into_iter().take(room));
            match last {
                Some(last) => after = last,
                None => return Ok(purged),
            }
        }
    }

    /// Orders that ended before this moment and have no receipt.
    fn count_without_receipt(&self, ended_ms: i64) -> Result<u64, JournalError> {
        let reader = self.database.reader()?;
        let mut statement = reader.prepare_cached(
            "SELECT count(*) FROM receipts_due CROSS JOIN results USING (sequence) WHERE finished_at_ms < ?1",
        )?;
        Ok(statement
            .query_row([ended_ms], |row| row.get::<_, i64>(0))?
            .unsigned_abs())
    }

    /// Whether an order was ever accepted here, or a skill uploaded.
    ///
    /// # Errors
    /// [`JournalError`].
    pub fn is_used(&self) -> Result<bool, JournalError> {
        let reader = self.database.reader()?;
        let mut statement = reader.prepare_cached(
            "SELECT EXISTS (SELECT 1 FROM orders) OR EXISTS (SELECT 1 FROM skills)",
        )?;
        Ok(statement.query_row([], |row| row.get(0))?)
    }

    /// Who submitted an order that was purged; `None` for one that is kept, or was never
    /// accepted.
    ///
    /// # Errors
    /// [`JournalError`].
    pub fn purged(&self, order_id: &OrderId) -> Result<Option<String>, JournalError> {
        let reader = self.database.reader()?;
        let mut statement = reader.prepare_cached(
            "SELECT orders.submitter FROM orders LEFT JOIN open_orders USING (sequence) LEFT JOIN results USING (sequence)
             WHERE order_id = ?1 AND coalesce(state, status) IS NULL",
        )?;
        Ok(statement
            .query_row([order_id.as_str()], |row| row.get(0))
            .optional()?)
    }

    /// Tells `visit` everything that orders and uploaded skills of this journal still need.
    ///
    /// # Errors
    /// [`JournalError`]; not everything was told.
    pub fn each_gc_root(&self, mut visit: impl FnMut(GcRoot)) -> Result<(), JournalError> {
        let reader = self.database.reader()?;
        let mut results = reader
            .prepare_cached("SELECT order_id, result FROM results JOIN orders USING (sequence)")?;
        let mut rows = results.query([])?;
        while let Some(row) = rows.next()? {
            let (order_id, text): (String, String) = (row.get(0)?, row.get(1)?);
            visit(GcRoot::Result(Box::new(entry::parse_result(
                &order_id, &text,
            )?)));
        }
        let mut skills = reader.prepare_cached(
            "SELECT skill FROM orders JOIN open_orders USING (sequence) WHERE skill IS NOT NULL
             UNION SELECT digest FROM skills",
        )?;
        let mut rows = skills.query([])?;
        while let Some(row) = rows.next()? {
            visit(GcRoot::Skill(Digest::from_bytes(row.get(0)?).into()));
        }
        Ok(())
    }
}

/// What is lost when this order is purged; `None` of one that needed no verdicts, or had enough.
fn never_final(
    transaction: &Transaction<'_>,
    sequence: i64,
) -> rusqlite::Result<Option<NeverFinal>> {
    let Some(finality) = verdicts::finality(transaction, sequence)?.filter(|found| !found.is_final)
    else {
        return Ok(None);
    };
    transaction
        .prepare_cached(
            "SELECT order_id, coalesce(state = 'pending', FALSE) FROM orders LEFT JOIN outbox USING (sequence)
             WHERE sequence = ?1",
        )?
        .query_row([sequence], |row| {
            Ok(Some(NeverFinal { order_id: row.get(0)?, finality, callback_dropped: row.get(1)? }))
        })
}
