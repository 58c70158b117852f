//! One run.
//!
//! The host makes the descriptors, hands them to the launcher and waits: for what the guest prints, for what the jail
//! tells, for the jail's first process to be gone, for the deadline. When that process is gone, so is every other in
//! the jail; the kernel sees to it before it lets us know.

use std::os::fd::{AsFd, OwnedFd};
use std::sync::PoisonError;
use std::time::{Duration, Instant};

use super::Jail;
use super::error::JailError;
use super::report::{Ending, Report};
use super::starter::Starter;
use super::streams::Stream;
use crate::cgroup::{Controller, Group, GroupUsage, Place, Places};
use crate::launcher::serve::INTO_CGROUP;
use crate::measure::Measured;
use crate::message::{self, Message, Usage};
use crate::order::Order;
use crate::step::StepError;
use crate::sys::fd::{self, Waiting};
use crate::sys::process;
use crate::wire;

/// How often the caller is asked whether to stop.
const TICK: Duration = Duration::from_millis(5);

/// How long after a kill the jail may take to be gone, and the launcher to say that it started one. Never reached on a
/// machine that works.
const GRACE: Duration = Duration::from_secs(30);

/// Longest string of an argument list or environment that the kernel takes, in bytes, its end included.
const STRING_LIMIT_BYTES: usize = 128 << 10;

pub fn run(jail: &Jail, order: &Order, should_stop: &dyn Fn() -> bool) -> Result<Report, JailError> {
    check(order)?;
    if should_stop() {
        return Err(JailError::Stopped);
    }
    let started = Instant::now();
    let group = Group::make(&jail.places, &order.limits).map_err(JailError::host("making a cgroup"))?;
    let mut running = start(jail, order, &group, false)?.0;
    to_the_end(jail, &mut running, &group, order, started, should_stop)
}

pub(super) fn to_the_end(
    jail: &Jail,
    running: &mut Running,
    group: &Group,
    order: &Order,
    started: Instant,
    should_stop: &dyn Fn() -> bool,
) -> Result<Report, JailError> {
    let why = running.wait(started, order.limits.wall, should_stop);
    if why.is_err() || running.failure.is_some() {
        running.make_end(jail)?;
    }
    running.finish(jail, group, why?, started)
}

impl Drop for Running {
    /// Whoever gives up on a jail, for whatever reason, does not leave it running.
    fn drop(&mut self) {
        if !self.is_gone {
            drop(self.kill());
        }
    }
}

/// What no jail can carry out is refused before anything is made.
pub(super) fn check(order: &Order) -> Result<(), JailError> {
    let limits = &order.limits;
    let zeroes = [
        ("memory", limits.memory_bytes),
        ("processor time", limits.cpu_quota_us),
        ("processor period", limits.cpu_period_us),
        ("size of /tmp", limits.tmp_bytes),
        ("files in /tmp", limits.tmp_files),
        ("open files", limits.open_files),
    ];
    if let Some((name, _)) = zeroes.iter().find(|(_, value)| *value == 0) {
        return Err(JailError::Invalid(format!("a limit of 0 for {name} leaves nothing to run with")));
    }
    // The first process of a jail, the guest, and one more for either.
    if limits.processes < 2 {
        return Err(JailError::Invalid(format!("{} processes are too few: a jail needs 2", limits.processes)));
    }
    if !(1000..=1_000_000).contains(&limits.cpu_period_us) || limits.cpu_quota_us < 1000 {
        let (quota, period) = (limits.cpu_quota_us, limits.cpu_period_us);
        return Err(JailError::Invalid(format!(
            "{quota} of {period} µs: a processor period lies between 1,000 and 1,000,000 µs, a quota at or above 1,000"
        )));
    }
    let texts = order.arguments.iter().map(String::len);
    let texts = texts.chain(order.environment.iter().map(|(name, value)| name.len() + value.len() + 1));
    match texts.max() {
        Some(longest) if longest >= STRING_LIMIT_BYTES => Err(JailError::Invalid(format!(
            "an argument or environment variable has {longest} bytes; Linux takes fewer than {STRING_LIMIT_BYTES}"
        ))),
        _ => Ok(()),
    }
}

/// A jail that was asked for and is not gone yet.
pub(super) struct Running {
    pub(super) control: OwnedFd,
    stdout: Stream,
    stderr: Stream,
    /// The first process, once the launcher has told.
    process: Option<OwnedFd>,
    pub(super) is_gone: bool,
    failure: Option<StepError>,
    measured: Option<Measured>,
    usage: Option<Usage>,
    buffer: Vec<u8>,
}

/// Why waiting was over.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Over {
    Gone,
    OutputLimit,
}

