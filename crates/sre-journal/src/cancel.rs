//! The wish of somebody that an order be over.

use rusqlite::{OptionalExtension, Transaction, params};
use sre_core::{ErrorCode, OrderId, OrderResult, OrderStatus};

use crate::finish::{Ending, OpenRow, end};
use crate::{EventKind, Journal, JournalError, entry, events};

/// Answer to [`Journal::cancel`].
#[derive(Debug)]
pub enum Cancelled {
    /// The order was never accepted, or was purged.
    Unknown,
    /// It had ended before; this is how.
    Finished(Box<OrderResult>),
    /// It was waiting and has ended now.
    Ended(Box<OrderResult>),
    /// Somebody works on it and will be told to stop.
    Asked {
        /// Its place in the journal.
        sequence: i64,
    },
}

/// The result of an order that was cancelled before it was committed.
pub(super) const CANCELLED: Ending<'_> = Ending {
    status: OrderStatus::Failed,
    code: ErrorCode::Cancelled,
    message: "the order was cancelled",
};

/// What one transaction found and did.
enum Step {
    /// It is in the journal no more.
    Gone,
    /// It had ended; this is its result as the journal has it.
    Over(String),
    Ended(Box<OrderResult>),
    Asked,
}

impl Journal {
    /// Ends an order that nobody works on; asks for the end of one that somebody does.
    ///
    /// # Errors
    /// [`JournalError`]; nothing has changed.
    pub async fn cancel(&self, order_id: &OrderId) -> Result<Cancelled, JournalError> {
        self.release().await?;
        let Some(entry) = self.get(order_id)? else {
            return Ok(Cancelled::Unknown);
        };
        let (sequence, now) = (entry.sequence, self.now_ms());
        let row = OpenRow {
            sequence,
            order_id: order_id.as_str().to_owned(),
            accepted_at_ms: entry.accepted_at.as_millisecond(),
            attempt: 0,
        };
        match self
            .database
            .write(move |transaction| cancel_in(transaction, now, row))
            .await?
        {
            Step::Gone => Ok(Cancelled::Unknown),
            Step::Over(text) => Ok(Cancelled::Finished(Box::new(entry::parse_result(
                order_id.as_str(),
                &text,
            )?))),
            Step::Ended(result) => {
                self.ended(sequence, None);
                Ok(Cancelled::Ended(result))
            }
            Step::Asked => {
                self.watches.notify(sequence);
                Ok(Cancelled::Asked { sequence })
            }
        }
    }
}

fn cancel_in(transaction: &Transaction<'_>, now: i64, row: OpenRow) -> rusqlite::Result<Step> {
    let open: Option<(bool, u32)> = transaction
        .prepare_cached("SELECT holder IS NOT NULL, attempt FROM open_orders WHERE sequence = ?1")?
        .query_row([row.sequence], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    match open {
        None => {
            let result = transaction
                .prepare_cached("SELECT result FROM results WHERE sequence = ?1")?
                .query_row([row.sequence], |row| row.get(0))
                .optional()?;
            Ok(result.map_or(Step::Gone, Step::Over))
        }
        Some((false, attempt)) => {
            let result = end(transaction, now, &OpenRow { attempt, ..row }, &CANCELLED)?;
            Ok(Step::Ended(Box::new(result)))
        }
        Some((true, attempt)) => {
            let asked = transaction
                .prepare_cached(
                    "UPDATE open_orders SET cancel = 1 WHERE sequence = ?1 AND cancel = 0",
                )?
                .execute(params![row.sequence])?;
            if asked == 1 {
                events::add(
                    transaction,
                    now,
                    row.sequence,
                    attempt,
                    EventKind::Cancelling,
                    None,
                )?;
            }
            Ok(Step::Asked)
        }
    }
}
