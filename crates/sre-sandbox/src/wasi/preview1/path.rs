//! Calls on paths, relative to an open folder.

use super::descriptors::{Descriptor, OpenFile};
use super::errno::Fault;
use super::fd::RIGHT_WRITE;
use super::filestat::{set_times, write_filestat};
use super::memory::GuestMemory;
use super::{Answer, Guest};
use crate::machine::{NodeId, NodeKind, OpenHow};

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

/// Whether `lookupflags` say that a link at the end of a path is followed.
fn follows(dirflags: u32) -> bool {
    dirflags & 1 != 0
}

pub(super) fn open(
    memory: &mut GuestMemory<'_>,
    guest: &mut Guest,
    fd: u32,
    dirflags: u32,
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
        follow: follows(dirflags),
    };
    let now = guest.machine.clock.realtime_ns()?;
    let node = guest.machine.files.open(folder, &path, how, now)?;
    let descriptor = match guest.machine.files.kind(node)? {
        NodeKind::Directory => Descriptor::Directory {
            node,
            preopen: None,
        },
        NodeKind::File | NodeKind::Link => Descriptor::File(OpenFile {
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
            guest.machine.files.close(node);
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
    let now = guest.machine.clock.realtime_ns()?;
    Ok(guest.machine.files.create_directory(folder, &path, now)?)
}

pub(super) fn filestat_get(
    memory: &mut GuestMemory<'_>,
    guest: &mut Guest,
    fd: u32,
    flags: u32,
    path: u32,
    length: u32,
    out: u32,
) -> Answer {
    let (folder, path) = target(memory, guest, fd, path, length)?;
    let node = guest.machine.files.lookup(folder, &path, follows(flags))?;
    write_filestat(memory, out, guest.machine.files.stat(node)?)
}

pub(super) fn filestat_set_times(
    memory: &mut GuestMemory<'_>,
    guest: &mut Guest,
    fd: u32,
    flags: u32,
    path: u32,
    length: u32,
    atim: u64,
    mtim: u64,
    which: u32,
) -> Answer {
    let (folder, path) = target(memory, guest, fd, path, length)?;
    let node = guest.machine.files.lookup(folder, &path, follows(flags))?;
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
    let now = guest.machine.clock.realtime_ns()?;
    Ok(guest.machine.files.remove(folder, &path, kind, now)?)
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
    let now = guest.machine.clock.realtime_ns()?;
    Ok(guest
        .machine
        .files
        .rename((from_folder, &from), (to_folder, &to), now)?)
}

pub(super) fn link(
    memory: &mut GuestMemory<'_>,
    guest: &mut Guest,
    fd: u32,
    flags: u32,
    old: u32,
    old_length: u32,
    to: u32,
    new: u32,
    new_length: u32,
) -> Answer {
    let (from_folder, from) = target(memory, guest, fd, old, old_length)?;
    let (to_folder, to) = target(memory, guest, to, new, new_length)?;
    let now = guest.machine.clock.realtime_ns()?;
    Ok(guest
        .machine
        .files
        .link((from_folder, &from), follows(flags), (to_folder, &to), now)?)
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
    let old = memory.path(old, old_length)?.to_owned();
    let (folder, path) = target(memory, guest, fd, new, new_length)?;
    let now = guest.machine.clock.realtime_ns()?;
    Ok(guest.machine.files.create_link(&old, folder, &path, now)?)
}

/// The target, cut where the buffer ends.
pub(super) fn readlink(
    memory: &mut GuestMemory<'_>,
    guest: &mut Guest,
    fd: u32,
    path: u32,
    length: u32,
    buffer: u32,
    size: u32,
    out: u32,
) -> Answer {
    let (folder, path) = target(memory, guest, fd, path, length)?;
    let found = guest.machine.files.read_link(folder, &path)?;
    let fits = &found.as_bytes()[..found.len().min(size as usize)];
    memory.write(buffer, fits)?;
    Ok(memory.write_u32(out, fits.len() as u32)?)
}
