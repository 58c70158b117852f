//! What one guest's files hold: nodes in memory, limited in bytes and in number.
//!
//! Content that was given is shared until the guest writes to it. A node lives as long as a name
//! leads to it or a handle is open.

use std::collections::BTreeMap;
use std::sync::Arc;

use sre_core::Digest;

use super::limits::{FileLimits, Usage};
use super::node::{FileError, NodeId, NodeKind, Times};

/// The virtual root and what is mounted below it, in the order of their numbers.
pub(crate) const ROOT: NodeId = NodeId::Memory(0);
pub(super) const HOME_PARENT: NodeId = NodeId::Memory(1);
pub(crate) const WORKSPACE: NodeId = NodeId::Memory(2);
pub(crate) const HOME: NodeId = NodeId::Memory(3);
pub(crate) const TMP: NodeId = NodeId::Memory(4);
const FIXED_NODES: u32 = 5;

/// Inode numbers of these nodes start here, above those of any package.
const FIRST_INODE: u64 = 1 << 32;

/// Which of the mounted folders a node is in. Nothing moves between them, as between file systems.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mount {
    /// The virtual root itself, read-only.
    Root,
    Workspace,
    Home,
    Tmp,
}

pub(super) struct Node {
    pub(super) content: Content,
    pub(super) mount: Mount,
    pub(super) inode: u64,
    /// Names that lead to it.
    pub(super) links: u32,
    handles: u32,
    pub(super) executable: bool,
    pub(super) times: Times,
}

pub(super) enum Content {
    File(FileData),
    Directory(Directory),
    Link(Arc<str>),
}

/// The content of a file: as it was given until the guest writes to it, then its own.
pub(super) struct FileData {
    given: Option<GivenBytes>,
    written: Vec<u8>,
}

/// Content that others hold too, with its SHA-256.
#[derive(Clone)]
pub(super) struct GivenBytes {
    pub(super) bytes: Arc<[u8]>,
    pub(super) sha256: Digest,
}

pub(super) struct Directory {
    pub(super) entries: BTreeMap<Arc<str>, NodeId>,
    /// `None` once it is removed; the virtual root is its own.
    pub(super) parent: Option<NodeId>,
}

impl Content {
    /// An empty folder in this one.
    pub(super) fn directory(parent: NodeId) -> Self {
        Self::Directory(Directory {
            entries: BTreeMap::new(),
            parent: Some(parent),
        })
    }

    pub(super) fn kind(&self) -> NodeKind {
        match self {
            Self::File(_) => NodeKind::File,
            Self::Directory(_) => NodeKind::Directory,
            Self::Link(_) => NodeKind::Link,
        }
    }

    /// Bytes of a file, or of the target of a link.
    pub(super) fn size(&self) -> u64 {
        match self {
            Self::File(data) => data.bytes().len() as u64,
            Self::Directory(_) => 0,
            Self::Link(target) => target.len() as u64,
        }
    }
}

impl FileData {
    pub(super) fn empty() -> Self {
        Self {
            given: None,
            written: Vec::new(),
        }
    }

    pub(super) fn given(bytes: Arc<[u8]>, sha256: Digest) -> Self {
        Self {
            given: Some(GivenBytes { bytes, sha256 }),
            written: Vec::new(),
        }
    }

    pub(super) fn bytes(&self) -> &[u8] {
        match &self.given {
            Some(given) => &given.bytes,
            None => &self.written,
        }
    }

    /// What the guest wrote.
    pub(super) fn take(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.written)
    }

    /// What was given, if the guest has not written to it.
    pub(super) fn as_given(&self) -> Option<&GivenBytes> {
        self.given.as_ref()
    }

    /// The first `keep` bytes for writing, copied if they were given.
    fn writable(&mut self, keep: usize) -> &mut Vec<u8> {
        if let Some(GivenBytes { bytes, .. }) = self.given.take() {
            self.written = bytes[..bytes.len().min(keep)].to_vec();
        }
        &mut self.written
    }
}

