//! Files and folders of a guest, what it is told about them, and how an operation can fail.

/// A file, folder or link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NodeId {
    /// Of the package, which all instances of a skill share.
    Package(u32),
    /// Of the memory that belongs to one instance.
    Memory(u32),
}

/// What a node is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NodeKind {
    File,
    Directory,
    Link,
}

/// Why a file operation failed; the adapters translate it to the error code of their version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FileError {
    NotFound,
    NotADirectory,
    IsADirectory,
    Exists,
    NotEmpty,
    ReadOnly,
    NoSpace,
    TooLarge,
    NotPermitted,
    Invalid,
    NameTooLong,
    CrossDevice,
    /// More symbolic links on the way than may be followed, or one where none is allowed.
    Loop,
    /// A mount point can neither be removed nor replaced.
    Busy,
    TooManyLinks,
}

/// Metadata of a node. Times are nanoseconds since the Unix epoch.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Stat {
    pub(crate) kind: NodeKind,
    pub(crate) inode: u64,
    pub(crate) links: u64,
    pub(crate) size: u64,
    pub(crate) times: Times,
}

/// When a node was used, in nanoseconds since the Unix epoch on the virtual clock. Reading does not
/// count as access (as with the mount option `noatime`).
#[derive(Debug, Clone, Copy)]
pub(crate) struct Times {
    pub(crate) accessed_ns: u64,
    pub(crate) modified_ns: u64,
    pub(crate) changed_ns: u64,
}

impl Times {
    /// All three at once.
    pub(super) fn at(now_ns: u64) -> Self {
        Self {
            accessed_ns: now_ns,
            modified_ns: now_ns,
            changed_ns: now_ns,
        }
    }

    pub(super) fn modify(&mut self, now_ns: u64) {
        self.modified_ns = now_ns;
        self.changed_ns = now_ns;
    }
}

/// How to open a path.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct OpenHow {
    pub(crate) create: bool,
    pub(crate) exclusive: bool,
    pub(crate) truncate: bool,
    pub(crate) directory: bool,
    pub(crate) write: bool,
    /// Whether a symbolic link at the end of the path is followed.
    pub(crate) follow: bool,
}
