//! The guest's memory, as the calls that wait name it.
//!
//! What is read may change the next moment and is read once. A place that cannot be read or written
//! is the guest's mistake and is answered as the kernel would: `EFAULT`.

use crate::sys::process::Pid;
use crate::sys::trace;

/// The error number of a call that named no memory of its own.
pub const BAD_ADDRESS: i32 = libc::EFAULT;

/// Writes, unless the address is null.
pub fn write(thread: Pid, address: u64, bytes: &[u8]) -> Result<(), i32> {
    if address == 0 {
        Ok(())
    } else {
        trace::write_memory(thread, address, bytes).map_err(|_| BAD_ADDRESS)
    }
}

/// Reads so many bytes.
pub fn read<const LENGTH: usize>(thread: Pid, address: u64) -> Result<[u8; LENGTH], i32> {
    let mut bytes = [0; LENGTH];
    match trace::read_memory(thread, address, &mut bytes) {
        Ok(length) if length == LENGTH => Ok(bytes),
        _ => Err(BAD_ADDRESS),
    }
}

/// Reads seconds and a part of a second, as `timespec` (`unit_ns` 1) or `timeval` (1000) has them,
/// in nanoseconds.
pub fn read_time(thread: Pid, address: u64, unit_ns: u64) -> Result<u64, i32> {
    let bytes: [u8; 16] = read(thread, address)?;
    let (seconds, part) = bytes.split_at(8);
    let number = |half: &[u8]| half.try_into().map(i64::from_ne_bytes).unwrap_or(-1);
    let (Ok(seconds), Ok(part)) = (u64::try_from(number(seconds)), u64::try_from(number(part)))
    else {
        return Err(libc::EINVAL);
    };
    let part_ns = part.saturating_mul(unit_ns);
    if part_ns >= 1_000_000_000 {
        Err(libc::EINVAL)
    } else {
        Ok(seconds
            .saturating_mul(1_000_000_000)
            .saturating_add(part_ns))
    }
}

/// Nanoseconds as `timespec` (`unit_ns` 1) or `timeval` (1000) has them.
pub fn time_bytes(ns: u64, unit_ns: u64) -> [u8; 16] {
    let mut bytes = [0; 16];
    bytes[..8].copy_from_slice(&(ns / 1_000_000_000).to_ne_bytes());
    bytes[8..].copy_from_slice(&(ns % 1_000_000_000 / unit_ns).to_ne_bytes());
    bytes
}