/// Has a jail made; returns it and, of a held one, its standard input to be filled later.
pub(super) fn start(jail: &Jail, order: &Order, group: &Group, is_held: bool) -> Result<(Running, OwnedFd), JailError> {
    let mut order_file = order.clone();
    if matches!(jail.places.of(Controller::Memory), Place::Nowhere(_)) {
        order_file.limits.address_space_bytes = Some(order.limits.memory_bytes);
    }
    let order_bytes = memory_file("order", &wire::encode(&order_file, is_held))?;
    let stdin = match is_held {
        true => fd::memory_file("stdin").map_err(JailError::host("a file in memory"))?,
        false => memory_file("stdin", &order.stdin)?,
    };
    let (stdout, their_stdout) = fd::pipe().map_err(JailError::host("a pipe"))?;
    let (stderr, their_stderr) = fd::pipe().map_err(JailError::host("a pipe"))?;
    let (control, their_control) = fd::socket_pair().map_err(JailError::host("a socket pair"))?;
    let (files, born_into) = group.entries().map_err(JailError::host("opening the cgroup"))?;

    let own = [&their_control, &order_bytes, &stdin, &their_stdout, &their_stderr];
    let passed: Vec<_> = own.into_iter().chain(&files).chain(&born_into).map(AsFd::as_fd).collect();
    let kind = if born_into.is_some() { INTO_CGROUP } else { 0 };
    starter(jail).send(kind, &passed)?;
    let running = Running {
        control,
        stdout: Stream::new(stdout, order.limits.stdout_bytes)?,
        stderr: Stream::new(stderr, order.limits.stderr_bytes)?,
        process: None,
        is_gone: false,
        failure: None,
        measured: None,
        usage: None,
        buffer: vec![0; message::LIMIT_BYTES],
    };
    Ok((running, stdin))
}

pub(super) fn memory_file(name: &str, bytes: &[u8]) -> Result<OwnedFd, JailError> {
    let filled = || {
        let file = fd::memory_file(name)?;
        fd::write_all(file.as_fd(), bytes)?;
        fd::rewind(file.as_fd())?;
        fd::seal(file.as_fd())?;
        Ok(file)
    };
    filled().map_err(JailError::host("a file in memory"))
}

