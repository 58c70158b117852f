//! How much a guest may keep in its files.

use sre_core::{Profile, Tree};

use super::node::FileError;
use super::storage::Mount;

/// Most that a guest may keep.
#[derive(Debug, Clone, Copy)]
pub(crate) struct FileLimits {
    /// In all writable folders together, in bytes of content.
    pub(crate) bytes: u64,
    /// In `/tmp`, in bytes of content.
    pub(crate) tmp_bytes: u64,
    /// Names of files, folders and links, besides those the job gives.
    pub(crate) names: u64,
}

impl FileLimits {
    pub(crate) fn of(profile: &Profile) -> Self {
        Self {
            bytes: profile.files_limit_bytes,
            tmp_bytes: profile.tmp_limit_bytes,
            names: profile.files_limit_count,
        }
    }
}

/// What is in use.
pub(super) struct Usage {
    limits: FileLimits,
    bytes: u64,
    tmp_bytes: u64,
    names: u64,
    /// Most names; without bound while the files that the job gives are put in their places.
    most_names: u64,
}

impl Usage {
    pub(super) fn new(limits: FileLimits) -> Self {
        Self {
            limits,
            bytes: 0,
            tmp_bytes: 0,
            names: 0,
            most_names: u64::MAX,
        }
    }

    pub(super) fn grow(&mut self, mount: Mount, by: u64) -> Result<(), FileError> {
        let bytes = self.bytes.saturating_add(by);
        let tmp_bytes = self
            .tmp_bytes
            .saturating_add(if mount == Mount::Tmp { by } else { 0 });
        if bytes > self.limits.bytes || tmp_bytes > self.limits.tmp_bytes {
            return Err(FileError::NoSpace);
        }
        (self.bytes, self.tmp_bytes) = (bytes, tmp_bytes);
        Ok(())
    }

    pub(super) fn shrink(&mut self, mount: Mount, by: u64) {
        self.bytes -= by;
        if mount == Mount::Tmp {
            self.tmp_bytes -= by;
        }
    }

    pub(super) fn add_name(&mut self) -> Result<(), FileError> {
        if self.names >= self.most_names {
            return Err(FileError::NoSpace);
        }
        self.names += 1;
        Ok(())
    }

    pub(super) fn remove_name(&mut self) {
        self.names -= 1;
    }

    /// Counts the names so far as given, and limits those that come.
    pub(super) fn limit_names(&mut self) {
        let names = self.limits.names.saturating_add(self.names);
        // More would not fit the tree that is committed.
        self.most_names = names.min(Tree::LIMIT_ENTRIES as u64);
    }
}
