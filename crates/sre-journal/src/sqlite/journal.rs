//! [`SqliteJournal`]: opening it, its clocks, what it keeps in memory.

use std::collections::HashMap;
use std::path::Path;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};

use sre_sqlite::{DatabaseFile, GroupCommit, GroupCommitOptions, OpenError};
use tokio::sync::Notify;

use super::error::SqliteError;
use super::file_locks::{FileLocks, Use};
use super::schema::{APPLICATION_ID, MIGRATIONS};
use crate::clock::Clocks;
use crate::error::JournalError;
use crate::lease::DroppedLeases;
use crate::liveness::Liveness;
use crate::watch::Watches;

/// The journal of one data folder, in one SQLite file. Several processes may share it.
pub struct SqliteJournal {
    pub(super) database: Arc<GroupCommit>,
    pub(super) liveness: Arc<dyn Liveness>,
    pub(super) dropped: Arc<DroppedLeases>,
    pub(super) watches: Arc<Watches>,
    /// Notified when this process has ended an order, which then needs a receipt.
    pub(super) receipts_due: Notify,
    /// Open orders, as far as this process knows; corrected by every tick.
    pub(super) open: AtomicI64,
    pub(super) clocks: Clocks,
    /// For each other holder: until when it says that it lives, and since when, by the steady
    /// clock, it has said nothing newer.
    pub(super) silent: Mutex<HashMap<String, (i64, i64)>>,
    /// The latest time that the wall clock has shown since it was last found set back.
    pub(super) latest_ms: AtomicI64,
}

impl SqliteJournal {
    /// Opens the journal at `path`, making it if it is missing; its folder must exist. Blocks for a
    /// few fsyncs.
    ///
    /// # Errors
    /// [`JournalError`] of the kinds `Open`, `Liveness` and `InUse`.
    pub fn open(path: &Path) -> Result<Self, JournalError> {
        Self::open_with(path, Clocks::system())
    }

    /// As [`SqliteJournal::open`], with other clocks.
    ///
    /// # Errors
    /// As [`SqliteJournal::open`].
    pub fn open_with(path: &Path, clocks: Clocks) -> Result<Self, JournalError> {
        Ok(Self::open_as(path, Use::Shared, clocks)?)
    }

    /// As [`SqliteJournal::open`], for this process alone: fails while another process has the
    /// journal open, and keeps others from opening it.
    ///
    /// # Errors
    /// As [`SqliteJournal::open`].
    pub fn open_alone(path: &Path) -> Result<Self, JournalError> {
        Ok(Self::open_as(path, Use::Alone, Clocks::system())?)
    }

    /// For a `path` without a journal: fails if there was one that was lost, so that a new journal
    /// would hide the copy that was saved of it.
    ///
    /// # Errors
    /// [`JournalError`] that names the copy.
    pub fn refuse_beside_copy(path: &Path) -> Result<(), JournalError> {
        Ok(sre_sqlite::refuse_beside_copy(path).map_err(SqliteError::from)?)
    }

    fn open_as(path: &Path, usage: Use, clocks: Clocks) -> Result<Self, SqliteError> {
        let options = GroupCommitOptions::new(APPLICATION_ID);
        let database = Arc::new(GroupCommit::open(path, MIGRATIONS, options)?);
        let liveness = FileLocks::new(path.with_file_name("holders"), usage)?;
        let journal = Self {
            database,
            liveness: Arc::new(liveness),
            dropped: Arc::default(),
            watches: Arc::default(),
            receipts_due: Notify::new(),
            open: AtomicI64::new(0),
            clocks,
            silent: Mutex::default(),
            // The clock may have been set back before this process started: the first tick looks.
            latest_ms: AtomicI64::new(i64::MAX),
        };
        // The first look into the tables: a file that is damaged behind its first page is found
        // here, and not by the first order.
        match journal.count_open() {
            Err(SqliteError::Read(source)) => Err(OpenError::sqlite(path)(source).into()),
            other => other.map(|()| journal),
        }
    }

    /// The database file, so that the owner of the process can watch over it.
    #[must_use]
    pub fn database(&self) -> DatabaseFile {
        self.database.file()
    }

    /// The wall clock's time.
    pub(super) fn now_ms(&self) -> i64 {
        let now = self.clocks.wall_ms();
        self.latest_ms.fetch_max(now, Ordering::Relaxed);
        now
    }

    /// Counts the open orders, those of other processes too.
    pub(super) fn count_open(&self) -> Result<(), SqliteError> {
        let reader = self.database.reader()?;
        let open: i64 = reader
            .prepare_cached("SELECT count(*) FROM open_orders")?
            .query_row([], |row| row.get(0))?;
        self.open.store(open, Ordering::Relaxed);
        Ok(())
    }

    /// Tells everything in this process that waits for the end of this order.
    pub(super) fn ended(&self, sequence: i64, result: Option<Arc<str>>) {
        self.open.fetch_sub(1, Ordering::Relaxed);
        self.receipts_due.notify_one();
        self.watches.ended(sequence, result);
    }
}

impl std::fmt::Debug for SqliteJournal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SqliteJournal")
            .field("path", &self.database.path())
            .finish_non_exhaustive()
    }
}
