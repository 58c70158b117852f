//! [`VerdictLedger`] over SQLite.

use async_trait::async_trait;
use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row, Transaction, params};
use sre_core::{Digest, OrderId, Verdict};

use super::error::SqliteError;
use super::journal::SqliteJournal;
use super::schema::NEVER_DUE;
use crate::error::JournalError;
use crate::verdict_ledger::{
    Coverage, Finality, NewVerdict, StoredVerdict, VerdictLedger, VerdictStanding,
};

/// Verdicts of one key about one order, at most. A key that changes its mind more often is not
/// worth the space: every verdict is kept.
const VERDICTS_LIMIT: i64 = 8;

#[async_trait]
impl VerdictLedger for SqliteJournal {
    async fn record_verdict(&self, verdict: NewVerdict) -> Result<VerdictStanding, JournalError> {
        let (now, sequence) = (self.now_ms(), verdict.sequence);
        let kept = self
            .database
            .write(move |transaction| keep(transaction, now, &verdict))
            .await
            .map_err(SqliteError::from)?;
        self.watches.notify(sequence);
        Ok(kept)
    }

    async fn standing(
        &self,
        sequence: i64,
        key: Digest,
        verdict: Verdict,
    ) -> Result<VerdictStanding, JournalError> {
        let reader = self.database.reader().map_err(SqliteError::from)?;
        Ok(standing(&reader, sequence, key, verdict).map_err(SqliteError::from)?)
    }

    async fn verdicts(&self, order_id: &OrderId) -> Result<Vec<StoredVerdict>, JournalError> {
        Ok(verdicts(self, order_id)?)
    }

    async fn coverage(&self) -> Result<Coverage, JournalError> {
        Ok(coverage(self)?)
    }
}

/// Records that the order needs so many verdicts; nothing where it needs no verdicts.
pub(super) fn require(
    transaction: &Transaction<'_>,
    sequence: i64,
    required: u32,
) -> rusqlite::Result<()> {
    if required > 0 {
        transaction
            .prepare_cached("INSERT INTO finality VALUES (?1, ?2, NULL)")?
            .execute(params![sequence, required])?;
    }
    Ok(())
}

/// Whether the order lacks verdicts that it needs.
pub(super) fn is_awaited(connection: &Connection, sequence: i64) -> rusqlite::Result<bool> {
    connection
        .prepare_cached(
            "SELECT EXISTS (SELECT 1 FROM finality WHERE sequence = ?1 AND final_at_ms IS NULL)",
        )?
        .query_row([sequence], |row| row.get(0))
}

/// The verdicts an order needs and has; `None` where it needs no verdicts.
pub(super) fn finality(
    connection: &Connection,
    sequence: i64,
) -> rusqlite::Result<Option<Finality>> {
    let found = connection
        .prepare_cached("SELECT required, final_at_ms FROM finality WHERE sequence = ?1")?
        .query_row([sequence], |row| {
            Ok((row.get(0)?, row.get::<_, Option<i64>>(1)?))
        })
        .optional()?;
    let Some((required, final_at_ms)) = found else {
        return Ok(None);
    };
    let (matched, disputed) = count_opinions(connection, sequence)?;
    let final_at = final_at_ms.and_then(|ms| Timestamp::from_millisecond(ms).ok());
    Ok(Some(Finality {
        required,
        matched,
        disputed,
        is_final: final_at.is_some(),
        final_at,
    }))
}

/// How many keys say last that the order matched, and how many that it did not.
fn count_opinions(connection: &Connection, sequence: i64) -> rusqlite::Result<(u32, u32)> {
    // The inner query is the latest verdict of each key: with max(), SQLite takes the other columns
    // from the row that has the maximum.
    let sql = "SELECT count(*) FILTER (WHERE verdict = 'matched'),
                      count(*) FILTER (WHERE verdict IN ('diverged', 'tampered'))
               FROM (SELECT verdict, max(number) FROM verdicts WHERE sequence = ?1 GROUP BY key)";
    connection
        .prepare_cached(sql)?
        .query_row([sequence], |row| Ok((row.get(0)?, row.get(1)?)))
}

/// Keeps a verdict and counts it. Where it decides something, makes the order final and its
/// callback due.
fn keep(
    transaction: &Transaction<'_>,
    now: i64,
    new: &NewVerdict,
) -> rusqlite::Result<VerdictStanding> {
    let (key, sequence) = (new.key.as_bytes(), new.sequence);
    let standing = standing(transaction, sequence, new.key, new.verdict)?;
    if standing != VerdictStanding::New {
        return Ok(standing);
    }
    let before = summary(transaction, sequence)?;
    transaction
        .prepare_cached(
            "INSERT INTO verdicts
             VALUES (?1, (SELECT coalesce(max(number), 0) + 1 FROM verdicts WHERE sequence = ?1), ?2, ?3, ?4, ?5, ?6)",
        )?
        .execute(params![
            sequence,
            key,
            new.verdict.as_str(),
            new.checked_at.as_millisecond(),
            now,
            new.digest.as_bytes()
        ])?;
    let after = summary(transaction, sequence)?;
    // The sums count orders, not verdicts: each changes by what this verdict changed for its order.
    // `inconclusive` may also fall, when a verdict that decides follows one that does not.
    let added = |index: usize| i64::from(after[index]) - i64::from(before[index]);
    transaction
        .prepare_cached(
            "UPDATE coverage SET checked = checked + ?1, matched = matched + ?2, disputed = disputed + ?3,
                    inconclusive = inconclusive + ?4",
        )?
        .execute(params![added(0), added(1), added(2), added(3)])?;
    decide(transaction, now, sequence)?;
    Ok(VerdictStanding::New)
}

