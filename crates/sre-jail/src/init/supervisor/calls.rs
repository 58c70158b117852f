//! The system calls that ask for time or randomness, answered.

use std::os::fd::AsFd;
use std::time::Instant;

use super::clock::RESOLUTION_NS;
use super::waits::{Asked, Decision};
use super::{Supervisor, exec, guest};
use crate::sys::notify::{self, Call};

/// Most bytes of one call: an answer must be short. Programs ask for the rest again.
const RANDOM_LIMIT_BYTES: u64 = 1 << 20;

/// Random bytes are made and written in pieces.
const PIECE_BYTES: u64 = 64 << 10;

/// What a clock shows.
enum Shows {
    SinceEpoch,
    SinceStart,
}

/// Of the clocks that exist, four show the date; all others, those of processor time among them,
/// the time since the start.
fn shows(clock: u64) -> Result<Shows, i32> {
    const LAST: i32 = 11;
    // A clock's number is an `int`, and so are those of other processes' clocks, which are
    // negative.
    match clock as u32 as i32 {
        libc::CLOCK_REALTIME
        | libc::CLOCK_REALTIME_COARSE
        | libc::CLOCK_REALTIME_ALARM
        | libc::CLOCK_TAI => Ok(Shows::SinceEpoch),
        number if number <= LAST => Ok(Shows::SinceStart),
        _ => Err(libc::EINVAL),
    }
}

impl Supervisor {
    /// Answers one call, at once or later.
    pub(super) fn answer(&mut self, call: &Call) -> std::io::Result<()> {
        let now = Instant::now();
        self.waits.settle(call.thread, now, &mut self.clock);
        self.clock.mark();
        let outcome = match call.number {
            libc::SYS_execve | libc::SYS_execveat => {
                let attached = exec::attach(call.thread, &mut self.attached);
                match attached {
                    Ok(()) => return self.let_go(call),
                    Err(error) => Err(error),
                }
            }
            libc::SYS_getrandom => return self.random(call),
            libc::SYS_clock_gettime => self.clock_gettime(call),
            libc::SYS_clock_getres => shows(call.arguments[0])
                .and_then(|_| {
                    guest::write(
                        call.thread,
                        call.arguments[1],
                        &guest::time_bytes(RESOLUTION_NS, 1),
                    )
                })
                .map(|()| 0),
            libc::SYS_gettimeofday => self.gettimeofday(call),
            #[cfg(target_arch = "x86_64")]
            libc::SYS_time => self.time(call),
            libc::SYS_times => self.times(call),
            libc::SYS_getrusage => self.getrusage(call),
            libc::SYS_sysinfo => self.sysinfo(call),
            _ => match self.waits.decide(&Asked { call, now }, &self.clock) {
                Decision::Later => return Ok(()),
                Decision::Kernel => return self.let_go(call),
                Decision::Now(outcome) => outcome,
            },
        };
        if !notify::answer(self.listener.as_fd(), call.id, outcome) {
            self.clock.take_back();
        }
        Ok(())
    }

    fn let_go(&self, call: &Call) -> std::io::Result<()> {
        // One that is gone meanwhile needs no answer.
        notify::let_go(self.listener.as_fd(), call.id);
        Ok(())
    }

    fn now(&mut self, shows: &Shows) -> u64 {
        let elapsed = self.clock.read();
        match shows {
            Shows::SinceEpoch => self.clock.start_ns().saturating_add(elapsed),
            Shows::SinceStart => elapsed,
        }
    }

    fn clock_gettime(&mut self, call: &Call) -> Result<i64, i32> {
        let now = self.now(&shows(call.arguments[0])?);
        // A null pointer is as wrong as any other here.
        trace_write(call, call.arguments[1], &guest::time_bytes(now, 1))
    }

