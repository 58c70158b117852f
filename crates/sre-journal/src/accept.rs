//! From a submitted order to a row: new, the same again, a conflict, or purged.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use jiff::Timestamp;
use rusqlite::{OptionalExtension, Transaction, params};
use sre_core::{Backend, Digest, OrderId, OrderResult, SkillDigest};

use crate::holders::Holder;
use crate::lease::{Lease, LeaseKey};
use crate::watch::{Watch, Watches};
use crate::{
    EventKind, Finality, Journal, JournalEntry, JournalError, OrderState, entry, events, verdicts,
};

/// An order to be recorded.
#[derive(Debug, Clone)]
pub struct NewOrder {
    /// Identity.
    pub order_id: OrderId,
    /// Digest of what was asked for.
    pub request: Digest,
    /// Who submits it.
    pub submitter: String,
    /// What it runs.
    pub skill: SkillDigest,
    /// Where it runs.
    pub backend: Backend,
    /// Larger ones first, among the orders of one submitter.
    pub priority: i32,
    /// Further attempts after an operating failure.
    pub max_retries: u32,
    /// How long it may wait for its first attempt.
    pub queue_time: Option<Duration>,
    /// Matching verdicts that it needs before it counts as final.
    pub verdicts_required: u32,
    /// Where the result goes.
    pub callback_url: Option<String>,
    /// Whatever else running it needs, as JSON.
    pub work: String,
    /// The input as canonical JSON.
    pub input: Arc<[u8]>,
}

/// Whether accepting also acquires.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AcquirePolicy {
    /// The order waits for a worker.
    Never,
    /// A new order is worked on at once.
    IfNew,
    /// An order that nobody works on is worked on at once, also one that was interrupted; that
    /// attempt does not count.
    Always,
}

/// Answer to [`Journal::accept`].
#[derive(Debug)]
pub enum Accepted {
    /// The order is new, and durable.
    New {
        /// The lease, where one was asked for.
        lease: Option<Lease>,
        /// What the journal knows of it.
        entry: Box<JournalEntry>,
        /// Wakes with everything that is recorded after the acceptance.
        watch: Watch,
    },
    /// The same order was accepted before and has not ended.
    Open {
        /// The lease, where one was asked for and nobody else has it.
        lease: Option<Lease>,
        /// Who submitted it.
        submitter: String,
    },
    /// The same order was accepted before and has ended.
    Finished {
        /// How.
        result: Box<OrderResult>,
        /// Who submitted it.
        submitter: String,
    },
    /// Another order was accepted under this id.
    Conflict,
    /// An order was accepted under this id and has been purged since, with its result; see
    /// [`Journal::purge`].
    Reserved,
}

/// What stands in the journal after the transaction.
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

/// What the transaction acquired.
struct Acquired {
    key: LeaseKey,
    attempt: u32,
    accepted_at_ms: i64,
}

impl Journal {
    /// Records an order, unless it is known, and acquires it if wished. When this returns, what it
    /// returns survives.
    ///
    /// # Errors
    /// [`JournalError`]; the order was not accepted.
    pub async fn accept(
        &self,
        order: NewOrder,
        policy: AcquirePolicy,
    ) -> Result<Accepted, JournalError> {
        self.release().await?;
        let (id, now, holder) = (
            order.order_id.clone(),
            self.now_ms(),
            Arc::clone(&self.holder),
        );
        let required = order.verdicts_required;
        let (submitter, skill, watches) = (
            order.submitter.clone(),
            order.skill,
            Arc::clone(&self.watches),
        );
        let stored = self
            .database
            .write(move |transaction| store(transaction, &order, policy, now, &holder, &watches))
            .await?;
        let lease = |acquired: Option<Acquired>, submitter: &str| {
            acquired.map(|acquired| {
                let Acquired {
                    key,
                    attempt,
                    accepted_at_ms,
                } = acquired;
                Lease::new(
                    id.clone(),
                    submitter.to_owned(),
                    key,
                    attempt,
                    accepted_at_ms,
                    &self.abandoned,
                )
            })
        };
        Ok(match stored {
            Stored::New {
                sequence,
                acquired,
                watch,
            } => {
                self.open.fetch_add(1, Ordering::Relaxed);
                let is_acquired = acquired.is_some();
                let lease = lease(acquired, &submitter);
                let entry = JournalEntry {
                    order_id: id.clone(),
                    sequence,
                    submitter,
                    skill: Some(skill),
                    accepted_at: Timestamp::from_millisecond(now)
                        .map_err(|error| JournalError::damaged(id.as_str(), &error))?,
                    state: if is_acquired {
                        OrderState::Running
                    } else {
                        OrderState::Queued
                    },
                    attempts: u32::from(is_acquired),
                    result: None,
                    finality: Finality::required(required),
                };
                Accepted::New {
                    lease,
                    entry: Box::new(entry),
                    watch,
                }
            }
            Stored::Open(acquired, submitter) => Accepted::Open {
                lease: lease(acquired, &submitter),
                submitter,
            },
            Stored::Finished(text, submitter) => Accepted::Finished {
                result: Box::new(entry::parse_result(id.as_str(), &text)?),
                submitter,
            },
            Stored::Conflict => Accepted::Conflict,
            Stored::Reserved => Accepted::Reserved,
        })
    }
}

