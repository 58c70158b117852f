//! What a process remembers of the logs of other nodes: the last good checkpoint of each, and the
//! evidence of misbehaviour.
//!
//! ```text
//! logs/<sha256 of the name>/checkpoint            the last good one
//! logs/<sha256 of the name>/unproven              one that was signed, and never shown to continue the last good one
//! logs/<sha256 of the name>/fault-<size>-<size>   two signed checkpoints that cannot both be true, one after the other
//! logs/<sha256 of the name>/foreign-<size>        a signed checkpoint to whose tree the log showed what is not in it
//! logs/<sha256 of the name>/entries               how many of its entries were read and found in the signed tree
//! logs/<sha256 of the name>/lock                  held by the process that looks
//! ```
//! A good checkpoint is remembered as soon as it is proven to continue the last one, before
//! anything is read under it: otherwise the log could take back what it signed while it is read.
//! One process looks at a time, so the memory never goes back. If the folder is deleted, the next
//! checkpoint is trusted on first use.

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::PathBuf;
use std::time::Duration;

use sre_core::Digest;
use sre_durable::{LockFile, LockKind, private_folder, replace_file};
use sre_receipt::tlog::{
    Checkpoint, CheckpointError, KeyName, NOTE_LIMIT_BYTES, Note, VerifierKey,
};

use crate::source::LogSource;
use crate::watch::{self, Fault, Seen};

/// How long one look waits for another process that looks at the same log.
const LOCK_TIME_LIMIT: Duration = Duration::from_secs(120);
/// Pause between two attempts at the lock.
const LOCK_PAUSE: Duration = Duration::from_millis(20);

/// A folder with what is remembered.
#[derive(Debug, Clone)]
pub struct LogMemory(PathBuf);

/// Why it cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum LogMemoryError {
    /// The file system refused.
    #[error("cannot {action} {}: {source}", path.display())]
    Io {
        /// What was attempted, as a verb.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// What is remembered is not a checkpoint, or not a number.
    #[error("what is remembered in {} is damaged; remove the file to forget it", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
    },
    /// Another process looks at the log and does not finish.
    #[error("another process has been looking at this log for minutes; it holds {}", path.display())]
    Busy {
        /// The lock.
        path: PathBuf,
    },
}