/// The nodes of one guest. Slots are used again, inode numbers are not: a number names one file for
/// the whole run.
pub(super) struct Storage {
    nodes: Vec<Option<Node>>,
    free: Vec<u32>,
    next_inode: u64,
    usage: Usage,
}

impl Storage {
    /// The virtual root with its mount points; `/skill` is `package`.
    pub(super) fn new(limits: FileLimits, package: NodeId, now_ns: u64) -> Self {
        let mut storage = Self {
            nodes: Vec::with_capacity(16),
            free: Vec::new(),
            next_inode: FIRST_INODE,
            usage: Usage::new(limits),
        };
        let fixed = [
            (ROOT, Mount::Root),
            (ROOT, Mount::Root),
            (ROOT, Mount::Workspace),
            (HOME_PARENT, Mount::Home),
            (ROOT, Mount::Tmp),
        ];
        for (parent, mount) in fixed {
            storage.push(Content::directory(parent), mount, false, now_ns);
        }
        let names = [
            (ROOT, "home", HOME_PARENT),
            (ROOT, "skill", package),
            (ROOT, "tmp", TMP),
            (ROOT, "workspace", WORKSPACE),
            (HOME_PARENT, "skill", HOME),
        ];
        for (folder, name, node) in names {
            if let Ok(folder) = storage.directory_mut(folder) {
                folder.entries.insert(Arc::from(name), node);
            }
        }
        storage
    }

    fn push(&mut self, content: Content, mount: Mount, executable: bool, now_ns: u64) -> u32 {
        let inode = self.next_inode;
        self.next_inode += 1;
        let node = Some(Node {
            content,
            mount,
            inode,
            links: 1,
            handles: 0,
            executable,
            times: Times::at(now_ns),
        });
        if let Some(slot) = self.free.pop() {
            self.nodes[slot as usize] = node;
            return slot;
        }
        self.nodes.push(node);
        // The limit on entries and on handles keeps this far below a `u32`.
        (self.nodes.len() - 1) as u32
    }

    pub(super) fn get(&self, node: u32) -> Result<&Node, FileError> {
        self.nodes
            .get(node as usize)
            .and_then(Option::as_ref)
            .ok_or(FileError::NotFound)
    }

    fn get_mut(&mut self, node: u32) -> Result<&mut Node, FileError> {
        self.nodes
            .get_mut(node as usize)
            .and_then(Option::as_mut)
            .ok_or(FileError::NotFound)
    }

    /// A node of the guest's own, when its files are taken at the end.
    pub(super) fn get_mut_for_taking(&mut self, node: NodeId) -> Option<&mut Node> {
        match node {
            NodeId::Memory(node) => self.get_mut(node).ok(),
            NodeId::Package(_) => None,
        }
    }

    fn directory_mut(&mut self, node: NodeId) -> Result<&mut Directory, FileError> {
        let NodeId::Memory(node) = node else {
            return Err(FileError::ReadOnly);
        };
        match &mut self.get_mut(node)?.content {
            Content::Directory(directory) => Ok(directory),
            Content::File(_) | Content::Link(_) => Err(FileError::NotADirectory),
        }
    }

    /// A node whose content or metadata the guest may change.
    fn changeable(&mut self, node: NodeId) -> Result<&mut Node, FileError> {
        let NodeId::Memory(node) = node else {
            return Err(FileError::ReadOnly);
        };
        let node = self.get_mut(node)?;
        if node.mount == Mount::Root {
            return Err(FileError::ReadOnly);
        }
        Ok(node)
    }

    /// The mount of a folder that takes new names in: not the virtual root, and none that is
    /// removed.
    pub(super) fn mount_for_names(&self, folder: NodeId) -> Result<Mount, FileError> {
        let NodeId::Memory(folder) = folder else {
            return Err(FileError::ReadOnly);
        };
        let node = self.get(folder)?;
        match &node.content {
            _ if node.mount == Mount::Root => Err(FileError::ReadOnly),
            Content::Directory(Directory { parent: None, .. }) => Err(FileError::NotFound),
            Content::Directory(_) => Ok(node.mount),
            Content::File(_) | Content::Link(_) => Err(FileError::NotADirectory),
        }
    }

