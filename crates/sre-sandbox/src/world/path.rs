//! Where a path of the guest's leads.

use super::files::Files;
use super::node::{FileError, NodeId};
use super::tree::NodeKind;

/// Longest path a guest may name, and longest part of one, in bytes.
pub(crate) const PATH_LIMIT_BYTES: usize = 4096;
const NAME_LIMIT_BYTES: usize = 255;

/// Where a path leads: the folder and the name in it, or a folder itself (`.`, `/`, `a/..`).
pub(super) enum Place<'a> {
    Entry(NodeId, &'a str),
    Folder(NodeId),
}

impl Files {
    /// Walks all but the last part of `path`.
    pub(super) fn place<'a>(&self, base: NodeId, path: &'a str) -> Result<Place<'a>, FileError> {
        if path.is_empty() {
            return Err(FileError::NotFound);
        }
        if path.len() > PATH_LIMIT_BYTES {
            return Err(FileError::NameTooLong);
        }
        if path.contains('\0') {
            return Err(FileError::Invalid);
        }
        if path.starts_with('/') {
            return Err(FileError::NotPermitted);
        }
        let mut walked = vec![base];
        let mut parts = path
            .split('/')
            .filter(|part| !part.is_empty() && *part != ".")
            .peekable();
        while let Some(part) = parts.next() {
            let folder = *walked.last().ok_or(FileError::NotPermitted)?;
            if part.len() > NAME_LIMIT_BYTES {
                return Err(FileError::NameTooLong);
            }
            if part == ".." {
                walked.pop();
                if walked.is_empty() {
                    return Err(FileError::NotPermitted);
                }
            } else if parts.peek().is_none() {
                return Ok(Place::Entry(folder, part));
            } else {
                let next = self.child(folder, part)?;
                if self.stat(next)?.kind != NodeKind::Directory {
                    return Err(FileError::NotADirectory);
                }
                walked.push(next);
            }
        }
        walked
            .pop()
            .map(Place::Folder)
            .ok_or(FileError::NotPermitted)
    }

    /// The folder in `/tmp` and the name in it that `path` leads to.
    pub(super) fn writable_entry<'a>(
        &self,
        base: NodeId,
        path: &'a str,
    ) -> Result<(usize, &'a str), FileError> {
        match self.place(base, path)? {
            Place::Folder(node) => Err(if node.is_writable() {
                FileError::Invalid
            } else {
                FileError::ReadOnly
            }),
            Place::Entry(folder, name) => Ok((folder.writable()?, name)),
        }
    }
}

/// Whether the way the path is written says that it leads to a folder.
pub(super) fn names_a_folder(path: &str) -> bool {
    path.ends_with('/') || path.ends_with("/.")
}
