//! The handle.

use std::collections::{HashMap, HashSet};
use std::path::Path;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use rusqlite::{OptionalExtension, params};
use sre_core::{Backend, OrderId};
use sre_sqlite::{DatabaseFile, GroupCommit, GroupCommitOptions, GroupCommitStats, OpenError};
use tokio::sync::Notify;

use crate::holders::{Holder, LEASE_TIME, Use};
use crate::lease::{Abandoned, Lease};
use crate::schema::{APPLICATION_ID, MIGRATIONS};
use crate::watch::{Watch, Watches};
use crate::{EventKind, JournalError, entry, events, outbox};

/// Tells the time, in milliseconds since 1970.
pub(super) type Clock = Arc<dyn Fn() -> i64 + Send + Sync>;

/// The journal of one data folder; see the [module](crate).
pub struct Journal {
    pub(super) database: GroupCommit,
    pub(super) holder: Arc<Holder>,
    pub(super) abandoned: Arc<Abandoned>,
    pub(super) watches: Arc<Watches>,
    /// Somebody waits for orders that need a receipt.
    pub(super) receipts_due: Notify,
    /// Open orders, as far as this process knows; corrected by [`Journal::tick`].
    pub(super) open: AtomicI64,
    clock: Clock,
    /// Milliseconds that nobody sets back or ahead.
    pub(super) steady: Clock,
    /// Until when each other holder says that it lives, and since when, by `steady`, it has not
    /// said more.
    pub(super) silent: Mutex<HashMap<String, (i64, i64)>>,
    /// The latest that the clock has shown since it was last found set back.
    latest_ms: AtomicI64,
}

impl Journal {
    /// Opens the journal at `path`, making it if need be; its folder must exist. Blocks for a few
    /// fsyncs.
    ///
    /// # Errors
    /// [`JournalError::Open`], [`JournalError::Holder`].
    pub fn open(path: &Path) -> Result<Self, JournalError> {
        Self::open_as(path, Use::Shared, Arc::new(wall_ms), steady())
    }

    /// As [`Journal::open`], with another clock, for everything.
    ///
    /// # Errors
    /// As [`Journal::open`].
    pub fn open_at(
        path: &Path,
        clock: impl Fn() -> i64 + Send + Sync + 'static,
    ) -> Result<Self, JournalError> {
        let clock: Clock = Arc::new(clock);
        Self::open_as(path, Use::Shared, Arc::clone(&clock), clock)
    }

    /// As [`Journal::open`], when nobody else uses the journal, and nobody does as long as this one
    /// is open.
    ///
    /// # Errors
    /// As [`Journal::open`]; [`JournalError::InUse`].
    pub fn open_alone(path: &Path) -> Result<Self, JournalError> {
        Self::open_as(path, Use::Alone, Arc::new(wall_ms), steady())
    }

    fn open_as(path: &Path, usage: Use, clock: Clock, steady: Clock) -> Result<Self, JournalError> {
        let database =
            GroupCommit::open(path, MIGRATIONS, GroupCommitOptions::new(APPLICATION_ID))?;
        let holder = Arc::new(Holder::new(path.with_file_name("holders"), usage)?);
        let journal = Self {
            database,
            holder,
            abandoned: Arc::default(),
            watches: Arc::default(),
            receipts_due: Notify::new(),
            open: AtomicI64::new(0),
            clock,
            steady,
            silent: Mutex::default(),
            // Whatever happened before this start, the clock may have been set back since.
            latest_ms: AtomicI64::new(i64::MAX),
        };
        // The first look into the tables: a file that is damaged behind its first page is found out
        // here.
        journal.count_open().map_err(|error| match error {
            JournalError::Read(source) => OpenError::Sqlite {
                path: path.to_path_buf(),
                source,
            }
            .into(),
            other => other,
        })?;
        Ok(journal)
    }

    pub(super) fn now_ms(&self) -> i64 {
        let now = (self.clock)();
        self.latest_ms.fetch_max(now, Ordering::Relaxed);
        now
    }

    /// From the order's acceptance until now; zero when the clock was set back meanwhile.
    #[must_use]
    pub fn since_accepted(&self, lease: &Lease) -> Duration {
        Duration::from_millis(u64::try_from(self.now_ms() - lease.accepted_at_ms).unwrap_or(0))
    }

    /// Whether an order is ready for `backend`, or will be with the next acquisition.
    ///
    /// # Errors
    /// [`JournalError`].
    pub fn has_work(&self, backend: Backend) -> Result<bool, JournalError> {
        let reader = self.database.reader()?;
        let mut statement = reader.prepare_cached(
            "SELECT EXISTS (SELECT 1 FROM open_orders WHERE state = 'ready' AND backend = ?1)
             OR EXISTS (SELECT 1 FROM open_orders WHERE state = 'waiting' AND due_ms <= ?2)",
        )?;
        Ok(statement.query_row(
            params![entry::backend_name(backend), self.now_ms()],
            |row| row.get(0),
        )?)
    }

    /// Orders that have not ended. What other processes did in the last second may be missing.
    #[must_use]
    pub fn open_orders(&self) -> usize {
        usize::try_from(self.open.load(Ordering::Relaxed)).unwrap_or(0)
    }

    /// What the writer has done so far.
    #[must_use]
    pub fn stats(&self) -> GroupCommitStats {
        self.database.stats()
    }

    /// The database file, for whoever watches over it.
    #[must_use]
    pub fn database(&self) -> DatabaseFile {
        self.database.file()
    }

    /// Writes a row and waits for the disk: whether the journal can be written to at all.
    ///
    /// # Errors
    /// [`JournalError::Write`].
    pub async fn probe(&self) -> Result<(), JournalError> {
        self.heartbeat().await
    }

