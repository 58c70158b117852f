//! How opening and writing fail.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rusqlite::ErrorCode;

use sre_durable::{StorageCause, advice};

/// Why a database could not be opened. The file is as it was, except that missing folders and the
/// empty file may have been made.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The file system refused.
    #[error("cannot {action} {}: {source}{}", path.display(), advice(source))]
    Io {
        /// What was attempted, as a verb.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// SQLite refused.
    #[error("cannot open database {}: {source}{}", path.display(), advice_for(source))]
    Sqlite {
        /// The database file.
        path: PathBuf,
        /// What SQLite said.
        source: rusqlite::Error,
    },
    /// The file belongs to another program, or is a database of another kind.
    #[error(
        "{} is another program's database (application id {found:#x}, expected {expected:#x}); choose another data folder",
        path.display()
    )]
    Foreign {
        /// The database file.
        path: PathBuf,
        /// The application id in the file; 0 when it never had one.
        found: i32,
        /// The application id it should have.
        expected: i32,
    },
    /// A newer version of this program wrote the file.
    #[error(
        "database {} has schema version {found}, this program knows versions up to {supported}; \
         use the newer version of the program that wrote it",
        path.display()
    )]
    NewerSchema {
        /// The database file.
        path: PathBuf,
        /// The version in the file.
        found: i64,
        /// The newest version this program knows.
        supported: i64,
    },
    /// The file system cannot share memory between processes, as network file systems cannot.
    #[error(
        "database {} cannot use a write-ahead log (journal mode stays {mode:?}); put the data folder on a local disk",
        path.display()
    )]
    NoWriteAheadLog {
        /// The database file.
        path: PathBuf,
        /// The journal mode SQLite fell back to.
        mode: String,
    },
    /// The file is not the one that this process has open.
    #[error("database {} was moved, replaced or deleted while it was open; {MOVED_ADVICE}", path.display())]
    Moved {
        /// Where the database was.
        path: PathBuf,
    },
    /// A process saved the content of a database whose file was moved, and it is not decided yet
    /// which of the two counts.
    #[error(
        "{} is what a process saved when {} was moved, replaced or deleted while it was open; to go on with what was saved, \
         rename it to that (without a -wal or -shm beside it); to go on without, remove it",
        copy.display(), path.display()
    )]
    Saved {
        /// The copy.
        copy: PathBuf,
        /// The database's place.
        path: PathBuf,
    },
}

const MOVED_ADVICE: &str = "stop this process, put the file back, start again";

impl OpenError {
    /// Whether opening may succeed later without a change to anything.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Io { source, .. } => sre_durable::is_transient(source),
            Self::Sqlite { source, .. } => is_transient(source),
            Self::Foreign { .. }
            | Self::NewerSchema { .. }
            | Self::NoWriteAheadLog { .. }
            | Self::Moved { .. }
            | Self::Saved { .. } => false,
        }
    }

    /// What kind of failure it is.
    #[must_use]
    pub fn cause(&self) -> StorageCause {
        match self {
            Self::Moved { .. } | Self::Saved { .. } => StorageCause::Moved,
            Self::Io { source, .. } => StorageCause::of_io(source),
            Self::Sqlite { source, .. } => sqlite_cause(source),
            Self::Foreign { .. } | Self::NewerSchema { .. } | Self::NoWriteAheadLog { .. } => {
                StorageCause::Failed
            }
        }
    }

    /// Names what was attempted, as a verb, and on what.
    pub fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io {
            action,
            path: path.to_path_buf(),
            source,
        }
    }

    /// Names the database file.
    pub fn sqlite(path: &Path) -> impl Fn(rusqlite::Error) -> Self {
        move |source| Self::Sqlite {
            path: path.to_path_buf(),
            source,
        }
    }
}

