//! The guest's files: the package, read-only, at `/`, and a private `/tmp`.
//!
//! There is no path from here to the host's file system. Metadata is fixed: inode numbers count
//! sorted paths, times are those of the guest's clock, listings are sorted. Links do not exist and
//! cannot be made. `..` stops at the root of the folder a guest was given.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;

use super::node::{FileError, NodeId, OpenHow, Stat};
use super::path::{Place, names_a_folder};
use super::tmp::{Content, Tmp};
use super::tree::{NodeKind, PackageContent, PackageTree};
use super::witness::Witness;

pub(crate) struct Files {
    package: Arc<PackageTree>,
    tmp: Tmp,
    start_ns: u64,
    witness: Witness,
}

impl Files {
    pub(crate) fn new(
        package: Arc<PackageTree>,
        tmp_limit_bytes: u64,
        start_ns: u64,
        witness: Witness,
    ) -> Self {
        Self {
            package,
            tmp: Tmp::new(tmp_limit_bytes, start_ns),
            start_ns,
            witness,
        }
    }

    /// Opens `path` below `base` and counts a handle; [`Files::close`] gives it back.
    pub(crate) fn open(
        &mut self,
        base: NodeId,
        path: &str,
        how: OpenHow,
        now_ns: u64,
    ) -> Result<NodeId, FileError> {
        if how.create && how.directory {
            return Err(FileError::Invalid);
        }
        let node = match self.lookup(base, path) {
            Ok(_) if how.create && how.exclusive => return Err(FileError::Exists),
            Ok(node) => node,
            Err(FileError::NotFound) if how.create => {
                self.create(base, path, NodeKind::File, now_ns)?
            }
            Err(error) => return Err(error),
        };
        let kind = self.stat(node)?.kind;
        if how.directory && kind != NodeKind::Directory {
            return Err(FileError::NotADirectory);
        }
        if how.write || how.truncate {
            if kind == NodeKind::Directory {
                return Err(FileError::IsADirectory);
            }
            if !node.is_writable() {
                return Err(FileError::ReadOnly);
            }
        }
        if how.truncate {
            self.set_size(node, 0, now_ns)?;
        }
        self.retain(node);
        Ok(node)
    }

    pub(crate) fn retain(&mut self, node: NodeId) {
        if let NodeId::Tmp(node) = node {
            self.tmp.retain(node);
        }
    }

    pub(crate) fn close(&mut self, node: NodeId) {
        if let NodeId::Tmp(node) = node {
            self.tmp.release(node);
        }
    }

    pub(crate) fn lookup(&self, base: NodeId, path: &str) -> Result<NodeId, FileError> {
        match self.place(base, path)? {
            Place::Folder(node) => Ok(node),
            Place::Entry(folder, name) => {
                let node = self.child(folder, name)?;
                if names_a_folder(path) && self.stat(node)?.kind != NodeKind::Directory {
                    return Err(FileError::NotADirectory);
                }
                Ok(node)
            }
        }
    }

    pub(crate) fn create_directory(
        &mut self,
        base: NodeId,
        path: &str,
        now_ns: u64,
    ) -> Result<(), FileError> {
        if self.lookup(base, path).is_ok() {
            return Err(FileError::Exists);
        }
        self.create(base, path, NodeKind::Directory, now_ns)
            .map(drop)
    }

    fn create(
        &mut self,
        base: NodeId,
        path: &str,
        kind: NodeKind,
        now_ns: u64,
    ) -> Result<NodeId, FileError> {
        if kind == NodeKind::File && names_a_folder(path) {
            return Err(FileError::IsADirectory);
        }
        let (folder, name) = self.writable_entry(base, path)?;
        self.tmp.create(folder, name, kind, now_ns).map(NodeId::Tmp)
    }

    pub(crate) fn remove(
        &mut self,
        base: NodeId,
        path: &str,
        kind: NodeKind,
        now_ns: u64,
    ) -> Result<(), FileError> {
        self.lookup(base, path)?;
        let (folder, name) = self.writable_entry(base, path)?;
        self.tmp.remove(folder, name, kind, now_ns)
    }

    pub(crate) fn rename(
        &mut self,
        from: (NodeId, &str),
        to: (NodeId, &str),
        now_ns: u64,
    ) -> Result<(), FileError> {
        let moved = self.lookup(from.0, from.1)?;
        if names_a_folder(to.1) && self.stat(moved)?.kind != NodeKind::Directory {
            return Err(FileError::NotADirectory);
        }
        let source = self.writable_entry(from.0, from.1)?;
        let target = match self.writable_entry(to.0, to.1) {
            Err(FileError::ReadOnly) => return Err(FileError::CrossDevice),
            other => other?,
        };
        self.tmp.rename(source, target, now_ns)
    }

