//! What a failure of the file system means: its kind, whether it may go away, and what to do.

use std::fmt;
use std::io::{self, ErrorKind};

/// What kind of failure a disk or a database reported, without a path or a library's own types.
///
/// Its text ([`StorageCause::as_str`]) is stable: metrics and problem documents carry it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum StorageCause {
    /// No space is left, or a quota is used up.
    DiskFull,
    /// Another process holds the file.
    Locked,
    /// The file or its file system cannot be written, or access is denied.
    ReadOnly,
    /// The content is not what this program wrote.
    Damaged,
    /// The device failed.
    IoFailed,
    /// The file was moved, replaced or deleted while it was open.
    Moved,
    /// Any other failure.
    Failed,
}

impl StorageCause {
    /// The kind of an error of the operating system.
    #[must_use]
    pub fn of_io(error: &io::Error) -> Self {
        match error.kind() {
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded => Self::DiskFull,
            ErrorKind::ReadOnlyFilesystem | ErrorKind::PermissionDenied => Self::ReadOnly,
            _ => Self::IoFailed,
        }
    }

    /// The kind as a word: `disk_full`, `locked`, `read_only`, `damaged`, `io_failed`, `moved` or
    /// `failed`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::DiskFull => "disk_full",
            Self::Locked => "locked",
            Self::ReadOnly => "read_only",
            Self::Damaged => "damaged",
            Self::IoFailed => "io_failed",
            Self::Moved => "moved",
            Self::Failed => "failed",
        }
    }
}

impl fmt::Display for StorageCause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What a person can do about a failure, ready to stand after its message; empty when there is
/// nothing to add.
#[must_use]
pub fn advice(error: &io::Error) -> &'static str {
    match error.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => {
            "; free some space or choose another data folder"
        }
        ErrorKind::PermissionDenied => "; let the user that runs this program read and write there",
        ErrorKind::ReadOnlyFilesystem => "; choose a data folder on a writable file system",
        ErrorKind::NotADirectory | ErrorKind::AlreadyExists => {
            "; a file is in the way of a folder, move it away"
        }
        ErrorKind::NotFound => {
            "; the data folder was removed or moved, start again with the right one"
        }
        _ => "",
    }
}

/// Whether a failure may go away without a change to the request.
#[must_use]
pub fn is_transient(error: &io::Error) -> bool {
    !matches!(
        error.kind(),
        ErrorKind::PermissionDenied
            | ErrorKind::ReadOnlyFilesystem
            | ErrorKind::NotADirectory
            | ErrorKind::IsADirectory
            | ErrorKind::NotFound
            | ErrorKind::InvalidFilename
    )
}
