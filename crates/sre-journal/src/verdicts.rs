//! What others found about orders, and which orders wait for that.
//!
//! Every verdict that was accepted is kept. Of those that one key gave about one order the latest
//! counts. An order that needs `required` verdicts is final from the moment when so many keys say
//! `matched`; it stays so, whatever comes later, and what comes later is shown beside it.

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Transaction, params};
use serde::{Deserialize, Serialize};
use sre_core::{Digest, OrderId, Verdict};

use crate::{Journal, JournalError, outbox};

/// Verdicts of one key about one order, at most.
const VERDICTS_LIMIT: i64 = 8;

/// A verdict to be kept. Its signature was checked.
#[derive(Debug, Clone)]
pub struct NewVerdict {
    /// Place of the order in the journal.
    pub sequence: i64,
    /// Who signed.
    pub key: Digest,
    /// What it says.
    pub verdict: Verdict,
    /// When it was checked, by the signer's word.
    pub checked_at: Timestamp,
    /// Digest of the signed envelope, which is in the blob store and in the log.
    pub digest: Digest,
}

/// What became of a verdict.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum VerdictStanding {
    /// It is kept.
    New,
    /// The latest verdict of this key about this order says the same.
    Known,
    /// The key has said as much about this order as it may.
    TooMany,
}

/// A verdict as it is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StoredVerdict {
    /// The id of the key that signed.
    pub key: Digest,
    /// What it says.
    pub verdict: String,
    /// When it was checked, by the signer's word.
    pub checked_at: Timestamp,
    /// When it came.
    pub received_at: Timestamp,
    /// SHA-256 of the signed envelope, under which it is found among the blobs and in the log.
    pub envelope: Digest,
}

/// The verdicts that an order needs and has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finality {
    /// How many matching verdicts, each by another key, it needs.
    pub required: u32,
    /// Keys whose latest verdict is `matched`.
    pub matched: u32,
    /// Keys whose latest verdict is `diverged` or `tampered`.
    pub disputed: u32,
    /// Whether it has (had) as many as it needs.
    pub is_final: bool,
    /// Since when.
    pub final_at: Option<Timestamp>,
}

/// How much of the work was checked by others.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Coverage {
    /// Receipts issued.
    pub receipts: u64,
    /// Orders with a verdict.
    pub checked: u64,
    /// Orders with a verdict `matched`.
    pub matched: u64,
    /// Orders with a verdict `diverged` or `tampered`.
    pub disputed: u64,
    /// Orders whose checks came to none of `matched`, `hash_only`, `diverged` and `tampered`.
    pub inconclusive: u64,
}

impl Coverage {
    /// The share of receipts on which there is a verdict, from 0 to 1.
    #[must_use]
    pub fn share_checked(&self) -> f64 {
        if self.receipts == 0 {
            0.0
        } else {
            (self.checked as f64 / self.receipts as f64).min(1.0)
        }
    }

    /// The largest share of wrong results, from 0 to 1, that goes along with this finding: were
    /// more of them wrong, then a sample of as many as matched, chosen by chance, would show at
    /// least one with this `confidence`. 0 where all matched. `None` where nothing matched, where
    /// something is disputed, which says more than any estimate, and where a check came to nothing:
    /// whoever may withhold what was drawn may withhold what is wrong.
    #[must_use]
    pub fn undetected_share(&self, confidence: f64) -> Option<f64> {
        let is_clean = self.matched > 0 && self.disputed == 0 && self.inconclusive == 0;
        let is_complete = self.matched >= self.receipts;
        is_clean.then(|| {
            if is_complete {
                0.0
            } else {
                1.0 - (1.0 - confidence).powf(1.0 / self.matched as f64)
            }
        })
    }
}

impl Finality {
    /// Of a new order that needs so many; `None` for one that needs none.
    pub(super) fn required(required: u32) -> Option<Self> {
        (required > 0).then_some(Self {
            required,
            matched: 0,
            disputed: 0,
            is_final: false,
            final_at: None,
        })
    }

    /// An `OrderResult` as JSON with this as its member `finality`.
    #[must_use]
    pub fn with_finality(&self, result: &str) -> String {
        let finality = serde_json::to_string(self).unwrap_or_default();
        match result.strip_suffix('}') {
            Some(members) => format!("{members},\"finality\":{finality}}}"),
            None => result.to_owned(),
        }
    }
}

/// The order needs so many verdicts; none where `required` is 0.
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

/// The verdicts an order needs and has; `None` where it needs none.
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
    let (matched, disputed) = opinions(connection, sequence)?;
    let final_at = final_at_ms.and_then(|ms| Timestamp::from_millisecond(ms).ok());
    Ok(Some(Finality {
        required,
        matched,
        disputed,
        is_final: final_at.is_some(),
        final_at,
    }))
}

