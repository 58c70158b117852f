//! Which processes live, told by file locks.
//!
//! Each process that acquires orders has a file in `holders/` beside the journal and keeps an
//! exclusive lock on it. The kernel drops the lock when the process ends, however it ends: recovery
//! after a crash waits for no time limit, and no clock is involved.
//!
//! Crash behaviour: the process that finds a holder dead removes its file. A process that dies
//! between making and locking its file leaves one that counts as dead.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use sre_durable::{LockFile, LockKind, StorageCause, private_folder};

use crate::error::{JournalError, JournalErrorKind};
use crate::liveness::Liveness;

/// This process as a holder of leases.
pub(super) struct FileLocks {
    name: String,
    folder: PathBuf,
    // Both are held as long as the journal is open.
    _alive: LockFile,
    _in_use: LockFile,
}

/// Whether others may use the journal at the same time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Use {
    /// Others who share it may.
    Shared,
    /// No other process may.
    Alone,
}

impl FileLocks {
    /// Makes and locks this process's file in `folder`, which is made too.
    pub(super) fn new(folder: PathBuf, usage: Use) -> Result<Self, JournalError> {
        private_folder(&folder).map_err(failed(&folder))?;
        let in_use = lock_use(&folder.join("in-use"), usage)?;
        let name = uuid::Uuid::now_v7().to_string();
        let path = folder.join(&name);
        let alive = LockFile::create(&path).map_err(failed(&path))?;
        Ok(Self {
            name,
            folder,
            _alive: alive,
            _in_use: in_use,
        })
    }
}

impl Liveness for FileLocks {
    fn name(&self) -> &str {
        &self.name
    }

    fn is_dead(&self, holder: &str) -> bool {
        // Names come from the journal. One that is not a plain file name was not made here.
        if holder.is_empty() || holder.contains(['/', '\\']) || holder.starts_with('.') {
            return true;
        }
        match LockFile::is_locked(&self.folder.join(holder)) {
            Ok(is_locked) => !is_locked,
            Err(error) => error.kind() == io::ErrorKind::NotFound,
        }
    }

    fn remove(&self, holder: &str) {
        // Another process may have been faster.
        drop(fs::remove_file(self.folder.join(holder)));
    }
}

impl Drop for FileLocks {
    fn drop(&mut self) {
        self.remove(&self.name);
    }
}

/// Says that the journal is in use, as long as the lock is held.
fn lock_use(path: &Path, usage: Use) -> Result<LockFile, JournalError> {
    let (kind, message) = match usage {
        Use::Shared => (
            LockKind::Shared,
            "old orders are being removed from this data folder; try again later",
        ),
        Use::Alone => (
            LockKind::Exclusive,
            "another process uses this data folder; stop it first",
        ),
    };
    LockFile::try_lock(path, kind)
        .map_err(failed(path))?
        .ok_or_else(|| {
            JournalError::new(JournalErrorKind::InUse, StorageCause::Failed, true, message)
        })
}

fn failed(path: &Path) -> impl FnOnce(io::Error) -> JournalError {
    move |error| {
        let message = format!(
            "cannot lock {}: {error}; let the user that runs this program write there",
            path.display()
        );
        JournalError::new(
            JournalErrorKind::Liveness,
            StorageCause::Failed,
            true,
            message,
        )
    }
}
