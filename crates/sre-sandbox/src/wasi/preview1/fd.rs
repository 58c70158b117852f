//! Calls on open descriptors.

use super::descriptors::{APPEND, Descriptor, OpenFile};
use super::errno::{Errno, Fault};
use super::memory::{Buffer, GuestMemory, offset};
use super::{Answer, Guest};
use crate::world::{NodeId, NodeKind, Stat};

pub(super) fn read(
    memory: &mut GuestMemory<'_>,
    guest: &mut Guest,
    fd: u32,
    iovs: u32,
    count: u32,
    out: u32,
) -> Answer {
    let buffers = memory.buffers(iovs, count)?;
    let read = match guest.descriptors.get(fd)? {
        Descriptor::Stdin => {
            let read = fill(memory, &buffers, |length, done| Ok(guest.world.stdin.peek(done as usize, length)))?;
            guest.world.stdin.advance(read as usize);
            read
        }
        Descriptor::File(file) => {
            let read = read_file(memory, guest, file, &buffers, file.offset)?;
            guest.descriptors.file_mut(fd)?.offset += u64::from(read);
            read
        }
        Descriptor::Directory { .. } => return Err(Errno::Isdir.into()),
        Descriptor::Stdout | Descriptor::Stderr => return Err(Errno::Badf.into()),
    };
    Ok(memory.write_u32(out, read)?)
}

pub(super) fn pread(
    memory: &mut GuestMemory<'_>,
    guest: &mut Guest,
    fd: u32,
    iovs: u32,
    count: u32,
    at: u64,
    out: u32,
) -> Answer {
    let buffers = memory.buffers(iovs, count)?;
    let file = guest.descriptors.file(fd)?;
    let read = read_file(memory, guest, file, &buffers, at)?;
    Ok(memory.write_u32(out, read)?)
}

fn read_file(
    memory: &mut GuestMemory<'_>,
    guest: &Guest,
    file: OpenFile,
    buffers: &[Buffer],
    at: u64,
) -> Result<u32, Fault> {
    if !file.readable {
        return Err(Errno::Badf.into());
    }
    fill(memory, buffers, |length, done| Ok(guest.world.files.read_at(file.node, at.saturating_add(done), length)?))
}

/// Fills buffers from `next(length, done)` until it gives less than was asked for.
fn fill<'a>(
    memory: &mut GuestMemory<'_>,
    buffers: &[Buffer],
    mut next: impl FnMut(usize, u64) -> Result<&'a [u8], Fault>,
) -> Result<u32, Fault> {
    let mut done: u32 = 0;
    for buffer in buffers {
        // The whole buffer must be the guest's, even where less is read.
        let target = memory.bytes_mut(buffer.address, buffer.length)?;
        let bytes = next(target.len(), u64::from(done))?;
        target[..bytes.len()].copy_from_slice(bytes);
        done = u32::try_from(bytes.len()).ok().and_then(|n| done.checked_add(n)).ok_or(Errno::Overflow)?;
        if bytes.len() < buffer.length as usize {
            break;
        }
    }
    Ok(done)
}

pub(super) fn write(
    memory: &mut GuestMemory<'_>,
    guest: &mut Guest,
    fd: u32,
    iovs: u32,
    count: u32,
    out: u32,
) -> Answer {
    let buffers = memory.buffers(iovs, count)?;
    let written = match guest.descriptors.get(fd)? {
        Descriptor::Stdout => {
            guest.world.stdout.through(fd);
            drain(memory, &buffers, |bytes, _| Ok(guest.world.stdout.write(bytes)?))?
        }
        Descriptor::Stderr => drain(memory, &buffers, |bytes, _| {
            guest.world.stderr.write(bytes);
            Ok(())
        })?,
        Descriptor::File(file) => {
            let at = if file.flags & APPEND == 0 { file.offset } else { guest.world.files.stat(file.node)?.size };
            let written = write_file(memory, guest, file, &buffers, at)?;
            guest.descriptors.file_mut(fd)?.offset = at + u64::from(written);
            written
        }
        Descriptor::Directory { .. } => return Err(Errno::Isdir.into()),
        Descriptor::Stdin => return Err(Errno::Badf.into()),
    };
    Ok(memory.write_u32(out, written)?)
}