fn starter(jail: &Jail) -> std::sync::MutexGuard<'_, Starter> {
    jail.starter.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Running {
    /// Waits until the jail is gone or must go.
    fn wait(&mut self, started: Instant, limit: Duration, should_stop: &dyn Fn() -> bool) -> Result<Over, JailError> {
        while !self.is_gone {
            if should_stop() {
                return Err(JailError::Stopped);
            }
            let left = limit.saturating_sub(started.elapsed());
            if left.is_zero() {
                return Err(JailError::TimedOut(limit));
            }
            self.turn(left.min(TICK))?;
            if self.stdout.is_over_limit() {
                self.kill()?;
                self.until_gone()?;
                return Ok(Over::OutputLimit);
            }
            if self.failure.is_some() && self.process.is_none() {
                return Ok(Over::Gone);
            }
        }
        Ok(Over::Gone)
    }

    /// Waits once, at most so long, and takes in whatever there is.
    fn turn(&mut self, at_most: Duration) -> Result<(), JailError> {
        let process = self.process.as_ref().map_or(const { Waiting::nothing() }, Waiting::to_read);
        let mut waiting = [Waiting::to_read(&self.control), self.stdout.waiting(), self.stderr.waiting(), process];
        if self.process.is_some() || self.failure.is_some() {
            // The rest of what the jail tells is read when it is gone; waking up for it would only delay the guest.
            waiting[0] = const { Waiting::nothing() };
        }
        // Rounded up, or the last millisecond would be spent in a circle.
        let at_most = i32::try_from(at_most.as_millis() + 1).unwrap_or(i32::MAX);
        fd::poll(&mut waiting, at_most).map_err(JailError::host("waiting for the jail"))?;
        if waiting[3].happened() {
            self.is_gone = true;
        }
        if waiting[0].happened() || self.is_gone {
            self.listen()?;
        }
        self.stdout.read(&mut self.buffer)?;
        self.stderr.read(&mut self.buffer)
    }

    /// Takes in what launcher and jail have said.
    fn listen(&mut self) -> Result<(), JailError> {
        loop {
            let mut waiting = [Waiting::to_read(&self.control)];
            fd::poll(&mut waiting, 0).map_err(JailError::host("waiting for the jail"))?;
            if !waiting[0].happened() {
                return Ok(());
            }
            let received = fd::receive(self.control.as_fd(), &mut self.buffer);
            let (length, mut passed) = received.map_err(JailError::host("hearing from the jail"))?;
            if length == 0 {
                // Everybody who could say more is gone, or about to be.
                return if self.process.is_none() { Err(JailError::LauncherDied) } else { Ok(()) };
            }
            let told = message::parse(&self.buffer[..length]).map_err(JailError::host("understanding the jail"))?;
            match told {
                Message::Started => self.process = passed.pop(),
                Message::Failed(error) => self.failure = Some(error),
                Message::Measured(bytes) => self.measured = Some(Measured::parse(&bytes)),
                Message::Ended(usage) => self.usage = Some(usage),
                Message::Ready => {}
            }
        }
    }

    pub(super) fn kill(&self) -> Result<(), JailError> {
        self.process
            .as_ref()
            .map_or(Ok(()), |process| process::kill(process.as_fd()).map_err(JailError::host("killing the jail")))
    }

    /// Waits for a jail that was killed.
    pub(super) fn until_gone(&mut self) -> Result<(), JailError> {
        let deadline = Instant::now() + GRACE;
        while !self.is_gone && self.process.is_some() {
            if Instant::now() >= deadline {
                return Err(JailError::NotAsOrdered(String::from("it cannot be killed")));
            }
            self.turn(TICK)?;
        }
        Ok(())
    }

    /// Ends a jail, also one that the launcher has not told about yet.
    fn make_end(&mut self, jail: &Jail) -> Result<(), JailError> {
        let deadline = Instant::now() + GRACE;
        while self.process.is_none() && self.failure.is_none() {
            if Instant::now() >= deadline {
                // With the launcher goes every jail, this one too. The next run starts another.
                starter(jail).give_up();
                return Err(JailError::LauncherDied);
            }
            self.turn(TICK)?;
        }
        self.kill()?;
        self.until_gone()
    }

    fn finish(&mut self, jail: &Jail, group: &Group, over: Over, started: Instant) -> Result<Report, JailError> {
        // All writers are dead: what they wrote is in the pipes.
        self.listen_to_the_end()?;
        let elapsed = started.elapsed();
        let used = group.usage();
        if self.measured.is_none() && used.memory_kills > 0 {
            return Err(JailError::Invalid(String::from("the memory limit is too small for any program in a jail")));
        }
        if let Some(error) = self.failure.take() {
            let is_program = error.step.starts_with("starting ") && self.measured.is_some();
            return Err(if is_program { JailError::NotStarted(error) } else { JailError::Setup(error) });
        }
        let ending = self.ending(jail, over, &used)?;
        let measured =
            self.measured.take().ok_or_else(|| JailError::NotAsOrdered(String::from("nothing was measured")));
        let measured = measured?;
        group.check_entered(&measured.cgroups).map_err(JailError::NotAsOrdered)?;
        let usage = self.usage.unwrap_or_default();
        Ok(Report {
            ending,
            stdout: self.stdout.take_output().kept,
            stderr: self.stderr.take_output(),
            cpu: Duration::from_micros(used.cpu_us.unwrap_or(0).max(usage.cpu_us)),
            peak_memory_bytes: used.peak_memory_bytes.unwrap_or(usage.peak_resident_bytes),
            elapsed,
            measured,
            group_limits: group_limits(&jail.places),
        })
    }

    fn listen_to_the_end(&mut self) -> Result<(), JailError> {
        // At most what the pipes hold, which is below one turn's share.
        self.turn(Duration::ZERO)
    }

    fn ending(&self, jail: &Jail, over: Over, used: &GroupUsage) -> Result<Ending, JailError> {
        if over == Over::OutputLimit || self.stdout.is_over_limit() {
            return Ok(Ending::OutputLimit);
        }
        let ended = self.usage.map(|usage| Ending::from_status(usage.status));
        match ended {
            Some(Ending::Exited(0)) => Ok(Ending::Exited(0)),
            // The kernel kills one process; what else then fails, fails for want of it.
            Some(_) | None if used.memory_kills > 0 => Ok(Ending::OutOfMemory),
            Some(ending) => Ok(ending),
            None if !starter(jail).is_alive() => Err(JailError::LauncherDied),
            None => Err(JailError::NotAsOrdered(String::from("its first process was killed by somebody else"))),
        }
    }
}

fn group_limits(places: &Places) -> Vec<(&'static str, u32)> {
    let version = |controller| match places.of(controller) {
        Place::Version2(_) => Some((controller.name(), 2)),
        Place::Version1(_) => Some((controller.name(), 1)),
        Place::Nowhere(_) => None,
    };
    Controller::ALL.into_iter().filter_map(version).collect()
}
