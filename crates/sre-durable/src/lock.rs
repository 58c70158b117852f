//! Lock files: who uses something, told by the kernel.
//!
//! A lock belongs to an open file. The kernel drops it when the file is closed, so it ends with its
//! process however that process ends, and no clock is involved. The lock is advisory: only programs
//! that ask for it are kept out. Files have mode 0600 and are empty.

use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::path::Path;

/// How a lock is shared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LockKind {
    /// Together with all others that ask for a shared lock.
    Shared,
    /// Alone.
    Exclusive,
}

/// A locked file. Dropping it releases the lock and leaves the file.
#[derive(Debug)]
pub struct LockFile {
    _file: File,
}

impl LockFile {
    /// Makes a new file and locks it alone. Another process that opens the file before it is locked
    /// finds it unlocked.
    ///
    /// # Errors
    /// As `open(2)` and `flock(2)`; `AlreadyExists` when the name is taken.
    pub fn create(path: &Path) -> io::Result<Self> {
        let file = options().create_new(true).open(path)?;
        file.lock()?;
        Ok(Self { _file: file })
    }

    /// Locks the file alone, making it if it is missing. Blocks until others release it.
    ///
    /// # Errors
    /// As `open(2)` and `flock(2)`.
    pub fn lock(path: &Path) -> io::Result<Self> {
        let file = options().create(true).open(path)?;
        file.lock()?;
        Ok(Self { _file: file })
    }

    /// As [`LockFile::lock`], without waiting: `None` while another process keeps the lock away.
    ///
    /// # Errors
    /// As [`LockFile::lock`].
    pub fn try_lock(path: &Path, kind: LockKind) -> io::Result<Option<Self>> {
        let file = options().create(true).open(path)?;
        let locked = match kind {
            LockKind::Shared => file.try_lock_shared(),
            LockKind::Exclusive => file.try_lock(),
        };
        match locked {
            Ok(()) => Ok(Some(Self { _file: file })),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }

    /// Whether some process holds a lock on the file. Makes no file.
    ///
    /// # Errors
    /// As `open(2)` and `flock(2)`; `NotFound` when there is no such file.
    pub fn is_locked(path: &Path) -> io::Result<bool> {
        match File::open(path)?.try_lock() {
            Ok(()) => Ok(false),
            Err(TryLockError::WouldBlock) => Ok(true),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }
}

fn options() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.write(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}
