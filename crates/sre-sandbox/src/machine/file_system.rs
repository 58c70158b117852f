//! The guest's files, all in memory: `/skill` is the package, read-only; `/workspace`,
//! `/home/skill` and `/tmp` are writable and its own.
//!
//! There is no path from here to the host's file system. Inode numbers are counted, times are those
//! of the virtual clock and listings are sorted, so that all of it is the same in a replay.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;

use super::limits::FileLimits;
use super::node::{FileError, NodeId, NodeKind, OpenHow, Stat, Times};
use super::package::{PackageContent, PackageTree};
use super::path::{self, Place, PlaceEntry};
use super::recorder::CallRecorder;
use super::storage::{Content, FileData, ROOT, Storage, is_mount_point};

/// Names in a folder, sorted.
type Entries = BTreeMap<Arc<str>, NodeId>;

pub(crate) struct FileSystem {
    pub(super) package: Arc<PackageTree>,
    pub(super) storage: Storage,
    start_ns: u64,
    pub(super) recorder: CallRecorder,
}

/// The root of the package.
pub(crate) const PACKAGE: NodeId = NodeId::Package(0);

impl FileSystem {
    pub(crate) fn new(
        package: Arc<PackageTree>,
        limits: FileLimits,
        start_ns: u64,
        recorder: CallRecorder,
    ) -> Self {
        Self {
            package,
            storage: Storage::new(limits, PACKAGE, start_ns),
            start_ns,
            recorder,
        }
    }

    /// Begins to count names; those so far are the ones that the job gives.
    pub(crate) fn limit_names(&mut self) {
        self.storage.limit_names();
    }

    /// When the guest's clock started.
    pub(super) fn start_ns(&self) -> u64 {
        self.start_ns
    }