pub(super) fn pwrite(
    memory: &mut GuestMemory<'_>,
    guest: &mut Guest,
    fd: u32,
    iovs: u32,
    count: u32,
    at: u64,
    out: u32,
) -> Answer {
    let buffers = memory.buffers(iovs, count)?;
    let file = guest.descriptors.file(fd)?;
    let written = write_file(memory, guest, file, &buffers, at)?;
    Ok(memory.write_u32(out, written)?)
}

fn write_file(
    memory: &GuestMemory<'_>,
    guest: &mut Guest,
    file: OpenFile,
    buffers: &[Buffer],
    at: u64,
) -> Result<u32, Fault> {
    if !file.writable {
        return Err(Errno::Badf.into());
    }
    let now = guest.world.clock.realtime_ns()?;
    drain(memory, buffers, |bytes, done| {
        let at = at.checked_add(done).ok_or(Errno::Inval)?;
        Ok(guest.world.files.write_at(file.node, at, bytes, now)?)
    })
}

/// Hands every buffer to `sink(bytes, done)`.
fn drain(
    memory: &GuestMemory<'_>,
    buffers: &[Buffer],
    mut sink: impl FnMut(&[u8], u64) -> Result<(), Fault>,
) -> Result<u32, Fault> {
    let mut done: u32 = 0;
    for buffer in buffers {
        sink(memory.bytes(buffer.address, buffer.length)?, u64::from(done))?;
        done = done.checked_add(buffer.length).ok_or(Errno::Overflow)?;
    }
    Ok(done)
}

pub(super) fn seek(memory: &mut GuestMemory<'_>, guest: &mut Guest, fd: u32, by: i64, whence: u32, out: u32) -> Answer {
    let file = guest.descriptors.file(fd)?;
    let base = match whence {
        0 => 0,
        1 => file.offset,
        2 => guest.world.files.stat(file.node)?.size,
        _ => return Err(Errno::Inval.into()),
    };
    let to = base.checked_add_signed(by).filter(|&to| i64::try_from(to).is_ok()).ok_or(Errno::Inval)?;
    guest.descriptors.file_mut(fd)?.offset = to;
    Ok(memory.write_u64(out, to)?)
}

pub(super) fn tell(memory: &mut GuestMemory<'_>, guest: &mut Guest, fd: u32, out: u32) -> Answer {
    let file = guest.descriptors.file(fd)?;
    Ok(memory.write_u64(out, file.offset)?)
}

pub(super) fn close(_: &mut GuestMemory<'_>, guest: &mut Guest, fd: u32) -> Answer {
    if let Some(node) = guest.descriptors.remove(fd)?.node() {
        guest.world.files.close(node);
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
        guest.world.files.close(node);
    }
    Ok(())
}

/// Everything is in memory: what was written is as durable as it will ever be.
pub(super) fn sync(_: &mut GuestMemory<'_>, guest: &mut Guest, fd: u32) -> Answer {
    guest.descriptors.get(fd)?;
    Ok(())
}

pub(super) fn advise(_: &mut GuestMemory<'_>, guest: &mut Guest, fd: u32, _: u64, _: u64, advice: u32) -> Answer {
    guest.descriptors.file(fd)?;
    if advice > 5 { Err(Errno::Inval.into()) } else { Ok(()) }
}

pub(super) fn allocate(_: &mut GuestMemory<'_>, guest: &mut Guest, fd: u32, at: u64, length: u64) -> Answer {
    let file = guest.descriptors.file(fd)?;
    if !file.writable {
        return Err(Errno::Badf.into());
    }
    let end = at.checked_add(length).ok_or(Errno::Inval)?;
    if end > guest.world.files.stat(file.node)?.size {
        let now = guest.world.clock.realtime_ns()?;
        guest.world.files.set_size(file.node, end, now)?;
    }
    Ok(())
}

/// The type of the standard streams. A character device without seeking would be a terminal to `isatty`.
const UNKNOWN_TYPE: u8 = 0;

pub(super) fn filetype(kind: NodeKind) -> u8 {
    match kind {
        NodeKind::Directory => 3,
        NodeKind::File => 4,
    }
}

