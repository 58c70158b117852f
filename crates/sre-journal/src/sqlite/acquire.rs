//! Taking orders to work on: fair between submitters, by priority within each.

use std::sync::Arc;

use rusqlite::{OptionalExtension, Row, Transaction, params};
use sre_core::{Backend, Digest, OrderId};

use super::error::SqliteError;
use super::journal::SqliteJournal;
use super::{events, leases};
use crate::error::JournalError;
use crate::lease::{Lease, LeaseKey};
use crate::queue::AcquiredOrder;
use crate::reader::EventKind;

/// An acquired order as the transaction read it.
struct AcquiredRow {
    order_id: String,
    request: [u8; 32],
    skill: Option<[u8; 32]>,
    key: LeaseKey,
    attempt: u32,
    submitter: String,
    queued_at_ms: i64,
    has_callback: bool,
    trace: Option<String>,
    work: String,
    input: Vec<u8>,
    invocation: Option<String>,
}

pub(super) async fn acquire(
    journal: &SqliteJournal,
    backend: Backend,
    limit: usize,
    after: &str,
) -> Result<Vec<AcquiredOrder>, SqliteError> {
    leases::release(journal).await?;
    let (now, holder) = (journal.now_ms(), journal.liveness.name().to_owned());
    let mut last_submitter = after.to_owned();
    let rows = journal
        .database
        .write(move |transaction| {
            // Orders whose pause is over join the others first, so that they take their turn.
            transaction
                .prepare_cached("UPDATE open_orders SET state = 'ready' WHERE state = 'waiting' AND due_ms <= ?1")?
                .execute([now])?;
            let mut rows = Vec::new();
            while rows.len() < limit
                && let Some(sequence) = next(transaction, backend_name(backend), &mut last_submitter)?
            {
                rows.push(take(transaction, sequence, &holder, now)?);
            }
            Ok(rows)
        })
        .await?;
    rows.into_iter().map(|row| acquired(journal, row)).collect()
}

pub(super) async fn acquire_one(
    journal: &SqliteJournal,
    sequence: i64,
) -> Result<Option<AcquiredOrder>, SqliteError> {
    leases::release(journal).await?;
    let (now, holder) = (journal.now_ms(), journal.liveness.name().to_owned());
    let row = journal
        .database
        .write(move |transaction| {
            let is_free = transaction
                .prepare_cached("SELECT 1 FROM open_orders WHERE sequence = ?1 AND state IN ('ready', 'waiting')")?
                .exists([sequence])?;
            is_free.then(|| take(transaction, sequence, &holder, now)).transpose()
        })
        .await?;
    row.map(|row| acquired(journal, row)).transpose()
}

fn acquired(journal: &SqliteJournal, row: AcquiredRow) -> Result<AcquiredOrder, SqliteError> {
    let order_id: OrderId = row
        .order_id
        .parse()
        .map_err(|error| JournalError::damaged(&row.order_id, error))?;
    let skill = row
        .skill
        .ok_or_else(|| JournalError::damaged(&row.order_id, "an open order without a skill"))?;
    journal.watches.notify(row.key.sequence);
    let queued_ms = journal.clocks.steady_ms() - row.queued_at_ms;
    Ok(AcquiredOrder {
        lease: Lease {
            order_id,
            submitter: row.submitter.clone(),
            key: row.key,
            attempt: row.attempt,
            queued_at_ms: row.queued_at_ms,
            dropped: Some(Arc::clone(&journal.dropped)),
        },
        submitter: row.submitter,
        skill: Digest::from_bytes(skill).into(),
        request: Digest::from_bytes(row.request),
        trace: row.trace,
        work: row.work,
        input: row.input.into(),
        invocation: row.invocation,
        has_callback: row.has_callback,
        queued_ms: u64::try_from(queued_ms).unwrap_or(0),
    })
}

/// The next ready order, one submitter after the other. Two steps in one index, however many orders
/// are ready.
fn next(
    transaction: &Transaction<'_>,
    backend: &str,
    last_submitter: &mut String,
) -> rusqlite::Result<Option<i64>> {
    let mut submitter = transaction.prepare_cached(
        "SELECT submitter FROM open_orders WHERE state = 'ready' AND backend = ?1 AND submitter > ?2
         ORDER BY submitter LIMIT 1",
    )?;
    let mut after = |last: &str| {
        submitter
            .query_row(params![backend, last], |row| row.get::<_, String>(0))
            .optional()
    };
    let found = match after(last_submitter)? {
        Some(found) => Some(found),
        // The round begins again.
        None => after("")?,
    };
    let Some(found) = found else { return Ok(None) };
    *last_submitter = found;
    transaction
        .prepare_cached(
            "SELECT sequence FROM open_orders WHERE state = 'ready' AND backend = ?1 AND submitter = ?2
             ORDER BY priority DESC, sequence LIMIT 1",
        )?
        .query_row(params![backend, *last_submitter], |row| row.get(0))
        .optional()
}

/// Begins an attempt.
fn take(
    transaction: &Transaction<'_>,
    sequence: i64,
    holder: &str,
    now: i64,
) -> rusqlite::Result<AcquiredRow> {
    let (order_id, request, skill) = transaction
        .prepare_cached("SELECT order_id, request, skill FROM orders WHERE sequence = ?1")?
        .query_row([sequence], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?))
        })?;
    let read = |row: &Row<'_>| {
        Ok(AcquiredRow {
            order_id,
            request,
            skill,
            key: LeaseKey {
                sequence,
                token: row.get(1)?,
            },
            attempt: row.get(0)?,
            submitter: row.get(2)?,
            queued_at_ms: row.get(3)?,
            has_callback: row.get(4)?,
            trace: row.get(5)?,
            work: row.get(6)?,
            input: row.get(7)?,
            invocation: row.get(8)?,
        })
    };
    let row = transaction
        .prepare_cached(
            "UPDATE open_orders SET state = 'running', attempt = attempt + 1, token = token + 1, holder = ?2
             WHERE sequence = ?1
             RETURNING attempt, token, submitter, queued_at_ms, callback_url IS NOT NULL, trace, work, input, invocation",
        )?
        .query_row(params![sequence, holder], read)?;
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

pub(super) const fn backend_name(backend: Backend) -> &'static str {
    match backend {
        Backend::Wasm => "wasm",
        Backend::Native => "native",
        Backend::Docker => "docker",
    }
}
