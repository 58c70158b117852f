//! Who holds leases: processes, and how others know that one has died.
//!
//! Each process that acquires orders has a file in `holders/` beside the journal and keeps an
//! exclusive lock on it. The kernel drops the lock when the process ends, however it ends, so
//! nobody has to wait for a time limit after a crash and no clock is involved. For a process that
//! hangs, and for journals that span machines one day, there is a time limit as well, which the
//! holder renews (`holders.until_ms`).
//!
//! Crash behaviour: the file of a dead process is removed by whoever finds it dead. A process that
//! dies between making and locking the file leaves one that counts as dead.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use sre_durable::private_folder;

use crate::JournalError;

/// How long a lease holds without being renewed.
pub(super) const LEASE_TIME: Duration = Duration::from_secs(60);

/// This process as a holder of leases.
pub(super) struct Holder {
    name: String,
    folder: PathBuf,
    path: PathBuf,
    // Held as long as the journal is.
    _lock: File,
    _in_use: File,
}

/// Whether others may use the journal at the same time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Use {
    /// Everybody else who shares it.
    Shared,
    /// Nobody.
    Alone,
}

impl Holder {
    /// Makes and locks this process's file in `folder`, which is made too.
    pub(super) fn new(folder: PathBuf, usage: Use) -> Result<Self, JournalError> {
        let failed = |path: &Path| {
            let path = path.to_path_buf();
            move |source| JournalError::Holder { path, source }
        };
        private_folder(&folder).map_err(failed(&folder))?;
        let in_use = lock_use(&folder.join("in-use"), usage)?;
        let name = uuid::Uuid::now_v7().to_string();
        let path = folder.join(&name);
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let lock = options.open(&path).map_err(failed(&path))?;
        lock.lock().map_err(failed(&path))?;
        Ok(Self {
            name,
            folder,
            path,
            _lock: lock,
            _in_use: in_use,
        })
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Whether the process behind `holder` has ended. Unsure means no.
    pub(super) fn is_dead(&self, holder: &str) -> bool {
        // Names come from the journal; one that is no plain name is nobody's.
        if holder.is_empty() || holder.contains(['/', '\\']) || holder.starts_with('.') {
            return true;
        }
        match File::open(self.folder.join(holder)) {
            Ok(file) => match file.try_lock() {
                Ok(()) => true,
                Err(TryLockError::WouldBlock | TryLockError::Error(_)) => false,
            },
            Err(error) => error.kind() == io::ErrorKind::NotFound,
        }
    }

    /// Forgets a dead holder.
    pub(super) fn remove(&self, holder: &str) {
        // Whoever is faster.
        drop(fs::remove_file(self.folder.join(holder)));
    }
}

impl Drop for Holder {
    fn drop(&mut self) {
        drop(fs::remove_file(&self.path));
    }
}

/// Says that the journal is used, as long as the file is open.
fn lock_use(path: &Path, usage: Use) -> Result<File, JournalError> {
    let failed = |source| JournalError::Holder {
        path: path.to_path_buf(),
        source,
    };
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let file = options.open(path).map_err(failed)?;
    let locked = match usage {
        Use::Shared => file.try_lock_shared(),
        Use::Alone => file.try_lock(),
    };
    match locked {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(JournalError::InUse {
            alone: usage == Use::Alone,
        }),
        Err(TryLockError::Error(source)) => Err(failed(source)),
    }
}