    /// Makes a node under a name that is free.
    pub(super) fn create(
        &mut self,
        folder: NodeId,
        name: &str,
        content: Content,
        executable: bool,
        now_ns: u64,
    ) -> Result<NodeId, FileError> {
        let mount = self.mount_for_names(folder)?;
        self.usage.add_name()?;
        if let Err(error) = self.usage.grow(mount, content.size()) {
            self.usage.remove_name();
            return Err(error);
        }
        let node = NodeId::Memory(self.push(content, mount, executable, now_ns));
        self.put(folder, name, node, now_ns)?;
        Ok(node)
    }

    /// Gives a file a further name, which is free.
    pub(super) fn link(
        &mut self,
        folder: NodeId,
        name: &str,
        node: NodeId,
        now_ns: u64,
    ) -> Result<(), FileError> {
        let mount = self.mount_for_names(folder)?;
        let NodeId::Memory(index) = node else {
            return Err(FileError::CrossDevice);
        };
        let linked = self.get(index)?;
        if linked.mount != mount {
            return Err(FileError::CrossDevice);
        }
        // As in Linux: one that is removed and still open cannot be found again.
        if linked.links == 0 {
            return Err(FileError::NotFound);
        }
        let links = linked.links.checked_add(1).ok_or(FileError::TooManyLinks)?;
        self.usage.add_name()?;
        let linked = self.get_mut(index)?;
        linked.links = links;
        linked.times.changed_ns = now_ns;
        self.put(folder, name, node, now_ns)
    }

    fn put(
        &mut self,
        folder: NodeId,
        name: &str,
        node: NodeId,
        now_ns: u64,
    ) -> Result<(), FileError> {
        let directory = self.directory_mut(folder)?;
        directory.entries.insert(Arc::from(name), node);
        self.changeable(folder)?.times.modify(now_ns);
        Ok(())
    }

    /// Takes a name away, and with the last one what it leads to.
    pub(super) fn unlink(
        &mut self,
        folder: NodeId,
        name: &str,
        now_ns: u64,
    ) -> Result<(), FileError> {
        self.mount_for_names(folder)?;
        let removed = self.directory_mut(folder)?.entries.remove(name);
        let Some(NodeId::Memory(node)) = removed else {
            return Err(FileError::NotFound);
        };
        self.usage.remove_name();
        self.changeable(folder)?.times.modify(now_ns);
        let entry = self.get_mut(node)?;
        entry.links -= 1;
        entry.times.changed_ns = now_ns;
        if let Content::Directory(directory) = &mut entry.content {
            directory.parent = None;
        }
        self.free_if_unused(node);
        Ok(())
    }

    /// Gives a node another name, which is free, in place of its old one.
    pub(super) fn rename(
        &mut self,
        from: (NodeId, &str),
        to: (NodeId, &str),
        now_ns: u64,
    ) -> Result<(), FileError> {
        let removed = self.directory_mut(from.0)?.entries.remove(from.1);
        let node = removed.ok_or(FileError::NotFound)?;
        self.changeable(from.0)?.times.modify(now_ns);
        let moved = self.changeable(node)?;
        moved.times.changed_ns = now_ns;
        if let Content::Directory(directory) = &mut moved.content {
            directory.parent = Some(to.0);
        }
        self.put(to.0, to.1, node, now_ns)
    }

    pub(super) fn set_size(
        &mut self,
        node: NodeId,
        size: u64,
        now_ns: u64,
    ) -> Result<(), FileError> {
        let entry = self.changeable(node)?;
        let mount = entry.mount;
        let Content::File(data) = &entry.content else {
            return Err(not_a_file(&entry.content));
        };
        let old = data.bytes().len() as u64;
        // The limits are asked before anything is allocated.
        if size > old {
            self.usage.grow(mount, size - old)?;
        } else {
            self.usage.shrink(mount, old - size);
        }
        let length = usize::try_from(size).map_err(|_| FileError::NoSpace)?;
        let entry = self.changeable(node)?;
        if let Content::File(data) = &mut entry.content {
            let bytes = data.writable(length);
            if bytes.is_empty() && length > 0 {
                // The system gives zeroes without writing them.
                *bytes = vec![0; length];
            } else {
                bytes.resize(length, 0);
            }
            if size < old {
                bytes.shrink_to_fit();
            }
        }
        entry.times.modify(now_ns);
        Ok(())
    }

