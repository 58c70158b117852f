//! What happened to an order, as whoever watches it is told.

use jiff::Timestamp;
use rusqlite::{Transaction, params};
use serde::Serialize;
use sre_core::OrderId;

use crate::lease::Lease;
use crate::{Journal, JournalError};

/// One event of an order.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Event {
    /// Place among the order's events, from 1, without gaps.
    #[serde(skip)]
    pub number: u64,
    /// When it was recorded.
    pub at: Timestamp,
    /// Attempts begun by then.
    pub attempt: u32,
    /// What happened.
    pub kind: EventKind,
    /// More about it, for people; null when there is nothing to add.
    pub detail: Option<String>,
}

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum EventKind {
    /// The order is in the journal.
    Accepted,
    /// An attempt begins.
    Running,
    /// The attempt has committed; the replay begins.
    Verifying,
    /// The attempt failed and another follows.
    Retrying,
    /// The attempt was given back and does not count.
    Returned,
    /// Somebody asked to stop it.
    Cancelling,
    /// It has ended; the last event.
    Finished,
}

impl EventKind {
    /// The name in JSON.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Running => "running",
            Self::Verifying => "verifying",
            Self::Retrying => "retrying",
            Self::Returned => "returned",
            Self::Cancelling => "cancelling",
            Self::Finished => "finished",
        }
    }

    fn parse(text: &str) -> Option<Self> {
        [
            Self::Accepted,
            Self::Running,
            Self::Verifying,
            Self::Retrying,
            Self::Returned,
            Self::Cancelling,
            Self::Finished,
        ]
        .into_iter()
        .find(|kind| kind.as_str() == text)
    }
}

/// Adds the order's next event.
pub(super) fn add(
    transaction: &Transaction<'_>,
    now_ms: i64,
    sequence: i64,
    attempt: u32,
    kind: EventKind,
    detail: Option<&str>,
) -> rusqlite::Result<()> {
    transaction
        .prepare_cached(
            "INSERT INTO events (sequence, number, at_ms, attempt, kind, detail)
             VALUES (?1, (SELECT coalesce(max(number), 0) + 1 FROM events WHERE sequence = ?1), ?2, ?3, ?4, ?5)",
        )?
        .execute(params![sequence, now_ms, attempt, kind.as_str(), detail])
        .map(drop)
}

impl Journal {
    /// Records that the attempt's commit is done and its replay begins. Does not wait for the disk:
    /// this is told to whoever watches once it is durable, and a crash before that takes the
    /// attempt with it. Does nothing under an old lease.
    ///
    /// # Errors
    /// [`JournalError::Write`] when the journal is closed.
    pub async fn record_verifying(&self, lease: &Lease) -> Result<(), JournalError> {
        let (key, attempt, now) = (lease.key, lease.attempt, self.now_ms());
        let recorded = self
            .database
            .enqueue(move |transaction| {
                let changed = transaction
                    .prepare_cached("UPDATE open_orders SET state = 'verifying' WHERE sequence = ?1 AND token = ?2")?
                    .execute(params![key.sequence, key.token])?;
                if changed == 1 {
                    add(transaction, now, key.sequence, attempt, EventKind::Verifying, None)?;
                }
                Ok(())
            })
            .await?;
        if self.watches.is_watched(key.sequence) {
            let watches = std::sync::Arc::clone(&self.watches);
            tokio::spawn(async move {
                if recorded.await.is_ok() {
                    watches.notify(key.sequence);
                }
            });
        }
        Ok(())
    }

    /// The order's events after number `after`, oldest first, at most `limit`; `None` if the order
    /// was never accepted.
    ///
    /// # Errors
    /// [`JournalError`].
    pub fn events(
        &self,
        order_id: &OrderId,
        after: u64,
        limit: usize,
    ) -> Result<Option<Vec<Event>>, JournalError> {
        let Some(sequence) = self.sequence(order_id)? else {
            return Ok(None);
        };
        let reader = self.database.reader()?;
        let mut statement = reader.prepare_cached(
            "SELECT number, at_ms, attempt, kind, detail FROM events WHERE sequence = ?1 AND number > ?2
             ORDER BY number LIMIT ?3",
        )?;
        let (after, limit) = (
            i64::try_from(after).unwrap_or(i64::MAX),
            i64::try_from(limit).unwrap_or(i64::MAX),
        );
        let mut rows = statement.query(params![sequence, after, limit])?;
        let mut events = Vec::new();
        while let Some(row) = rows.next()? {
            let damaged = |what: &str| JournalError::damaged(order_id.as_str(), &what);
            let kind: String = row.get(3)?;
            events.push(Event {
                number: row.get::<_, i64>(0)?.unsigned_abs(),
                at: Timestamp::from_millisecond(row.get(1)?)
                    .map_err(|_| damaged("an event's time"))?,
                attempt: row.get(2)?,
                kind: EventKind::parse(&kind)
                    .ok_or_else(|| damaged("an event of an unknown kind"))?,
                detail: row.get(4)?,
            });
        }
        Ok(Some(events))
    }
}
