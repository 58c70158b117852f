//! Metadata of files.

use super::errno::Errno;
use super::memory::GuestMemory;
use super::{Answer, Guest};
use crate::machine::{NodeId, NodeKind, Stat};

/// The type of the standard streams. A character device without seeking would be a terminal to
/// `isatty`.
pub(super) const UNKNOWN_TYPE: u8 = 0;

pub(super) fn filetype(kind: NodeKind) -> u8 {
    match kind {
        NodeKind::Directory => 3,
        NodeKind::File => 4,
        NodeKind::Link => 7,
    }
}

pub(super) fn filestat_get(
    memory: &mut GuestMemory<'_>,
    guest: &mut Guest,
    fd: u32,
    out: u32,
) -> Answer {
    match guest.descriptors.get(fd)?.node() {
        Some(node) => write_filestat(memory, out, guest.machine.files.stat(node)?),
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
    bytes[24..32].copy_from_slice(&stat.links.to_le_bytes());
    bytes[32..40].copy_from_slice(&stat.size.to_le_bytes());
    bytes[40..48].copy_from_slice(&stat.times.accessed_ns.to_le_bytes());
    bytes[48..56].copy_from_slice(&stat.times.modified_ns.to_le_bytes());
    bytes[56..64].copy_from_slice(&stat.times.changed_ns.to_le_bytes());
    Ok(memory.write(out, &bytes)?)
}

pub(super) fn filestat_set_size(
    _: &mut GuestMemory<'_>,
    guest: &mut Guest,
    fd: u32,
    size: u64,
) -> Answer {
    let file = guest.descriptors.file(fd)?;
    if !file.writable {
        return Err(Errno::Badf.into());
    }
    let now = guest.machine.clock.realtime_ns()?;
    Ok(guest.machine.files.set_size(file.node, size, now)?)
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
pub(super) fn set_times(
    guest: &mut Guest,
    node: NodeId,
    atim: u64,
    mtim: u64,
    which: u32,
) -> Answer {
    if which > 0b1111 {
        return Err(Errno::Inval.into());
    }
    let now = guest.machine.clock.realtime_ns()?;
    let choose = |given: u64, flags: u32| match flags & 0b11 {
        0 => Ok(None),
        1 => Ok(Some(given)),
        2 => Ok(Some(now)),
        _ => Err(Errno::Inval),
    };
    let (accessed, modified) = (choose(atim, which)?, choose(mtim, which >> 2)?);
    Ok(guest
        .machine
        .files
        .set_times(node, accessed, modified, now)?)
}
