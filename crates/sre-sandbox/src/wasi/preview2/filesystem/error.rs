//! Why a file operation failed.

use super::types;
use crate::machine::{FileError, Halt};

/// A file operation's failure on its way to the guest.
pub enum FilesystemError {
    Code(types::ErrorCode),
    Trap(wasmtime::Error),
}

impl From<types::ErrorCode> for FilesystemError {
    fn from(code: types::ErrorCode) -> Self {
        Self::Code(code)
    }
}

impl From<FileError> for FilesystemError {
    fn from(error: FileError) -> Self {
        Self::Code(match error {
            FileError::NotFound => types::ErrorCode::NoEntry,
            FileError::NotADirectory => types::ErrorCode::NotDirectory,
            FileError::IsADirectory => types::ErrorCode::IsDirectory,
            FileError::Exists => types::ErrorCode::Exist,
            FileError::NotEmpty => types::ErrorCode::NotEmpty,
            FileError::ReadOnly => types::ErrorCode::ReadOnly,
            FileError::NoSpace => types::ErrorCode::InsufficientSpace,
            FileError::NotPermitted => types::ErrorCode::NotPermitted,
            FileError::Invalid => types::ErrorCode::Invalid,
            FileError::NameTooLong => types::ErrorCode::NameTooLong,
            FileError::CrossDevice => types::ErrorCode::CrossDevice,
            FileError::TooLarge => types::ErrorCode::FileTooLarge,
            FileError::Loop => types::ErrorCode::Loop,
            FileError::Busy => types::ErrorCode::Busy,
            FileError::TooManyLinks => types::ErrorCode::TooManyLinks,
        })
    }
}

impl From<Halt> for FilesystemError {
    fn from(halt: Halt) -> Self {
        Self::Trap(wasmtime::Error::new(halt))
    }
}

impl From<wasmtime::component::ResourceTableError> for FilesystemError {
    fn from(error: wasmtime::component::ResourceTableError) -> Self {
        Self::Trap(error.into())
    }
}
