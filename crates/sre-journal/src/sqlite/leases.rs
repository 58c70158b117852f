//! What a process says about itself, and the leases it drops.

use std::sync::atomic::Ordering;
use std::time::Duration;

use rusqlite::{OptionalExtension, params};

use super::error::SqliteError;
use super::events;
use super::journal::SqliteJournal;
use super::schema::NEVER_DUE;
use crate::clock::milliseconds;
use crate::reader::EventKind;

/// How long a lease lasts without a heartbeat.
pub(super) const LEASE_TIME: Duration = Duration::from_secs(60);

pub(super) async fn heartbeat(journal: &SqliteJournal) -> Result<(), SqliteError> {
    let holder = journal.liveness.name().to_owned();
    let until_ms = journal.now_ms() + milliseconds(LEASE_TIME);
    journal
        .database
        .write(move |transaction| {
            transaction
                .prepare_cached(
                    "INSERT OR REPLACE INTO holders (holder, until_ms) VALUES (?1, ?2)",
                )?
                .execute(params![holder, until_ms])
        })
        .await?;
    Ok(())
}

pub(super) async fn deregister(journal: &SqliteJournal) -> Result<(), SqliteError> {
    let holder = journal.liveness.name().to_owned();
    journal
        .database
        .write(move |transaction| {
            transaction
                .prepare_cached("DELETE FROM holders WHERE holder = ?1")?
                .execute([holder])
        })
        .await?;
    Ok(())
}

/// Releases the orders of dropped leases.
pub(super) async fn release(journal: &SqliteJournal) -> Result<(), SqliteError> {
    let keys = journal.dropped.pending();
    if keys.is_empty() {
        return Ok(());
    }
    let (holder, now) = (journal.liveness.name().to_owned(), journal.now_ms());
    let released = keys.clone();
    journal
        .database
        .write(move |transaction| {
            for key in &released {
                // The attempt does not count: the same number begins again.
                let attempt = transaction
                    .prepare_cached(
                        "UPDATE open_orders SET state = 'ready', holder = NULL, attempt = max(attempt - 1, 0)
                         WHERE sequence = ?1 AND token = ?2 AND holder = ?3 RETURNING attempt",
                    )?
                    .query_row(params![key.sequence, key.token, holder], |row| row.get(0))
                    .optional()?;
                if let Some(attempt) = attempt {
                    events::add(transaction, now, key.sequence, attempt, EventKind::Returned, None)?;
                }
            }
            Ok(())
        })
        .await?;
    // Only after the write. A caller that is dropped while it waits has the release done again,
    // which changes nothing: the token and the holder do not match any more.
    journal.dropped.remove(&keys);
    for key in &keys {
        journal.watches.notify(key.sequence);
    }
    Ok(())
}

pub(super) async fn tick(journal: &SqliteJournal) -> Result<(), SqliteError> {
    release(journal).await?;
    let now = journal.now_ms();
    // The clock was set back. Processes that share the journal share the clock, and each of them
    // looks for itself.
    if journal.latest_ms.load(Ordering::Relaxed) > now {
        make_due(journal, now).await?;
        journal.latest_ms.store(now, Ordering::Relaxed);
    }
    journal.count_open()
}

/// Makes due what was put off at a time that lies after `now`: its pause can no longer be measured.
/// Reads everything that waits.
async fn make_due(journal: &SqliteJournal, now: i64) -> Result<(), SqliteError> {
    let has_jumped: bool = journal
        .database
        .reader()?
        .prepare_cached(
            "SELECT EXISTS (SELECT 1 FROM open_orders WHERE state = 'waiting' AND set_at_ms > ?1)
                OR EXISTS (SELECT 1 FROM outbox WHERE state = 'pending' AND set_at_ms > ?1)",
        )?
        .query_row([now], |row| row.get(0))?;
    if !has_jumped {
        return Ok(());
    }
    journal
        .database
        .write(move |transaction| {
            transaction.execute(
                "UPDATE open_orders SET due_ms = ?1, set_at_ms = ?1 WHERE state = 'waiting' AND set_at_ms > ?1",
                [now],
            )?;
            // A callback that is held for verdicts stays held.
            transaction.execute(
                "UPDATE outbox SET due_ms = ?1, set_at_ms = ?1
                 WHERE state = 'pending' AND set_at_ms > ?1 AND due_ms <> ?2",
                [now, NEVER_DUE],
            )
        })
        .await?;
    Ok(())
}
