//! Arguments, environment, clocks, randomness, exit; and the sockets that are not there.

use super::errno::Errno;
use super::memory::{GuestMemory, offset};
use super::{Answer, Guest};
use crate::machine::{CLOCK_RESOLUTION_NS, Halt, REQUEST_LIMIT_BYTES};

pub(super) fn args_get(
    memory: &mut GuestMemory<'_>,
    guest: &mut Guest,
    pointers: u32,
    bytes: u32,
) -> Answer {
    write_strings(
        memory,
        guest.machine.arguments.iter().map(String::as_str),
        pointers,
        bytes,
    )
}

pub(super) fn args_sizes_get(
    memory: &mut GuestMemory<'_>,
    guest: &mut Guest,
    count: u32,
    size: u32,
) -> Answer {
    write_sizes(
        memory,
        guest.machine.arguments.iter().map(|text| text.len() + 1),
        count,
        size,
    )
}

pub(super) fn environ_get(
    memory: &mut GuestMemory<'_>,
    guest: &mut Guest,
    pointers: u32,
    bytes: u32,
) -> Answer {
    let entries: Vec<String> = guest
        .machine
        .environment
        .iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    write_strings(memory, entries.iter().map(String::as_str), pointers, bytes)
}

pub(super) fn environ_sizes_get(
    memory: &mut GuestMemory<'_>,
    guest: &mut Guest,
    count: u32,
    size: u32,
) -> Answer {
    let lengths = guest
        .machine
        .environment
        .iter()
        .map(|(name, value)| name.len() + value.len() + 2);
    write_sizes(memory, lengths, count, size)
}

fn write_sizes(
    memory: &mut GuestMemory<'_>,
    lengths: impl Iterator<Item = usize> + Clone,
    count: u32,
    size: u32,
) -> Answer {
    let narrow = |value: usize| u32::try_from(value).map_err(|_| Errno::Overflow);
    memory.write_u32(count, narrow(lengths.clone().count())?)?;
    memory.write_u32(size, narrow(lengths.sum())?)?;
    Ok(())
}

fn write_strings<'a>(
    memory: &mut GuestMemory<'_>,
    strings: impl Iterator<Item = &'a str>,
    mut pointer: u32,
    mut at: u32,
) -> Answer {
    for text in strings {
        memory.write_u32(pointer, at)?;
        memory.write(at, text.as_bytes())?;
        let length = u32::try_from(text.len()).map_err(|_| Errno::Overflow)?;
        memory.write(offset(at, length, 1)?, &[0])?;
        at = offset(at, length, 1).and_then(|end| offset(end, 1, 1))?;
        pointer = offset(pointer, 1, 4)?;
    }
    Ok(())
}

const REALTIME: u32 = 0;
/// Monotonic, process CPU time and thread CPU time are one and the same virtual clock.
const LAST_CLOCK: u32 = 3;

pub(super) fn clock_res_get(
    memory: &mut GuestMemory<'_>,
    _: &mut Guest,
    id: u32,
    out: u32,
) -> Answer {
    if id > LAST_CLOCK {
        return Err(Errno::Inval.into());
    }
    Ok(memory.write_u64(out, CLOCK_RESOLUTION_NS)?)
}

pub(super) fn clock_time_get(
    memory: &mut GuestMemory<'_>,
    guest: &mut Guest,
    id: u32,
    _precision: u64,
    out: u32,
) -> Answer {
    let now = match id {
        REALTIME => guest.machine.clock.realtime_ns()?,
        1..=LAST_CLOCK => guest.machine.clock.monotonic_ns()?,
        _ => return Err(Errno::Inval.into()),
    };
    Ok(memory.write_u64(out, now)?)
}

pub(super) fn random_get(
    memory: &mut GuestMemory<'_>,
    guest: &mut Guest,
    bytes: u32,
    length: u32,
) -> Answer {
    if u64::from(length) > REQUEST_LIMIT_BYTES {
        return Err(Errno::Inval.into());
    }
    guest.machine.random.fill(memory.bytes_mut(bytes, length)?);
    Ok(())
}

pub(super) fn exit(guest: &Guest, code: u32) -> Halt {
    guest.machine.exit(code.cast_signed())
}

/// There is no other process to signal.
pub(super) fn proc_raise(_: &mut GuestMemory<'_>, _: &mut Guest, _signal: u32) -> Answer {
    Err(Errno::Notsup.into())
}

pub(super) fn sched_yield(_: &mut GuestMemory<'_>, _: &mut Guest) -> Answer {
    Ok(())
}

/// Nothing that is open is a socket.
fn no_socket(guest: &Guest, fd: u32) -> Answer {
    guest.descriptors.get(fd)?;
    Err(Errno::Notsock.into())
}

pub(super) fn sock_accept(
    _: &mut GuestMemory<'_>,
    guest: &mut Guest,
    fd: u32,
    _flags: u32,
    _out: u32,
) -> Answer {
    no_socket(guest, fd)
}

pub(super) fn sock_recv(
    _: &mut GuestMemory<'_>,
    guest: &mut Guest,
    fd: u32,
    _iovs: u32,
    _count: u32,
    _flags: u32,
    _out: u32,
    _out_flags: u32,
) -> Answer {
    no_socket(guest, fd)
}

pub(super) fn sock_send(
    _: &mut GuestMemory<'_>,
    guest: &mut Guest,
    fd: u32,
    _iovs: u32,
    _count: u32,
    _flags: u32,
    _out: u32,
) -> Answer {
    no_socket(guest, fd)
}

pub(super) fn sock_shutdown(
    _: &mut GuestMemory<'_>,
    guest: &mut Guest,
    fd: u32,
    _how: u32,
) -> Answer {
    no_socket(guest, fd)
}
