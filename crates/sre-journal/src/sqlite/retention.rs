//! [`Retention`] over SQLite.

use async_trait::async_trait;
use rusqlite::{OptionalExtension, Transaction, params};
use sre_core::{Digest, InvocationDigest};

use super::error::SqliteError;
use super::journal::SqliteJournal;
use super::schema::NEVER_DUE;
use super::verdict_ledger;
use crate::clock::milliseconds;
use crate::error::JournalError;
use crate::reader::parse_result;
use crate::retention::{
    GcRoot, NEVER_FINAL_LIMIT, NeverFinal, Purged, Retention, RetentionPolicy, WithoutReceipt,
};

/// Orders purged in one transaction. Other writers wait for that long.
const BATCH: i64 = 1000;

#[async_trait]
impl Retention for SqliteJournal {
    async fn purge(
        &self,
        policy: RetentionPolicy,
        without_receipt: WithoutReceipt,
    ) -> Result<Purged, JournalError> {
        Ok(purge(self, policy, without_receipt).await?)
    }

    async fn each_gc_root(
        &self,
        visit: &mut (dyn FnMut(GcRoot) + Send),
    ) -> Result<(), JournalError> {
        Ok(each_gc_root(self, visit)?)
    }

    async fn is_used(&self) -> Result<bool, JournalError> {
        Ok(is_used(self)?)
    }
}

/// Which orders are old enough.
#[derive(Clone, Copy)]
struct Limits {
    /// Orders that ended before this moment.
    ended_ms: i64,
    /// Orders with a held callback that ended before this moment.
    held_ms: i64,
    keeps_without_receipt: bool,
}

/// What one transaction has purged.
#[derive(Default)]
struct Batch {
    sequences: Vec<i64>,
    never_final: Vec<NeverFinal>,
}

async fn purge(
    journal: &SqliteJournal,
    policy: RetentionPolicy,
    without_receipt: WithoutReceipt,
) -> Result<Purged, SqliteError> {
    let now = journal.now_ms();
    let limits = Limits {
        ended_ms: now.saturating_sub(milliseconds(policy.age)),
        held_ms: now.saturating_sub(milliseconds(policy.verdicts_age.max(policy.age))),
        keeps_without_receipt: without_receipt == WithoutReceipt::Keep,
    };
    let mut purged = Purged::default();
    if limits.keeps_without_receipt {
        purged.without_receipt = count_without_receipt(journal, limits.ended_ms)?;
    }
    purge_uploads(journal, limits.ended_ms).await?;
    let mut after = 0_i64;
    loop {
        let batch = journal
            .database
            .write(move |transaction| purge_batch(transaction, after, limits))
            .await?;
        purged.orders += batch.sequences.len() as u64;
        purged.never_final += batch.never_final.len() as u64;
        let room = NEVER_FINAL_LIMIT - purged.never_final_orders.len();
        purged
            .never_final_orders
            .extend(batch.never_final.into_iter().take(room));
        match batch.sequences.last() {
            Some(last) => after = *last,
            None => return Ok(purged),
        }
    }
}

fn purge_batch(
    transaction: &Transaction<'_>,
    after: i64,
    limits: Limits,
) -> rusqlite::Result<Batch> {
    let mut batch = Batch {
        // A callback that is pending is still to be delivered; one that is held may wait in vain.
        sequences: transaction
            .prepare_cached(
                "SELECT sequence FROM results LEFT JOIN outbox USING (sequence)
                 WHERE sequence > ?1 AND finished_at_ms < ?2
                     AND (coalesce(state <> 'pending', TRUE) OR outbox.due_ms = ?4 AND finished_at_ms < ?5)
                     AND NOT (?6 AND EXISTS (SELECT 1 FROM receipts_due WHERE sequence = results.sequence))
                 ORDER BY sequence LIMIT ?3",
            )?
            .query_map(
                params![
                    after,
                    limits.ended_ms,
                    BATCH,
                    NEVER_DUE,
                    limits.held_ms,
                    limits.keeps_without_receipt
                ],
                |row| row.get(0),
            )?
            .collect::<rusqlite::Result<_>>()?,
        never_final: Vec::new(),
    };
    for sequence in &batch.sequences {
        batch
            .never_final
            .extend(never_final(transaction, *sequence)?);
        for table in [
            "events",
            "outbox",
            "receipts_due",
            "verdicts",
            "finality",
            "results",
        ] {
            transaction
                .prepare_cached(&format!("DELETE FROM {table} WHERE sequence = ?1"))?
                .execute([sequence])?;
        }
        // The row of identity stays, but leaves the index of skills.
        transaction
            .prepare_cached("UPDATE orders SET skill = NULL WHERE sequence = ?1")?
            .execute([sequence])?;
    }
    Ok(batch)
}

