//! The table of file descriptors of a preview 1 module.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::machine::{NodeId, WorkingFolder, preopens};

use super::errno::Errno;

/// Descriptors a module may have open.
const DESCRIPTOR_LIMIT: usize = 1024;

/// Names that all open listings of a module may hold together.
const LISTED_LIMIT: usize = 1 << 20;

pub(in crate::wasi) struct Descriptors {
    open: Vec<Option<Descriptor>>,
    /// The names that an open folder is being listed by.
    listings: BTreeMap<u32, Vec<Arc<str>>>,
    /// How many names that is in all.
    listed: usize,
}

#[derive(Debug, Clone, Copy)]
pub(super) enum Descriptor {
    Stdin,
    Stdout,
    Stderr,
    Directory {
        node: NodeId,
        preopen: Option<&'static str>,
    },
    File(OpenFile),
}

#[derive(Debug, Clone, Copy)]
pub(super) struct OpenFile {
    pub(super) node: NodeId,
    pub(super) offset: u64,
    pub(super) readable: bool,
    pub(super) writable: bool,
    /// `fdflags` as the module set them; only `append` has an effect.
    pub(super) flags: u16,
}

/// `fdflags::append`.
pub(super) const APPEND: u16 = 1;

impl Descriptors {
    pub(in crate::wasi) fn new(working_folder: WorkingFolder) -> Self {
        Self::with_folders(preopens(working_folder))
    }

    /// Standard streams, and then these folders.
    pub(in crate::wasi) fn with_folders(
        folders: impl IntoIterator<Item = (NodeId, &'static str)>,
    ) -> Self {
        let folders = folders
            .into_iter()
            .map(|(node, name)| Descriptor::Directory {
                node,
                preopen: Some(name),
            });
        let streams = [Descriptor::Stdin, Descriptor::Stdout, Descriptor::Stderr];
        Self {
            open: streams.into_iter().chain(folders).map(Some).collect(),
            listings: BTreeMap::new(),
            listed: 0,
        }
    }

    pub(super) fn get(&self, fd: u32) -> Result<Descriptor, Errno> {
        self.open
            .get(fd as usize)
            .copied()
            .flatten()
            .ok_or(Errno::Badf)
    }

    pub(super) fn file(&self, fd: u32) -> Result<OpenFile, Errno> {
        match self.get(fd)? {
            Descriptor::File(file) => Ok(file),
            Descriptor::Directory { .. } => Err(Errno::Isdir),
            _ => Err(Errno::Spipe),
        }
    }

    pub(super) fn file_mut(&mut self, fd: u32) -> Result<&mut OpenFile, Errno> {
        match self.open.get_mut(fd as usize) {
            Some(Some(Descriptor::File(file))) => Ok(file),
            _ => Err(Errno::Badf),
        }
    }

    pub(super) fn directory(&self, fd: u32) -> Result<NodeId, Errno> {
        match self.get(fd)? {
            Descriptor::Directory { node, .. } => Ok(node),
            _ => Err(Errno::Notdir),
        }
    }

    /// The lowest free number, as POSIX has it.
    pub(super) fn insert(&mut self, descriptor: Descriptor) -> Result<u32, Errno> {
        let free = self
            .open
            .iter()
            .position(Option::is_none)
            .unwrap_or(self.open.len());
        if free >= DESCRIPTOR_LIMIT {
            return Err(Errno::Mfile);
        }
        if free == self.open.len() {
            self.open.push(None);
        }
        self.open[free] = Some(descriptor);
        u32::try_from(free).map_err(|_| Errno::Mfile)
    }

    pub(super) fn remove(&mut self, fd: u32) -> Result<Descriptor, Errno> {
        self.drop_listing(fd);
        self.open
            .get_mut(fd as usize)
            .and_then(Option::take)
            .ok_or(Errno::Badf)
    }

    /// Puts `descriptor` at `fd`, which must be open, and returns what was there.
    pub(super) fn replace(&mut self, fd: u32, descriptor: Descriptor) -> Result<Descriptor, Errno> {
        self.drop_listing(fd);
        self.open
            .get_mut(fd as usize)
            .and_then(|slot| slot.replace(descriptor))
            .ok_or(Errno::Badf)
    }

    pub(super) fn has_listing(&self, fd: u32) -> bool {
        self.listings.contains_key(&fd)
    }

    /// Lists a folder by these names from now on. Refused where a guest keeps more listings than
    /// any program needs: they are the host's memory.
    pub(super) fn set_listing(&mut self, fd: u32, names: Vec<Arc<str>>) -> Result<(), Errno> {
        self.drop_listing(fd);
        let listed = self.listed + names.len();
        if listed > LISTED_LIMIT {
            return Err(Errno::Nomem);
        }
        self.listed = listed;
        self.listings.insert(fd, names);
        Ok(())
    }

    fn drop_listing(&mut self, fd: u32) {
        if let Some(names) = self.listings.remove(&fd) {
            self.listed -= names.len();
        }
    }

    pub(super) fn listing(&self, fd: u32) -> &[Arc<str>] {
        self.listings.get(&fd).map_or(&[], Vec::as_slice)
    }
}

impl Descriptor {
    /// The file or folder behind it, if there is one.
    pub(super) fn node(self) -> Option<NodeId> {
        match self {
            Self::Directory { node, .. } => Some(node),
            Self::File(file) => Some(file.node),
            _ => None,
        }
    }
}
