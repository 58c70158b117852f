//! Calls on paths, relative to an open folder.

use super::descriptors::{Descriptor, OpenFile};
use super::errno::{Errno, Fault};
use super::fd::RIGHT_WRITE;
use super::filestat::{set_times, write_filestat};
use super::memory::GuestMemory;
use super::{Answer, Guest};
use crate::world::{NodeId, NodeKind, OpenHow};

/// The folder and the path a call names.
fn target(
    memory: &GuestMemory<'_>,
    guest: &Guest,
    fd: u32,
    path: u32,
    length: u32,
) -> Result<(NodeId, String), Fault> {
    let folder = guest.descriptors.directory(fd)?;
    Ok((folder, memory.path(path, length)?.to_owned()))
}

const OFLAG_CREATE: u32 = 1;
const OFLAG_DIRECTORY: u32 = 2;
const OFLAG_EXCLUSIVE: u32 = 4;
const OFLAG_TRUNCATE: u32 = 8;
const RIGHT_READ: u64 = 1 << 1;

pub(super) fn open(
    memory: &mut GuestMemory<'_>,
    guest: &mut Guest,
    fd: u32,
    _dirflags: u32,
    path: u32,
    length: u32,
    oflags: u32,
    rights: u64,
    _inheriting: u64,
    fdflags: u32,
    out: u32,
) -> Answer {
    let (folder, path) = target(memory, guest, fd, path, length)?;
    let how = OpenHow {
        create: oflags & OFLAG_CREATE != 0,
        exclusive: oflags & OFLAG_EXCLUSIVE != 0,
        truncate: oflags & OFLAG_TRUNCATE != 0,
        directory: oflags & OFLAG_DIRECTORY != 0,
        write: rights & RIGHT_WRITE != 0,
    };
    let now = guest.world.clock.realtime_ns()?;
    let node = guest.world.files.open(folder, &path, how, now)?;
    let descriptor = match guest.world.files.stat(node)?.kind {
        NodeKind::Directory => Descriptor::Directory {
            node,
            preopen: None,
        },
        NodeKind::File => Descriptor::File(OpenFile {
            node,
            offset: 0,
            readable: rights & RIGHT_READ != 0,
            writable: how.write,
            flags: fdflags as u16,
        }),
    };
    match guest.descriptors.insert(descriptor) {
        Ok(fd) => Ok(memory.write_u32(out, fd)?),
        Err(errno) => {
            guest.world.files.close(node);
            Err(errno.into())
        }
    }
}

pub(super) fn create_directory(
    memory: &mut GuestMemory<'_>,
    guest: &mut Guest,
    fd: u32,
    path: u32,
    length: u32,
) -> Answer {
    let (folder, path) = target(memory, guest, fd, path, length)?;
    let now = guest.world.clock.realtime_ns()?;
    Ok(guest.world.files.create_directory(folder, &path, now)?)
}

pub(super) fn filestat_get(
    memory: &mut GuestMemory<'_>,
    guest: &mut Guest,
    fd: u32,
    _flags: u32,
    path: u32,
    length: u32,
    out: u32,
) -> Answer {
    let (folder, path) = target(memory, guest, fd, path, length)?;
    let node = guest.world.files.lookup(folder, &path)?;
    write_filestat(memory, out, guest.world.files.stat(node)?)
}

pub(super) fn filestat_set_times(
    memory: &mut GuestMemory<'_>,
    guest: &mut Guest,
    fd: u32,
    _flags: u32,
    path: u32,
    length: u32,
    atim: u64,
    mtim: u64,
    which: u32,
) -> Answer {
    let (folder, path) = target(memory, guest, fd, path, length)?;
    let node = guest.world.files.lookup(folder, &path)?;
    set_times(guest, node, atim, mtim, which)
}

pub(super) fn remove_directory(
    memory: &mut GuestMemory<'_>,
    guest: &mut Guest,
    fd: u32,
    path: u32,
    length: u32,
) -> Answer {
    remove(memory, guest, fd, path, length, NodeKind::Directory)
}

pub(super) fn unlink_file(
    memory: &mut GuestMemory<'_>,
    guest: &mut Guest,
    fd: u32,
    path: u32,
    length: u32,
) -> Answer {
    remove(memory, guest, fd, path, length, NodeKind::File)
}

fn remove(
    memory: &mut GuestMemory<'_>,
    guest: &mut Guest,
    fd: u32,
    path: u32,
    length: u32,
    kind: NodeKind,
) -> Answer {
    let (folder, path) = target(memory, guest, fd, path, length)?;
    let now = guest.world.clock.realtime_ns()?;
    Ok(guest.world.files.remove(folder, &path, kind, now)?)
}

pub(super) fn rename(
    memory: &mut GuestMemory<'_>,
    guest: &mut Guest,
    fd: u32,
    old: u32,
    old_length: u32,
    to: u32,
    new: u32,
    new_length: u32,
) -> Answer {
    let (from_folder, from) = target(memory, guest, fd, old, old_length)?;
    let (to_folder, to) = target(memory, guest, to, new, new_length)?;
    let now = guest.world.clock.realtime_ns()?;
    Ok(guest
        .world
        .files
        .rename((from_folder, &from), (to_folder, &to), now)?)
}

pub(super) fn link(
    memory: &mut GuestMemory<'_>,
    guest: &mut Guest,
    fd: u32,
    _flags: u32,
    old: u32,
    old_length: u32,
    to: u32,
    new: u32,
    new_length: u32,
) -> Answer {
    target(memory, guest, fd, old, old_length)?;
    target(memory, guest, to, new, new_length)?;
    Err(Errno::Notsup.into())
}

pub(super) fn symlink(
    memory: &mut GuestMemory<'_>,
    guest: &mut Guest,
    old: u32,
    old_length: u32,
    fd: u32,
    new: u32,
    new_length: u32,
) -> Answer {
    memory.path(old, old_length)?;
    target(memory, guest, fd, new, new_length)?;
    Err(Errno::Notsup.into())
}

/// Whatever is there is no link.
pub(super) fn readlink(
    memory: &mut GuestMemory<'_>,
    guest: &mut Guest,
    fd: u32,
    path: u32,
    length: u32,
    _buffer: u32,
    _size: u32,
    _out: u32,
) -> Answer {
    let (folder, path) = target(memory, guest, fd, path, length)?;
    guest.world.files.lookup(folder, &path)?;
    Err(Errno::Inval.into())
}
