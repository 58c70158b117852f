//! The guest's private `/tmp`: files in memory, limited in bytes and in number, gone with the
//! instance.

use std::collections::BTreeMap;

use super::node::FileError;
use super::tree::NodeKind;

/// Files and folders `/tmp` may hold.
const NODE_LIMIT: usize = 4096;

/// What an entry costs against the byte limit besides its content, so that a million empty files
/// are not free.
const ENTRY_COST_BYTES: u64 = 256;

pub(super) const ROOT: usize = 0;

/// Slots are never reused, so an inode number names one file for the whole run; a removed file's
/// content is freed with its last handle.
pub(super) struct Tmp {
    nodes: Vec<Option<TmpNode>>,
    live: usize,
    used_bytes: u64,
    limit_bytes: u64,
}

pub(super) struct TmpNode {
    pub(super) content: Content,
    pub(super) modified_ns: u64,
    pub(super) accessed_ns: u64,
    handles: u32,
    /// Where it can be found: the folder and the name there. `None` for the root and once it is
    /// removed.
    link: Option<(usize, String)>,
}

pub(super) enum Content {
    File(Vec<u8>),
    Directory(BTreeMap<String, usize>),
}

impl Tmp {
    pub(super) fn new(limit_bytes: u64, now_ns: u64) -> Self {
        let mut tmp = Self {
            nodes: Vec::new(),
            live: 0,
            used_bytes: 0,
            limit_bytes,
        };
        tmp.push(Content::Directory(BTreeMap::new()), None, now_ns);
        tmp
    }

    fn push(&mut self, content: Content, link: Option<(usize, String)>, now_ns: u64) -> usize {
        self.nodes.push(Some(TmpNode {
            content,
            modified_ns: now_ns,
            accessed_ns: now_ns,
            handles: 0,
            link,
        }));
        self.live += 1;
        self.nodes.len() - 1
    }

    pub(super) fn get(&self, node: usize) -> Result<&TmpNode, FileError> {
        self.nodes
            .get(node)
            .and_then(Option::as_ref)
            .ok_or(FileError::NotFound)
    }

    pub(super) fn get_mut(&mut self, node: usize) -> Result<&mut TmpNode, FileError> {
        self.nodes
            .get_mut(node)
            .and_then(Option::as_mut)
            .ok_or(FileError::NotFound)
    }

    pub(super) fn directory(&self, node: usize) -> Result<&BTreeMap<String, usize>, FileError> {
        match &self.get(node)?.content {
            Content::Directory(entries) => Ok(entries),
            Content::File(_) => Err(FileError::NotADirectory),
        }
    }

    fn directory_mut(&mut self, node: usize) -> Result<&mut BTreeMap<String, usize>, FileError> {
        match &mut self.get_mut(node)?.content {
            Content::Directory(entries) => Ok(entries),
            Content::File(_) => Err(FileError::NotADirectory),
        }
    }

    fn file_mut(&mut self, node: usize) -> Result<&mut Vec<u8>, FileError> {
        match &mut self.get_mut(node)?.content {
            Content::File(bytes) => Ok(bytes),
            Content::Directory(_) => Err(FileError::IsADirectory),
        }
    }

    /// The name of `node` in `directory`; `None` if it is not there (any more).
    pub(super) fn name_in(&self, directory: usize, node: usize) -> Option<&str> {
        match &self.get(node).ok()?.link {
            Some((parent, name)) if *parent == directory => Some(name),
            _ => None,
        }
    }

    /// Whether things can be put into `directory`: not once it is removed.
    fn is_linked(&self, directory: usize) -> Result<bool, FileError> {
        Ok(directory == ROOT || self.get(directory)?.link.is_some())
    }

    fn reserve(&mut self, bytes: u64) -> Result<(), FileError> {
        let used = self.used_bytes.saturating_add(bytes);
        if used > self.limit_bytes {
            return Err(FileError::NoSpace);
        }
        self.used_bytes = used;
        Ok(())
    }

    pub(super) fn create(
        &mut self,
        directory: usize,
        name: &str,
        kind: NodeKind,
        now_ns: u64,
    ) -> Result<usize, FileError> {
        if self.directory(directory)?.contains_key(name) {
            return Err(FileError::Exists);
        }
        if !self.is_linked(directory)? {
            return Err(FileError::NotFound);
        }
        // Slots are not reused, so all that were ever made count a little: the vector itself is
        // bounded too.
        if self.live >= NODE_LIMIT || self.nodes.len() >= 64 * NODE_LIMIT {
            return Err(FileError::NoSpace);
        }
        self.reserve(ENTRY_COST_BYTES)?;
        let content = match kind {
            NodeKind::File => Content::File(Vec::new()),
            NodeKind::Directory => Content::Directory(BTreeMap::new()),
        };
        let node = self.push(content, Some((directory, name.to_owned())), now_ns);
        self.directory_mut(directory)?.insert(name.to_owned(), node);
        self.get_mut(directory)?.modified_ns = now_ns;
        Ok(node)
    }

