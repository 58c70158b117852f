//! The folders a guest was given, and what is in them.

use super::descriptors::Descriptor;
use super::errno::Errno;
use super::filestat::filetype;
use super::memory::{GuestMemory, offset};
use super::{Answer, Guest};

fn preopen(guest: &Guest, fd: u32) -> Result<&'static str, Errno> {
    match guest.descriptors.get(fd)? {
        Descriptor::Directory {
            preopen: Some(name),
            ..
        } => Ok(name),
        _ => Err(Errno::Badf),
    }
}

pub(super) fn prestat_get(
    memory: &mut GuestMemory<'_>,
    guest: &mut Guest,
    fd: u32,
    out: u32,
) -> Answer {
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

/// Entries from `cookie` on, the last one cut where the buffer ends: the guest then asks again with
/// a larger one.
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
    let files = &guest.machine.files;
    // The first call and one after a rewind list the folder anew. Later ones follow that list, so
    // that no entry is passed over when the guest removes others on the way.
    if cookie == 0 || !guest.descriptors.has_listing(fd) {
        guest.descriptors.set_listing(fd, files.names(directory)?)?;
    }
    let own = [
        (".", directory),
        ("..", files.parent_for_listing(directory)),
    ];
    let own = own.map(Some).into_iter();
    let entries = own.chain(
        guest
            .descriptors
            .listing(fd)
            .iter()
            .map(|name| Some((&**name, files.entry(directory, name)?))),
    );
    let target = memory.bytes_mut(buffer, length)?;
    let mut used = 0;
    for (index, entry) in entries
        .enumerate()
        .skip(usize::try_from(cookie).unwrap_or(usize::MAX))
    {
        let Some((name, node)) = entry else { continue };
        let stat = files.stat(node)?;
        let mut entry = Vec::with_capacity(24 + name.len());
        entry.extend_from_slice(&(index as u64 + 1).to_le_bytes());
        entry.extend_from_slice(&stat.inode.to_le_bytes());
        entry.extend_from_slice(&(name.len() as u32).to_le_bytes());
        entry.extend_from_slice(&u32::from(filetype(stat.kind)).to_le_bytes());
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