    pub(super) fn write_at(
        &mut self,
        node: NodeId,
        offset: u64,
        data: &[u8],
        now_ns: u64,
    ) -> Result<(), FileError> {
        let entry = self.changeable(node)?;
        let mount = entry.mount;
        let Content::File(file) = &entry.content else {
            return Err(not_a_file(&entry.content));
        };
        if data.is_empty() {
            return Ok(());
        }
        let old = file.bytes().len() as u64;
        let end = offset
            .checked_add(data.len() as u64)
            .ok_or(FileError::TooLarge)?;
        if end > old {
            self.usage.grow(mount, end - old)?;
        }
        // Within the limits, which fit a `usize`.
        let start = usize::try_from(offset).map_err(|_| FileError::NoSpace)?;
        let entry = self.changeable(node)?;
        if let Content::File(file) = &mut entry.content {
            let bytes = file.writable(usize::MAX);
            if start >= bytes.len() {
                bytes.resize(start, 0);
                bytes.extend_from_slice(data);
            } else {
                let inside = data.len().min(bytes.len() - start);
                bytes[start..start + inside].copy_from_slice(&data[..inside]);
                bytes.extend_from_slice(&data[inside..]);
            }
        }
        entry.times.modify(now_ns);
        Ok(())
    }

    pub(super) fn set_times(
        &mut self,
        node: NodeId,
        accessed_ns: Option<u64>,
        modified_ns: Option<u64>,
        now_ns: u64,
    ) -> Result<(), FileError> {
        let times = &mut self.changeable(node)?.times;
        times.accessed_ns = accessed_ns.unwrap_or(times.accessed_ns);
        times.modified_ns = modified_ns.unwrap_or(times.modified_ns);
        times.changed_ns = now_ns;
        Ok(())
    }

    pub(super) fn set_executable(
        &mut self,
        node: NodeId,
        executable: bool,
        now_ns: u64,
    ) -> Result<(), FileError> {
        let node = self.changeable(node)?;
        node.executable = executable;
        node.times.changed_ns = now_ns;
        Ok(())
    }

    /// Begins to count names; those so far are the ones that the job gives.
    pub(super) fn limit_names(&mut self) {
        self.usage.limit_names();
    }

    pub(super) fn retain(&mut self, node: NodeId) {
        if let NodeId::Memory(node) = node
            && let Ok(node) = self.get_mut(node)
        {
            node.handles += 1;
        }
    }

    pub(super) fn release(&mut self, node: NodeId) {
        if let NodeId::Memory(node) = node
            && let Ok(entry) = self.get_mut(node)
        {
            entry.handles = entry.handles.saturating_sub(1);
            self.free_if_unused(node);
        }
    }

    fn free_if_unused(&mut self, node: u32) {
        let Ok(entry) = self.get(node) else { return };
        if entry.links > 0 || entry.handles > 0 {
            return;
        }
        let (mount, size) = (entry.mount, entry.content.size());
        self.usage.shrink(mount, size);
        self.nodes[node as usize] = None;
        self.free.push(node);
    }
}

/// Whether a node is the root, a mount point or a folder on the way to one.
pub(super) fn is_mount_point(node: NodeId) -> bool {
    match node {
        NodeId::Package(node) => node == 0,
        NodeId::Memory(node) => node < FIXED_NODES,
    }
}

fn not_a_file(content: &Content) -> FileError {
    match content {
        Content::Directory(_) => FileError::IsADirectory,
        Content::File(_) | Content::Link(_) => FileError::Invalid,
    }
}
