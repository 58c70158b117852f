//! A jail that was asked for and is not gone yet: waiting for what it prints and tells, ending it,
//! and what came of it.

use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};

use super::Jail;
use super::error::JailError;
use super::report::{Ending, Report};
use super::starter::lock;
use super::streams::Stream;
use crate::cgroup::{Controller, Group, GroupUsage, Place, Places};
use crate::left_files::LeftFiles;
use crate::measure::Measured;
use crate::message::{self, Message, Usage};
use crate::step::StepError;
use crate::sys::fd::{self, Waiting};
use crate::sys::{process, socket};

/// How often the caller is asked whether to stop.
const TICK: Duration = Duration::from_millis(5);

/// How long after a kill the jail may take to be gone, and the launcher to say that it started one.
/// Never reached on a machine that works.
const GRACE: Duration = Duration::from_secs(30);

/// What comes from a jail besides what it tells.
pub struct Streams {
    pub stdout: Stream,
    pub stderr: Stream,
    /// What the guest left in its folders.
    pub files: Stream,
}

/// A jail that was asked for and is not gone yet.
pub struct Running {
    pub control: OwnedFd,
    streams: Streams,
    /// Whether the jail sends what the guest left in its folders.
    reports_files: bool,
    /// The first process, once the launcher has told.
    process: Option<OwnedFd>,
    pub is_gone: bool,
    pub failure: Option<StepError>,
    measured: Option<Measured>,
    usage: Option<Usage>,
    is_to_be_repeatable: bool,
    is_repeatable: bool,
    /// What a jail made ahead has made of its order; `None` for one that had it from the start.
    taking: Option<Taking>,
    /// Which launcher it came from.
    launcher: u64,
    buffer: Vec<u8>,
}

/// How far a jail made ahead is with its order.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Taking {
    Waits,
    Taken,
    /// Its guest ended before.
    Never,
}

/// Why waiting was over.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Over {
    Gone,
    OutputLimit,
}

impl Drop for Running {
    /// A jail that is given up, for whatever reason, does not go on running.
    fn drop(&mut self) {
        if !self.is_gone {
            drop(self.kill());
        }
    }
}

impl Running {
    /// One that a launcher has been asked for, the one of this number. `is_held` if its order comes
    /// later.
    pub fn new(
        control: OwnedFd,
        streams: Streams,
        reports_files: bool,
        is_to_be_repeatable: bool,
        is_held: bool,
        launcher: u64,
    ) -> Self {
        Self {
            control,
            streams,
            reports_files,
            process: None,
            is_gone: false,
            failure: None,
            measured: None,
            usage: None,
            is_to_be_repeatable,
            is_repeatable: false,
            taking: is_held.then_some(Taking::Waits),
            launcher,
            buffer: vec![0; message::LIMIT_BYTES],
        }
    }

