//! Taking orders to work on: fair between submitters, by priority within.

use std::sync::Arc;

use rusqlite::{OptionalExtension, Row, Transaction, params};
use sre_core::{Backend, Digest, OrderId, SkillDigest};

use crate::lease::{Lease, LeaseKey};
use crate::{EventKind, Journal, JournalError, entry, events};

/// An order with the right to work on it.
#[derive(Debug)]
pub struct AcquiredOrder {
    /// The right.
    pub lease: Lease,
    /// Who submitted it.
    pub submitter: String,
    /// What it runs.
    pub skill: SkillDigest,
    /// Digest of what was asked for.
    pub request: Digest,
    /// As in [`NewOrder::work`](crate::NewOrder::work).
    pub work: String,
    /// The input as canonical JSON.
    pub input: Arc<[u8]>,
    /// Milliseconds since it was queued.
    pub queued_ms: u64,
}

/// What the transaction acquired.
struct AcquiredRow {
    order_id: String,
    request: [u8; 32],
    skill: [u8; 32],
    submitter: String,
    accepted_at_ms: i64,
    key: LeaseKey,
    attempt: u32,
    work: String,
    input: Vec<u8>,
    queued_at_ms: i64,
}

impl Journal {
    /// Acquires up to `limit` orders that are ready for `backend`, one submitter after the other,
    /// beginning behind `after` (by name); each submitter's orders by priority, then by age. Begins
    /// an attempt of each.
    ///
    /// # Errors
    /// [`JournalError`]; nothing was acquired.
    pub async fn acquire(
        &self,
        backend: Backend,
        limit: usize,
        after: &str,
    ) -> Result<Vec<AcquiredOrder>, JournalError> {
        self.release().await?;
        let (now, holder, mut turn) = (
            self.now_ms(),
            self.holder.name().to_owned(),
            after.to_owned(),
        );
        let rows = self
            .database
            .write(move |transaction| {
                transaction
                    .prepare_cached("UPDATE open_orders SET state = 'ready' WHERE state = 'waiting' AND due_ms <= ?1")?
                    .execute([now])?;
                let mut rows = Vec::new();
                while rows.len() < limit
                    && let Some(sequence) = next(transaction, entry::backend_name(backend), &mut turn)?
                {
                    rows.push(take(transaction, sequence, &holder, now)?);
                }
                Ok(rows)
            })
            .await?;
        rows.into_iter()
            .map(|row| self.acquired(row, now))
            .collect()
    }

    /// Acquires this order, if nobody works on it; also one that waits for its next attempt.
    ///
    /// # Errors
    /// [`JournalError`]; nothing was acquired.
    pub async fn acquire_one(&self, sequence: i64) -> Result<Option<AcquiredOrder>, JournalError> {
        self.release().await?;
        let (now, holder) = (self.now_ms(), self.holder.name().to_owned());
        let row = self
            .database
            .write(move |transaction| {
                let is_free = transaction
                    .prepare_cached("SELECT 1 FROM open_orders WHERE sequence = ?1 AND state IN ('ready', 'waiting')")?
                    .exists([sequence])?;
                if is_free { take(transaction, sequence, &holder, now).map(Some) } else { Ok(None) }
            })
            .await?;
        row.map(|row| self.acquired(row, now)).transpose()
    }

    fn acquired(&self, row: AcquiredRow, now: i64) -> Result<AcquiredOrder, JournalError> {
        let order_id: OrderId = row
            .order_id
            .parse()
            .map_err(|error| JournalError::damaged(&row.order_id, &error))?;
        self.watches.notify(row.key.sequence);
        Ok(AcquiredOrder {
            lease: Lease::new(
                order_id,
                row.submitter.clone(),
                row.key,
                row.attempt,
                row.accepted_at_ms,
                &self.abandoned,
            ),
            submitter: row.submitter,
            skill: Digest::from_bytes(row.skill).into(),
            request: Digest::from_bytes(row.request),
            work: row.work,
            input: row.input.into(),
            queued_ms: u64::try_from(now - row.queued_at_ms).unwrap_or(0),
        })
    }
}

/// The next ready order in the round of submitters.
fn next(
    transaction: &Transaction<'_>,
    backend: &str,
    turn: &mut String,
) -> rusqlite::Result<Option<i64>> {
    let mut submitter = transaction.prepare_cached(
        "SELECT submitter FROM open_orders WHERE state = 'ready' AND backend = ?1 AND submitter > ?2
         ORDER BY submitter LIMIT 1",
    )?;
    let mut behind = |turn: &str| {
        submitter
            .query_row(params![backend, turn], |row| row.get(0))
            .optional()
    };
    let found: Option<String> = match behind(turn)? {
        Some(found) => Some(found),
        None => behind("")?,
    };
    let Some(found) = found else { return Ok(None) };
    *turn = found;
    transaction
        .prepare_cached(
            "SELECT sequence FROM open_orders WHERE state = 'ready' AND backend = ?1 AND submitter = ?2
             ORDER BY priority DESC, sequence LIMIT 1",
        )?
        .query_row(params![backend, *turn], |row| row.get(0))
        .optional()
}

/// Begins an attempt.
fn take(
    transaction: &Transaction<'_>,
    sequence: i64,
    holder: &str,
    now: i64,
) -> rusqlite::Result<AcquiredRow> {
    let (order_id, request, skill, accepted_at_ms): (_, _, Option<[u8; 32]>, _) = transaction
        .prepare_cached(
            "SELECT order_id, request, skill, accepted_at_ms FROM orders WHERE sequence = ?1",
        )?
        .query_row([sequence], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))
        })?;
    let acquired = |row: &Row<'_>| {
        Ok(AcquiredRow {
            order_id,
            request,
            skill: skill.unwrap_or_default(),
            accepted_at_ms,
            attempt: row.get(0)?,
            key: LeaseKey {
                sequence,
                token: row.get(1)?,
            },
            submitter: row.get(2)?,
            queued_at_ms: row.get(3)?,
            work: row.get(4)?,
            input: row.get(5)?,
        })
    };
    let row = transaction
        .prepare_cached(
            "UPDATE open_orders SET state = 'running', attempt = attempt + 1, token = token + 1, holder = ?2
             WHERE sequence = ?1 RETURNING attempt, token, submitter, queued_at_ms, work, input",
        )?
        .query_row(params![sequence, holder], acquired)?;
    events::add(
        transaction,
        now,
        sequence,
        row.attempt,
        EventKind::Running,
        None,
    )?;
    Ok(row)
}