    pub(super) fn set_size(
        &mut self,
        node: usize,
        size: u64,
        now_ns: u64,
    ) -> Result<(), FileError> {
        let old = self.file_mut(node)?.len() as u64;
        let length = usize::try_from(size).map_err(|_| FileError::NoSpace)?;
        // The quota is asked before anything is allocated.
        if size > old {
            self.reserve(size - old)?;
        } else {
            self.used_bytes -= old - size;
        }
        let bytes = self.file_mut(node)?;
        bytes.resize(length, 0);
        if size < old {
            bytes.shrink_to_fit();
        }
        self.get_mut(node)?.modified_ns = now_ns;
        Ok(())
    }

    pub(super) fn write_at(
        &mut self,
        node: usize,
        offset: u64,
        data: &[u8],
        now_ns: u64,
    ) -> Result<(), FileError> {
        if data.is_empty() {
            return Ok(());
        }
        let end = offset
            .checked_add(data.len() as u64)
            .ok_or(FileError::NoSpace)?;
        if end > self.file_mut(node)?.len() as u64 {
            self.set_size(node, end, now_ns)?;
        }
        // Within the file's length, which fits a usize.
        let start = usize::try_from(offset).map_err(|_| FileError::NoSpace)?;
        self.file_mut(node)?[start..start + data.len()].copy_from_slice(data);
        self.get_mut(node)?.modified_ns = now_ns;
        Ok(())
    }

    pub(super) fn remove(
        &mut self,
        directory: usize,
        name: &str,
        kind: NodeKind,
        now_ns: u64,
    ) -> Result<(), FileError> {
        let node = *self
            .directory(directory)?
            .get(name)
            .ok_or(FileError::NotFound)?;
        match (&self.get(node)?.content, kind) {
            (Content::File(_), NodeKind::Directory) => return Err(FileError::NotADirectory),
            (Content::Directory(_), NodeKind::File) => return Err(FileError::IsADirectory),
            (Content::Directory(entries), NodeKind::Directory) if !entries.is_empty() => {
                return Err(FileError::NotEmpty);
            }
            _ => {}
        }
        self.directory_mut(directory)?.remove(name);
        self.get_mut(directory)?.modified_ns = now_ns;
        self.get_mut(node)?.link = None;
        self.free_if_unused(node);
        Ok(())
    }

    pub(super) fn rename(
        &mut self,
        from: (usize, &str),
        to: (usize, &str),
        now_ns: u64,
    ) -> Result<(), FileError> {
        let node = *self
            .directory(from.0)?
            .get(from.1)
            .ok_or(FileError::NotFound)?;
        if !self.is_linked(to.0)? {
            return Err(FileError::NotFound);
        }
        if self.contains(node, to.0) {
            return Err(FileError::Invalid);
        }
        match self.directory(to.0)?.get(to.1) {
            Some(&target) if target == node => return Ok(()),
            Some(_) => {
                let kind = match self.get(node)?.content {
                    Content::File(_) => NodeKind::File,
                    Content::Directory(_) => NodeKind::Directory,
                };
                self.remove(to.0, to.1, kind, now_ns)?;
            }
            None => {}
        }
        self.directory_mut(from.0)?.remove(from.1);
        self.directory_mut(to.0)?.insert(to.1.to_owned(), node);
        self.get_mut(node)?.link = Some((to.0, to.1.to_owned()));
        self.get_mut(from.0)?.modified_ns = now_ns;
        self.get_mut(to.0)?.modified_ns = now_ns;
        Ok(())
    }

    /// Whether `inner` is `outer` or lies below it. Walks upwards and without recursion: a guest
    /// can nest folders as deep as it has entries, and this runs on what its own stack left over.
    fn contains(&self, outer: usize, inner: usize) -> bool {
        let above = |&node: &usize| {
            self.get(node)
                .ok()?
                .link
                .as_ref()
                .map(|(parent, _)| *parent)
        };
        std::iter::successors(Some(inner), above).any(|node| node == outer)
    }

    pub(super) fn retain(&mut self, node: usize) {
        if let Ok(node) = self.get_mut(node) {
            node.handles += 1;
        }
    }

    pub(super) fn release(&mut self, node: usize) {
        if let Ok(entry) = self.get_mut(node) {
            entry.handles = entry.handles.saturating_sub(1);
            self.free_if_unused(node);
        }
    }

    fn free_if_unused(&mut self, node: usize) {
        if node == ROOT {
            return;
        }
        let Ok(entry) = self.get(node) else { return };
        if entry.link.is_some() || entry.handles > 0 {
            return;
        }
        let content_bytes = match &entry.content {
            Content::File(bytes) => bytes.len() as u64,
            Content::Directory(_) => 0,
        };
        self.used_bytes -= content_bytes + ENTRY_COST_BYTES;
        self.live -= 1;
        self.nodes[node] = None;
    }
}