    /// Waits until the jail is gone or must go.
    pub fn wait(
        &mut self,
        started: Instant,
        limit: Duration,
        should_stop: &dyn Fn() -> bool,
    ) -> Result<Over, JailError> {
        while !self.is_gone {
            if should_stop() {
                return Err(JailError::Stopped);
            }
            let left = limit.saturating_sub(started.elapsed());
            if left.is_zero() {
                return Err(JailError::TimedOut(limit));
            }
            self.turn(left.min(TICK))?;
            if self.streams.stdout.is_over_limit() {
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

    /// Whether one made ahead still waits for its order, as far as can be seen from here and now.
    pub fn still_waits(&mut self) -> bool {
        self.turn_for(0).is_ok()
            && !self.is_gone
            && self.failure.is_none()
            && self.taking == Some(Taking::Waits)
    }

    /// Waits until one made ahead has taken its order.
    ///
    /// # Errors
    /// [`JailError::Gone`] if it never will, for whatever reason; the limit and the caller's wish
    /// as ever.
    pub fn until_taken(
        &mut self,
        started: Instant,
        limit: Duration,
        should_stop: &dyn Fn() -> bool,
    ) -> Result<(), JailError> {
        while self.taking == Some(Taking::Waits) {
            if should_stop() {
                return Err(JailError::Stopped);
            }
            let left = limit.saturating_sub(started.elapsed());
            if left.is_zero() {
                return Err(JailError::TimedOut(limit));
            }
            let turned = self.turn(left.min(TICK));
            // What it says last is read with its end.
            let is_over = turned.is_err() || self.is_gone || self.failure.is_some();
            if is_over && self.taking != Some(Taking::Taken) {
                return Err(JailError::Gone);
            }
        }
        if self.taking == Some(Taking::Never) {
            Err(JailError::Gone)
        } else {
            Ok(())
        }
    }

    /// Waits once, at most so long, and takes in whatever there is.
    fn turn(&mut self, at_most: Duration) -> Result<(), JailError> {
        // Rounded up, or the last millisecond would be spent in a circle.
        self.turn_for(i32::try_from(at_most.as_millis() + 1).unwrap_or(i32::MAX))
    }

    fn turn_for(&mut self, at_most_ms: i32) -> Result<(), JailError> {
        let process = self
            .process
            .as_ref()
            .map_or(const { Waiting::nothing() }, Waiting::to_read);
        let mut waiting = [
            Waiting::to_read(&self.control),
            self.streams.stdout.waiting(),
            self.streams.stderr.waiting(),
            process,
            self.streams.files.waiting(),
        ];
        if (self.process.is_some() && self.taking != Some(Taking::Waits)) || self.failure.is_some()
        {
            // The rest of what the jail tells is read when it is gone; waking up for it would only
            // delay the guest.
            waiting[0] = const { Waiting::nothing() };
        }
        fd::poll(&mut waiting, at_most_ms).map_err(JailError::host("waiting for the jail"))?;
        if waiting[3].happened() {
            self.is_gone = true;
        }
        if waiting[0].happened() || self.is_gone {
            self.listen()?;
        }
        self.streams.stdout.read(&mut self.buffer)?;
        self.streams.stderr.read(&mut self.buffer)?;
        self.streams.files.read(&mut self.buffer)
    }

    /// Takes in what launcher and jail have said.
    fn listen(&mut self) -> Result<(), JailError> {
        loop {
            let mut waiting = [Waiting::to_read(&self.control)];
            fd::poll(&mut waiting, 0).map_err(JailError::host("waiting for the jail"))?;
            if !waiting[0].happened() {
                return Ok(());
            }
            let received = socket::receive(self.control.as_fd(), &mut self.buffer);
            let (length, mut passed) =
                received.map_err(JailError::host("hearing from the jail"))?;
            if length == 0 {
                // Everybody who could say more is gone, or about to be.
                return if self.process.is_none() {
                    Err(JailError::LauncherDied)
                } else {
                    Ok(())
                };
            }
            let told = message::parse(&self.buffer[..length])
                .map_err(JailError::host("understanding the jail"))?;
            match told {
                Message::Started => self.process = passed.pop(),
                Message::Failed(error) => self.failure = Some(error),
                Message::Measured(bytes) => self.measured = Some(Measured::parse(&bytes)),
                Message::Ended(usage) => self.usage = Some(usage),
                Message::Repeatable => self.is_repeatable = true,
                Message::Taken => self.taking = Some(Taking::Taken),
                Message::Unused => self.taking = Some(Taking::Never),
                Message::Ready(_) => {}
            }
        }
    }

    pub fn kill(&self) -> Result<(), JailError> {
        self.process.as_ref().map_or(Ok(()), |process| {
            process::kill(process.as_fd()).map_err(JailError::host("killing the jail"))
        })
    }

    /// Waits for a jail that was killed.
    pub fn until_gone(&mut self) -> Result<(), JailError> {
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
    pub fn make_end(&mut self, jail: &Jail) -> Result<(), JailError> {
        let deadline = Instant::now() + GRACE;
        while self.process.is_none() && self.failure.is_none() {
            if Instant::now() >= deadline {
                // With the launcher goes every jail, this one too. The next run starts another.
                lock(&jail.starter).give_up();
                return Err(JailError::LauncherDied);
            }
            self.turn(TICK)?;
        }
        self.kill()?;
        self.until_gone()
    }

    pub fn finish(
        &mut self,
        jail: &Jail,
        group: &Group,
        over: Over,
        started: Instant,
    ) -> Result<Report, JailError> {
        // All writers are dead: what they wrote is in the pipes.
        self.listen_to_the_end()?;
        if self.taking == Some(Taking::Never) {
            return Err(JailError::Gone);
        }
        let elapsed = started.elapsed();
        let used = group.usage();
        if used.memory_kills > 0 && !used.was_at_memory_limit {
            // Whatever the skill made of it: with more memory around it, it would have done
            // otherwise.
            return Err(JailError::HostMemory);
        }
        if self.measured.is_none() && used.memory_kills > 0 {
            return Err(JailError::Invalid(String::from(
                "the memory limit is too small for any program in a jail",
            )));
        }
        if let Some(error) = self.failure.take() {
            let is_program = error.step.starts_with("starting ") && self.measured.is_some();
            return Err(if is_program {
                JailError::NotStarted(error)
            } else {
                JailError::Setup(error)
            });
        }
        let ending = self.ending(jail, over, &used)?;
        let measured = self
            .measured
            .take()
            .ok_or_else(|| JailError::NotAsOrdered(String::from("nothing was measured")));
        let measured = measured?;
        group
            .check_entered(&measured.cgroups)
            .map_err(JailError::NotAsOrdered)?;
        if self.is_to_be_repeatable && !self.is_repeatable && !ended_early(ending) {
            return Err(JailError::NotAsOrdered(String::from(
                "its time and randomness are the machine's",
            )));
        }
        let left = self.left_files(ending)?;
        let usage = self.usage.unwrap_or_default();
        Ok(Report {
            left,
            ending,
            stdout: self.streams.stdout.take_output().kept,
            stderr: self.streams.stderr.take_output(),
            cpu: Duration::from_micros(used.cpu_us.unwrap_or(0).max(usage.cpu_us)),
            peak_memory_bytes: used.peak_memory_bytes.unwrap_or(usage.peak_resident_bytes),
            elapsed,
            measured,
            is_repeatable: self.is_repeatable,
            group_limits: group_limits(&jail.places),
        })
    }

    fn listen_to_the_end(&mut self) -> Result<(), JailError> {
        // At most what the pipes hold, which is below one turn's share.
        self.turn(Duration::ZERO)
    }

    /// What the guest left in its folders, if it was asked for and could be said: a jail that had to
    /// be ended, for want of memory or because of what it printed, says nothing.
    fn left_files(&mut self, ending: Ending) -> Result<Option<LeftFiles>, JailError> {
        let was_ended = matches!(ending, Ending::OutOfMemory | Ending::OutputLimit);
        let sent = self.streams.files.take_output();
        if !self.reports_files || (was_ended && sent.kept.is_empty()) {
            return Ok(None);
        }
        match LeftFiles::parse(&sent.kept) {
            Ok(left) => Ok(Some(left)),
            Err(_) if was_ended => Ok(None),
            Err(error) => Err(JailError::NotAsOrdered(format!(
                "what it says of its files is no list of files: {error}"
            ))),
        }
    }

    fn ending(&self, jail: &Jail, over: Over, used: &GroupUsage) -> Result<Ending, JailError> {
        if over == Over::OutputLimit || self.streams.stdout.is_over_limit() {
            return Ok(Ending::OutputLimit);
        }
        let ended = self.usage.map(|usage| Ending::from_status(usage.status));
        match ended {
            Some(Ending::Exited(0)) => Ok(Ending::Exited(0)),
            // The kernel kills one process; what else then fails, fails for want of it.
            Some(_) | None if used.memory_kills > 0 => Ok(Ending::OutOfMemory),
            Some(ending) => Ok(ending),
            // Another order may have started the next launcher meanwhile.
            None if !lock(&jail.starter).is_alive_as(self.launcher) => Err(JailError::LauncherDied),
            None => Err(JailError::NotAsOrdered(String::from(
                "its first process was killed from outside",
            ))),
        }
    }
}

/// Whether the kernel may have ended the guest before its first program began: no world was told of
/// then, and none seen.
fn ended_early(ending: Ending) -> bool {
    !matches!(ending, Ending::Exited(_))
}

fn group_limits(places: &Places) -> Vec<(&'static str, u32)> {
    let version = |controller| match places.of(controller) {
        Place::Version2(_) => Some((controller.name(), 2)),
        Place::Version1(_) => Some((controller.name(), 1)),
        Place::Nowhere(_) => None,
    };
    Controller::ALL.into_iter().filter_map(version).collect()
}
