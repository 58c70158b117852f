//! Bytes between the guest's memory and what its descriptors stand for.

use super::descriptors::{APPEND, Descriptor, OpenFile};
use super::errno::{Errno, Fault};
use super::memory::{Buffer, GuestMemory};
use super::{Answer, Guest};

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
            let read = fill(memory, &buffers, |length, done| {
                Ok(guest.machine.stdin.peek(done as usize, length))
            })?;
            guest.machine.stdin.advance(read as usize);
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
    fill(memory, buffers, |length, done| {
        Ok(guest
            .machine
            .files
            .read_at(file.node, at.saturating_add(done), length)?)
    })
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
        done = u32::try_from(bytes.len())
            .ok()
            .and_then(|n| done.checked_add(n))
            .ok_or(Errno::Overflow)?;
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
            guest.machine.stdout.through(fd);
            drain(memory, &buffers, |bytes, _| {
                Ok(guest.machine.stdout.write(bytes)?)
            })?
        }
        Descriptor::Stderr => drain(memory, &buffers, |bytes, _| {
            guest.machine.stderr.write(bytes);
            Ok(())
        })?,
        Descriptor::File(file) => {
            let at = if file.flags & APPEND == 0 {
                file.offset
            } else {
                guest.machine.files.stat(file.node)?.size
            };
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
    let now = guest.machine.clock.realtime_ns()?;
    drain(memory, buffers, |bytes, done| {
        let at = at.checked_add(done).ok_or(Errno::Inval)?;
        Ok(guest.machine.files.write_at(file.node, at, bytes, now)?)
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
        sink(
            memory.bytes(buffer.address, buffer.length)?,
            u64::from(done),
        )?;
        done = done.checked_add(buffer.length).ok_or(Errno::Overflow)?;
    }
    Ok(done)
}

pub(super) fn seek(
    memory: &mut GuestMemory<'_>,
    guest: &mut Guest,
    fd: u32,
    by: i64,
    whence: u32,
    out: u32,
) -> Answer {
    let file = guest.descriptors.file(fd)?;
    let base = match whence {
        0 => 0,
        1 => file.offset,
        2 => guest.machine.files.stat(file.node)?.size,
        _ => return Err(Errno::Inval.into()),
    };
    let to = base
        .checked_add_signed(by)
        .filter(|&to| i64::try_from(to).is_ok())
        .ok_or(Errno::Inval)?;
    guest.descriptors.file_mut(fd)?.offset = to;
    Ok(memory.write_u64(out, to)?)
}

pub(super) fn tell(memory: &mut GuestMemory<'_>, guest: &mut Guest, fd: u32, out: u32) -> Answer {
    let file = guest.descriptors.file(fd)?;
    Ok(memory.write_u64(out, file.offset)?)
}
