//! Taking callbacks to deliver: in turn between submitters, by age within.

use std::collections::VecDeque;

use rusqlite::{Connection, OptionalExtension, Row, Transaction, params};

use crate::outbox::NEVER_DUE;
use crate::{DeliverySlots, Journal, JournalError, verdicts};

/// A callback to be delivered now.
#[derive(Debug, Clone)]
pub struct Outgoing {
    /// The order's place in the journal.
    pub sequence: i64,
    pub(super) token: i64,
    /// The same for every delivery of this callback.
    pub message_id: String,
    /// Which order.
    pub order_id: String,
    /// Who submitted it.
    pub submitter: String,
    /// Where to.
    pub url: String,
    /// Host and port of the URL.
    pub host: String,
    /// Deliveries begun, this one included.
    pub attempt: u32,
    /// The OrderResult as JSON.
    pub body: String,
    /// The submitter's trace (a W3C `traceparent`), if there is one.
    pub trace: Option<String>,
}

const COLUMNS: &str = "sequence, token, message_id, url, host, attempt, trace, submitter";

impl Journal {
    /// Acquires callbacks that are due, one submitter after the other, each submitter's by age, as
    /// many as `places` allows.
    ///
    /// # Errors
    /// [`JournalError`]; nothing was acquired.
    pub async fn acquire_callbacks(
        &self,
        mut places: DeliverySlots,
    ) -> Result<Vec<Outgoing>, JournalError> {
        let now = self.now_ms();
        // Without the writer, because mostly there is nothing.
        let reader = self.database.reader()?;
        let mut round = waiting(&reader, places.turn())?;
        if next(&reader, now, &mut places.clone(), &mut round)?.is_none() {
            return Ok(Vec::new());
        }
        drop(reader);
        let holder = self.holder.name().to_owned();
        let acquired = self.database.write(move |transaction| {
            let mut round = waiting(transaction, places.turn())?;
            let mut acquired = Vec::new();
            while let Some(row) = next(transaction, now, &mut places, &mut round)? {
                acquired.push(take(transaction, row, &holder)?);
            }
            Ok(acquired)
        });
        Ok(acquired.await?)
    }

    /// Acquires the callback of one order, if it is pending and nobody delivers it, due or not.
    ///
    /// # Errors
    /// [`JournalError`]; nothing was acquired.
    pub async fn acquire_callback(&self, sequence: i64) -> Result<Option<Outgoing>, JournalError> {
        let one = format!(
            "SELECT {COLUMNS} FROM outbox WHERE sequence = ?1 AND state = 'pending' AND holder IS NULL AND due_ms <> {NEVER_DUE}"
        );
        if !self
            .database
            .reader()?
            .prepare_cached(&one)?
            .exists([sequence])?
        {
            return Ok(None);
        }
        let holder = self.holder.name().to_owned();
        let acquired = self.database.write(move |transaction| {
            let row = transaction
                .prepare_cached(&one)?
                .query_row([sequence], outgoing)
                .optional()?;
            row.map(|row| take(transaction, row, &holder)).transpose()
        });
        Ok(acquired.await?)
    }
}

/// Submitters of callbacks that are pending, in their round, beginning behind `turn`.
fn waiting(connection: &Connection, turn: &str) -> rusqlite::Result<VecDeque<String>> {
    let mut behind = connection.prepare_cached(
        "SELECT submitter FROM outbox WHERE state = 'pending' AND submitter > ?1 ORDER BY submitter LIMIT 1",
    )?;
    let mut round: VecDeque<String> = VecDeque::new();
    // One step in the index for each, however many callbacks they have.
    while let Some(found) = behind
        .query_row([round.back().map_or("", String::as_str)], |row| row.get(0))
        .optional()?
    {
        round.push_back(found);
    }
    let had_their_turn = round
        .iter()
        .take_while(|submitter| submitter.as_str() <= turn)
        .count();
    round.rotate_left(had_their_turn);
    Ok(round)
}

/// The next callback that is due and has a place, which it takes. Whoever has nothing more leaves
/// the round.
fn next(
    connection: &Connection,
    now: i64,
    places: &mut DeliverySlots,
    round: &mut VecDeque<String>,
) -> rusqlite::Result<Option<Outgoing>> {
    while let Some(submitter) = round.pop_front() {
        if !places.has_room_for(&submitter) {
            continue;
        }
        let busy = serde_json::to_string(&places.busy_receivers(&submitter))
            .unwrap_or_else(|_| String::from("[]"));
        let due = connection
            .prepare_cached(&format!(
                "SELECT {COLUMNS} FROM outbox WHERE state = 'pending' AND submitter = ?1 AND due_ms <= ?2
                 AND holder IS NULL AND host NOT IN (SELECT value FROM json_each(?3)) ORDER BY due_ms LIMIT 1"
            ))?
            .query_row(params![submitter, now, busy], outgoing)
            .optional()?;
        if let Some(due) = due {
            places.enter(&due.submitter, &due.host);
            round.push_back(submitter);
            return Ok(Some(due));
        }
    }
    Ok(None)
}

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

fn take(
    transaction: &Transaction<'_>,
    mut row: Outgoing,
    holder: &str,
) -> rusqlite::Result<Outgoing> {
    transaction
        .prepare_cached("UPDATE outbox SET holder = ?2, attempt = attempt + 1, token = token + 1 WHERE sequence = ?1")?
        .execute(params![row.sequence, holder])?;
    (row.order_id, row.body) = transaction
        .prepare_cached(
            "SELECT order_id, result FROM orders JOIN results USING (sequence) WHERE sequence = ?1",
        )?
        .query_row([row.sequence], |found| Ok((found.get(0)?, found.get(1)?)))?;
    if let Some(finality) = verdicts::finality(transaction, row.sequence)? {
        row.body = finality.with_finality(&row.body);
    }
    row.token += 1;
    row.attempt += 1;
    Ok(row)
}
