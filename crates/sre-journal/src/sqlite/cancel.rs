//! Cancelling: an order that waits ends, the worker of one that runs is asked to stop.

use std::collections::HashSet;

use rusqlite::{OptionalExtension, Transaction, params};
use sre_core::{ErrorCode, OrderId, OrderResult, OrderStatus};

use super::error::SqliteError;
use super::finish::{Ending, OpenRow, end};
use super::journal::SqliteJournal;
use super::{events, leases, reader};
use crate::queue::Cancelled;
use crate::reader::{EventKind, parse_result};

/// The result of an order that was cancelled before it was committed.
pub(super) const CANCELLED: Ending<'_> = Ending {
    status: OrderStatus::Failed,
    code: ErrorCode::Cancelled,
    message: "the order was cancelled",
};

/// What one transaction found and did.
enum Step {
    /// The order was purged meanwhile.
    Purged,
    /// It had ended; this is its result as the journal has it.
    Finished(String),
    Ended(Box<OrderResult>),
    Asked,
}

pub(super) async fn cancel(
    journal: &SqliteJournal,
    order_id: &OrderId,
) -> Result<Cancelled, SqliteError> {
    leases::release(journal).await?;
    let Some(sequence) = reader::sequence(journal, order_id)? else {
        return Ok(Cancelled::Unknown);
    };
    let (now, steady) = (journal.now_ms(), journal.clocks.steady_ms());
    let id = order_id.as_str().to_owned();
    let step = journal
        .database
        .write(move |transaction| cancel_in(transaction, now, steady, sequence, id))
        .await?;
    Ok(match step {
        Step::Purged => Cancelled::Unknown,
        Step::Finished(text) => {
            Cancelled::Finished(Box::new(parse_result(order_id.as_str(), &text)?))
        }
        Step::Ended(result) => {
            journal.ended(sequence, None);
            Cancelled::Ended(result)
        }
        Step::Asked => {
            journal.watches.notify(sequence);
            Cancelled::Asked { sequence }
        }
    })
}

/// Orders of this process whose cancellation was asked for.
pub(super) fn cancelling(journal: &SqliteJournal) -> Result<HashSet<i64>, SqliteError> {
    let reader = journal.database.reader()?;
    let mut statement = reader
        .prepare_cached("SELECT sequence FROM open_orders WHERE holder = ?1 AND cancel = 1")?;
    let rows = statement.query_map([journal.liveness.name()], |row| row.get(0))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

fn cancel_in(
    transaction: &Transaction<'_>,
    now: i64,
    steady: i64,
    sequence: i64,
    order_id: String,
) -> rusqlite::Result<Step> {
    let open: Option<(bool, u32, i64)> = transaction
        .prepare_cached(
            "SELECT holder IS NOT NULL, attempt, queued_at_ms FROM open_orders WHERE sequence = ?1",
        )?
        .query_row([sequence], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?))
        })
        .optional()?;
    let Some((is_held, attempt, queued_at_ms)) = open else {
        let result = transaction
            .prepare_cached("SELECT result FROM results WHERE sequence = ?1")?
            .query_row([sequence], |row| row.get(0))
            .optional()?;
        return Ok(result.map_or(Step::Purged, Step::Finished));
    };
    if !is_held {
        let row = OpenRow {
            sequence,
            order_id,
            queued_at_ms,
            attempt,
        };
        let result = end(transaction, now, steady, &row, &CANCELLED)?;
        return Ok(Step::Ended(Box::new(result)));
    }
    let asked = transaction
        .prepare_cached("UPDATE open_orders SET cancel = 1 WHERE sequence = ?1 AND cancel = 0")?
        .execute(params![sequence])?;
    // Asking twice is one event.
    if asked == 1 {
        events::add(
            transaction,
            now,
            sequence,
            attempt,
            EventKind::Cancelling,
            None,
        )?;
    }
    Ok(Step::Asked)
}
