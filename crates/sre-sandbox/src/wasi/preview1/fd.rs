//! Calls on open descriptors, whatever they stand for.

use super::descriptors::{APPEND, Descriptor};
use super::errno::Errno;
use super::filestat::{UNKNOWN_TYPE, filetype};
use super::memory::GuestMemory;
use super::{Answer, Guest};
use crate::machine::NodeKind;

pub(super) fn close(_: &mut GuestMemory<'_>, guest: &mut Guest, fd: u32) -> Answer {
    if let Some(node) = guest.descriptors.remove(fd)?.node() {
        guest.machine.files.close(node);
    }
    Ok(())
}

pub(super) fn renumber(_: &mut GuestMemory<'_>, guest: &mut Guest, from: u32, to: u32) -> Answer {
    guest.descriptors.get(to)?;
    let moved = guest.descriptors.get(from)?;
    if from == to {
        return Ok(());
    }
    guest.descriptors.remove(from)?;
    if let Some(node) = guest.descriptors.replace(to, moved)?.node() {
        guest.machine.files.close(node);
    }
    Ok(())
}

/// Everything is in memory: what was written is as durable as it will ever be.
pub(super) fn sync(_: &mut GuestMemory<'_>, guest: &mut Guest, fd: u32) -> Answer {
    guest.descriptors.get(fd)?;
    Ok(())
}

pub(super) fn advise(
    _: &mut GuestMemory<'_>,
    guest: &mut Guest,
    fd: u32,
    _: u64,
    _: u64,
    advice: u32,
) -> Answer {
    guest.descriptors.file(fd)?;
    if advice > 5 {
        Err(Errno::Inval.into())
    } else {
        Ok(())
    }
}

pub(super) fn allocate(
    _: &mut GuestMemory<'_>,
    guest: &mut Guest,
    fd: u32,
    at: u64,
    length: u64,
) -> Answer {
    let file = guest.descriptors.file(fd)?;
    if !file.writable {
        return Err(Errno::Badf.into());
    }
    let end = at.checked_add(length).ok_or(Errno::Inval)?;
    if end > guest.machine.files.stat(file.node)?.size {
        let now = guest.machine.clock.realtime_ns()?;
        guest.machine.files.set_size(file.node, end, now)?;
    }
    Ok(())
}

// Rights, by the numbers of the witx. They say what makes sense on a descriptor; it is the calls
// that refuse.
const RIGHT_READ: u64 = 1 << 1;
pub(super) const RIGHT_WRITE: u64 = 1 << 6;
const RIGHT_POLL: u64 = 1 << 27;
/// `fd_datasync` to `fd_allocate`, `fd_filestat_*` and `poll_fd_readwrite`.
const FILE_RIGHTS: u64 = 0x1ff | (0b111 << 21) | RIGHT_POLL;
/// `path_*` and `fd_readdir` without `path_filestat_set_size`, `fd_filestat_get` and
/// `fd_filestat_set_times`.
const FOLDER_RIGHTS: u64 = (0x3ff << 9) | (1 << 20) | (1 << 21) | (0b1111 << 23);

pub(super) fn fdstat_get(
    memory: &mut GuestMemory<'_>,
    guest: &mut Guest,
    fd: u32,
    out: u32,
) -> Answer {
    let (kind, flags, rights, inheriting) = match guest.descriptors.get(fd)? {
        Descriptor::Stdin => (UNKNOWN_TYPE, 0, RIGHT_READ | RIGHT_POLL, 0),
        Descriptor::Stdout | Descriptor::Stderr => {
            (UNKNOWN_TYPE, APPEND, RIGHT_WRITE | RIGHT_POLL, 0)
        }
        Descriptor::Directory { .. } => (
            filetype(NodeKind::Directory),
            0,
            FOLDER_RIGHTS,
            FOLDER_RIGHTS | FILE_RIGHTS,
        ),
        Descriptor::File(file) => {
            let read = if file.readable { 0 } else { RIGHT_READ };
            let write = if file.writable { 0 } else { RIGHT_WRITE };
            (
                filetype(NodeKind::File),
                file.flags,
                FILE_RIGHTS & !read & !write,
                0,
            )
        }
    };
    let mut stat = [0; 24];
    stat[0] = kind;
    stat[2..4].copy_from_slice(&flags.to_le_bytes());
    stat[8..16].copy_from_slice(&rights.to_le_bytes());
    stat[16..24].copy_from_slice(&inheriting.to_le_bytes());
    Ok(memory.write(out, &stat)?)
}

pub(super) fn fdstat_set_flags(
    _: &mut GuestMemory<'_>,
    guest: &mut Guest,
    fd: u32,
    flags: u32,
) -> Answer {
    if flags > 0b11111 {
        return Err(Errno::Inval.into());
    }
    if let Descriptor::File(_) = guest.descriptors.get(fd)? {
        guest.descriptors.file_mut(fd)?.flags = flags as u16;
    }
    Ok(())
}

/// Rights were never enforced by runtimes and are gone from later versions.
pub(super) fn fdstat_set_rights(
    _: &mut GuestMemory<'_>,
    guest: &mut Guest,
    fd: u32,
    _: u64,
    _: u64,
) -> Answer {
    guest.descriptors.get(fd)?;
    Err(Errno::Notsup.into())
}
