//! Taking callbacks to deliver: submitters take turns, and each submitter's callbacks come by age.

use std::collections::VecDeque;

use rusqlite::{Connection, OptionalExtension, Row, Transaction, params};

use super::error::SqliteError;
use super::journal::SqliteJournal;
use super::schema::NEVER_DUE;
use super::verdict_ledger;
use crate::outbox::Outgoing;
use crate::slots::DeliverySlots;

const COLUMNS: &str = "sequence, token, message_id, url, host, attempt, trace, submitter";

pub(super) async fn acquire_callbacks(
    journal: &SqliteJournal,
    mut slots: DeliverySlots,
) -> Result<Vec<Outgoing>, SqliteError> {
    let now = journal.now_ms();
    // Asked on a reader first, because mostly nothing is due, and a write costs an fsync.
    {
        let reader = journal.database.reader()?;
        let mut round = pending_submitters(&reader, slots.last_submitter())?;
        if next(&reader, now, &mut slots.clone(), &mut round)?.is_none() {
            return Ok(Vec::new());
        }
    }
    let holder = journal.liveness.name().to_owned();
    let acquired = journal.database.write(move |transaction| {
        // From the beginning: another process may have acquired some of them meanwhile.
        let mut round = pending_submitters(transaction, slots.last_submitter())?;
        let mut acquired = Vec::new();
        while let Some(row) = next(transaction, now, &mut slots, &mut round)? {
            acquired.push(take(transaction, row, &holder)?);
        }
        Ok(acquired)
    });
    Ok(acquired.await?)
}

pub(super) async fn acquire_callback(
    journal: &SqliteJournal,
    sequence: i64,
) -> Result<Option<Outgoing>, SqliteError> {
    let one = format!(
        "SELECT {COLUMNS} FROM outbox
         WHERE sequence = ?1 AND state = 'pending' AND holder IS NULL AND due_ms <> {NEVER_DUE}"
    );
    let is_pending = journal
        .database
        .reader()?
        .prepare_cached(&one)?
        .exists([sequence])?;
    if !is_pending {
        return Ok(None);
    }
    let holder = journal.liveness.name().to_owned();
    let acquired = journal.database.write(move |transaction| {
        let row = transaction
            .prepare_cached(&one)?
            .query_row([sequence], outgoing)
            .optional()?;
        row.map(|row| take(transaction, row, &holder)).transpose()
    });
    Ok(acquired.await?)
}

/// Submitters with pending callbacks, in the order of their turns: the round goes by name and
/// begins after `last`.
fn pending_submitters(connection: &Connection, last: &str) -> rusqlite::Result<VecDeque<String>> {
    let mut after = connection.prepare_cached(
        "SELECT submitter FROM outbox WHERE state = 'pending' AND submitter > ?1 ORDER BY submitter LIMIT 1",
    )?;
    let mut round: VecDeque<String> = VecDeque::new();
    // From name to name: one step in the index for each submitter, however many callbacks they
    // have. SELECT DISTINCT would read them all.
    while let Some(found) = after
        .query_row([round.back().map_or("", String::as_str)], |row| row.get(0))
        .optional()?
    {
        round.push_back(found);
    }
    // The names up to the last one have had their turn and go to the end.
    let had_their_turn = round
        .iter()
        .take_while(|submitter| submitter.as_str() <= last)
        .count();
    round.rotate_left(had_their_turn);
    Ok(round)
}

/// The next callback that is due and has a slot, which it occupies.
fn next(
    connection: &Connection,
    now: i64,
    slots: &mut DeliverySlots,
    round: &mut VecDeque<String>,
) -> rusqlite::Result<Option<Outgoing>> {
    // A submitter that has no slot or nothing due leaves the round: neither changes within it.
    while let Some(submitter) = round.pop_front() {
        if !slots.has_room_for(&submitter) {
            continue;
        }
        // Callbacks to receivers that are busy are passed over, so that one receiver that hangs
        // does not hold up the others of its submitter. The list is bound as one JSON value,
        // because SQL has no parameter of variable length.
        let busy = serde_json::to_string(&slots.busy_receivers(&submitter))
            .unwrap_or_else(|_| String::from("[]"));
        let due = connection
            .prepare_cached(&format!(
                "SELECT {COLUMNS} FROM outbox WHERE state = 'pending' AND submitter = ?1 AND due_ms <= ?2
                 AND holder IS NULL AND host NOT IN (SELECT value FROM json_each(?3)) ORDER BY due_ms LIMIT 1"
            ))?
            .query_row(params![submitter, now, busy], outgoing)
            .optional()?;
        if let Some(due) = due {
            slots.occupy(&due.submitter, &due.host);
            // To the end of the round: the others come before its next one.
            round.push_back(submitter);
            return Ok(Some(due));
        }
    }
    Ok(None)
}

/// The columns [`COLUMNS`]; [`take`] fills in the rest.
fn outgoing(row: &Row<'_>) -> rusqlite::Result<Outgoing> {
    Ok(Outgoing {
        sequence: row.get(0)?,
        token: row.get(1)?,
        message_id: row.get(2)?,
        order_id: String::new(),
        submitter: row.get(7)?,
        url: row.get(3)?,
        host: row.get(4)?,
        attempt: row.get(5)?,
        body: String::new(),
        trace: row.get(6)?,
    })
}

/// Begins a delivery: under a new token, with the result as it stands now.
fn take(
    transaction: &Transaction<'_>,
    mut row: Outgoing,
    holder: &str,
) -> rusqlite::Result<Outgoing> {
    transaction
        .prepare_cached("UPDATE outbox SET holder = ?2, attempt = attempt + 1, token = token + 1 WHERE sequence = ?1")?
        .execute(params![row.sequence, holder])?;
    row.token += 1;
    row.attempt += 1;
    // Read only here: it may be megabytes, and most callbacks that are looked at are not taken.
    (row.order_id, row.body) = transaction
        .prepare_cached(
            "SELECT order_id, result FROM orders JOIN results USING (sequence) WHERE sequence = ?1",
        )?
        .query_row([row.sequence], |found| Ok((found.get(0)?, found.get(1)?)))?;
    if let Some(finality) = verdict_ledger::finality(transaction, row.sequence)? {
        row.body = finality.with_finality(&row.body);
    }
    Ok(row)
}
