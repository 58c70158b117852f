//! Errors of SQLite as errors of a store.

use std::sync::Arc;

use sre_sqlite::{OpenError, ReadError, WriteError};

use crate::store_error::StoreError;

impl From<OpenError> for StoreError {
    fn from(error: OpenError) -> Self {
        Self::Backend {
            cause: error.cause(),
            retryable: error.is_retryable(),
            source: Arc::new(error),
        }
    }
}

impl From<WriteError> for StoreError {
    fn from(error: WriteError) -> Self {
        match error {
            // A panicking insert is a bug that the panic hook has reported already.
            WriteError::Panicked { .. } | WriteError::Closed => Self::Closed,
            WriteError::Job { .. } | WriteError::Commit { .. } | WriteError::Moved { .. } => {
                Self::Backend {
                    cause: error.cause(),
                    retryable: error.is_retryable(),
                    source: Arc::new(error),
                }
            }
        }
    }
}

impl From<ReadError> for StoreError {
    fn from(error: ReadError) -> Self {
        Self::Backend {
            cause: error.cause(),
            retryable: error.is_retryable(),
            source: Arc::new(error),
        }
    }
}
