//! One message, one jail.

use std::os::fd::{AsFd, OwnedFd};

use crate::step::{Step, StepError};
use crate::sys::fd::{self, Waiting};
use crate::sys::process::{self, Forked};
use crate::sys::socket;
use crate::{init, message};

/// What every jail starts from.
pub struct Shared {
    /// The compiled system call filter.
    pub filter: Vec<libc::sock_filter>,
    /// The same for guests with a world of their own.
    pub repeatable_filter: Vec<libc::sock_filter>,
    /// How many bytes of the kernel's time are mapped in front of its fast clock in every program,
    /// if there are any and nothing else is between.
    pub kernel_time_bytes: Option<u64>,
    /// See [`super::template::enter`].
    pub newest_first: bool,
    /// How many user numbers the launcher has.
    pub ids: u32,
}

/// The byte of a message whose last descriptor is a version 2 cgroup: a jail can be born there, if
/// the launcher may do that. What follows the first five descriptors otherwise are files to which a
/// process writes in order to enter a cgroup; with a version 2 cgroup, the first of them is that
/// one's.
pub(crate) const INTO_CGROUP: u8 = 1;

/// Serves until the host closes its end.
///
/// A network namespace takes longer to make than all others together. So the launcher is always in
/// an unused one, which the next jail inherits, and steps into another as soon as a jail has
/// started. It belongs to the launcher's user namespace: not even with every capability in its own
/// could a guest set it up.
pub fn run(socket: &OwnedFd, shared: &Shared) -> ! {
    let mut counter = 0_u32;
    let mut leftovers: Vec<Leftover> = Vec::new();
    loop {
        if process::unshare(libc::CLONE_NEWNET).is_err() {
            // Two jails must never share one. The host starts another launcher.
            process::exit(1);
        }
        wait(socket, &mut leftovers);
        let mut buffer = [0; 8];
        match socket::receive(socket.as_fd(), &mut buffer) {
            // The host is gone. So are all jails, with this process.
            Ok((0, _)) => process::exit(0),
            Ok((_, passed)) => {
                counter = counter.wrapping_add(1);
                leftovers.extend(serve(
                    buffer[0],
                    passed,
                    shared,
                    guest_id(counter, shared.ids),
                ));
            }
            Err(error) if error.raw_os_error() == Some(libc::EMSGSIZE) => {}
            Err(_) => process::exit(1),
        }
    }
}

/// What is kept of a jail until it has ended: its mounts, which take longer to take down than all
/// else, and would be taken down by its first process before anybody hears that it has ended.
struct Leftover {
    process: OwnedFd,
    _mounts: OwnedFd,
}

/// Waits for an order, and lets go of what is left of jails that have ended.
fn wait(socket: &OwnedFd, leftovers: &mut Vec<Leftover>) {
    loop {
        let mut waiting = vec![Waiting::to_read(socket)];
        waiting.extend(leftovers.iter().map(|left| Waiting::to_read(&left.process)));
        if fd::poll(&mut waiting, -1).is_err() || waiting[0].happened() {
            return;
        }
        let mut ended = waiting[1..].iter().map(Waiting::happened);
        leftovers.retain(|_| !ended.next().unwrap_or(false));
    }
}

/// Each jail is another user of the launcher's namespace, if it has more than one.
fn guest_id(counter: u32, ids: u32) -> u32 {
    if ids > 1 { 1 + counter % (ids - 1) } else { 0 }
}

fn serve(kind: u8, passed: Vec<OwnedFd>, shared: &Shared, id: u32) -> Option<Leftover> {
    let mut passed = passed.into_iter();
    // The host sends these six with every message.
    let (Some(control), Some(spec), Some(stdin), Some(stdout), Some(stderr), Some(files)) = (
        passed.next(),
        passed.next(),
        passed.next(),
        passed.next(),
        passed.next(),
        passed.next(),
    ) else {
        return None;
    };
    let mut cgroups: Vec<OwnedFd> = passed.collect();
    let cgroup = if kind == INTO_CGROUP {
        cgroups.pop()
    } else {
        None
    };
    let mut seed = init::Seed {
        control,
        spec,
        stdin,
        stdout,
        stderr,
        files,
        cgroups,
    };
    match start(&mut seed, cgroup.as_ref(), shared, id) {
        Ok(leftover) => leftover,
        Err(error) => {
            drop(socket::send(
                seed.control.as_fd(),
                &message::failure(&error),
                &[],
            ));
            None
        }
    }
}

fn start(
    seed: &mut init::Seed,
    cgroup: Option<&OwnedFd>,
    shared: &Shared,
    id: u32,
) -> Result<Option<Leftover>, StepError> {
    // The jail maps its own user, who must be this one.
    process::act_as(id).step("another user for the jail")?;
    let forked = match process::fork_into(process::NAMESPACES, cgroup.map(AsFd::as_fd)) {
        // Started by root, the launcher may not put processes into root's cgroups; the
        // jail enters by a file that root has opened.
        Err(error) if cgroup.is_some() && error.raw_os_error() == Some(libc::EACCES) => {
            process::fork_into(process::NAMESPACES, None)
        }
        Ok(Forked::Child) if cgroup.is_some() => {
            seed.cgroups.remove(0);
            Ok(Forked::Child)
        }
        other => other,
    };
    match forked.step("new namespaces (clone3)")? {
        Forked::Child => init::run(seed, id, shared),
        Forked::Parent(pid, process) => {
            let told = socket::send(
                seed.control.as_fd(),
                &message::started(),
                &[process.as_fd()],
            );
            if told.is_err() {
                // A jail that the host does not know of could not be killed.
                drop(process::kill(process.as_fd()));
            }
            told.step("telling that it started")?;
            let mounts = std::fs::File::open(format!("/proc/{pid}/ns/mnt")).ok();
            Ok(mounts.map(|mounts| Leftover {
                process,
                _mounts: mounts.into(),
            }))
        }
    }
}