/// How many keys say last that it matched, and that it did not.
fn opinions(connection: &Connection, sequence: i64) -> rusqlite::Result<(u32, u32)> {
    // With max(), the other columns are those of the row that has it.
    let sql = "SELECT count(*) FILTER (WHERE verdict = 'matched'),
                      count(*) FILTER (WHERE verdict IN ('diverged', 'tampered'))
               FROM (SELECT verdict, max(number) FROM verdicts WHERE sequence = ?1 GROUP BY key)";
    connection
        .prepare_cached(sql)?
        .query_row([sequence], |row| Ok((row.get(0)?, row.get(1)?)))
}

/// Keeps a verdict, counts it, and makes the order final and its callback due where that follows.
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
    let had = said(transaction, sequence)?;
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
    let has = said(transaction, sequence)?;
    let added = |index: usize| i64::from(has[index]) - i64::from(had[index]);
    transaction
        .prepare_cached(
            "UPDATE coverage SET checked = checked + ?1, matched = matched + ?2, disputed = disputed + ?3,
                    inconclusive = inconclusive + ?4",
        )?
        .execute(params![added(0), added(1), added(2), added(3)])?;
    decide(transaction, now, sequence)?;
    Ok(VerdictStanding::New)
}

/// What becomes of such a verdict of this key.
fn standing(
    connection: &Connection,
    sequence: i64,
    key: Digest,
    verdict: Verdict,
) -> rusqlite::Result<VerdictStanding> {
    // With max(), the other column is that of the row that has it.
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

/// Whether anybody has ever said anything about the order, that it matched, that it did not; and
/// whether all that was ever said is that it could not be found out.
fn said(connection: &Connection, sequence: i64) -> rusqlite::Result<[bool; 4]> {
    connection
        .prepare_cached(
            "SELECT count(*) > 0, coalesce(max(verdict = 'matched'), 0),
                    coalesce(max(verdict IN ('diverged', 'tampered')), 0),
                    coalesce(max(verdict IN ('matched', 'hash_only', 'diverged', 'tampered')) = 0, 0)
             FROM verdicts WHERE sequence = ?1",
        )?
        .query_row([sequence], |row| Ok([row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?]))
}

/// An order with enough verdicts is final. Then its callback is due, and also as soon as somebody
/// disputes it: its submitter must learn of that, too.
fn decide(transaction: &Transaction<'_>, now: i64, sequence: i64) -> rusqlite::Result<()> {
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
        transaction
            .prepare_cached(
                "UPDATE outbox SET due_ms = ?2, set_at_ms = ?2 WHERE sequence = ?1 AND state = 'pending' AND due_ms = ?3",
            )?
            .execute(params![sequence, now, outbox::NEVER_DUE])?;
    }
    Ok(())
}

impl Journal {
    /// Keeps a verdict about an order that has ended.
    ///
    /// # Errors
    /// [`JournalError::Write`]; nothing was kept.
    pub async fn record_verdict(
        &self,
        verdict: NewVerdict,
    ) -> Result<VerdictStanding, JournalError> {
        let (now, sequence) = (self.now_ms(), verdict.sequence);
        let kept = self
            .database
            .write(move |transaction| keep(transaction, now, &verdict))
            .await?;
        self.watches.notify(sequence);
        Ok(kept)
    }

    /// What would become of such a verdict of `key` about the order at `sequence`.
    ///
    /// # Errors
    /// [`JournalError`].
    pub fn standing(
        &self,
        sequence: i64,
        key: Digest,
        verdict: Verdict,
    ) -> Result<VerdictStanding, JournalError> {
        Ok(standing(&*self.database.reader()?, sequence, key, verdict)?)
    }

    /// Every verdict about an order, oldest first; none for an order that is unknown.
    ///
    /// # Errors
    /// [`JournalError`].
    pub fn verdicts(&self, order_id: &OrderId) -> Result<Vec<StoredVerdict>, JournalError> {
        let reader = self.database.reader()?;
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

    /// How much was checked by others, ever. Orders that were purged count.
    ///
    /// # Errors
    /// [`JournalError`].
    pub fn coverage(&self) -> Result<Coverage, JournalError> {
        let reader = self.database.reader()?;
        let mut statement = reader.prepare_cached(
            "SELECT receipts, checked, matched, disputed, inconclusive FROM coverage",
        )?;
        let number =
            |row: &rusqlite::Row<'_>, column| row.get::<_, i64>(column).map(i64::unsigned_abs);
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
}
