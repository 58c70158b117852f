//! `wasi:filesystem` on the in-memory files.

mod error;
mod stat;

use std::sync::Arc;

use wasmtime::component::Resource;

use super::Guest;
use super::bindings::wasi::filesystem::{preopens, types};
use super::clocks::nanoseconds;
use super::io::{InputStream, OutputStream, StreamFault};
use crate::machine::{NodeId, NodeKind, OpenHow, preopens};

pub use error::FilesystemError;
use stat::{kind, metadata_hash, stat_record};

/// An open file or folder.
pub struct Descriptor {
    node: NodeId,
    flags: types::DescriptorFlags,
}

/// Where the listing of a folder stands: after the entry of this name.
pub struct Listing {
    folder: NodeId,
    after: Option<Arc<str>>,
}

type Answer<T> = Result<T, FilesystemError>;

impl preopens::Host for Guest {
    fn get_directories(&mut self) -> wasmtime::Result<Vec<(Resource<Descriptor>, String)>> {
        let mut given = Vec::new();
        for (node, path) in preopens(self.machine.working_folder) {
            let mut flags = types::DescriptorFlags::READ;
            if self.machine.files.is_writable(node) {
                flags |= types::DescriptorFlags::MUTATE_DIRECTORY;
            }
            let folder = self.resources.push(Descriptor { node, flags })?;
            given.push((folder, path.to_owned()));
        }
        Ok(given)
    }
}

impl Guest {
    fn node(&self, descriptor: &Resource<Descriptor>) -> Answer<NodeId> {
        Ok(self.resources.get(descriptor)?.node)
    }

    fn node_at(
        &self,
        descriptor: &Resource<Descriptor>,
        flags: types::PathFlags,
        path: &str,
    ) -> Answer<NodeId> {
        let base = self.node(descriptor)?;
        Ok(self.machine.files.lookup(base, path, follows(flags))?)
    }

    fn file_with(
        &self,
        descriptor: &Resource<Descriptor>,
        flag: types::DescriptorFlags,
    ) -> Answer<NodeId> {
        let Descriptor { node, flags } = self.resources.get(descriptor)?;
        if self.machine.files.kind(*node)? == NodeKind::Directory {
            return Err(types::ErrorCode::IsDirectory.into());
        }
        if flags.contains(flag) {
            Ok(*node)
        } else {
            Err(types::ErrorCode::BadDescriptor.into())
        }
    }

    fn set_node_times(
        &mut self,
        node: NodeId,
        accessed: types::NewTimestamp,
        modified: types::NewTimestamp,
    ) -> Answer<()> {
        let now = self.machine.clock.realtime_ns()?;
        let choose = |given| match given {
            types::NewTimestamp::NoChange => None,
            types::NewTimestamp::Now => Some(now),
            types::NewTimestamp::Timestamp(at) => Some(nanoseconds(at)),
        };
        let (accessed, modified) = (choose(accessed), choose(modified));
        Ok(self
            .machine
            .files
            .set_times(node, accessed, modified, now)?)
    }
}

/// Whether a link at the end of a path is followed.
fn follows(flags: types::PathFlags) -> bool {
    flags.contains(types::PathFlags::SYMLINK_FOLLOW)
}

impl types::Host for Guest {
    fn convert_error_code(&mut self, error: FilesystemError) -> wasmtime::Result<types::ErrorCode> {
        match error {
            FilesystemError::Code(code) => Ok(code),
            FilesystemError::Trap(error) => Err(error),
        }
    }

    /// Stream faults carry words only.
    fn filesystem_error_code(
        &mut self,
        fault: Resource<StreamFault>,
    ) -> wasmtime::Result<Option<types::ErrorCode>> {
        self.resources.get(&fault)?;
        Ok(None)
    }
}

impl types::HostDirectoryEntryStream for Guest {
    fn read_directory_entry(
        &mut self,
        listing: Resource<Listing>,
    ) -> Answer<Option<types::DirectoryEntry>> {
        let Listing { folder, after } = self.resources.get_mut(&listing)?;
        let Some((name, node)) = self.machine.files.entry_after(*folder, after.as_deref())? else {
            return Ok(None);
        };
        let name = Arc::clone(name);
        *after = Some(Arc::clone(&name));
        let type_ = kind(self.machine.files.stat(node)?.kind);
        Ok(Some(types::DirectoryEntry {
            type_,
            name: name.as_ref().to_owned(),
        }))
    }

    fn drop(&mut self, listing: Resource<Listing>) -> wasmtime::Result<()> {
        let Listing { folder, .. } = self.resources.delete(listing)?;
        self.machine.files.close(folder);
        Ok(())
    }
}

