//! `poll_oneoff`: wait for the first of several things.
//!
//! Streams and files are always ready here, so only clocks make a guest wait, and waiting moves the
//! virtual clock.

use super::descriptors::Descriptor;
use super::errno::Errno;
use super::memory::{GuestMemory, offset};
use super::{Answer, Guest};

/// Subscriptions one call may make.
const SUBSCRIPTION_LIMIT: u32 = 4096;
const SUBSCRIPTION_BYTES: u32 = 48;
const EVENT_BYTES: u32 = 32;

struct Subscription {
    userdata: u64,
    what: What,
}

enum What {
    /// Ready at this monotonic instant.
    Clock(u64),
    /// Ready now: bytes there are to read or room to write, or the errno to report.
    Stream {
        write: bool,
        ready: Result<u64, Errno>,
    },
}

pub(super) fn poll_oneoff(
    memory: &mut GuestMemory<'_>,
    guest: &mut Guest,
    subscriptions: u32,
    events: u32,
    count: u32,
    out: u32,
) -> Answer {
    if count == 0 || count > SUBSCRIPTION_LIMIT {
        return Err(Errno::Inval.into());
    }
    let subscriptions = (0..count)
        .map(|index| {
            read(
                memory,
                guest,
                offset(subscriptions, index, SUBSCRIPTION_BYTES)?,
            )
        })
        .collect::<Result<Vec<_>, Errno>>()?;

    let first = subscriptions
        .iter()
        .map(|subscription| match subscription.what {
            What::Clock(at) => at,
            What::Stream { .. } => 0,
        })
        .min()
        .unwrap_or(0);
    guest.machine.clock.sleep_until(first)?;

    let now = guest.machine.clock.peek_ns();
    let mut written = 0;
    for subscription in &subscriptions {
        if matches!(subscription.what, What::Clock(at) if at > now) {
            continue;
        }
        write(memory, offset(events, written, EVENT_BYTES)?, subscription)?;
        written += 1;
    }
    Ok(memory.write_u32(out, written)?)
}

fn read(memory: &GuestMemory<'_>, guest: &Guest, at: u32) -> Result<Subscription, Errno> {
    let field = |by| offset(at, by, 1);
    let userdata = memory.u64(at)?;
    let what = match memory.bytes(field(8)?, 1)?[0] {
        0 => read_clock(memory, guest, at)?,
        1 => What::Stream {
            write: false,
            ready: readable(guest, memory.u32(field(16)?)?),
        },
        2 => What::Stream {
            write: true,
            ready: writable(guest, memory.u32(field(16)?)?),
        },
        _ => return Err(Errno::Inval),
    };
    Ok(Subscription { userdata, what })
}

fn read_clock(memory: &GuestMemory<'_>, guest: &Guest, at: u32) -> Result<What, Errno> {
    const ABSTIME: u16 = 1;
    let id = memory.u32(offset(at, 16, 1)?)?;
    let timeout = memory.u64(offset(at, 24, 1)?)?;
    let flags = memory.u16(offset(at, 40, 1)?)?;
    let clock = &guest.machine.clock;
    Ok(What::Clock(match (id, flags & ABSTIME) {
        (0, ABSTIME) => clock.monotonic_at(timeout),
        (1..=3, ABSTIME) => timeout,
        (0..=3, _) => clock.peek_ns().saturating_add(timeout),
        _ => return Err(Errno::Inval),
    }))
}

fn readable(guest: &Guest, fd: u32) -> Result<u64, Errno> {
    match guest.descriptors.get(fd)? {
        Descriptor::Stdin => Ok(guest.machine.stdin.remaining() as u64),
        Descriptor::File(file) => {
            let size = guest
                .machine
                .files
                .stat(file.node)
                .map_or(0, |stat| stat.size);
            Ok(size.saturating_sub(file.offset))
        }
        _ => Err(Errno::Badf),
    }
}

fn writable(guest: &Guest, fd: u32) -> Result<u64, Errno> {
    match guest.descriptors.get(fd)? {
        Descriptor::Stdout | Descriptor::Stderr => Ok(1 << 16),
        Descriptor::File(file) if file.writable => Ok(1 << 16),
        _ => Err(Errno::Badf),
    }
}

fn write(memory: &mut GuestMemory<'_>, at: u32, subscription: &Subscription) -> Result<(), Errno> {
    let (kind, ready) = match subscription.what {
        What::Clock(_) => (0, Ok(0)),
        What::Stream { write, ready } => (if write { 2 } else { 1 }, ready),
    };
    let mut event = [0; EVENT_BYTES as usize];
    event[..8].copy_from_slice(&subscription.userdata.to_le_bytes());
    let errno = ready.err().unwrap_or(Errno::Success);
    event[8..10].copy_from_slice(&(errno as u16).to_le_bytes());
    event[10] = kind;
    event[16..24].copy_from_slice(&ready.unwrap_or(0).to_le_bytes());
    memory.write(at, &event)
}