    /// Says that this process lives: its leases hold for another `LEASE_TIME`.
    ///
    /// # Errors
    /// [`JournalError::Write`].
    pub async fn heartbeat(&self) -> Result<(), JournalError> {
        let (holder, until_ms) = (
            self.holder.name().to_owned(),
            self.now_ms() + LEASE_TIME.as_millis() as i64,
        );
        self.database
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

    /// Says that this process holds nothing any more. Otherwise the next one finds it dead.
    ///
    /// # Errors
    /// [`JournalError::Write`].
    pub async fn deregister(&self) -> Result<(), JournalError> {
        let holder = self.holder.name().to_owned();
        self.database
            .write(move |transaction| {
                transaction
                    .prepare_cached("DELETE FROM holders WHERE holder = ?1")?
                    .execute([holder])
            })
            .await?;
        Ok(())
    }

    /// Whether an order was ever accepted under this id, also one that was purged.
    ///
    /// # Errors
    /// [`JournalError`].
    pub fn is_known(&self, order_id: &OrderId) -> Result<bool, JournalError> {
        let reader = self.database.reader()?;
        let mut statement = reader.prepare_cached("SELECT 1 FROM orders WHERE order_id = ?1")?;
        Ok(statement.exists([order_id.as_str()])?)
    }

    /// The order's place in the journal; `None` if it was never accepted, or was purged.
    ///
    /// # Errors
    /// [`JournalError`].
    pub fn sequence(&self, order_id: &OrderId) -> Result<Option<i64>, JournalError> {
        let reader = self.database.reader()?;
        let mut statement = reader.prepare_cached(
            "SELECT sequence FROM orders LEFT JOIN open_orders USING (sequence) LEFT JOIN results USING (sequence)
             WHERE order_id = ?1 AND coalesce(state, status) IS NOT NULL",
        )?;
        Ok(statement
            .query_row([order_id.as_str()], |row| row.get(0))
            .optional()?)
    }

    /// Wakes whoever holds it when something is recorded about the order at `sequence` by this
    /// process.
    #[must_use]
    pub fn watch(&self, sequence: i64) -> Watch {
        self.watches.of(sequence)
    }

    /// Orders of this process that somebody asked to cancel.
    ///
    /// # Errors
    /// [`JournalError`].
    pub fn cancelling(&self) -> Result<HashSet<i64>, JournalError> {
        let reader = self.database.reader()?;
        let mut statement = reader
            .prepare_cached("SELECT sequence FROM open_orders WHERE holder = ?1 AND cancel = 1")?;
        let rows = statement.query_map([self.holder.name()], |row| row.get(0))?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }

    /// Gives back the leases that were dropped.
    ///
    /// # Errors
    /// [`JournalError::Write`]; they are given back another time.
    pub async fn release(&self) -> Result<(), JournalError> {
        let keys = self.abandoned.pending();
        if keys.is_empty() {
            return Ok(());
        }
        let (holder, now) = (self.holder.name().to_owned(), self.now_ms());
        let given = keys.clone();
        self.database
            .write(move |transaction| {
                for key in &given {
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
        // Only now: whoever was dropped while waiting has it done again, which changes nothing.
        self.abandoned.remove(&keys);
        keys.iter()
            .for_each(|key| self.watches.notify(key.sequence));
        Ok(())
    }

    /// What is done from time to time: makes orders ready that wait for a moment the clock has
    /// jumped away from, and counts.
    ///
    /// # Errors
    /// [`JournalError`].
    pub async fn tick(&self) -> Result<(), JournalError> {
        self.release().await?;
        let now = self.now_ms();
        // Processes that share the journal share the clock, and each looks for itself.
        if self.latest_ms.load(Ordering::Relaxed) > now {
            self.make_due(now).await?;
            self.latest_ms.store(now, Ordering::Relaxed);
        }
        self.count_open()
    }

    /// Makes due what was put off at a time that lies after `now`. Goes through all that waits.
    async fn make_due(&self, now: i64) -> Result<(), JournalError> {
        let reader = self.database.reader()?;
        let future =
            "SELECT EXISTS (SELECT 1 FROM open_orders WHERE state = 'waiting' AND set_at_ms > ?1)
            OR EXISTS (SELECT 1 FROM outbox WHERE state = 'pending' AND set_at_ms > ?1)";
        let has_jumped: bool = reader
            .prepare_cached(future)?
            .query_row([now], |row| row.get(0))?;
        drop(reader);
        if has_jumped {
            self.database
                .write(move |transaction| {
                    transaction.execute(
                        "UPDATE open_orders SET due_ms = ?1, set_at_ms = ?1 WHERE state = 'waiting' AND set_at_ms > ?1",
                        [now],
                    )?;
                    transaction.execute(
                        "UPDATE outbox SET due_ms = ?1, set_at_ms = ?1
                         WHERE state = 'pending' AND set_at_ms > ?1 AND due_ms <> ?2",
                        [now, outbox::NEVER_DUE],
                    )
                })
                .await?;
        }
        Ok(())
    }

    fn count_open(&self) -> Result<(), JournalError> {
        let reader = self.database.reader()?;
        let open: i64 = reader
            .prepare_cached("SELECT count(*) FROM open_orders")?
            .query_row([], |row| row.get(0))?;
        self.open.store(open, Ordering::Relaxed);
        Ok(())
    }
}

fn wall_ms() -> i64 {
    Timestamp::now().as_millisecond()
}

fn steady() -> Clock {
    let start = Instant::now();
    Arc::new(move || i64::try_from(start.elapsed().as_millis()).unwrap_or(i64::MAX))
}