    /// Opens `path` below `base` and counts a handle; [`FileSystem::close`] gives it back.
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
        let is_new_only = how.create && how.exclusive;
        let node = match self.place(base, path, how.follow && !is_new_only)? {
            Place::Folder(_) | Place::Entry(PlaceEntry { node: Some(_), .. }) if is_new_only => {
                return Err(FileError::Exists);
            }
            Place::Entry(entry) if entry.node.is_none() && how.create => {
                if entry.as_folder {
                    return Err(FileError::IsADirectory);
                }
                let content = Content::File(FileData::empty());
                self.storage
                    .create(entry.folder, &entry.name, content, false, now_ns)?
            }
            place => self.existing(place)?,
        };
        match self.kind(node)? {
            NodeKind::Link => return Err(FileError::Loop),
            NodeKind::File if how.directory => return Err(FileError::NotADirectory),
            NodeKind::Directory if how.write || how.truncate => {
                return Err(FileError::IsADirectory);
            }
            NodeKind::File if how.write && matches!(node, NodeId::Package(_)) => {
                return Err(FileError::ReadOnly);
            }
            NodeKind::File | NodeKind::Directory => {}
        }
        if how.truncate {
            self.storage.set_size(node, 0, now_ns)?;
        }
        self.retain(node);
        Ok(node)
    }

    pub(crate) fn retain(&mut self, node: NodeId) {
        self.storage.retain(node);
    }

    pub(crate) fn close(&mut self, node: NodeId) {
        self.storage.release(node);
    }

    /// What `path` leads to, following a link at its end if `follow` says so.
    pub(crate) fn lookup(
        &self,
        base: NodeId,
        path: &str,
        follow: bool,
    ) -> Result<NodeId, FileError> {
        self.existing(self.place(base, path, follow)?)
    }

    fn existing(&self, place: Place<'_>) -> Result<NodeId, FileError> {
        match place {
            Place::Folder(node) => Ok(node),
            Place::Entry(entry) => {
                let node = entry.node.ok_or(FileError::NotFound)?;
                if entry.as_folder && self.kind(node)? != NodeKind::Directory {
                    return Err(FileError::NotADirectory);
                }
                Ok(node)
            }
        }
    }

    /// A name at the end of `path` that is free.
    fn free_entry<'a>(&self, base: NodeId, path: &'a str) -> Result<PlaceEntry<'a>, FileError> {
        match self.place(base, path, false)? {
            Place::Entry(entry) if entry.node.is_none() => Ok(entry),
            _ => Err(FileError::Exists),
        }
    }

    /// A name at the end of `path` that something has, and what.
    fn taken_entry<'a>(
        &self,
        base: NodeId,
        path: &'a str,
    ) -> Result<(PlaceEntry<'a>, NodeId), FileError> {
        match self.place(base, path, false)? {
            Place::Folder(node) if is_mount_point(node) => Err(FileError::Busy),
            // `.` and `..` have no name that could be taken away.
            Place::Folder(_) => Err(FileError::Invalid),
            Place::Entry(entry) => {
                let node = entry.node.ok_or(FileError::NotFound)?;
                if is_mount_point(node) {
                    return Err(FileError::Busy);
                }
                Ok((entry, node))
            }
        }
    }

    pub(crate) fn create_directory(
        &mut self,
        base: NodeId,
        path: &str,
        now_ns: u64,
    ) -> Result<(), FileError> {
        let entry = self.free_entry(base, path)?;
        let content = Content::directory(entry.folder);
        self.storage
            .create(entry.folder, &entry.name, content, false, now_ns)
            .map(drop)
    }

    /// Makes a symbolic link at `path`. Its target need not exist. An absolute one is refused, as
    /// WASI has it.
    pub(crate) fn create_link(
        &mut self,
        target: &str,
        base: NodeId,
        path: &str,
        now_ns: u64,
    ) -> Result<(), FileError> {
        path::check(target)?;
        if target.starts_with('/') {
            return Err(FileError::NotPermitted);
        }
        let entry = self.free_entry(base, path)?;
        if entry.as_folder {
            return Err(FileError::NotFound);
        }
        let content = Content::Link(Arc::from(target));
        self.storage
            .create(entry.folder, &entry.name, content, false, now_ns)
            .map(drop)
    }

    /// The target of the link at `path`.
    pub(crate) fn read_link(&self, base: NodeId, path: &str) -> Result<&str, FileError> {
        let node = self.lookup(base, path, false)?;
        let target = self.link_target(node).ok_or(FileError::Invalid)?;
        self.recorder
            .record_response("link target", target.as_bytes());
        Ok(target)
    }

    /// Gives a file a further name.
    pub(crate) fn link(
        &mut self,
        from: (NodeId, &str),
        follow: bool,
        to: (NodeId, &str),
        now_ns: u64,
    ) -> Result<(), FileError> {
        let node = self.lookup(from.0, from.1, follow)?;
        if self.kind(node)? == NodeKind::Directory {
            return Err(FileError::NotPermitted);
        }
        let entry = self.free_entry(to.0, to.1)?;
        if entry.as_folder {
            return Err(FileError::NotFound);
        }
        self.storage.link(entry.folder, &entry.name, node, now_ns)
    }

    pub(crate) fn remove(
        &mut self,
        base: NodeId,
        path: &str,
        kind: NodeKind,
        now_ns: u64,
    ) -> Result<(), FileError> {
        let (entry, node) = self.taken_entry(base, path)?;
        self.storage.mount_for_names(entry.folder)?;
        let is_folder = self.kind(node)? == NodeKind::Directory;
        match kind {
            NodeKind::Directory if !is_folder => return Err(FileError::NotADirectory),
            NodeKind::Directory if !self.entries(node)?.is_empty() => {
                return Err(FileError::NotEmpty);
            }
            NodeKind::File | NodeKind::Link if is_folder => return Err(FileError::IsADirectory),
            NodeKind::File | NodeKind::Link if entry.as_folder => {
                return Err(FileError::NotADirectory);
            }
            _ => {}
        }
        self.storage.unlink(entry.folder, &entry.name, now_ns)
    }

    pub(crate) fn rename(
        &mut self,
        from: (NodeId, &str),
        to: (NodeId, &str),
        now_ns: u64,
    ) -> Result<(), FileError> {
        let (source, moved) = self.taken_entry(from.0, from.1)?;
        let is_folder = self.kind(moved)? == NodeKind::Directory;
        if source.as_folder && !is_folder {
            return Err(FileError::NotADirectory);
        }
        let target = match self.place(to.0, to.1, false)? {
            Place::Folder(node) if is_mount_point(node) => return Err(FileError::Busy),
            Place::Folder(_) => return Err(FileError::Invalid),
            Place::Entry(entry) => entry,
        };
        if target.as_folder && !is_folder {
            return Err(FileError::NotADirectory);
        }
        let mount = self.storage.mount_for_names(source.folder)?;
        match self.storage.mount_for_names(target.folder) {
            Ok(other) if other == mount => {}
            Ok(_) | Err(FileError::ReadOnly) => return Err(FileError::CrossDevice),
            Err(error) => return Err(error),
        }
        if is_folder && self.contains(moved, target.folder) {
            return Err(FileError::Invalid);
        }
        match target.node {
            // Two names of one file: as POSIX has it, both stay.
            Some(replaced) if replaced == moved => return Ok(()),
            Some(replaced) => {
                let replaces_folder = self.kind(replaced)? == NodeKind::Directory;
                match (is_folder, replaces_folder) {
                    (true, false) => return Err(FileError::NotADirectory),
                    (false, true) => return Err(FileError::IsADirectory),
                    (true, true) if !self.entries(replaced)?.is_empty() => {
                        return Err(FileError::NotEmpty);
                    }
                    _ => {}
                }
                self.storage.unlink(target.folder, &target.name, now_ns)?;
            }
            None => {}
        }
        self.storage.rename(
            (source.folder, &source.name),
            (target.folder, &target.name),
            now_ns,
        )
    }

    /// Whether `inner` is `outer` or lies below it. Walks upwards and without recursion: a guest
    /// can nest folders as deep as it has entries, and this runs on what its own stack left over.
    fn contains(&self, outer: NodeId, inner: NodeId) -> bool {
        let mut at = inner;
        loop {
            if at == outer {
                return true;
            }
            match self.parent(at) {
                Ok(parent) if parent != at => at = parent,
                _ => return false,
            }
        }
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
            NodeId::Memory(node) => match &self.storage.get(node)?.content {
                Content::File(data) => data.bytes(),
                Content::Directory(_) => return Err(FileError::IsADirectory),
                Content::Link(_) => return Err(FileError::Invalid),
            },
        };
        let start = usize::try_from(offset)
            .unwrap_or(usize::MAX)
            .min(bytes.len());
        let end = start.saturating_add(length).min(bytes.len());
        self.recorder
            .record_response("file content", &bytes[start..end]);
        Ok(&bytes[start..end])
    }

    pub(crate) fn write_at(
        &mut self,
        node: NodeId,
        offset: u64,
        data: &[u8],
        now_ns: u64,
    ) -> Result<(), FileError> {
        self.storage.write_at(node, offset, data, now_ns)
    }

    pub(crate) fn set_size(
        &mut self,
        node: NodeId,
        size: u64,
        now_ns: u64,
    ) -> Result<(), FileError> {
        self.storage.set_size(node, size, now_ns)
    }

    pub(crate) fn set_times(
        &mut self,
        node: NodeId,
        accessed_ns: Option<u64>,
        modified_ns: Option<u64>,
        now_ns: u64,
    ) -> Result<(), FileError> {
        self.storage
            .set_times(node, accessed_ns, modified_ns, now_ns)
    }

    pub(crate) fn stat(&self, node: NodeId) -> Result<Stat, FileError> {
        let stat = match node {
            NodeId::Package(number) => {
                let (kind, size) = match &self.package.node(number).content {
                    PackageContent::File(bytes) => (NodeKind::File, bytes.len() as u64),
                    PackageContent::Directory(_) => (NodeKind::Directory, 0),
                };
                Stat {
                    kind,
                    inode: u64::from(number) + 1,
                    links: 1,
                    size,
                    times: Times::at(self.start_ns),
                }
            }
            NodeId::Memory(number) => {
                let node = self.storage.get(number)?;
                Stat {
                    kind: node.content.kind(),
                    inode: node.inode,
                    links: u64::from(node.links),
                    size: node.content.size(),
                    times: node.times,
                }
            }
        };
        self.recorder
            .record_with("file metadata", || format!("{stat:?}"));
        Ok(stat)
    }

    pub(crate) fn kind(&self, node: NodeId) -> Result<NodeKind, FileError> {
        match node {
            NodeId::Package(node) => Ok(match &self.package.node(node).content {
                PackageContent::File(_) => NodeKind::File,
                PackageContent::Directory(_) => NodeKind::Directory,
            }),
            NodeId::Memory(node) => Ok(self.storage.get(node)?.content.kind()),
        }
    }

    /// Whether the guest may change what is in this folder.
    pub(crate) fn is_writable(&self, folder: NodeId) -> bool {
        self.storage.mount_for_names(folder).is_ok()
    }

    /// The entry of a folder whose name is the first after `after`, or the first of all; a listing
    /// is sorted by name. A listing that remembers the last name and nothing else skips and repeats
    /// nothing while entries come and go.
    pub(crate) fn entry_after(
        &self,
        folder: NodeId,
        after: Option<&str>,
    ) -> Result<Option<(&Arc<str>, NodeId)>, FileError> {
        let start = after.map_or(Bound::Unbounded, Bound::Excluded);
        let next = self
            .entries(folder)?
            .range::<str, _>((start, Bound::Unbounded))
            .next();
        self.recorder.record_response(
            "folder entry",
            next.map_or("", |(name, _)| &**name).as_bytes(),
        );
        Ok(next.map(|(name, &node)| (name, node)))
    }

    /// The names in a folder as they stand, sorted, to be looked up with [`FileSystem::entry`]
    /// later.
    pub(crate) fn names(&self, folder: NodeId) -> Result<Vec<Arc<str>>, FileError> {
        Ok(self.entries(folder)?.keys().map(Arc::clone).collect())
    }

    /// The node of a name in `folder`; `None` once it is gone from there.
    pub(crate) fn entry(&self, folder: NodeId, name: &str) -> Option<NodeId> {
        let node = self.entries(folder).ok()?.get(name).copied()?;
        self.recorder
            .record_response("folder entry", name.as_bytes());
        Some(node)
    }

    pub(super) fn entries(&self, folder: NodeId) -> Result<&Entries, FileError> {
        match folder {
            NodeId::Package(node) => match &self.package.node(node).content {
                PackageContent::Directory(entries) => Ok(entries),
                PackageContent::File(_) => Err(FileError::NotADirectory),
            },
            NodeId::Memory(node) => match &self.storage.get(node)?.content {
                Content::Directory(directory) => Ok(&directory.entries),
                Content::File(_) | Content::Link(_) => Err(FileError::NotADirectory),
            },
        }
    }

    /// The folder that `..` in a folder leads to. The virtual root is its own.
    pub(super) fn parent(&self, folder: NodeId) -> Result<NodeId, FileError> {
        match folder {
            PACKAGE => Ok(ROOT),
            NodeId::Package(node) => Ok(NodeId::Package(self.package.node(node).parent)),
            NodeId::Memory(node) => match &self.storage.get(node)?.content {
                Content::Directory(directory) => directory.parent.ok_or(FileError::NotFound),
                Content::File(_) | Content::Link(_) => Err(FileError::NotADirectory),
            },
        }
    }

    /// The same for a listing, where a removed folder has no other.
    pub(crate) fn parent_for_listing(&self, folder: NodeId) -> NodeId {
        self.parent(folder).unwrap_or(folder)
    }

    pub(super) fn link_target(&self, node: NodeId) -> Option<&str> {
        match node {
            NodeId::Package(_) => None,
            NodeId::Memory(node) => match &self.storage.get(node).ok()?.content {
                Content::Link(target) => Some(target),
                Content::File(_) | Content::Directory(_) => None,
            },
        }
    }
}
