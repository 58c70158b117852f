//! Taking over what dead workers left behind. This is not a special path: every worker loop calls
//! it periodically.

use std::collections::HashMap;
use std::sync::{MutexGuard, PoisonError};

use rusqlite::{Transaction, params};
use sre_core::{ErrorCode, OrderStatus};

use super::cancel::CANCELLED;
use super::error::SqliteError;
use super::events;
use super::finish::{Ending, OpenRow, end, open_rows};
use super::journal::SqliteJournal;
use super::leases::LEASE_TIME;
use crate::backoff::Backoff;
use crate::clock::milliseconds;
use crate::queue::Recovered;
use crate::reader::EventKind;

/// When, and how the pauses before further attempts are chosen.
#[derive(Clone, Copy)]
struct Step {
    now: i64,
    steady: i64,
    backoff: Backoff,
    random: f64,
}

/// Orders that a transaction has changed.
#[derive(Default)]
struct Changed {
    ended: Vec<i64>,
    retried: Vec<i64>,
}

pub(super) async fn recover(
    journal: &SqliteJournal,
    backoff: Backoff,
    random: f64,
) -> Result<Recovered, SqliteError> {
    let dead = dead_holders(journal)?;
    if dead.is_empty() {
        return Ok(Recovered::default());
    }
    let step = Step {
        now: journal.now_ms(),
        steady: journal.clocks.steady_ms(),
        backoff,
        random,
    };
    let names = dead.clone();
    let changed = journal
        .database
        .write(move |transaction| {
            let mut changed = Changed::default();
            for holder in &names {
                end_leases(transaction, step, holder, &mut changed)?;
            }
            Ok(changed)
        })
        .await?;
    // Only after the write: a holder whose file is gone would be found dead again, which changes
    // nothing.
    for holder in &dead {
        journal.liveness.remove(holder);
    }
    for sequence in &changed.ended {
        journal.ended(*sequence, None);
    }
    for sequence in &changed.retried {
        journal.watches.notify(*sequence);
    }
    Ok(Recovered {
        holders: dead.len(),
        retried: changed.retried.len(),
        ended: changed.ended.len(),
    })
}

/// Holders other than this process whose process has ended, or which have sent no heartbeat for too
/// long.
fn dead_holders(journal: &SqliteJournal) -> Result<Vec<String>, SqliteError> {
    let reader = journal.database.reader()?;
    // A holder that died before its first heartbeat has no row in `holders`.
    let mut statement = reader.prepare_cached(
        "SELECT h.holder, coalesce(t.until_ms, 0) FROM (
             SELECT holder FROM open_orders WHERE holder IS NOT NULL
             UNION SELECT holder FROM outbox WHERE state = 'pending' AND holder IS NOT NULL
             UNION SELECT holder FROM holders
         ) AS h LEFT JOIN holders AS t USING (holder) WHERE h.holder <> ?1",
    )?;
    let rows = statement.query_map([journal.liveness.name()], |row| {
        Ok((row.get(0)?, row.get(1)?))
    })?;
    let others = rows.collect::<rusqlite::Result<Vec<(String, i64)>>>()?;
    silent(journal).retain(|holder, _| others.iter().any(|(other, _)| other == holder));
    let is_dead = |(holder, until_ms): &(String, i64)| {
        is_late(journal, holder, *until_ms) || journal.liveness.is_dead(holder)
    };
    Ok(others
        .into_iter()
        .filter(is_dead)
        .map(|(holder, _)| holder)
        .collect())
}

/// Whether the holder's lease is over, and it has sent no heartbeat for a whole lease since this
/// process first saw that. Going by the wall clock alone, a jump would end leases of the living.
fn is_late(journal: &SqliteJournal, holder: &str, until_ms: i64) -> bool {
    let steady = journal.clocks.steady_ms();
    let mut silent = silent(journal);
    let (seen, since) = silent
        .entry(holder.to_owned())
        .or_insert((until_ms, steady));
    if *seen != until_ms {
        (*seen, *since) = (until_ms, steady);
    }
    until_ms < journal.now_ms() && steady - *since >= milliseconds(LEASE_TIME)
}

fn silent(journal: &SqliteJournal) -> MutexGuard<'_, HashMap<String, (i64, i64)>> {
    journal
        .silent
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
}

/// Ends every lease of a dead holder.
fn end_leases(
    transaction: &Transaction<'_>,
    step: Step,
    holder: &str,
    changed: &mut Changed,
) -> rusqlite::Result<()> {
    let columns = "SELECT sequence, order_id, queued_at_ms, attempt FROM open_orders JOIN orders USING (sequence)
        WHERE holder = ?1 AND ";
    // Cancelled: the worker was asked to stop and has stopped.
    let cancelled = open_rows(transaction, &format!("{columns} cancel = 1"), [holder])?;
    for row in cancelled {
        end(transaction, step.now, step.steady, &row, &CANCELLED)?;
        changed.ended.push(row.sequence);
    }
    // No attempt is left.
    let last = format!("{columns} attempt > max_retries");
    for row in open_rows(transaction, &last, [holder])? {
        let message = format!(
            "the process that ran attempt {} died; nothing was committed",
            row.attempt
        );
        let ending = Ending {
            status: OrderStatus::Failed,
            code: ErrorCode::Interrupted,
            message: &message,
        };
        end(transaction, step.now, step.steady, &row, &ending)?;
        changed.ended.push(row.sequence);
    }
    // The rest has another attempt, after a pause.
    for row in open_rows(transaction, &format!("{columns} TRUE"), [holder])? {
        retry(transaction, step, &row)?;
        changed.retried.push(row.sequence);
    }
    // Callbacks are delivered again at once: their receivers know repeated message ids.
    transaction
        .prepare_cached("UPDATE outbox SET holder = NULL, token = token + 1 WHERE state = 'pending' AND holder = ?1")?
        .execute([holder])?;
    transaction
        .prepare_cached("DELETE FROM holders WHERE holder = ?1")?
        .execute([holder])
        .map(drop)
}

fn retry(transaction: &Transaction<'_>, step: Step, row: &OpenRow) -> rusqlite::Result<()> {
    let pause = milliseconds(step.backoff.pause(row.attempt, step.random));
    // A new token: the holder may only hang, and must not record anything any more.
    transaction
        .prepare_cached(
            "UPDATE open_orders SET state = 'waiting', holder = NULL, token = token + 1, set_at_ms = ?2, due_ms = ?3
             WHERE sequence = ?1",
        )?
        .execute(params![row.sequence, step.now, step.now.saturating_add(pause)])?;
    let reason = Some("the process that ran the attempt died");
    events::add(
        transaction,
        step.now,
        row.sequence,
        row.attempt,
        EventKind::Retrying,
        reason,
    )
}
