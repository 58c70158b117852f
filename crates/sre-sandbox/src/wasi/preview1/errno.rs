//! Error codes of preview 1, as numbered by its witx.

use crate::machine::{FileError, Halt};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Errno {
    Success = 0,
    Badf = 8,
    Busy = 10,
    Exist = 20,
    Fault = 21,
    Fbig = 22,
    Ilseq = 25,
    Inval = 28,
    Isdir = 31,
    Loop = 32,
    Mfile = 33,
    Mlink = 34,
    Nametoolong = 37,
    Noent = 44,
    Nomem = 48,
    Nospc = 51,
    Notdir = 54,
    Notempty = 55,
    Notsock = 57,
    Notsup = 58,
    Overflow = 61,
    Perm = 63,
    Rofs = 69,
    Spipe = 70,
    Xdev = 75,
}

/// Why a call did not succeed: the guest's business, or the guest's end.
pub(super) enum Fault {
    Errno(Errno),
    Halt(Halt),
}

impl From<Errno> for Fault {
    fn from(errno: Errno) -> Self {
        Self::Errno(errno)
    }
}

impl From<Halt> for Fault {
    fn from(halt: Halt) -> Self {
        Self::Halt(halt)
    }
}

impl From<FileError> for Fault {
    fn from(error: FileError) -> Self {
        Self::Errno(match error {
            FileError::NotFound => Errno::Noent,
            FileError::NotADirectory => Errno::Notdir,
            FileError::IsADirectory => Errno::Isdir,
            FileError::Exists => Errno::Exist,
            FileError::NotEmpty => Errno::Notempty,
            FileError::ReadOnly => Errno::Rofs,
            FileError::NoSpace => Errno::Nospc,
            FileError::NotPermitted => Errno::Perm,
            FileError::Invalid => Errno::Inval,
            FileError::NameTooLong => Errno::Nametoolong,
            FileError::CrossDevice => Errno::Xdev,
            FileError::TooLarge => Errno::Fbig,
            FileError::Loop => Errno::Loop,
            FileError::Busy => Errno::Busy,
            FileError::TooManyLinks => Errno::Mlink,
        })
    }
}
