//! Jails made ahead: the guest has started and waits for its order.

use std::os::fd::{AsFd, OwnedFd};
use std::time::Instant;

use super::Jail;
use super::check::check;
use super::error::JailError;
use super::report::Report;
use super::run::{memory_file, start, to_the_end};
use super::running::Running;
use crate::cgroup::Group;
use crate::spec::{Limits, ProcessSpec};
use crate::sys::{fd, socket};
use crate::wire;

/// A jail made ahead: its guest has started and waits for an order. Used once; dropping it ends it.
pub struct Held {
    running: Running,
    group: Group,
    stdin: OwnedFd,
    limits: Limits,
}

impl Held {
    /// Makes one. `order` is what its guest starts with; see [`Jail::hold`].
    pub(super) fn make(jail: &Jail, spec: &ProcessSpec) -> Result<Self, JailError> {
        check(spec)?;
        let group =
            Group::make(&jail.places, &spec.limits).map_err(JailError::host("making a cgroup"))?;
        let (running, stdin) = start(jail, spec, &group, true)?;
        Ok(Self {
            running,
            group,
            stdin,
            limits: spec.limits,
        })
    }

    /// The limits it was made with; an order must have the same.
    #[must_use]
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Whether its guest still waits, as far as is known. One that ends a moment later says so when
    /// it is run.
    pub fn is_waiting(&mut self) -> bool {
        self.running.still_waits()
    }

    /// Carries out an order.
    ///
    /// # Errors
    /// As [`Jail::run`]; [`JailError::Invalid`] too if the order has other limits, and
    /// [`JailError::Gone`] if the jail has ended without it.
    pub fn run(
        mut self,
        jail: &Jail,
        spec: &ProcessSpec,
        should_stop: &dyn Fn() -> bool,
    ) -> Result<Report, JailError> {
        check(spec)?;
        if spec.limits != self.limits {
            return Err(JailError::Invalid(String::from(
                "a jail that was made ahead has other limits",
            )));
        }
        if should_stop() {
            return Err(JailError::Stopped);
        }
        let started = Instant::now();
        // Written behind the guest's back: it reads from the start, and nothing is written after this.
        let filled = fd::write_all(self.stdin.as_fd(), &spec.stdin);
        let filled = filled
            .and_then(|()| fd::rewind(self.stdin.as_fd()))
            .and_then(|()| fd::seal(self.stdin.as_fd()));
        filled.map_err(JailError::host("filling standard input"))?;
        let file = memory_file("order", &wire::encode(spec, false))?;
        if socket::send(self.running.control.as_fd(), &[1], &[file.as_fd()]).is_err() {
            return Err(JailError::Gone);
        }
        // No end of this jail before that would be an end of the order.
        self.running
            .until_taken(started, spec.limits.wall, should_stop)?;
        to_the_end(
            jail,
            &mut self.running,
            &self.group,
            spec,
            started,
            should_stop,
        )
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        // Its first process ends when this end is closed; a kill is surer, and the
        // group waits for it.
        if !self.running.is_gone && self.running.kill().is_ok() {
            drop(self.running.until_gone());
        }
    }
}
