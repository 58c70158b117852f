//! From a submitted order to a row: new, the same again, a conflict, or a reserved id.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use jiff::Timestamp;
use rusqlite::{OptionalExtension, Transaction, params};
use sre_core::OrderId;

use super::acquire::backend_name;
use super::error::SqliteError;
use super::journal::SqliteJournal;
use super::{events, leases, verdict_ledger};
use crate::clock::milliseconds;
use crate::error::JournalError;
use crate::lease::{Lease, LeaseKey};
use crate::liveness::Liveness;
use crate::queue::{Accepted, AcquirePolicy, NewOrder};
use crate::reader::{EventKind, JournalEntry, OrderState, parse_result};
use crate::verdict_ledger::Finality;
use crate::watch::{Watch, Watches};

/// The outcome of the transaction.
enum Stored {
    New {
        sequence: i64,
        acquired: Option<Acquired>,
        watch: Watch,
    },
    Open(Option<Acquired>, String),
    Finished(String, String),
    Conflict,
    Reserved,
}

/// A lease as the transaction made it.
struct Acquired {
    key: LeaseKey,
    attempt: u32,
    queued_at_ms: i64,
}

/// What the transaction needs besides the order.
struct Step {
    policy: AcquirePolicy,
    now: i64,
    steady: i64,
    liveness: Arc<dyn Liveness>,
    watches: Arc<Watches>,
}

pub(super) async fn accept(
    journal: &SqliteJournal,
    order: NewOrder,
    policy: AcquirePolicy,
) -> Result<Accepted, SqliteError> {
    leases::release(journal).await?;
    let order = Arc::new(order);
    let step = Step {
        policy,
        now: journal.now_ms(),
        steady: journal.clocks.steady_ms(),
        liveness: Arc::clone(&journal.liveness),
        watches: Arc::clone(&journal.watches),
    };
    let (now, recorded) = (step.now, Arc::clone(&order));
    let stored = journal
        .database
        .write(move |transaction| store(transaction, &recorded, &step))
        .await?;
    answer(journal, &order, stored, now)
}

fn answer(
    journal: &SqliteJournal,
    order: &NewOrder,
    stored: Stored,
    now: i64,
) -> Result<Accepted, SqliteError> {
    let lease = |acquired: Option<Acquired>, submitter: &str| {
        acquired.map(|acquired| Lease {
            order_id: order.order_id.clone(),
            submitter: submitter.to_owned(),
            key: acquired.key,
            attempt: acquired.attempt,
            queued_at_ms: acquired.queued_at_ms,
            dropped: Some(Arc::clone(&journal.dropped)),
        })
    };
    Ok(match stored {
        Stored::New {
            sequence,
            acquired,
            watch,
        } => {
            journal.open.fetch_add(1, Ordering::Relaxed);
            let entry = new_entry(order, sequence, acquired.is_some(), now)?;
            Accepted::New {
                lease: lease(acquired, &order.submitter),
                entry: Box::new(entry),
                watch,
            }
        }
        Stored::Open(acquired, submitter) => Accepted::Open {
            lease: lease(acquired, &submitter),
            submitter,
        },
        Stored::Finished(text, submitter) => Accepted::Finished {
            result: Box::new(parse_result(order.order_id.as_str(), &text)?),
            submitter,
        },
        Stored::Conflict => Accepted::Conflict,
        Stored::Reserved => Accepted::Reserved,
    })
}

/// What [`OrderReader::get`](crate::OrderReader::get) would say of an order that is new.
fn new_entry(
    order: &NewOrder,
    sequence: i64,
    is_running: bool,
    now: i64,
) -> Result<JournalEntry, JournalError> {
    Ok(JournalEntry {
        order_id: order.order_id.clone(),
        sequence,
        submitter: order.submitter.clone(),
        skill: order.skill,
        invocation: order.invocation.clone(),
        accepted_at: timestamp(&order.order_id, now)?,
        state: if is_running {
            OrderState::Running
        } else {
            OrderState::Queued
        },
        attempts: u32::from(is_running),
        result: None,
        finality: Finality::required(order.verdicts_required),
    })
}

pub(super) fn timestamp(order_id: &OrderId, ms: i64) -> Result<Timestamp, JournalError> {
    Timestamp::from_millisecond(ms).map_err(|error| JournalError::damaged(order_id.as_str(), error))
}

