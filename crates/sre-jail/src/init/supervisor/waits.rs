//! Calls that wait: sleeping, and waiting for something with a time limit.
//!
//! Both take as long in the machine's time as the guest said, so that threads and processes that
//! wait for each other meet as they would anywhere; the guest's clock then moves by exactly that
//! length.
//!
//! *Sleeping* is answered from here when it is over. *Waiting for something* is left to the kernel
//! and noted; when the thread makes its next call, the machine's time tells whether the limit was
//! reached; as long as anything is noted, the guest's fast clock leaves every question to us.
//! Limits that are a moment and not a length (`futex`) mean the guest's clock, which the kernel
//! does not know: as long as both are close, the kernel may wait; else the word in memory is looked
//! at every millisecond from here, and the guest looks again.

use std::collections::BTreeMap;
use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};

use super::clock::Clock;
use super::guest;
use crate::sys::notify::{self, Call};
use crate::sys::process::{self, Pid};

/// How far the guest's clock and the kernel's may differ for the kernel to wait for a moment of the
/// guest's.
const CLOSE_NS: u64 = 20_000_000;

/// How often a word in memory is looked at.
const LOOK_AGAIN: Duration = Duration::from_millis(1);

/// How often at most before the guest is asked to look itself: a wake-up need not change the word.
const LOOKS_LIMIT: u32 = 50;

/// Waits that are kept; beyond it, those of threads that are gone are forgotten.
const KEPT_LIMIT: usize = 4096;

/// After how many calls of others notes of threads that are gone are forgotten: while there is a
/// note, everybody asks.
const LOOK_FOR_GONE: u32 = 64;

/// A call, and when it came.
pub struct Asked<'a> {
    pub call: &'a Call,
    pub now: Instant,
}

/// What becomes of a call.
pub enum Decision {
    /// It is answered now.
    Now(Result<i64, i32>),
    /// The kernel carries it out.
    Kernel,
    /// It is answered later.
    Later,
}

/// A wait that ends at the latest at `due`; then the guest's clock is at `until_ns`.
#[derive(Clone, Copy)]
struct Limit {
    due: Instant,
    until_ns: u64,
}

/// A call that is answered later.
struct Held {
    call: Call,
    limit: Limit,
    /// When to look at it next.
    next: Instant,
    kind: Kind,
}

enum Kind {
    Sleep,
    /// Waits as long as a word in memory has this value.
    Word {
        value: u32,
        looks: u32,
    },
}

/// All waits of a guest.
pub struct Waits {
    held: Vec<Held>,
    noted: BTreeMap<Pid, Limit>,
    calls_since_look: u32,
    /// When the guest's steady clock was zero to the kernel.
    started: Instant,
}

impl Waits {
    pub fn new() -> Self {
        Self {
            held: Vec::new(),
            noted: BTreeMap::new(),
            calls_since_look: 0,
            started: Instant::now(),
        }
    }

    /// A thread makes another call: a wait of its that the kernel had has ended, and one that was
    /// held was given up.
    pub fn settle(&mut self, thread: Pid, now: Instant, clock: &mut Clock) {
        if let Some(limit) = self.noted.remove(&thread)
            && now >= limit.due
        {
            clock.at_least(limit.until_ns);
        }
        if !self.noted.is_empty() {
            self.calls_since_look += 1;
            if self.calls_since_look >= LOOK_FOR_GONE {
                self.calls_since_look = 0;
                self.noted.retain(|thread, _| is_there(*thread));
            }
        }
        clock.set_noted(self.noted.len());
    }

    /// When something is to be done next.
    pub fn next_due(&self) -> Option<Instant> {
        self.held.iter().map(|held| held.next).min()
    }