// Rights, by the numbers of the witx. They say what makes sense on a descriptor; it is the calls that refuse.
const RIGHT_READ: u64 = 1 << 1;
pub(super) const RIGHT_WRITE: u64 = 1 << 6;
const RIGHT_POLL: u64 = 1 << 27;
/// `fd_datasync` to `fd_allocate`, `fd_filestat_*` and `poll_fd_readwrite`.
const FILE_RIGHTS: u64 = 0x1ff | (0b111 << 21) | RIGHT_POLL;
/// `path_*` and `fd_readdir` without `path_filestat_set_size`, `fd_filestat_get` and `fd_filestat_set_times`.
const FOLDER_RIGHTS: u64 = (0x3ff << 9) | (1 << 20) | (1 << 21) | (0b1111 << 23);

pub(super) fn fdstat_get(memory: &mut GuestMemory<'_>, guest: &mut Guest, fd: u32, out: u32) -> Answer {
    let (kind, flags, rights, inheriting) = match guest.descriptors.get(fd)? {
        Descriptor::Stdin => (UNKNOWN_TYPE, 0, RIGHT_READ | RIGHT_POLL, 0),
        Descriptor::Stdout | Descriptor::Stderr => (UNKNOWN_TYPE, APPEND, RIGHT_WRITE | RIGHT_POLL, 0),
        Descriptor::Directory { .. } => (filetype(NodeKind::Directory), 0, FOLDER_RIGHTS, FOLDER_RIGHTS | FILE_RIGHTS),
        Descriptor::File(file) => {
            let read = if file.readable { 0 } else { RIGHT_READ };
            let write = if file.writable { 0 } else { RIGHT_WRITE };
            (filetype(NodeKind::File), file.flags, FILE_RIGHTS & !read & !write, 0)
        }
    };
    let mut stat = [0; 24];
    stat[0] = kind;
    stat[2..4].copy_from_slice(&flags.to_le_bytes());
    stat[8..16].copy_from_slice(&rights.to_le_bytes());
    stat[16..24].copy_from_slice(&inheriting.to_le_bytes());
    Ok(memory.write(out, &stat)?)
}

pub(super) fn fdstat_set_flags(_: &mut GuestMemory<'_>, guest: &mut Guest, fd: u32, flags: u32) -> Answer {
    if flags > 0b11111 {
        return Err(Errno::Inval.into());
    }
    if let Descriptor::File(_) = guest.descriptors.get(fd)? {
        guest.descriptors.file_mut(fd)?.flags = flags as u16;
    }
    Ok(())
}

/// Rights were never enforced by runtimes and are gone from later versions.
pub(super) fn fdstat_set_rights(_: &mut GuestMemory<'_>, guest: &mut Guest, fd: u32, _: u64, _: u64) -> Answer {
    guest.descriptors.get(fd)?;
    Err(Errno::Notsup.into())
}

pub(super) fn filestat_get(memory: &mut GuestMemory<'_>, guest: &mut Guest, fd: u32, out: u32) -> Answer {
    match guest.descriptors.get(fd)?.node() {
        Some(node) => write_filestat(memory, out, guest.world.files.stat(node)?),
        None => {
            let mut bytes = [0; 64];
            bytes[16] = UNKNOWN_TYPE;
            bytes[24] = 1;
            Ok(memory.write(out, &bytes)?)
        }
    }
}

pub(super) fn write_filestat(memory: &mut GuestMemory<'_>, out: u32, stat: Stat) -> Answer {
    let mut bytes = [0; 64];
    bytes[0] = 1;
    bytes[8..16].copy_from_slice(&stat.inode.to_le_bytes());
    bytes[16] = filetype(stat.kind);
    bytes[24] = 1;
    bytes[32..40].copy_from_slice(&stat.size.to_le_bytes());
    bytes[40..48].copy_from_slice(&stat.accessed_ns.to_le_bytes());
    bytes[48..56].copy_from_slice(&stat.modified_ns.to_le_bytes());
    bytes[56..64].copy_from_slice(&stat.modified_ns.to_le_bytes());
    Ok(memory.write(out, &bytes)?)
}