impl types::HostDescriptor for Guest {
    fn read_via_stream(
        &mut self,
        fd: Resource<Descriptor>,
        offset: u64,
    ) -> Answer<Resource<InputStream>> {
        let node = self.file_with(&fd, types::DescriptorFlags::READ)?;
        let stream = self.resources.push(InputStream::File { node, offset })?;
        self.machine.files.retain(node);
        Ok(stream)
    }

    fn write_via_stream(
        &mut self,
        fd: Resource<Descriptor>,
        offset: u64,
    ) -> Answer<Resource<OutputStream>> {
        let node = self.file_with(&fd, types::DescriptorFlags::WRITE)?;
        let stream = self.resources.push(OutputStream::File {
            node,
            offset: Some(offset),
        })?;
        self.machine.files.retain(node);
        Ok(stream)
    }

    fn append_via_stream(&mut self, fd: Resource<Descriptor>) -> Answer<Resource<OutputStream>> {
        let node = self.file_with(&fd, types::DescriptorFlags::WRITE)?;
        let stream = self
            .resources
            .push(OutputStream::File { node, offset: None })?;
        self.machine.files.retain(node);
        Ok(stream)
    }

    fn advise(&mut self, fd: Resource<Descriptor>, _: u64, _: u64, _: types::Advice) -> Answer<()> {
        self.node(&fd).map(drop)
    }

    fn sync_data(&mut self, fd: Resource<Descriptor>) -> Answer<()> {
        self.node(&fd).map(drop)
    }

    fn sync(&mut self, fd: Resource<Descriptor>) -> Answer<()> {
        self.node(&fd).map(drop)
    }

    fn get_flags(&mut self, fd: Resource<Descriptor>) -> Answer<types::DescriptorFlags> {
        Ok(self.resources.get(&fd)?.flags)
    }

    fn get_type(&mut self, fd: Resource<Descriptor>) -> Answer<types::DescriptorType> {
        let node = self.node(&fd)?;
        Ok(kind(self.machine.files.stat(node)?.kind))
    }

    fn set_size(&mut self, fd: Resource<Descriptor>, size: u64) -> Answer<()> {
        let node = self.file_with(&fd, types::DescriptorFlags::WRITE)?;
        let now = self.machine.clock.realtime_ns()?;
        Ok(self.machine.files.set_size(node, size, now)?)
    }

    fn set_times(
        &mut self,
        fd: Resource<Descriptor>,
        accessed: types::NewTimestamp,
        modified: types::NewTimestamp,
    ) -> Answer<()> {
        let node = self.node(&fd)?;
        self.set_node_times(node, accessed, modified)
    }

    fn read(
        &mut self,
        fd: Resource<Descriptor>,
        length: u64,
        offset: u64,
    ) -> Answer<(Vec<u8>, bool)> {
        let node = self.file_with(&fd, types::DescriptorFlags::READ)?;
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        let bytes = self.machine.files.read_at(node, offset, length)?.to_vec();
        let end = offset.saturating_add(bytes.len() as u64) >= self.machine.files.stat(node)?.size;
        Ok((bytes, end))
    }

    fn write(&mut self, fd: Resource<Descriptor>, bytes: Vec<u8>, offset: u64) -> Answer<u64> {
        let node = self.file_with(&fd, types::DescriptorFlags::WRITE)?;
        let now = self.machine.clock.realtime_ns()?;
        self.machine.files.write_at(node, offset, &bytes, now)?;
        Ok(bytes.len() as u64)
    }

    fn read_directory(&mut self, fd: Resource<Descriptor>) -> Answer<Resource<Listing>> {
        let folder = self.node(&fd)?;
        if self.machine.files.kind(folder)? != NodeKind::Directory {
            return Err(types::ErrorCode::NotDirectory.into());
        }
        let listing = self.resources.push(Listing {
            folder,
            after: None,
        })?;
        self.machine.files.retain(folder);
        Ok(listing)
    }

    fn create_directory_at(&mut self, fd: Resource<Descriptor>, path: String) -> Answer<()> {
        let base = self.node(&fd)?;
        let now = self.machine.clock.realtime_ns()?;
        Ok(self.machine.files.create_directory(base, &path, now)?)
    }

    fn stat(&mut self, fd: Resource<Descriptor>) -> Answer<types::DescriptorStat> {
        let node = self.node(&fd)?;
        Ok(stat_record(self.machine.files.stat(node)?))
    }