    /// Answers what is due.
    pub fn wake(&mut self, now: Instant, clock: &mut Clock, listener: &OwnedFd) {
        // In the order of the guest's clock, should several be due at once.
        self.held.sort_by_key(|held| held.limit.until_ns);
        self.held.retain_mut(|held| {
            if now < held.next {
                return true;
            }
            let is_over = now >= held.limit.due;
            let outcome = match &mut held.kind {
                Kind::Sleep => Ok(0),
                Kind::Word { .. } if is_over => Err(libc::ETIMEDOUT),
                Kind::Word { value, looks } => {
                    *looks += 1;
                    let word = guest::read(held.call.thread, held.call.arguments[0])
                        .map(u32::from_ne_bytes);
                    if word == Ok(*value)
                        && *looks < LOOKS_LIMIT
                        && notify::is_waiting(listener.as_fd(), held.call.id)
                    {
                        held.next = now + LOOK_AGAIN;
                        return true;
                    }
                    Err(libc::EAGAIN)
                }
            };
            clock.mark();
            if is_over {
                clock.at_least(held.limit.until_ns);
            }
            if !notify::answer(listener.as_fd(), held.call.id, outcome) {
                clock.take_back();
            }
            false
        });
    }

    /// What becomes of a call that may wait.
    pub fn decide(&mut self, asked: &Asked<'_>, clock: &Clock) -> Decision {
        // A call of a thread whose sleep is still held: a signal came in between. The same sleep
        // goes on where it was.
        let call = asked.call;
        let given_up = self
            .held
            .iter()
            .position(|held| held.call.thread == call.thread);
        let given_up = given_up.map(|at| self.held.swap_remove(at));
        if let Some(mut held) = given_up
            && held.call.number == call.number
            && held.call.arguments == call.arguments
        {
            held.call = *call;
            self.held.push(held);
            return Decision::Later;
        }
        let decided = self
            .decide_anew(asked, clock)
            .unwrap_or_else(|error| Decision::Now(Err(error)));
        clock.set_noted(self.noted.len());
        decided
    }

    fn decide_anew(&mut self, asked: &Asked<'_>, clock: &Clock) -> Result<Decision, i32> {
        let [first, second, third, fourth, fifth, sixth] = asked.call.arguments;
        let thread = asked.call.thread;
        let spec = |address| guest::read_time(thread, address, 1);
        let ms = |number: u64| u64::from(number as u32) * 1_000_000;
        let (length, is_sleep) = match asked.call.number {
            libc::SYS_nanosleep => (spec(first)?, true),
            libc::SYS_clock_nanosleep => return self.clock_nanosleep(asked, clock),
            libc::SYS_futex => return self.futex(asked, clock),
            libc::SYS_ppoll => (spec(third)?, second == 0 && fourth == 0),
            libc::SYS_pselect6 => (spec(fifth)?, first == 0 && sixth == 0),
            libc::SYS_epoll_pwait => (ms(fourth), false),
            libc::SYS_epoll_pwait2 => (spec(fourth)?, false),
            libc::SYS_rt_sigtimedwait => (spec(third)?, false),
            libc::SYS_recvmmsg => (spec(fifth)?, false),
            #[cfg(target_arch = "x86_64")]
            libc::SYS_poll => (ms(third), second == 0),
            #[cfg(target_arch = "x86_64")]
            libc::SYS_epoll_wait => (ms(fourth), false),
            #[cfg(target_arch = "x86_64")]
            libc::SYS_select => (guest::read_time(thread, fifth, 1000)?, first == 0),
            _ => return Ok(Decision::Kernel),
        };
        let limit = Limit {
            due: asked.now + Duration::from_nanos(length),
            until_ns: clock.elapsed_ns().saturating_add(length),
        };
        Ok(if is_sleep {
            self.sleep(asked, limit)
        } else {
            self.note(thread, limit)
        })
    }

    fn sleep(&mut self, asked: &Asked<'_>, limit: Limit) -> Decision {
        if limit.due <= asked.now {
            return Decision::Now(Ok(0));
        }
        self.hold(Held {
            call: *asked.call,
            limit,
            next: limit.due,
            kind: Kind::Sleep,
        });
        Decision::Later
    }