pub(super) fn filestat_set_size(_: &mut GuestMemory<'_>, guest: &mut Guest, fd: u32, size: u64) -> Answer {
    let file = guest.descriptors.file(fd)?;
    if !file.writable {
        return Err(Errno::Badf.into());
    }
    let now = guest.world.clock.realtime_ns()?;
    Ok(guest.world.files.set_size(file.node, size, now)?)
}

pub(super) fn filestat_set_times(
    _: &mut GuestMemory<'_>,
    guest: &mut Guest,
    fd: u32,
    atim: u64,
    mtim: u64,
    which: u32,
) -> Answer {
    let node = guest.descriptors.get(fd)?.node().ok_or(Errno::Badf)?;
    set_times(guest, node, atim, mtim, which)
}

/// `which` is `fstflags`: atim, atim_now, mtim, mtim_now.
pub(super) fn set_times(guest: &mut Guest, node: NodeId, atim: u64, mtim: u64, which: u32) -> Answer {
    if which > 0b1111 {
        return Err(Errno::Inval.into());
    }
    let now = guest.world.clock.realtime_ns()?;
    let choose = |given: u64, flags: u32| match flags & 0b11 {
        0 => Ok(None),
        1 => Ok(Some(given)),
        2 => Ok(Some(now)),
        _ => Err(Errno::Inval),
    };
    Ok(guest.world.files.set_times(node, choose(atim, which)?, choose(mtim, which >> 2)?)?)
}

fn preopen(guest: &Guest, fd: u32) -> Result<&'static str, Errno> {
    match guest.descriptors.get(fd)? {
        Descriptor::Directory { preopen: Some(name), .. } => Ok(name),
        _ => Err(Errno::Badf),
    }
}

pub(super) fn prestat_get(memory: &mut GuestMemory<'_>, guest: &mut Guest, fd: u32, out: u32) -> Answer {
    let length = preopen(guest, fd)?.len() as u32;
    memory.write_u32(out, 0)?;
    Ok(memory.write_u32(offset(out, 1, 4)?, length)?)
}

pub(super) fn prestat_dir_name(
    memory: &mut GuestMemory<'_>,
    guest: &mut Guest,
    fd: u32,
    path: u32,
    length: u32,
) -> Answer {
    let name = preopen(guest, fd)?;
    if (length as usize) < name.len() {
        return Err(Errno::Nametoolong.into());
    }
    Ok(memory.write(path, name.as_bytes())?)
}

/// Entries from `cookie` on, the last one cut where the buffer ends: the guest then asks again with a larger one.
pub(super) fn readdir(
    memory: &mut GuestMemory<'_>,
    guest: &mut Guest,
    fd: u32,
    buffer: u32,
    length: u32,
    cookie: u64,
    out: u32,
) -> Answer {
    let directory = guest.descriptors.directory(fd)?;
    // The first call and one after a rewind list the folder anew. Later ones follow that list, so that no entry is
    // passed over when the guest removes others on the way.
    if cookie == 0 || !guest.descriptors.has_listing(fd) {
        guest.descriptors.set_listing(fd, guest.world.files.snapshot(directory)?);
    }
    let own = [(".", directory), ("..", directory)].map(Some).into_iter();
    let entries = own.chain(guest.descriptors.listing(fd).iter().map(|&at| guest.world.files.entry(directory, at)));
    let target = memory.bytes_mut(buffer, length)?;
    let mut used = 0;
    for (index, entry) in entries.enumerate().skip(usize::try_from(cookie).unwrap_or(usize::MAX)) {
        let Some((name, node)) = entry else { continue };
        let mut entry = Vec::with_capacity(24 + name.len());
        entry.extend_from_slice(&(index as u64 + 1).to_le_bytes());
        entry.extend_from_slice(&node.inode().to_le_bytes());
        entry.extend_from_slice(&(name.len() as u32).to_le_bytes());
        entry.extend_from_slice(&u32::from(filetype(guest.world.files.stat(node)?.kind)).to_le_bytes());
        entry.extend_from_slice(name.as_bytes());
        let fits = entry.len().min(target.len() - used);
        target[used..used + fits].copy_from_slice(&entry[..fits]);
        used += fits;
        if used == target.len() {
            break;
        }
    }
    Ok(memory.write_u32(out, used as u32)?)
}
