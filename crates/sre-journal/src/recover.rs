//! What dead workers leave behind. This is no special path: every worker loop comes by here from
//! time to time.

use std::collections::HashMap;
use std::sync::{MutexGuard, PoisonError};
use std::time::Duration;

use rusqlite::{Transaction, params};
use sre_core::{ErrorCode, OrderStatus};

use crate::Backoff;
use crate::cancel::CANCELLED;
use crate::finish::{Ending, OpenRow, end, open_rows};
use crate::holders::LEASE_TIME;
use crate::{EventKind, Journal, JournalError, events};

/// What a recovery did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Recovered {
    /// Holders found dead.
    pub holders: usize,
    /// Orders whose attempt was interrupted and that have another one.
    pub retried: usize,
    /// Orders whose last attempt was interrupted.
    pub ended: usize,
}

impl Journal {
    /// Ends the leases of holders that have died: an interrupted attempt is an operating failure
    /// and follows the order's retry policy. Their deliveries are due at once.
    ///
    /// # Errors
    /// [`JournalError`]; nothing has changed.
    pub async fn recover(&self, backoff: Backoff, random: f64) -> Result<Recovered, JournalError> {
        let dead = self.dead_holders()?;
        if dead.is_empty() {
            return Ok(Recovered::default());
        }
        let (now, names) = (self.now_ms(), dead.clone());
        let (ended, retried) = self
            .database
            .write(move |transaction| {
                let (mut ended, mut retried) = (Vec::new(), Vec::new());
                for holder in &names {
                    release_holder(
                        transaction,
                        now,
                        holder,
                        backoff,
                        random,
                        &mut ended,
                        &mut retried,
                    )?;
                }
                Ok((ended, retried))
            })
            .await?;
        // Only now: a holder whose file is gone would be found dead again, which changes nothing.
        dead.iter().for_each(|holder| self.holder.remove(holder));
        ended
            .iter()
            .for_each(|sequence| self.ended(*sequence, None));
        retried
            .iter()
            .for_each(|sequence| self.watches.notify(*sequence));
        Ok(Recovered {
            holders: dead.len(),
            retried: retried.len(),
            ended: ended.len(),
        })
    }

    /// Holders other than this process whose process has ended, or which have not renewed their
    /// leases for so long.
    fn dead_holders(&self) -> Result<Vec<String>, JournalError> {
        let reader = self.database.reader()?;
        let mut statement = reader.prepare_cached(
            "SELECT h.holder, coalesce(t.until_ms, 0) FROM (
                 SELECT holder FROM open_orders WHERE holder IS NOT NULL
                 UNION SELECT holder FROM outbox WHERE state = 'pending' AND holder IS NOT NULL
                 UNION SELECT holder FROM holders
             ) AS h LEFT JOIN holders AS t USING (holder) WHERE h.holder <> ?1",
        )?;
        let rows =
            statement.query_map([self.holder.name()], |row| Ok((row.get(0)?, row.get(1)?)))?;
        let others = rows.collect::<rusqlite::Result<Vec<(String, i64)>>>()?;
        self.silent()
            .retain(|holder, _| others.iter().any(|(other, _)| other == holder));
        let is_dead = |(holder, until_ms): &(String, i64)| {
            self.is_late(holder, *until_ms) || self.holder.is_dead(holder)
        };
        Ok(others
            .into_iter()
            .filter(is_dead)
            .map(|(holder, _)| holder)
            .collect())
    }

    /// Whether the holder's time is over, and it has not said anything since this process first saw
    /// that time. By the wall clock alone, one that jumps would end leases of the living.
    fn is_late(&self, holder: &str, until_ms: i64) -> bool {
        let now = (self.steady)();
        let mut silent = self.silent();
        let (seen, since) = silent.entry(holder.to_owned()).or_insert((until_ms, now));
        if *seen != until_ms {
            (*seen, *since) = (until_ms, now);
        }
        until_ms < self.now_ms() && now - *since >= LEASE_TIME.as_millis() as i64
    }

    fn silent(&self) -> MutexGuard<'_, HashMap<String, (i64, i64)>> {
        self.silent.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn release_holder(
    transaction: &Transaction<'_>,
    now: i64,
    holder: &str,
    backoff: Backoff,
    random: f64,
    ended: &mut Vec<i64>,
    retried: &mut Vec<i64>,
) -> rusqlite::Result<()> {
    let columns = "SELECT sequence, order_id, accepted_at_ms, attempt FROM open_orders JOIN orders USING (sequence)
        WHERE holder = ?1 AND ";
    let cancelled = open_rows(transaction, &format!("{columns} cancel = 1"), [holder])?;
    for row in cancelled {
        end(transaction, now, &row, &CANCELLED)?;
        ended.push(row.sequence);
    }
    for row in open_rows(
        transaction,
        &format!("{columns} attempt > max_retries"),
        [holder],
    )? {
        let message = format!(
            "the process that ran attempt {} died; nothing was committed",
            row.attempt
        );
        let ending = Ending {
            status: OrderStatus::Failed,
            code: ErrorCode::Interrupted,
            message: &message,
        };
        end(transaction, now, &row, &ending)?;
        ended.push(row.sequence);
    }
    for OpenRow {
        sequence, attempt, ..
    } in open_rows(transaction, &format!("{columns} TRUE"), [holder])?
    {
        let pause = i64::try_from(backoff.pause(attempt, random).as_millis()).unwrap_or(i64::MAX);
        transaction
            .prepare_cached(
                "UPDATE open_orders SET state = 'waiting', holder = NULL, token = token + 1, set_at_ms = ?2, due_ms = ?3
                 WHERE sequence = ?1",
            )?
            .execute(params![sequence, now, now.saturating_add(pause)])?;
        let reason = Some("the process that ran the attempt died");
        events::add(
            transaction,
            now,
            sequence,
            attempt,
            EventKind::Retrying,
            reason,
        )?;
        retried.push(sequence);
    }
    transaction
        .prepare_cached("UPDATE outbox SET holder = NULL, token = token + 1 WHERE state = 'pending' AND holder = ?1")?
        .execute([holder])?;
    transaction
        .prepare_cached("DELETE FROM holders WHERE holder = ?1")?
        .execute([holder])
        .map(drop)
}

/// How often a worker loop looks for dead holders.
pub const RECOVERY_PERIOD: Duration = Duration::from_secs(5);
