//! The first process of a jail: builds what the guest sees, confines a copy of itself, and waits.
//!
//! | file | holds |
//! |---|---|
//! | `view` | mounts, package, names: what the guest sees |
//! | `confine` | capabilities, limits, Landlock, filter: what it may do |
//! | `landlock` | the second layer over the files |
//! | `guest` | its process, from the fork to its own program |
//! | `held` | one that was started before its order came |
//! | `supervisor` | time and randomness of the spec, for guests that are given them |
//!
//! It has every capability inside the jail's user namespace while it builds, none afterwards, and
//! none outside at any time. The guest is its child, number 2, so that signals and orphans behave
//! as anywhere; when this process ends, the kernel ends all others.

mod confine;
mod guest;
mod held;
mod landlock;
mod supervisor;
mod view;

use std::os::fd::{AsFd, AsRawFd, OwnedFd};

use crate::launcher::serve::Shared;
use crate::left_files::Reported;
use crate::message::{self, Usage};
use crate::spec::GUEST_ID;
use crate::step::{Step, StepError};
use crate::sys::process::{self, Forked};
use crate::sys::{fd, socket};

use guest::Guest;
use held::{Held, read_spec};
use supervisor::Supervisor;

/// The descriptors that came with an order.
pub struct Seed {
    /// Where to tell what happens.
    pub control: OwnedFd,
    /// The order itself.
    pub spec: OwnedFd,
    /// Standard input of the guest.
    pub stdin: OwnedFd,
    /// Standard output of the guest.
    pub stdout: OwnedFd,
    /// Standard error of the guest.
    pub stderr: OwnedFd,
    /// Where to send what the guest left in its folders.
    pub files: OwnedFd,
    /// Files of version 1 cgroups to enter by writing to them.
    pub cgroups: Vec<OwnedFd>,
}

/// Never returns. The host learns everything from the control socket.
pub fn run(seed: &Seed, id: u32, shared: &Shared) -> ! {
    let ended = prepare(seed, id, shared).and_then(|mut started| {
        let usage = started.wait(seed, shared)?;
        end_all_others()?;
        // Only now may go what answers the guest's calls: while a process of the guest's lived, a
        // call of its would have failed as if this kernel did not know it.
        drop(started.supervisor.take());
        if let (Some(_), Some(reported)) = (&usage, started.reported) {
            let to = seed.files.try_clone().step("what is left")?;
            reported.send(to).step("reading what is left")?;
        }
        Ok(usage)
    });
    let told = match &ended {
        Ok(Some(usage)) => message::ended(usage),
        // It ended before it had anything to do.
        Ok(None) => message::unused(),
        Err(error) => message::failure(error),
    };
    drop(socket::send(seed.control.as_fd(), &told, &[]));
    process::exit(i32::from(ended.is_err()))
}

/// The end of the guest's first process is the end of the guest: everything else is killed, and
/// nothing is alive when this returns.
fn end_all_others() -> Result<(), StepError> {
    process::kill_all_others();
    // Orphans become children of this process, so there are no others when there are no children.
    while process::wait_any_kind().is_ok() {}
    if process::has_others() {
        let why = "a process of the guest's outlived the others";
        return Err(StepError::new("ending the jail", why));
    }
    Ok(())
}

/// A guest that has started.
struct Started {
    supervisor: Option<Supervisor>,
    held: Option<Held>,
    /// Which of its files are sent to the host at the end.
    reported: Option<Reported>,
}

impl Started {
    /// Waits for the guest's end, answers its calls until then, and in between, if it is held, gives
    /// it its order. `None` if it ended before.
    fn wait(&mut self, seed: &Seed, shared: &Shared) -> Result<Option<Usage>, StepError> {
        let Some(supervisor) = &mut self.supervisor else {
            return match self.held.take() {
                Some(held) => Ok(held.release(seed, shared)?.and_then(|released| {
                    let usage = wait_for_guest();
                    released.was_read().then_some(usage)
                })),
                None => Ok(Some(wait_for_guest())),
            };
        };
        let Some(held) = self.held.take() else {
            let usage = supervisor.run(&seed.control, None)?;
            return Ok(Some(usage.unwrap_or_default()));
        };
        if supervisor
            .run(&seed.control, Some(&seed.control))?
            .is_some()
        {
            return Ok(None);
        }
        let Some(released) = held.carry_out(seed, shared)? else {
            return Ok(None);
        };
        if let Some(determinism) = released.spec.determinism {
            supervisor.begin_again(&determinism);
        }
        let usage = supervisor.run(&seed.control, None)?.unwrap_or_default();
        Ok(released.was_read().then_some(usage))
    }
}