/// Why a look at a log failed.
#[derive(Debug, thiserror::Error)]
pub enum LookError {
    /// The log is at fault.
    #[error(transparent)]
    Fault(#[from] Fault),
    /// What is remembered cannot be used.
    #[error(transparent)]
    Memory(#[from] LogMemoryError),
}

impl LogMemory {
    /// The folder at `path`; nothing is made yet.
    #[must_use]
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self(path.into())
    }

    /// Looks at the log of this name, and remembers what it says if that continues all it has said
    /// before.
    ///
    /// # Errors
    /// [`LookError`]; the last good checkpoint stays what it was. One that the log signed and did
    /// not prove is kept, and must be continued by all that follow.
    pub async fn look(
        &self,
        origin: &KeyName,
        source: &dyn LogSource,
        keys: &[VerifierKey],
    ) -> Result<Seen, LookError> {
        let _lock = self.lock_exclusive(origin).await?;
        let before = self.last(origin)?;
        let unproven = self.read(origin, "unproven")?;
        let seen = match watch::look(source, keys, before.as_ref()).await {
            Err(Fault::Unproven { size, now, source }) => {
                if unproven.is_none() {
                    self.write(origin, "unproven", &now.to_string())?;
                }
                return Err(Fault::Unproven { size, now, source }.into());
            }
            looked => looked?,
        };
        if seen.checkpoint.origin != *origin {
            let (found, expected) = (seen.checkpoint.origin, origin.clone());
            return Err(Fault::from(CheckpointError::Origin { found, expected }).into());
        }
        if let Some(unproven) = &unproven {
            watch::continues(source, unproven, &seen).await?;
        }
        self.write(origin, "checkpoint", &seen.note.to_string())?;
        if unproven.is_some() {
            let path = self.folder(origin).join("unproven");
            fs::remove_file(&path).map_err(|source| LogMemoryError::Io {
                action: "remove",
                path,
                source,
            })?;
        }
        Ok(seen)
    }

    /// The last good checkpoint of a log.
    ///
    /// # Errors
    /// [`LogMemoryError`].
    pub fn last(&self, origin: &KeyName) -> Result<Option<Note>, LogMemoryError> {
        self.read(origin, "checkpoint")
    }

    /// How many of its entries were read, from the first on; 0 where nothing is remembered.
    ///
    /// # Errors
    /// [`LogMemoryError`].
    pub fn entries_read(&self, origin: &KeyName) -> Result<u64, LogMemoryError> {
        let path = self.folder(origin).join("entries");
        match fs::read_to_string(&path) {
            Ok(text) => text
                .trim_end()
                .parse()
                .map_err(|_| LogMemoryError::Damaged { path }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(0),
            Err(source) => Err(LogMemoryError::Io {
                action: "read",
                path,
                source,
            }),
        }
    }

    /// Remembers how many of its entries were read.
    ///
    /// # Errors
    /// [`LogMemoryError`].
    pub fn remember_entries(&self, origin: &KeyName, read: u64) -> Result<(), LogMemoryError> {
        self.write(origin, "entries", &format!("{read}\n"))
            .map(drop)
    }

    /// Keeps the evidence of misbehaviour and returns where; `None` where a fault has none.
    ///
    /// # Errors
    /// [`LogMemoryError`].
    pub fn keep_evidence(
        &self,
        origin: &KeyName,
        fault: &Fault,
    ) -> Result<Option<PathBuf>, LogMemoryError> {
        let size =
            |note: &Note| Checkpoint::parse(note.text()).map_or(0, |checkpoint| checkpoint.size);
        match fault.notes() {
            (Some(before), Some(now)) => {
                let name = format!("fault-{}-{}", size(before), size(now));
                self.write(origin, &name, &format!("{before}\n{now}"))
                    .map(Some)
            }
            (None, Some(now)) if fault.is_misbehaviour() => self
                .write(origin, &format!("foreign-{}", size(now)), &now.to_string())
                .map(Some),
            _ => Ok(None),
        }
    }

    /// Waits until no other process looks at the log. None does until the lock is dropped.
    async fn lock_exclusive(&self, origin: &KeyName) -> Result<LockFile, LogMemoryError> {
        let path = self.made(origin)?.join("lock");
        let mut waited = Duration::ZERO;
        loop {
            match LockFile::try_lock(&path, LockKind::Exclusive) {
                Ok(Some(lock)) => return Ok(lock),
                Ok(None) if waited >= LOCK_TIME_LIMIT => {
                    return Err(LogMemoryError::Busy { path });
                }
                Ok(None) => {
                    tokio::time::sleep(LOCK_PAUSE).await;
                    waited += LOCK_PAUSE;
                }
                Err(source) => {
                    return Err(LogMemoryError::Io {
                        action: "lock",
                        path,
                        source,
                    });
                }
            }
        }
    }

    fn read(&self, origin: &KeyName, name: &str) -> Result<Option<Note>, LogMemoryError> {
        let path = self.folder(origin).join(name);
        let file = match File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(source) => {
                return Err(LogMemoryError::Io {
                    action: "open",
                    path,
                    source,
                });
            }
        };
        let mut bytes = Vec::new();
        let read = file
            .take(NOTE_LIMIT_BYTES as u64 + 1)
            .read_to_end(&mut bytes);
        read.map_err(|source| LogMemoryError::Io {
            action: "read",
            path: path.clone(),
            source,
        })?;
        let note = Note::parse(&bytes).ok().filter(|note| {
            Checkpoint::parse(note.text()).is_ok_and(|checkpoint| checkpoint.origin == *origin)
        });
        note.map(Some).ok_or(LogMemoryError::Damaged { path })
    }

    /// A name may have any character; its digest has none that means something to a file system.
    fn folder(&self, origin: &KeyName) -> PathBuf {
        self.0
            .join(Digest::of(origin.as_str().as_bytes()).to_string())
    }

    /// The folder, which is there now.
    fn made(&self, origin: &KeyName) -> Result<PathBuf, LogMemoryError> {
        let path = self.folder(origin);
        match private_folder(&path) {
            Ok(()) => Ok(path),
            Err(source) => Err(LogMemoryError::Io {
                action: "make the folder",
                path,
                source,
            }),
        }
    }

    fn write(&self, origin: &KeyName, name: &str, text: &str) -> Result<PathBuf, LogMemoryError> {
        let path = self.made(origin)?.join(name);
        match replace_file(&path, text.as_bytes()) {
            Ok(()) => Ok(path),
            Err(source) => Err(LogMemoryError::Io {
                action: "write",
                path,
                source,
            }),
        }
    }
}
