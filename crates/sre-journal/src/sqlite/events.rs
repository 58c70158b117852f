//! What happened to an order: adding an event, reading events.

use jiff::Timestamp;
use rusqlite::{Connection, Transaction, params};
use sre_core::OrderId;

use super::error::SqliteError;
use crate::error::JournalError;
use crate::reader::{Event, EventKind};

/// Adds the order's next event.
pub(super) fn add(
    transaction: &Transaction<'_>,
    now_ms: i64,
    sequence: i64,
    attempt: u32,
    kind: EventKind,
    detail: Option<&str>,
) -> rusqlite::Result<()> {
    // Without gaps: there is one writer at a time, so the next number is free.
    transaction
        .prepare_cached(
            "INSERT INTO events (sequence, number, at_ms, attempt, kind, detail)
             VALUES (?1, (SELECT coalesce(max(number), 0) + 1 FROM events WHERE sequence = ?1), ?2, ?3, ?4, ?5)",
        )?
        .execute(params![sequence, now_ms, attempt, kind.as_str(), detail])
        .map(drop)
}

/// The events of the order at `sequence` after number `after`.
pub(super) fn read(
    connection: &Connection,
    order_id: &OrderId,
    sequence: i64,
    after: u64,
    limit: usize,
) -> Result<Vec<Event>, SqliteError> {
    let mut statement = connection.prepare_cached(
        "SELECT number, at_ms, attempt, kind, detail FROM events WHERE sequence = ?1 AND number > ?2
         ORDER BY number LIMIT ?3",
    )?;
    let after = i64::try_from(after).unwrap_or(i64::MAX);
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let mut rows = statement.query(params![sequence, after, limit])?;
    let mut events = Vec::new();
    while let Some(row) = rows.next()? {
        let damaged = |what: &str| JournalError::damaged(order_id.as_str(), what);
        let kind: String = row.get(3)?;
        events.push(Event {
            number: row.get::<_, i64>(0)?.unsigned_abs(),
            at: Timestamp::from_millisecond(row.get(1)?).map_err(|_| damaged("an event's time"))?,
            attempt: row.get(2)?,
            kind: EventKind::parse(&kind).ok_or_else(|| damaged("an event of an unknown kind"))?,
            detail: row.get(4)?,
        });
    }
    Ok(events)
}