fn store(
    transaction: &Transaction<'_>,
    order: &NewOrder,
    policy: AcquirePolicy,
    now: i64,
    holder: &Holder,
    watches: &Arc<Watches>,
) -> rusqlite::Result<Stored> {
    let inserted = transaction
        .prepare_cached(
            "INSERT OR IGNORE INTO orders (order_id, request, accepted_at_ms, submitter, skill)
             VALUES (?1, ?2, ?3, ?4, ?5)",
        )?
        .execute(params![
            order.order_id.as_str(),
            order.request.as_bytes(),
            now,
            order.submitter,
            order.skill.digest().as_bytes()
        ])?;
    if inserted == 0 {
        return known(transaction, order, policy, now, holder);
    }
    let sequence = transaction.last_insert_rowid();
    verdicts::require(transaction, sequence, order.verdicts_required)?;
    let acquires = policy != AcquirePolicy::Never;
    insert_open(
        transaction,
        sequence,
        order,
        now,
        acquires.then_some(holder.name()),
    )?;
    events::add(transaction, now, sequence, 0, EventKind::Accepted, None)?;
    // From before the commit, so that nothing that follows is missed.
    let watch = watches.of(sequence);
    if !acquires {
        return Ok(Stored::New {
            sequence,
            acquired: None,
            watch,
        });
    }
    events::add(transaction, now, sequence, 1, EventKind::Running, None)?;
    let acquired = Acquired {
        key: LeaseKey { sequence, token: 1 },
        attempt: 1,
        accepted_at_ms: now,
    };
    Ok(Stored::New {
        sequence,
        acquired: Some(acquired),
        watch,
    })
}

fn insert_open(
    transaction: &Transaction<'_>,
    sequence: i64,
    order: &NewOrder,
    now: i64,
    holder: Option<&str>,
) -> rusqlite::Result<()> {
    let acquires = holder.is_some();
    let queue_until_ms = order
        .queue_time
        .map(|time| now.saturating_add(i64::try_from(time.as_millis()).unwrap_or(i64::MAX)));
    transaction
        .prepare_cached(
            "INSERT OR REPLACE INTO open_orders (sequence, state, backend, submitter, priority, attempt, max_retries,
                 token, holder, cancel, queued_at_ms, queue_until_ms, set_at_ms, due_ms, callback_url, work, input)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?6, ?8, 0, ?9, ?10, ?9, ?9, ?11, ?12, ?13)",
        )?
        .execute(params![
            sequence,
            if acquires { "running" } else { "ready" },
            entry::backend_name(order.backend),
            order.submitter,
            order.priority,
            i64::from(acquires),
            order.max_retries,
            holder,
            now,
            queue_until_ms,
            order.callback_url,
            order.work,
            &order.input[..],
        ])
        .map(drop)
}

/// What stands under the id already.
fn known(
    transaction: &Transaction<'_>,
    order: &NewOrder,
    policy: AcquirePolicy,
    now: i64,
    holder: &Holder,
) -> rusqlite::Result<Stored> {
    let (sequence, request, submitter, accepted_at_ms): (i64, [u8; 32], String, i64) = transaction
        .prepare_cached(
            "SELECT sequence, request, submitter, accepted_at_ms FROM orders WHERE order_id = ?1",
        )?
        .query_row([order.order_id.as_str()], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))
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
    let open: Option<(String, Option<String>)> = transaction
        .prepare_cached("SELECT state, holder FROM open_orders WHERE sequence = ?1")?
        .query_row([sequence], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    // Whatever is asked for: the log has a receipt under this id, and an id has one receipt.
    let Some((state, held_by)) = open else {
        return Ok(Stored::Reserved);
    };
    if !is_same {
        return Ok(Stored::Conflict);
    }
    if state == "incomplete" {
        insert_open(transaction, sequence, order, now, None)?;
    }
    let is_free = match &held_by {
        None => true,
        Some(other) => other != holder.name() && holder.is_dead(other),
    };
    if policy != AcquirePolicy::Always || !is_free {
        return Ok(Stored::Open(None, submitter));
    }
    // The attempt of a dead holder is replaced: whoever asks again has decided.
    let replaced = i64::from(held_by.is_none());
    let (attempt, token) = transaction
        .prepare_cached(
            "UPDATE open_orders SET state = 'running', token = token + 1, holder = ?2, attempt = attempt + ?3
             WHERE sequence = ?1 RETURNING attempt, token",
        )?
        .query_row(params![sequence, holder.name(), replaced], |row| Ok((row.get(0)?, row.get(1)?)))?;
    events::add(
        transaction,
        now,
        sequence,
        attempt,
        EventKind::Running,
        None,
    )?;
    Ok(Stored::Open(
        Some(Acquired {
            key: LeaseKey { sequence, token },
            attempt,
            accepted_at_ms,
        }),
        submitter,
    ))
}