    /// Up to `length` bytes from `offset`; empty at the end of the file.
    pub(crate) fn read_at(
        &self,
        node: NodeId,
        offset: u64,
        length: usize,
    ) -> Result<&[u8], FileError> {
        let bytes: &[u8] = match node {
            NodeId::Package(node) => match &self.package.node(node).content {
                PackageContent::File(bytes) => bytes,
                PackageContent::Directory(_) => return Err(FileError::IsADirectory),
            },
            NodeId::Tmp(node) => match &self.tmp.get(node)?.content {
                Content::File(bytes) => bytes,
                Content::Directory(_) => return Err(FileError::IsADirectory),
            },
        };
        let start = usize::try_from(offset)
            .unwrap_or(usize::MAX)
            .min(bytes.len());
        let end = start.saturating_add(length).min(bytes.len());
        self.witness.saw("file content", &bytes[start..end]);
        Ok(&bytes[start..end])
    }

    pub(crate) fn write_at(
        &mut self,
        node: NodeId,
        offset: u64,
        data: &[u8],
        now_ns: u64,
    ) -> Result<(), FileError> {
        self.tmp.write_at(node.writable()?, offset, data, now_ns)
    }

    pub(crate) fn set_size(
        &mut self,
        node: NodeId,
        size: u64,
        now_ns: u64,
    ) -> Result<(), FileError> {
        self.tmp.set_size(node.writable()?, size, now_ns)
    }

    pub(crate) fn set_times(
        &mut self,
        node: NodeId,
        accessed_ns: Option<u64>,
        modified_ns: Option<u64>,
    ) -> Result<(), FileError> {
        let entry = self.tmp.get_mut(node.writable()?)?;
        entry.accessed_ns = accessed_ns.unwrap_or(entry.accessed_ns);
        entry.modified_ns = modified_ns.unwrap_or(entry.modified_ns);
        Ok(())
    }

    pub(crate) fn stat(&self, node: NodeId) -> Result<Stat, FileError> {
        let (kind, size, accessed_ns, modified_ns) = match node {
            NodeId::Package(node) => {
                let (kind, size) = match &self.package.node(node).content {
                    PackageContent::File(bytes) => (NodeKind::File, bytes.len() as u64),
                    PackageContent::Directory(_) => (NodeKind::Directory, 0),
                };
                (kind, size, self.start_ns, self.start_ns)
            }
            NodeId::Tmp(node) => {
                let entry = self.tmp.get(node)?;
                let (kind, size) = match &entry.content {
                    Content::File(bytes) => (NodeKind::File, bytes.len() as u64),
                    Content::Directory(_) => (NodeKind::Directory, 0),
                };
                (kind, size, entry.accessed_ns, entry.modified_ns)
            }
        };
        let stat = Stat {
            kind,
            inode: node.inode(),
            size,
            accessed_ns,
            modified_ns,
        };
        self.witness
            .saw_with("file metadata", || format!("{stat:?}"));
        Ok(stat)
    }

    /// The entry of a folder whose name is the first after `after`, or the first of all; a listing
    /// is sorted by name. A listing that remembers the last name and nothing else skips and repeats
    /// nothing while entries come and go.
    pub(crate) fn entry_after(
        &self,
        folder: NodeId,
        after: Option<&str>,
    ) -> Result<Option<(&str, NodeId)>, FileError> {
        let start = after.map_or(Bound::Unbounded, Bound::Excluded);
        let next = self
            .entries(folder)?
            .range::<str, _>((start, Bound::Unbounded))
            .next();
        self.witness
            .saw("folder entry", next.map_or("", |(name, _)| name).as_bytes());
        Ok(next.map(|(name, &index)| (name.as_str(), folder.sibling(index))))
    }

    /// The entries of a folder as they stand, sorted by name, to be looked up with [`Files::entry`]
    /// later.
    pub(crate) fn snapshot(&self, folder: NodeId) -> Result<Vec<u32>, FileError> {
        // A package has 512 files and `/tmp` makes no more nodes than this holds.
        self.entries(folder)?
            .values()
            .map(|&index| u32::try_from(index).map_err(|_| FileError::NoSpace))
            .collect()
    }

    /// Name and node of an entry from a [`snapshot`](Files::snapshot) of `folder`; `None` once it
    /// is gone from there.
    pub(crate) fn entry(&self, folder: NodeId, index: u32) -> Option<(&str, NodeId)> {
        let index = index as usize;
        let name = match folder {
            NodeId::Package(_) => self.package.name(index),
            NodeId::Tmp(folder) => self.tmp.name_in(folder, index)?,
        };
        self.witness.saw("folder entry", name.as_bytes());
        Some((name, folder.sibling(index)))
    }

    fn entries(&self, folder: NodeId) -> Result<&BTreeMap<String, usize>, FileError> {
        match folder {
            NodeId::Package(node) => match &self.package.node(node).content {
                PackageContent::Directory(entries) => Ok(entries),
                PackageContent::File(_) => Err(FileError::NotADirectory),
            },
            NodeId::Tmp(node) => self.tmp.directory(node),
        }
    }

    pub(super) fn child(&self, folder: NodeId, name: &str) -> Result<NodeId, FileError> {
        self.entries(folder)?
            .get(name)
            .map(|&index| folder.sibling(index))
            .ok_or(FileError::NotFound)
    }
}