    fn gettimeofday(&mut self, call: &Call) -> Result<i64, i32> {
        let now = self.now(&Shows::SinceEpoch);
        guest::write(
            call.thread,
            call.arguments[0],
            &guest::time_bytes(now, 1000),
        )?;
        guest::write(call.thread, call.arguments[1], &[0; 8]).map(|()| 0)
    }

    #[cfg(target_arch = "x86_64")]
    fn time(&mut self, call: &Call) -> Result<i64, i32> {
        let seconds = self.now(&Shows::SinceEpoch) / 1_000_000_000;
        guest::write(call.thread, call.arguments[0], &seconds.to_ne_bytes())?;
        Ok(i64::try_from(seconds).unwrap_or(i64::MAX))
    }

    /// Processor time in hundredths of a second: all of the time since the start, as nothing else
    /// can be repeated.
    fn times(&mut self, call: &Call) -> Result<i64, i32> {
        let ticks = self.now(&Shows::SinceStart) / 10_000_000;
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&ticks.to_ne_bytes());
        guest::write(call.thread, call.arguments[0], &bytes)?;
        Ok(i64::try_from(ticks).unwrap_or(i64::MAX))
    }

    /// As `times`; what else is counted there differs from run to run, and is 0 here.
    fn getrusage(&mut self, call: &Call) -> Result<i64, i32> {
        let now = self.now(&Shows::SinceStart);
        let mut bytes = [0; size_of::<libc::rusage>()];
        bytes[..16].copy_from_slice(&guest::time_bytes(now, 1000));
        trace_write(call, call.arguments[1], &bytes)
    }

    /// A machine that has started with the guest, with the jail's memory, all of it free.
    fn sysinfo(&mut self, call: &Call) -> Result<i64, i32> {
        let uptime = self.now(&Shows::SinceStart) / 1_000_000_000;
        let mut bytes = [0; size_of::<libc::sysinfo>()];
        let unit_at = 104;
        bytes[..8].copy_from_slice(&uptime.to_ne_bytes());
        bytes[32..40].copy_from_slice(&self.memory_bytes.to_ne_bytes());
        bytes[40..48].copy_from_slice(&self.memory_bytes.to_ne_bytes());
        bytes[80..82].copy_from_slice(&1_u16.to_ne_bytes());
        bytes[unit_at..unit_at + 4].copy_from_slice(&1_u32.to_ne_bytes());
        trace_write(call, call.arguments[0], &bytes)
    }

    fn random(&mut self, call: &Call) -> std::io::Result<()> {
        const KNOWN_FLAGS: u64 = 7;
        let [address, wanted, flags, ..] = call.arguments;
        let total = wanted.min(RANDOM_LIMIT_BYTES);
        let mut given = 0;
        let mut failed = (flags & !KNOWN_FLAGS != 0).then_some(libc::EINVAL);
        while given < total && failed.is_none() {
            let mut piece = vec![0; usize::try_from((total - given).min(PIECE_BYTES)).unwrap_or(0)];
            self.random.fill(call.thread, &mut piece);
            match trace_write(call, address.wrapping_add(given), &piece) {
                Ok(_) => given += piece.len() as u64,
                Err(error) => {
                    self.random.take_back(call.thread, piece.len());
                    failed = Some(error);
                }
            }
        }
        let outcome = match failed {
            Some(error) if given == 0 => Err(error),
            _ => Ok(i64::try_from(given).unwrap_or(0)),
        };
        if !notify::answer(self.listener.as_fd(), call.id, outcome) {
            self.random
                .take_back(call.thread, usize::try_from(given).unwrap_or(0));
        }
        Ok(())
    }
}

/// Writes for a call that cannot do without, and answers 0.
fn trace_write(call: &Call, address: u64, bytes: &[u8]) -> Result<i64, i32> {
    crate::sys::trace::write_memory(call.thread, address, bytes)
        .map(|()| 0)
        .map_err(|_| guest::BAD_ADDRESS)
}

const _: () = assert!(size_of::<libc::sysinfo>() == 112);
