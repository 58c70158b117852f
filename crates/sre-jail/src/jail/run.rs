//! One run.
//!
//! The host makes the descriptors, hands them to the launcher and waits: for what the guest prints,
//! for what the jail tells, for the jail's first process to be gone, for the deadline. When that
//! process is gone, so is every other in the jail; the kernel sees to it before it lets us know.

use std::os::fd::{AsFd, OwnedFd};
use std::time::Instant;

use super::Jail;
use super::check::check;
use super::error::JailError;
use super::report::Report;
use super::running::{Running, Streams};
use super::starter::lock;
use super::streams::Stream;
use crate::cgroup::{Controller, Group, Place};
use crate::launcher::serve::INTO_CGROUP;
use crate::left_files::Reported;
use crate::spec::ProcessSpec;
use crate::sys::{fd, socket};
use crate::wire;

pub fn run(
    jail: &Jail,
    spec: &ProcessSpec,
    should_stop: &dyn Fn() -> bool,
) -> Result<Report, JailError> {
    check(spec)?;
    if should_stop() {
        return Err(JailError::Stopped);
    }
    let started = Instant::now();
    let group =
        Group::make(&jail.places, &spec.limits).map_err(JailError::host("making a cgroup"))?;
    let mut running = start(jail, spec, &group, false)?.0;
    to_the_end(jail, &mut running, &group, spec, started, should_stop)
}

pub(super) fn to_the_end(
    jail: &Jail,
    running: &mut Running,
    group: &Group,
    spec: &ProcessSpec,
    started: Instant,
    should_stop: &dyn Fn() -> bool,
) -> Result<Report, JailError> {
    let why = running.wait(started, spec.limits.wall, should_stop);
    if why.is_err() || running.failure.is_some() {
        running.make_end(jail)?;
    }
    running.finish(jail, group, why?, started)
}

/// Has a jail made; returns it and, of a held one, its standard input to be filled later.
pub(super) fn start(
    jail: &Jail,
    spec: &ProcessSpec,
    group: &Group,
    is_held: bool,
) -> Result<(Running, OwnedFd), JailError> {
    let mut sent = spec.clone();
    if matches!(jail.places.of(Controller::Memory), Place::Nowhere(_)) {
        sent.limits.address_space_bytes = Some(spec.limits.memory_bytes);
    }
    if jail.unrepeatable.is_some() {
        sent.determinism = None;
    }
    let spec_bytes = memory_file("order", &wire::encode(&sent, is_held))?;
    let stdin = match is_held {
        true => fd::memory_file("stdin").map_err(JailError::host("a file in memory"))?,
        false => memory_file("stdin", &spec.stdin)?,
    };
    let (stdout, their_stdout) = fd::pipe().map_err(JailError::host("a pipe"))?;
    let (stderr, their_stderr) = fd::pipe().map_err(JailError::host("a pipe"))?;
    let (files, their_files) = fd::pipe().map_err(JailError::host("a pipe"))?;
    let (control, their_control) =
        socket::socket_pair().map_err(JailError::host("a socket pair"))?;
    let (groups, born_into) = group
        .entries()
        .map_err(JailError::host("opening the cgroup"))?;

    let own = [
        &their_control,
        &spec_bytes,
        &stdin,
        &their_stdout,
        &their_stderr,
        &their_files,
    ];
    let passed: Vec<_> = own
        .into_iter()
        .chain(&groups)
        .chain(&born_into)
        .map(AsFd::as_fd)
        .collect();
    let kind = if born_into.is_some() { INTO_CGROUP } else { 0 };
    let launcher = lock(&jail.starter).send(kind, &passed)?;
    let stdout = Stream::new(stdout, spec.limits.stdout_bytes)?;
    let stderr = Stream::new(stderr, spec.limits.stderr_bytes)?;
    let reported = Reported::of(spec);
    let files_limit = reported.map_or(0, Reported::longest_message);
    let files = Stream::new(files, files_limit)?;
    Ok((
        Running::new(
            control,
            Streams {
                stdout,
                stderr,
                files,
            },
            reported.is_some(),
            sent.determinism.is_some(),
            is_held,
            launcher,
        ),
        stdin,
    ))
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