/// Why a write is not in the database.
#[derive(Debug, Clone, thiserror::Error)]
pub enum WriteError {
    /// The job returned an error. Nothing of it was kept; the other jobs of its batch were not
    /// harmed.
    #[error("database {}: {source}{}", path.display(), advice_for(source))]
    Job {
        /// The database file.
        path: Arc<Path>,
        /// What the job returned.
        source: Arc<rusqlite::Error>,
    },
    /// The transaction could not be begun or committed; no job of the batch was kept. If the disk
    /// failed during the commit itself and the process then dies, SQLite may still find the
    /// transaction whole at the next open.
    #[error("database {}: the transaction failed: {source}{}", path.display(), advice_for(source))]
    Commit {
        /// The database file.
        path: Arc<Path>,
        /// What SQLite said; shared by all jobs of the batch.
        source: Arc<rusqlite::Error>,
    },
    /// The job panicked, which is a bug. Nothing of it was kept.
    #[error("a write to the database panicked: {message}")]
    Panicked {
        /// What it panicked with.
        message: String,
    },
    /// The file is not the one that was opened: it was moved, replaced or deleted, and the job is
    /// in the file that was.
    #[error("database {} was moved, replaced or deleted while it was open; {MOVED_ADVICE}", path.display())]
    Moved {
        /// Where the database was.
        path: Arc<Path>,
    },
    /// The writer is gone.
    #[error("the database is closed")]
    Closed,
}

impl WriteError {
    /// Whether the same write may succeed later without a change to it.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Job { source, .. } | Self::Commit { source, .. } => is_transient(source),
            Self::Panicked { .. } | Self::Moved { .. } | Self::Closed => false,
        }
    }

    /// As [`OpenError::cause`].
    #[must_use]
    pub fn cause(&self) -> StorageCause {
        match self {
            Self::Job { source, .. } | Self::Commit { source, .. } => sqlite_cause(source),
            Self::Moved { .. } => StorageCause::Moved,
            Self::Panicked { .. } | Self::Closed => StorageCause::Failed,
        }
    }
}

/// Why a database could not be read.
#[derive(Debug, thiserror::Error)]
#[error("database {}: {source}{}", path.display(), advice_for(source))]
pub struct ReadError {
    /// The database file.
    pub path: PathBuf,
    /// What SQLite said.
    pub source: rusqlite::Error,
}

impl ReadError {
    /// As [`OpenError::is_retryable`].
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        is_transient(&self.source)
    }

    /// As [`OpenError::cause`].
    #[must_use]
    pub fn cause(&self) -> StorageCause {
        sqlite_cause(&self.source)
    }
}

/// What kind of failure an error of SQLite is.
#[must_use]
pub fn sqlite_cause(error: &rusqlite::Error) -> StorageCause {
    match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => StorageCause::DiskFull,
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => StorageCause::Locked,
        Some(ErrorCode::CannotOpen | ErrorCode::PermissionDenied | ErrorCode::ReadOnly) => {
            StorageCause::ReadOnly
        }
        Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt) => StorageCause::Damaged,
        Some(ErrorCode::SystemIoFailure) => StorageCause::IoFailed,
        _ => StorageCause::Failed,
    }
}

/// What a person can do about a failure, ready to stand after its message; empty when there is
/// nothing to add.
#[must_use]
pub fn advice_for(error: &rusqlite::Error) -> &'static str {
    match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => "; free some space or choose another data folder",
        Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt) => {
            "; the file is damaged: move it away together with its -wal and -shm, or restore a copy"
        }
        Some(ErrorCode::CannotOpen | ErrorCode::PermissionDenied | ErrorCode::ReadOnly) => {
            "; let the user that runs this program read and write the file and its folder"
        }
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
            "; another process holds it, try again"
        }
        // What SQLite says of a log that it must recover and may not write.
        Some(ErrorCode::FileLockingProtocolFailed) => {
            "; let the user that runs this program write the file and its folder, or try again if another process holds it"
        }
        Some(ErrorCode::SystemIoFailure) => "; check the disk",
        _ => "",
    }
}

/// Whether a failure may go away without a change to the request.
#[must_use]
pub fn is_transient(error: &rusqlite::Error) -> bool {
    matches!(
        error.sqlite_error_code(),
        Some(
            ErrorCode::DiskFull
                | ErrorCode::DatabaseBusy
                | ErrorCode::DatabaseLocked
                | ErrorCode::SystemIoFailure
                | ErrorCode::OutOfMemory
                | ErrorCode::OperationInterrupted
                | ErrorCode::FileLockingProtocolFailed
        )
    )
}
