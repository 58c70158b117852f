//! Checked access to a guest's linear memory.

use super::errno::Errno;
use crate::machine::PATH_LIMIT_BYTES;

pub(super) struct GuestMemory<'a>(pub(super) &'a mut [u8]);

/// A buffer the guest named: address and length.
#[derive(Debug, Clone, Copy)]
pub(super) struct Buffer {
    pub(super) address: u32,
    pub(super) length: u32,
}

/// Buffers one call may name.
const BUFFER_LIMIT: u32 = 1024;

impl GuestMemory<'_> {
    pub(super) fn bytes(&self, address: u32, length: u32) -> Result<&[u8], Errno> {
        self.0
            .get(range(address, length as usize)?)
            .ok_or(Errno::Fault)
    }

    pub(super) fn bytes_mut(&mut self, address: u32, length: u32) -> Result<&mut [u8], Errno> {
        self.0
            .get_mut(range(address, length as usize)?)
            .ok_or(Errno::Fault)
    }

    fn text(&self, address: u32, length: u32) -> Result<&str, Errno> {
        std::str::from_utf8(self.bytes(address, length)?).map_err(|_| Errno::Ilseq)
    }

    /// A path. Refused by its length before it is looked at: it is going to be copied.
    pub(super) fn path(&self, address: u32, length: u32) -> Result<&str, Errno> {
        if length as usize > PATH_LIMIT_BYTES {
            return Err(Errno::Nametoolong);
        }
        self.text(address, length)
    }

    fn array<const N: usize>(&self, address: u32) -> Result<[u8; N], Errno> {
        self.0
            .get(range(address, N)?)
            .and_then(|bytes| bytes.try_into().ok())
            .ok_or(Errno::Fault)
    }

    pub(super) fn u16(&self, address: u32) -> Result<u16, Errno> {
        self.array(address).map(u16::from_le_bytes)
    }

    pub(super) fn u32(&self, address: u32) -> Result<u32, Errno> {
        self.array(address).map(u32::from_le_bytes)
    }

    pub(super) fn u64(&self, address: u32) -> Result<u64, Errno> {
        self.array(address).map(u64::from_le_bytes)
    }

    pub(super) fn write(&mut self, address: u32, bytes: &[u8]) -> Result<(), Errno> {
        self.0
            .get_mut(range(address, bytes.len())?)
            .ok_or(Errno::Fault)?
            .copy_from_slice(bytes);
        Ok(())
    }

    pub(super) fn write_u32(&mut self, address: u32, value: u32) -> Result<(), Errno> {
        self.write(address, &value.to_le_bytes())
    }

    pub(super) fn write_u64(&mut self, address: u32, value: u64) -> Result<(), Errno> {
        self.write(address, &value.to_le_bytes())
    }

    /// An array of `iovec` or `ciovec`: pairs of address and length.
    pub(super) fn buffers(&self, address: u32, count: u32) -> Result<Vec<Buffer>, Errno> {
        if count > BUFFER_LIMIT {
            return Err(Errno::Inval);
        }
        (0..count)
            .map(|index| {
                let at = offset(address, index, 8)?;
                Ok(Buffer {
                    address: self.u32(at)?,
                    length: self.u32(offset(at, 1, 4)?)?,
                })
            })
            .collect()
    }
}

fn range(address: u32, length: usize) -> Result<std::ops::Range<usize>, Errno> {
    let start = address as usize;
    Ok(start..start.checked_add(length).ok_or(Errno::Fault)?)
}

/// Address of element `index` of an array.
pub(super) fn offset(address: u32, index: u32, size: u32) -> Result<u32, Errno> {
    index
        .checked_mul(size)
        .and_then(|by| address.checked_add(by))
        .ok_or(Errno::Fault)
}
