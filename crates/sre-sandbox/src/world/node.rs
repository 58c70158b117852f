//! Files and folders of a guest, what is told of them, and what can fail.

use super::tmp;
use super::tree::NodeKind;

/// Inode numbers of `/tmp` start here, above any package's.
const TMP_INODE_BASE: u64 = 1 << 32;

/// A file or folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NodeId {
    Package(usize),
    Tmp(usize),
}

impl NodeId {
    pub(crate) const PACKAGE_ROOT: Self = Self::Package(0);
    pub(crate) const TMP_ROOT: Self = Self::Tmp(tmp::ROOT);

    pub(crate) fn inode(self) -> u64 {
        match self {
            Self::Package(node) => node as u64 + 1,
            Self::Tmp(node) => TMP_INODE_BASE + node as u64,
        }
    }

    /// The node `index` of the same tree.
    pub(super) fn sibling(self, index: usize) -> Self {
        match self {
            Self::Package(_) => Self::Package(index),
            Self::Tmp(_) => Self::Tmp(index),
        }
    }

    pub(crate) fn is_writable(self) -> bool {
        matches!(self, Self::Tmp(_))
    }

    /// Its number in `/tmp`.
    pub(super) fn writable(self) -> Result<usize, FileError> {
        match self {
            Self::Tmp(node) => Ok(node),
            Self::Package(_) => Err(FileError::ReadOnly),
        }
    }
}

/// Why a file operation failed; the adapters translate it to their version's error code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FileError {
    NotFound,
    NotADirectory,
    IsADirectory,
    Exists,
    NotEmpty,
    ReadOnly,
    NoSpace,
    NotPermitted,
    Invalid,
    NameTooLong,
    CrossDevice,
}

/// Metadata of a node. Times are nanoseconds since the Unix epoch.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Stat {
    pub(crate) kind: NodeKind,
    pub(crate) inode: u64,
    pub(crate) size: u64,
    pub(crate) accessed_ns: u64,
    pub(crate) modified_ns: u64,
}

/// How to open a path.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct OpenHow {
    pub(crate) create: bool,
    pub(crate) exclusive: bool,
    pub(crate) truncate: bool,
    pub(crate) directory: bool,
    pub(crate) write: bool,
}