fn store(transaction: &Transaction<'_>, order: &NewOrder, step: &Step) -> rusqlite::Result<Stored> {
    let inserted = transaction
        .prepare_cached(
            "INSERT OR IGNORE INTO orders (order_id, request, accepted_at_ms, submitter, skill)
             VALUES (?1, ?2, ?3, ?4, ?5)",
        )?
        .execute(params![
            order.order_id.as_str(),
            order.request.as_bytes(),
            step.now,
            order.submitter,
            order.skill.digest().as_bytes()
        ])?;
    if inserted == 0 {
        return known(transaction, order, step);
    }
    let sequence = transaction.last_insert_rowid();
    verdict_ledger::require(transaction, sequence, order.verdicts_required)?;
    let acquires = step.policy != AcquirePolicy::Never;
    insert_open(transaction, sequence, order, step, acquires)?;
    events::add(
        transaction,
        step.now,
        sequence,
        0,
        EventKind::Accepted,
        None,
    )?;
    // Made before the commit, so that the watch misses nothing that follows.
    let watch = step.watches.of(sequence);
    if acquires {
        events::add(transaction, step.now, sequence, 1, EventKind::Running, None)?;
    }
    Ok(Stored::New {
        sequence,
        acquired: acquires.then_some(Acquired {
            key: LeaseKey { sequence, token: 1 },
            attempt: 1,
            queued_at_ms: step.steady,
        }),
        watch,
    })
}

fn insert_open(
    transaction: &Transaction<'_>,
    sequence: i64,
    order: &NewOrder,
    step: &Step,
    acquires: bool,
) -> rusqlite::Result<()> {
    let queue_until_ms = order
        .queue_time
        .map(|time| step.steady.saturating_add(milliseconds(time)));
    transaction
        .prepare_cached(
            "INSERT INTO open_orders (sequence, state, backend, submitter, priority, attempt, max_retries, token,
                 holder, cancel, queued_at_ms, queue_until_ms, set_at_ms, due_ms, callback_url, trace, work, input,
                 invocation)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?6, ?8, 0, ?9, ?10, ?11, ?11, ?12, ?13, ?14, ?15, ?16)",
        )?
        .execute(params![
            sequence,
            if acquires { "running" } else { "ready" },
            backend_name(order.backend),
            order.submitter,
            order.priority,
            // Attempts begun, and acquisitions so far.
            i64::from(acquires),
            order.max_retries,
            acquires.then(|| step.liveness.name()),
            step.steady,
            queue_until_ms,
            step.now,
            order.callback_url,
            order.trace,
            order.work,
            &order.input[..],
            order.invocation,
        ])
        .map(drop)
}

/// The answer for an id that is taken.
fn known(transaction: &Transaction<'_>, order: &NewOrder, step: &Step) -> rusqlite::Result<Stored> {
    let (sequence, request, submitter): (i64, [u8; 32], String) = transaction
        .prepare_cached("SELECT sequence, request, submitter FROM orders WHERE order_id = ?1")?
        .query_row([order.order_id.as_str()], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?))
        })?;
    let is_same = request == *order.request.as_bytes();
    let result = transaction
        .prepare_cached("SELECT result FROM results WHERE sequence = ?1")?
        .query_row([sequence], |row| row.get(0))
        .optional()?;
    if let Some(result) = result {
        return Ok(if is_same {
            Stored::Finished(result, submitter)
        } else {
            Stored::Conflict
        });
    }
    let held_by: Option<Option<String>> = transaction
        .prepare_cached("SELECT holder FROM open_orders WHERE sequence = ?1")?
        .query_row([sequence], |row| row.get(0))
        .optional()?;
    // Neither open nor ended: purged. Also for the same order, because its receipt stays in the log
    // and an id has one receipt.
    let Some(held_by) = held_by else {
        return Ok(Stored::Reserved);
    };
    if !is_same {
        return Ok(Stored::Conflict);
    }
    let is_free = match &held_by {
        None => true,
        Some(other) => other != step.liveness.name() && step.liveness.is_dead(other),
    };
    if step.policy != AcquirePolicy::Always || !is_free {
        return Ok(Stored::Open(None, submitter));
    }
    let acquired = take_over(transaction, sequence, held_by.is_none(), step)?;
    Ok(Stored::Open(Some(acquired), submitter))
}

/// Acquires a known order that no living worker has. The attempt of a dead holder is replaced and
/// not counted: the caller who asks again has decided to go on.
fn take_over(
    transaction: &Transaction<'_>,
    sequence: i64,
    counts: bool,
    step: &Step,
) -> rusqlite::Result<Acquired> {
    let (attempt, token, queued_at_ms) = transaction
        .prepare_cached(
            "UPDATE open_orders SET state = 'running', token = token + 1, holder = ?2, attempt = attempt + ?3
             WHERE sequence = ?1 RETURNING attempt, token, queued_at_ms",
        )?
        .query_row(
            params![sequence, step.liveness.name(), i64::from(counts)],
            |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)),
        )?;
    events::add(
        transaction,
        step.now,
        sequence,
        attempt,
        EventKind::Running,
        None,
    )?;
    Ok(Acquired {
        key: LeaseKey { sequence, token },
        attempt,
        queued_at_ms,
    })
}
