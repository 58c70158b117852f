//! Whether the paths still name the files that were opened.
//!
//! A file that is renamed, replaced or deleted stays open. SQLite would go on writing to it, and
//! the next process that opens the path would find nothing of that. So an answer is sent only after
//! a look at the paths (two `stat(2)`, 2 µs). After the first mismatch nothing is written any more,
//! even if the files come back: what others read at the path meanwhile then stays true.

use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::error::OpenError;

/// The paths of a database and its write-ahead log, and which files they named when it was opened.
#[derive(Debug, Clone)]
pub(super) struct FileIdentity {
    path: PathBuf,
    files: [(PathBuf, Option<Inode>); 2],
    was_replaced: Arc<AtomicBool>,
}

/// Device and inode.
type Inode = (u64, u64);

impl FileIdentity {
    /// Of the database at `path`, which is open and has a log.
    pub(super) fn of(path: &Path) -> Result<Self, OpenError> {
        let mark = |path: PathBuf| match identity(&path) {
            Ok(identity) => Ok((path, identity)),
            Err(error) => Err(OpenError::io("look at", &path)(error)),
        };
        let files = [mark(path.to_path_buf())?, mark(log_of(path))?];
        Ok(Self {
            path: path.to_path_buf(),
            files,
            was_replaced: Arc::default(),
        })
    }

    /// Whether both paths name the files that are open, and did so at every look before. A path
    /// that cannot be looked at, for another reason than that it is gone, counts as unchanged: if
    /// the disk fails, the write itself reports it.
    pub(super) fn is_current(&self) -> bool {
        let is_current = self
            .files
            .iter()
            .all(|(path, opened)| match identity(path) {
                Ok(found) => found == *opened,
                Err(error) => {
                    !matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory)
                }
            });
        if !is_current {
            self.was_replaced.store(true, Ordering::Release);
        }
        !self.was_replaced()
    }

    /// Whether an earlier look has found another file, or no file.
    pub(super) fn was_replaced(&self) -> bool {
        self.was_replaced.load(Ordering::Acquire)
    }

    pub(super) fn check(&self) -> Result<(), OpenError> {
        if self.is_current() {
            Ok(())
        } else {
            Err(OpenError::Moved {
                path: self.path.clone(),
            })
        }
    }

    /// Removes the log if it is still ours. Another database at this path would take it for its
    /// own.
    pub(super) fn remove_log(&self) -> io::Result<()> {
        let (log, opened) = &self.files[1];
        match identity(log) {
            Ok(found) if found == *opened => fs::remove_file(log),
            _ => Ok(()),
        }
    }
}

fn log_of(path: &Path) -> PathBuf {
    let mut log = path.as_os_str().to_owned();
    log.push("-wal");
    log.into()
}

#[cfg(unix)]
fn identity(path: &Path) -> io::Result<Option<Inode>> {
    use std::os::unix::fs::MetadataExt;
    fs::metadata(path).map(|file| Some((file.dev(), file.ino())))
}

/// Elsewhere files that are open keep their names.
#[cfg(not(unix))]
fn identity(_path: &Path) -> io::Result<Option<Inode>> {
    Ok(None)
}
