//! From SQLite's errors to the journal's.

use sre_sqlite::{OpenError, WriteError};

use crate::error::{JournalError, JournalErrorKind};

/// How a function below fails. Only `From` conversions differ from [`JournalError`], whose public
/// interface names no type of SQLite.
#[derive(Debug)]
pub(super) enum SqliteError {
    Journal(JournalError),
    Open(OpenError),
    Write(WriteError),
    Read(rusqlite::Error),
}

impl From<JournalError> for SqliteError {
    fn from(error: JournalError) -> Self {
        Self::Journal(error)
    }
}

impl From<OpenError> for SqliteError {
    fn from(error: OpenError) -> Self {
        Self::Open(error)
    }
}

impl From<WriteError> for SqliteError {
    fn from(error: WriteError) -> Self {
        Self::Write(error)
    }
}

impl From<rusqlite::Error> for SqliteError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Read(error)
    }
}

impl From<SqliteError> for JournalError {
    fn from(error: SqliteError) -> Self {
        match error {
            SqliteError::Journal(error) => error,
            SqliteError::Open(error) => {
                let kind = match error {
                    OpenError::Moved { .. } => JournalErrorKind::Moved,
                    _ => JournalErrorKind::Open,
                };
                Self::new(kind, error.cause(), error.is_retryable(), error)
            }
            SqliteError::Write(error) => {
                let kind = match error {
                    WriteError::Moved { .. } => JournalErrorKind::Moved,
                    _ => JournalErrorKind::Write,
                };
                Self::new(kind, error.cause(), error.is_retryable(), error)
            }
            // Nothing was asked for that a later read might not answer.
            SqliteError::Read(error) => Self::new(
                JournalErrorKind::Read,
                sre_sqlite::sqlite_cause(&error),
                true,
                format!("the journal cannot be read: {error}"),
            ),
        }
    }
}