    fn hold(&mut self, held: Held) {
        if self.held.len() >= KEPT_LIMIT {
            self.held.retain(|held| is_there(held.call.thread));
        }
        self.held.push(held);
    }

    fn note(&mut self, thread: Pid, limit: Limit) -> Decision {
        if self.noted.len() >= KEPT_LIMIT {
            self.noted.retain(|thread, _| is_there(*thread));
        }
        self.noted.insert(thread, limit);
        Decision::Kernel
    }

    fn clock_nanosleep(&mut self, asked: &Asked<'_>, clock: &Clock) -> Result<Decision, i32> {
        let [which, flags, request, ..] = asked.call.arguments;
        let time = guest::read_time(asked.call.thread, request, 1)?;
        let is_moment = flags as i32 & libc::TIMER_ABSTIME != 0;
        let until_ns = match which as u32 as i32 {
            _ if !is_moment => clock.elapsed_ns().saturating_add(time),
            libc::CLOCK_REALTIME | libc::CLOCK_TAI | libc::CLOCK_REALTIME_ALARM => {
                time.saturating_sub(clock.start_ns())
            }
            _ => time,
        };
        let length = Duration::from_nanos(until_ns.saturating_sub(clock.elapsed_ns()));
        Ok(self.sleep(
            asked,
            Limit {
                due: asked.now + length,
                until_ns,
            },
        ))
    }

    /// Waiting for a word in memory. The filter passes only the two kinds that have a limit as
    /// their fourth argument.
    fn futex(&mut self, asked: &Asked<'_>, clock: &Clock) -> Result<Decision, i32> {
        const WAIT: u32 = libc::FUTEX_WAIT as u32;
        let [_, operation, value, address, ..] = asked.call.arguments;
        let operation = operation as u32;
        let thread = asked.call.thread;
        let time = guest::read_time(thread, address, 1)?;
        if operation & libc::FUTEX_CMD_MASK as u32 == WAIT {
            let until_ns = clock.elapsed_ns().saturating_add(time);
            return Ok(self.note(
                thread,
                Limit {
                    due: asked.now + Duration::from_nanos(time),
                    until_ns,
                },
            ));
        }
        let is_date = operation & libc::FUTEX_CLOCK_REALTIME as u32 != 0;
        let until_ns = if is_date {
            time.saturating_sub(clock.start_ns())
        } else {
            time
        };
        let left = until_ns.saturating_sub(clock.elapsed_ns());
        if left == 0 {
            return Ok(Decision::Now(Err(libc::ETIMEDOUT)));
        }
        let (kernel, own) = if is_date {
            let (seconds, part) = process::clock(libc::CLOCK_REALTIME);
            let kernel = u64::try_from(seconds).unwrap_or(0) * 1_000_000_000
                + u64::try_from(part).unwrap_or(0);
            (kernel, clock.start_ns().saturating_add(clock.elapsed_ns()))
        } else {
            let kernel = asked.now.saturating_duration_since(self.started).as_nanos();
            (
                u64::try_from(kernel).unwrap_or(u64::MAX),
                clock.elapsed_ns(),
            )
        };
        if kernel.abs_diff(own) <= CLOSE_NS {
            let due = asked.now + Duration::from_nanos(time.saturating_sub(kernel));
            return Ok(self.note(thread, Limit { due, until_ns }));
        }
        let limit = Limit {
            due: asked.now + Duration::from_nanos(left),
            until_ns,
        };
        let kind = Kind::Word {
            value: value as u32,
            looks: 0,
        };
        self.hold(Held {
            call: *asked.call,
            limit,
            next: asked.now,
            kind,
        });
        Ok(Decision::Later)
    }
}

fn is_there(thread: Pid) -> bool {
    std::fs::exists(format!("/proc/{thread}")).unwrap_or(true)
}