/// How such a verdict of this key stands to those that are kept.
fn standing(
    connection: &Connection,
    sequence: i64,
    key: Digest,
    verdict: Verdict,
) -> rusqlite::Result<VerdictStanding> {
    // With max(), SQLite takes `verdict` from the row that has the maximum: the latest one.
    let (before, latest): (i64, Option<String>) = connection
        .prepare_cached(
            "SELECT count(*), max(number), verdict FROM verdicts WHERE sequence = ?1 AND key = ?2",
        )?
        .query_row(params![sequence, key.as_bytes()], |row| {
            Ok((row.get(0)?, row.get(2)?))
        })?;
    Ok(if latest.as_deref() == Some(verdict.as_str()) {
        VerdictStanding::Known
    } else if before >= VERDICTS_LIMIT {
        VerdictStanding::TooMany
    } else {
        VerdictStanding::New
    })
}

/// Whether the order has, of any key and at any time: a verdict; one that matched; one that
/// diverged or is tampered; only verdicts that decide nothing.
fn summary(connection: &Connection, sequence: i64) -> rusqlite::Result<[bool; 4]> {
    connection
        .prepare_cached(
            "SELECT count(*) > 0, coalesce(max(verdict = 'matched'), 0),
                    coalesce(max(verdict IN ('diverged', 'tampered')), 0),
                    coalesce(max(verdict IN ('matched', 'hash_only', 'diverged', 'tampered')) = 0, 0)
             FROM verdicts WHERE sequence = ?1",
        )?
        .query_row([sequence], |row| {
            Ok([row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?])
        })
}

/// Makes an order with enough verdicts final. Its callback is due then, and also when a verdict
/// disputes the order: its submitter must learn of that, too.
fn decide(transaction: &Transaction<'_>, now: i64, sequence: i64) -> rusqlite::Result<()> {
    // An order that is final stays final, and one that needs no verdicts never waits for them.
    let Some(found) = finality(transaction, sequence)?.filter(|found| !found.is_final) else {
        return Ok(());
    };
    let is_final = found.matched >= found.required;
    if is_final {
        transaction
            .prepare_cached("UPDATE finality SET final_at_ms = ?2 WHERE sequence = ?1")?
            .execute(params![sequence, now])?;
    }
    if is_final || found.disputed > 0 {
        // Only a callback that is still held: one that was sent for a dispute is not sent again.
        transaction
            .prepare_cached(
                "UPDATE outbox SET due_ms = ?2, set_at_ms = ?2
                 WHERE sequence = ?1 AND state = 'pending' AND due_ms = ?3",
            )?
            .execute(params![sequence, now, NEVER_DUE])?;
    }
    Ok(())
}

fn verdicts(
    journal: &SqliteJournal,
    order_id: &OrderId,
) -> Result<Vec<StoredVerdict>, SqliteError> {
    let reader = journal.database.reader()?;
    let mut statement = reader.prepare_cached(
        "SELECT key, verdict, checked_at_ms, received_at_ms, digest FROM verdicts JOIN orders USING (sequence)
         WHERE order_id = ?1 ORDER BY number",
    )?;
    let time = |ms: i64| Timestamp::from_millisecond(ms).unwrap_or(Timestamp::UNIX_EPOCH);
    let rows = statement.query_map([order_id.as_str()], |row| {
        Ok(StoredVerdict {
            key: Digest::from_bytes(row.get(0)?),
            verdict: row.get(1)?,
            checked_at: time(row.get(2)?),
            received_at: time(row.get(3)?),
            envelope: Digest::from_bytes(row.get(4)?),
        })
    })?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

fn coverage(journal: &SqliteJournal) -> Result<Coverage, SqliteError> {
    let reader = journal.database.reader()?;
    let mut statement = reader.prepare_cached(
        "SELECT receipts, checked, matched, disputed, inconclusive FROM coverage",
    )?;
    let number = |row: &Row<'_>, column| row.get::<_, i64>(column).map(i64::unsigned_abs);
    Ok(statement.query_row([], |row| {
        Ok(Coverage {
            receipts: number(row, 0)?,
            checked: number(row, 1)?,
            matched: number(row, 2)?,
            disputed: number(row, 3)?,
            inconclusive: number(row, 4)?,
        })
    })?)
}
