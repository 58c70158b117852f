//! A repeatable world for a guest: time and randomness that are the order's and not this machine's.
//!
//! | file | holds |
//! |---|---|
//! | `clock` | the time the guest sees |
//! | `random` | the bytes it draws |
//! | `calls` | the system calls that ask for either, answered |
//! | `waits` | calls that wait: sleeping, and waiting with a time limit |
//! | `exec` | new programs: with the order's fast clock and start-up randomness in place of the kernel's |
//! | `guest` | the guest's memory |
//!
//! The filter has such calls wait (seccomp's user notification), and the jail's first process
//! answers them. It is not confusable: it has no capability, its processes are the jail's own, so
//! whatever it is told to read or write, the guest could have read or written itself. It cannot be
//! stalled: it never waits for a guest, only for the next thing that happens; signals of the
//! guest's do not reach it, and it ends the jail when it ends.
//!
//! A call whose answer could not be delivered, because a signal came first, is undone: the guest
//! makes it again.
//!
//! *Known holes*, which a replay finds out: the processor's own clock and random instructions; the
//! kernel's timers (`setitimer`, `timer_create`, `timerfd`), which run on the machine's time; times
//! of files in `/tmp`; where it could not be taken away, the kernel's fast clock, for a program
//! that searches its memory for it.

mod calls;
mod clock;
mod exec;
mod guest;
mod random;
mod waits;

use std::collections::BTreeSet;
use std::os::fd::{AsFd, OwnedFd};
use std::time::Instant;

use crate::message::{self, Usage};
use crate::spec::ClockAndSeed;
use crate::step::{Step, StepError};
use crate::sys::fd::{self, Waiting};
use crate::sys::notify;
use crate::sys::process::{self, Happened, Pid};
use crate::sys::socket;

use clock::Clock;
use random::Random;
use waits::Waits;

/// The guest's process number: the first after this process's.
const GUEST: Pid = 2;

/// What a world is made of.
pub struct Supervisor {
    /// Where the guest's calls wait.
    listener: OwnedFd,
    /// The pipe behind `/dev/random`.
    devices: OwnedFd,
    children: OwnedFd,
    clock: Clock,
    random: Random,
    waits: Waits,
    /// Threads that were attached to and have not let be seen since.
    attached: BTreeSet<Pid>,
    /// How many bytes of the kernel's time are in front of its fast clock, if that is where ours
    /// can be.
    kernel_time_bytes: Option<u64>,
    memory_bytes: u64,
    /// Whether the first program started as it should.
    has_begun: bool,
    usage: Usage,
}

impl Supervisor {
    /// A world for a guest that has installed its filter.
    pub fn new(
        listener: OwnedFd,
        devices: OwnedFd,
        told: &ClockAndSeed,
        memory_bytes: u64,
        kernel_time_bytes: Option<u64>,
    ) -> Result<Self, StepError> {
        notify::answer_nearby(listener.as_fd());
        Ok(Self {
            listener,
            devices,
            children: process::child_events().step("watching the guest")?,
            clock: Clock::new(told.clock_start_ns).step("a clock")?,
            random: Random::new(told.seed),
            waits: Waits::new(),
            attached: BTreeSet::new(),
            kernel_time_bytes,
            memory_bytes,
            has_begun: false,
            usage: Usage::default(),
        })
    }

    /// The world starts anew: an order has come for a guest that waited for it.
    pub fn begin_again(&mut self, told: &ClockAndSeed) {
        self.clock.restart(told.clock_start_ns);
        self.random = Random::new(told.seed);
    }

    /// Answers until the guest has ended or, if given, something can be read from `order`: then
    /// `None`.
    pub fn run(
        &mut self,
        control: &OwnedFd,
        spec: Option<&OwnedFd>,
    ) -> Result<Option<Usage>, StepError> {
        // Randomness of a guest that still waits for its order is not the order's: nothing is put
        // into the pipe yet.
        let devices = |own: &Self| {
            if spec.is_none() {
                Waiting::to_write(&own.devices)
            } else {
                Waiting::nothing()
            }
        };
        // What happened before anybody watched.
        let mut has_news = true;
        loop {
            if has_news && self.reap(control)? {
                return Ok(Some(self.usage));
            }
            let now = Instant::now();
            self.waits.wake(now, &mut self.clock, &self.listener);
            let mut waiting = [
                Waiting::to_read(&self.listener),
                Waiting::to_read(&self.children),
                devices(self),
                spec.map_or(const { Waiting::nothing() }, Waiting::to_read),
            ];
            let limit = self
                .waits
                .next_due()
                .map(|due| due.saturating_duration_since(now));
            fd::poll_for(&mut waiting, limit).step("waiting for the guest")?;
            if waiting[0].is_readable() {
                self.answer_one().step("answering the guest")?;
            } else if waiting[0].happened() {
                // No process is left that could call. What remains is the guest's end.
                fd::poll(&mut waiting[1..2], -1).step("waiting for the guest's end")?;
            }
            has_news = waiting[1].happened();
            if has_news {
                drop(fd::read(self.children.as_fd(), &mut [0; 512]));
            }
            if waiting[2].happened() {
                drop(fd::write_all(
                    self.devices.as_fd(),
                    &self.random.next_page(),
                ));
            }
            if waiting[3].happened() {
                return Ok(None);
            }
        }
    }

    /// Takes in ends and stops; whether the guest has ended.
    fn reap(&mut self, control: &OwnedFd) -> Result<bool, StepError> {
        loop {
            match process::next_happened() {
                Ok(Some(Happened::Ended(ended))) => {
                    // Of a thread that is not its own child, its own parent counts what it used.
                    if !self.attached.remove(&ended.pid) || ended.pid == GUEST {
                        self.usage.cpu_us += ended.cpu_us;
                        self.usage.peak_resident_bytes = self
                            .usage
                            .peak_resident_bytes
                            .max(ended.peak_resident_bytes);
                    }
                    if ended.pid == GUEST {
                        self.usage.status = ended.status;
                        return Ok(true);
                    }
                }
                Ok(Some(Happened::Stopped(thread, status))) => {
                    self.stopped(thread, status, control)?
                }
                Ok(None) => return Ok(false),
                Err(_) => return Ok(true),
            }
        }
    }

    /// A thread that was attached to has stopped: it has become another program, or was about to
    /// get a signal.
    fn stopped(&mut self, thread: Pid, status: i32, control: &OwnedFd) -> Result<(), StepError> {
        self.attached.remove(&thread);
        if status >> 8 != libc::SIGTRAP | (libc::PTRACE_EVENT_EXEC << 8) {
            let is_signal = status >> 16 == 0;
            // One that has been killed meanwhile is gone already.
            drop(crate::sys::trace::detach(
                thread,
                if is_signal { libc::WSTOPSIG(status) } else { 0 },
            ));
            return Ok(());
        }
        let holds = match exec::prepare(thread, &mut self.random, self.kernel_time_bytes) {
            Ok(()) => true,
            // A program that may not be read, say: it would see the machine's time.
            Err(_) => {
                process::kill_by_number(thread);
                false
            }
        };
        drop(crate::sys::trace::detach(thread, 0));
        if holds && !self.has_begun {
            self.has_begun = true;
            socket::send(control.as_fd(), &message::repeatable(), &[])
                .step("telling that time and randomness are its own")?;
        }
        Ok(())
    }

    fn answer_one(&mut self) -> std::io::Result<()> {
        match notify::receive(self.listener.as_fd())? {
            Some(call) => self.answer(&call),
            None => Ok(()),
        }
    }
}