/// Leaves what the launcher had, and becomes the guest's user. Returns the cgroups it is in.
fn enter(seed: &Seed, id: u32) -> Result<String, StepError> {
    // The launcher's descriptors were copied with it; of these, none must be left.
    let files = [
        &seed.control,
        &seed.spec,
        &seed.stdin,
        &seed.stdout,
        &seed.stderr,
        &seed.files,
    ];
    let mut kept: Vec<_> = files
        .into_iter()
        .chain(&seed.cgroups)
        .map(AsRawFd::as_raw_fd)
        .collect();
    kept.sort_unstable();
    fd::close_all_from(0, &kept).step("closing what is not its own")?;
    map_user(id).step("the user map of the jail")?;

    for cgroup in &seed.cgroups {
        // 0 is the writer. Written by the process itself, this takes no global lock.
        fd::write_all(cgroup.as_fd(), b"0").step("entering the cgroup")?;
    }
    let cgroups = std::fs::read_to_string("/proc/self/cgroup").step("reading the cgroups")?;
    process::unshare(libc::CLONE_NEWCGROUP).step("a cgroup namespace")?;
    process::new_session().step("a session of its own")?;
    process::become_user(GUEST_ID, GUEST_ID).step("becoming the guest's user")?;
    process::set_dumpable(true).step("owning its own /proc entries")?;
    Ok(cgroups)
}

/// Builds what the guest sees, and starts it.
fn prepare(seed: &Seed, id: u32, shared: &Shared) -> Result<Started, StepError> {
    let cgroups = enter(seed, id)?;
    let (spec, is_held) = read_spec(&seed.spec)?;
    let view::Built { package, devices } = view::build(&spec, is_held, shared.newest_first)?;
    let (gate, opens_gate) = is_held
        .then(socket::stream_pair)
        .transpose()
        .step("a socket pair")?
        .unzip();
    confine::limits(&spec.limits)?;
    process::set_no_new_privileges().step("no new privileges")?;
    process::drop_capabilities().step("dropping capabilities")?;

    let pair = spec
        .determinism
        .is_some()
        .then(socket::socket_pair)
        .transpose()
        .step("a socket pair")?;
    let (takes_over, hands_over) = pair.unzip();
    process::set_dumpable(false).step("hiding from the guest")?;
    process::ignore_children(false).step("default signals")?;
    match process::fork_into(0, None).step("the guest's process (clone3)")? {
        Forked::Child => {
            let (gate, hands_over) = (gate.as_ref(), hands_over.as_ref());
            Guest {
                seed,
                spec: &spec,
                shared,
                cgroups: &cgroups,
                gate,
                hands_over,
            }
            .start()
        }
        Forked::Parent(_, guest) => {
            let held = package.zip(opens_gate).map(|(package, gate)| Held {
                package,
                gate,
                guest,
            });
            // Before all others are closed by number: these would be closed twice.
            drop((gate, hands_over));
            close_the_guests(seed, held.as_ref(), takes_over.as_ref(), devices.as_ref())?;
            let supervisor = match (takes_over, devices, &spec.determinism) {
                (Some(from), Some(devices), Some(told)) => take_over(&from)?
                    .map(|listener| {
                        Supervisor::new(
                            listener,
                            devices,
                            told,
                            spec.limits.memory_bytes,
                            shared.kernel_time_bytes,
                        )
                    })
                    .transpose()?,
                _ => None,
            };
            Ok(Started {
                supervisor,
                held,
                reported: Reported::of(&spec),
            })
        }
    }
}

/// What the guest reads and writes must end when the guest ends, not when this process does.
fn close_the_guests(
    seed: &Seed,
    held: Option<&Held>,
    supervisor: Option<&OwnedFd>,
    devices: Option<&OwnedFd>,
) -> Result<(), StepError> {
    let mut kept = vec![seed.control.as_raw_fd(), seed.files.as_raw_fd()];
    kept.extend(
        held.iter()
            .flat_map(|held| [&held.package, &held.gate, &held.guest])
            .map(AsRawFd::as_raw_fd),
    );
    kept.extend(
        supervisor
            .into_iter()
            .chain(devices)
            .map(AsRawFd::as_raw_fd),
    );
    kept.sort_unstable();
    fd::close_all_from(0, &kept).step("closing the guest's files")
}

/// Receives where the guest's calls wait; `None` if it failed before, which it has told.
fn take_over(from: &OwnedFd) -> Result<Option<OwnedFd>, StepError> {
    let (_, mut passed) =
        socket::receive(from.as_fd(), &mut [0; 8]).step("taking over the guest's calls")?;
    Ok(passed.pop())
}

/// The guest's user inside is the one outside that the launcher acted as when it made this process.
fn map_user(id: u32) -> std::io::Result<()> {
    // Without this the entries in `/proc` would not be its own.
    process::set_dumpable(true)?;
    let map = format!("{GUEST_ID} {id} 1");
    std::fs::write("/proc/self/setgroups", "deny")?;
    std::fs::write("/proc/self/uid_map", &map)?;
    std::fs::write("/proc/self/gid_map", &map)
}

/// Waits for the guest, and on the way for everything that lost its parent.
fn wait_for_guest() -> Usage {
    const GUEST: process::Pid = 2;
    let mut usage = Usage::default();
    loop {
        let Ok(ended) = process::wait_any() else {
            return usage;
        };
        usage.cpu_us += ended.cpu_us;
        usage.peak_resident_bytes = usage.peak_resident_bytes.max(ended.peak_resident_bytes);
        if ended.pid == GUEST {
            usage.status = ended.status;
            return usage;
        }
    }
}