/// Removes uploads that are older than orders may get. An order that used such a blob keeps it.
async fn purge_uploads(journal: &SqliteJournal, before_ms: i64) -> Result<(), SqliteError> {
    let purged = journal.database.write(move |transaction| {
        transaction.execute("DELETE FROM blob_owners WHERE created_ms < ?1", [before_ms])
    });
    purged.await?;
    Ok(())
}

/// Orders that ended before this moment and have no receipt.
fn count_without_receipt(journal: &SqliteJournal, ended_ms: i64) -> Result<u64, SqliteError> {
    let reader = journal.database.reader()?;
    let mut statement = reader.prepare_cached(
        "SELECT count(*) FROM receipts_due CROSS JOIN results USING (sequence) WHERE finished_at_ms < ?1",
    )?;
    Ok(statement
        .query_row([ended_ms], |row| row.get::<_, i64>(0))?
        .unsigned_abs())
}

/// What is lost when this order is purged; `None` if it needs no verdicts, or has had enough.
fn never_final(
    transaction: &Transaction<'_>,
    sequence: i64,
) -> rusqlite::Result<Option<NeverFinal>> {
    let Some(finality) =
        verdict_ledger::finality(transaction, sequence)?.filter(|found| !found.is_final)
    else {
        return Ok(None);
    };
    transaction
        .prepare_cached(
            "SELECT order_id, coalesce(state = 'pending', FALSE) FROM orders LEFT JOIN outbox USING (sequence)
             WHERE sequence = ?1",
        )?
        .query_row([sequence], |row| {
            Ok(NeverFinal {
                order_id: row.get(0)?,
                finality,
                callback_dropped: row.get(1)?,
            })
        })
        .optional()
}

fn each_gc_root(
    journal: &SqliteJournal,
    visit: &mut (dyn FnMut(GcRoot) + Send),
) -> Result<(), SqliteError> {
    let reader = journal.database.reader()?;
    let mut results = reader
        .prepare_cached("SELECT order_id, result FROM results JOIN orders USING (sequence)")?;
    let mut rows = results.query([])?;
    while let Some(row) = rows.next()? {
        let (order_id, text): (String, String) = (row.get(0)?, row.get(1)?);
        let result = parse_result(&order_id, &text)?;
        visit(GcRoot::Result(Box::new(result)));
    }
    let mut skills = reader.prepare_cached(
        "SELECT skill FROM orders JOIN open_orders USING (sequence) WHERE skill IS NOT NULL
         UNION SELECT digest FROM skills",
    )?;
    let mut rows = skills.query([])?;
    while let Some(row) = rows.next()? {
        visit(GcRoot::Skill(Digest::from_bytes(row.get(0)?).into()));
    }
    let mut invocations =
        reader.prepare_cached("SELECT invocation FROM open_orders WHERE invocation IS NOT NULL")?;
    let mut rows = invocations.query([])?;
    while let Some(row) = rows.next()? {
        let text: String = row.get(0)?;
        visit(GcRoot::Invocation(InvocationDigest::of(text.as_bytes())));
    }
    let mut blobs = reader.prepare_cached("SELECT DISTINCT digest FROM blob_owners")?;
    let mut rows = blobs.query([])?;
    while let Some(row) = rows.next()? {
        visit(GcRoot::Blob(Digest::from_bytes(row.get(0)?).into()));
    }
    Ok(())
}

fn is_used(journal: &SqliteJournal) -> Result<bool, SqliteError> {
    let reader = journal.database.reader()?;
    let mut statement = reader.prepare_cached(
        "SELECT EXISTS (SELECT 1 FROM orders) OR EXISTS (SELECT 1 FROM skills)
             OR EXISTS (SELECT 1 FROM blob_owners)",
    )?;
    Ok(statement.query_row([], |row| row.get(0))?)
}