    fn stat_at(
        &mut self,
        fd: Resource<Descriptor>,
        flags: types::PathFlags,
        path: String,
    ) -> Answer<types::DescriptorStat> {
        let node = self.node_at(&fd, flags, &path)?;
        Ok(stat_record(self.machine.files.stat(node)?))
    }

    fn set_times_at(
        &mut self,
        fd: Resource<Descriptor>,
        flags: types::PathFlags,
        path: String,
        accessed: types::NewTimestamp,
        modified: types::NewTimestamp,
    ) -> Answer<()> {
        let node = self.node_at(&fd, flags, &path)?;
        self.set_node_times(node, accessed, modified)
    }

    fn link_at(
        &mut self,
        fd: Resource<Descriptor>,
        flags: types::PathFlags,
        old: String,
        to: Resource<Descriptor>,
        new: String,
    ) -> Answer<()> {
        let (from, to) = (self.node(&fd)?, self.node(&to)?);
        let now = self.machine.clock.realtime_ns()?;
        Ok(self
            .machine
            .files
            .link((from, &old), follows(flags), (to, &new), now)?)
    }

    fn open_at(
        &mut self,
        fd: Resource<Descriptor>,
        path_flags: types::PathFlags,
        path: String,
        open: types::OpenFlags,
        flags: types::DescriptorFlags,
    ) -> Answer<Resource<Descriptor>> {
        let base = self.node(&fd)?;
        let how = OpenHow {
            create: open.contains(types::OpenFlags::CREATE),
            exclusive: open.contains(types::OpenFlags::EXCLUSIVE),
            truncate: open.contains(types::OpenFlags::TRUNCATE),
            directory: open.contains(types::OpenFlags::DIRECTORY),
            write: flags.contains(types::DescriptorFlags::WRITE),
            follow: follows(path_flags),
        };
        let now = self.machine.clock.realtime_ns()?;
        let node = self.machine.files.open(base, &path, how, now)?;
        match self.resources.push(Descriptor { node, flags }) {
            Ok(descriptor) => Ok(descriptor),
            Err(error) => {
                self.machine.files.close(node);
                Err(error.into())
            }
        }
    }

    fn readlink_at(&mut self, fd: Resource<Descriptor>, path: String) -> Answer<String> {
        let base = self.node(&fd)?;
        Ok(self.machine.files.read_link(base, &path)?.to_owned())
    }

    fn remove_directory_at(&mut self, fd: Resource<Descriptor>, path: String) -> Answer<()> {
        let base = self.node(&fd)?;
        let now = self.machine.clock.realtime_ns()?;
        Ok(self
            .machine
            .files
            .remove(base, &path, NodeKind::Directory, now)?)
    }

    fn unlink_file_at(&mut self, fd: Resource<Descriptor>, path: String) -> Answer<()> {
        let base = self.node(&fd)?;
        let now = self.machine.clock.realtime_ns()?;
        Ok(self
            .machine
            .files
            .remove(base, &path, NodeKind::File, now)?)
    }

    fn rename_at(
        &mut self,
        fd: Resource<Descriptor>,
        old: String,
        to: Resource<Descriptor>,
        new: String,
    ) -> Answer<()> {
        let (from, to) = (self.node(&fd)?, self.node(&to)?);
        let now = self.machine.clock.realtime_ns()?;
        Ok(self.machine.files.rename((from, &old), (to, &new), now)?)
    }

    fn symlink_at(&mut self, fd: Resource<Descriptor>, old: String, new: String) -> Answer<()> {
        let base = self.node(&fd)?;
        let now = self.machine.clock.realtime_ns()?;
        Ok(self.machine.files.create_link(&old, base, &new, now)?)
    }

    fn is_same_object(
        &mut self,
        fd: Resource<Descriptor>,
        other: Resource<Descriptor>,
    ) -> wasmtime::Result<bool> {
        Ok(self.resources.get(&fd)?.node == self.resources.get(&other)?.node)
    }

    fn metadata_hash(&mut self, fd: Resource<Descriptor>) -> Answer<types::MetadataHashValue> {
        let node = self.node(&fd)?;
        Ok(metadata_hash(self.machine.files.stat(node)?))
    }

    fn metadata_hash_at(
        &mut self,
        fd: Resource<Descriptor>,
        flags: types::PathFlags,
        path: String,
    ) -> Answer<types::MetadataHashValue> {
        let node = self.node_at(&fd, flags, &path)?;
        Ok(metadata_hash(self.machine.files.stat(node)?))
    }

    fn drop(&mut self, fd: Resource<Descriptor>) -> wasmtime::Result<()> {
        let Descriptor { node, .. } = self.resources.delete(fd)?;
        self.machine.files.close(node);
        Ok(())
    }
}
