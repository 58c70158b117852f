//! What is remembered of other people's logs: the last good checkpoint of each, and the evidence of misbehaviour.
//!
//! ```text
//! logs/<sha256 of the name>/checkpoint            the last good one
//! logs/<sha256 of the name>/fault-<size>-<size>   two signed checkpoints that cannot both be true, one after the other
//! ```
//! Whoever deletes the folder forgets, and trusts the next checkpoint as he trusted the first.

use std::fs::{DirBuilder, File};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

use sre_core::Digest;
use sre_receipt::tlog::{Checkpoint, KeyName, NOTE_LIMIT_BYTES, Note};

use crate::watch::Fault;

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
    /// What is remembered is no checkpoint.
    #[error("what is remembered in {} is no checkpoint; remove the file to forget the log", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
    },
}

impl LogMemory {
    /// The folder at `path`; nothing is made yet.
    #[must_use]
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self(path.into())
    }

    /// The last good checkpoint of a log.
    ///
    /// # Errors
    /// [`LogMemoryError`].
    pub fn last(&self, origin: &KeyName) -> Result<Option<Note>, LogMemoryError> {
        let path = self.folder(origin).join("checkpoint");
        let file = match File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(LogMemoryError::Io { action: "open", path, source }),
        };
        let mut bytes = Vec::new();
        let read = file.take(NOTE_LIMIT_BYTES as u64 + 1).read_to_end(&mut bytes);
        read.map_err(|source| LogMemoryError::Io { action: "read", path: path.clone(), source })?;
        let note = Note::parse(&bytes)
            .ok()
            .filter(|note| Checkpoint::parse(note.text()).is_ok_and(|checkpoint| checkpoint.origin == *origin));
        note.map(Some).ok_or(LogMemoryError::Damaged { path })
    }

    /// Remembers a checkpoint as the last good one.
    ///
    /// # Errors
    /// [`LogMemoryError`].
    pub fn remember(&self, origin: &KeyName, note: &Note) -> Result<(), LogMemoryError> {
        self.write(origin, "checkpoint", &note.to_string()).map(drop)
    }

    /// Keeps the evidence of misbehaviour and returns where; `None` where a fault has none.
    ///
    /// # Errors
    /// [`LogMemoryError`].
    pub fn keep_evidence(&self, origin: &KeyName, fault: &Fault) -> Result<Option<PathBuf>, LogMemoryError> {
        let (name, before, now) = match fault {
            Fault::Forked { size, before, now } => (format!("fault-{size}-{size}"), before, now),
            Fault::Shrunk { before_size, now_size, before, now }
            | Fault::Rewritten { before_size, now_size, before, now } => {
                (format!("fault-{before_size}-{now_size}"), before, now)
            }
            _ => return Ok(None),
        };
        self.write(origin, &name, &format!("{before}\n{now}")).map(Some)
    }

    /// A name may have any character; its digest has none that means something to a file system.
    fn folder(&self, origin: &KeyName) -> PathBuf {
        self.0.join(Digest::of(origin.as_str().as_bytes()).to_string())
    }

    fn write(&self, origin: &KeyName, name: &str, text: &str) -> Result<PathBuf, LogMemoryError> {
        let folder = self.folder(origin);
        let path = folder.join(name);
        let io = |action, path: &Path| {
            let path = path.to_path_buf();
            move |source| LogMemoryError::Io { action, path, source }
        };
        let mut builder = DirBuilder::new();
        builder.recursive(true);
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.create(&folder).map_err(io("make the folder", &folder))?;
        let mut file = tempfile::NamedTempFile::new_in(&folder).map_err(io("write in", &folder))?;
        file.write_all(text.as_bytes()).and_then(|()| file.as_file().sync_all()).map_err(io("write", &path))?;
        file.persist(&path).map_err(|failed| io("write", &path)(failed.error))?;
        #[cfg(unix)]
        File::open(&folder).and_then(|folder| folder.sync_all()).map_err(io("make durable", &folder))?;
        Ok(path)
    }
}
