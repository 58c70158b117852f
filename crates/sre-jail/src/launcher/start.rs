//! From a freshly started program to process 1 of namespaces of its own.

use std::ffi::OsStr;
use std::fs;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use super::{serve, template};
use crate::step::{Step, StepError};
use crate::sys::process::{self, Forked};
use crate::sys::{self, fd, socket};
use crate::{message, seccomp};

/// The first user and group number on the host that jails started by root use, and how many. Above
/// what distributions give out, below 2^31; the same idea as the container ranges of systemd,
/// behind its own.
pub const FIRST_HOST_ID: u32 = 0x7000_0000;
const HOST_IDS: u32 = 65_536;

/// The launcher as it starts: tells the other end of standard input that it is ready, or why it is
/// not.
pub fn run(marker: &OsStr) -> ! {
    let stdin = io::stdin();
    let Ok(socket) = fd::duplicate_above(stdin.as_fd(), 10) else {
        process::exit(1)
    };
    let root = template::Root::from_marker(marker);
    match first_stage(&socket, &root) {
        Ok(()) => process::exit(0),
        Err(error) => {
            drop(socket::send(socket.as_fd(), &message::failure(&error), &[]));
            process::exit(1)
        }
    }
}

/// Makes the namespaces and their maps; the copy inside goes on, this process ends.
fn first_stage(socket: &OwnedFd, root: &template::Root) -> Result<(), StepError> {
    let threads = fs::read_dir("/proc/self/task")
        .step("counting threads")?
        .count();
    if threads != 1 {
        return Err(StepError::new(
            "starting the launcher",
            format!("{threads} threads, it must be the only one"),
        ));
    }
    process::new_session().step("a session of its own")?;
    let go = fd::event().step("an event")?;
    match process::fork_into(process::NAMESPACES, None).step("new namespaces (clone3)")? {
        Forked::Child => {
            if let Err(error) = second_stage(socket, &go, root) {
                drop(socket::send(socket.as_fd(), &message::failure(&error), &[]));
            }
            process::exit(1)
        }
        Forked::Parent(pid, pidfd) => {
            let (user, group) = process::who();
            let mapped =
                write_maps(&pid.to_string(), user, group).step("the user map of the launcher");
            if mapped.is_err() {
                drop(process::kill(pidfd.as_fd()));
            }
            mapped?;
            // The host can end it without asking it.
            socket::send(socket.as_fd(), &message::started(), &[pidfd.as_fd()])
                .step("telling that it started")?;
            fd::write_all(go.as_fd(), &1_u64.to_ne_bytes()).step("starting the second stage")
        }
    }
}

/// Root gives the launcher numbers that no user has. Other users can give only their own.
fn write_maps(pid: &str, user: u32, group: u32) -> io::Result<()> {
    let (users, groups) = if user == 0 {
        let range = format!("0 {FIRST_HOST_ID} {HOST_IDS}");
        (range.clone(), range)
    } else {
        fs::write(format!("/proc/{pid}/setgroups"), "deny")?;
        (format!("0 {user} 1"), format!("0 {group} 1"))
    };
    fs::write(format!("/proc/{pid}/uid_map"), users)?;
    fs::write(format!("/proc/{pid}/gid_map"), groups)
}

/// Process 1 of the new namespaces.
fn second_stage(socket: &OwnedFd, go: &OwnedFd, root: &template::Root) -> Result<(), StepError> {
    wait_for(go.as_fd()).step("waiting for the user map")?;
    let distinct = fs::read_to_string("/proc/self/uid_map").step("reading the user map")?;
    let ids = distinct
        .split_whitespace()
        .nth(2)
        .and_then(|count| count.parse().ok())
        .unwrap_or(1);
    if ids > 1 {
        process::leave_groups().step("leaving groups")?;
    }
    let programs = root.open()?;
    process::become_user(0, 0).step("becoming the user of the namespace")?;
    // Each jail maps its user to the one this process acts as while it is made; that must not cost
    // it its rights.
    process::keep_rights_of_any_user().step("keeping its rights")?;
    // Another user's number took it away, and without it the maps of jails cannot be written.
    process::set_dumpable(true).step("owning its own /proc entries")?;
    let maps = fs::read_to_string("/proc/self/maps").step("looking for the kernel's time")?;
    let newest_first = template::enter(&programs)?;
    drop(programs);
    let filter = seccomp::compile(&seccomp::rules());
    let repeatable_filter = seccomp::compile(&seccomp::repeatable_rules());
    let unrepeatable = why_not_repeatable(&repeatable_filter)?;
    // Here and not in each jail, which would take sixty calls.
    process::reset_signals().step("default signals")?;
    process::ignore_children(true).step("forgetting children")?;
    socket::send(
        socket.as_fd(),
        &message::ready(unrepeatable.as_deref()),
        &[],
    )
    .step("telling that it is ready")?;
    serve::run(
        socket,
        &serve::Shared {
            filter,
            repeatable_filter,
            kernel_time_bytes: kernel_time_bytes(&maps),
            newest_first,
            ids,
        },
    )
}

/// What [`serve::Shared::kernel_time_bytes`] says: the lengths of all mappings right in front of
/// `[vdso]` whose names begin with `[vvar`.
fn kernel_time_bytes(maps: &str) -> Option<u64> {
    let (mut bytes, mut end) = (0, 0);
    for line in maps.lines() {
        let (range, rest) = line.split_once(' ')?;
        let (from, to) = range.split_once('-')?;
        let (from, to) = (
            u64::from_str_radix(from, 16).ok()?,
            u64::from_str_radix(to, 16).ok()?,
        );
        let name = rest.rsplit(' ').next()?;
        if name == "[vdso]" {
            return (bytes > 0 && end == from).then_some(bytes);
        }
        let follows = end == from;
        end = to;
        bytes = if !name.starts_with("[vvar") {
            0
        } else {
            to - from + if follows { bytes } else { 0 }
        };
    }
    None
}

/// Whether calls can be answered and programs be stopped where they begin; else what is in the way.
fn why_not_repeatable(filter: &[libc::sock_filter]) -> Result<Option<String>, StepError> {
    // The processes of a jail have no capability, and may be traced by their first process alone.
    let scope = fs::read_to_string("/proc/sys/kernel/yama/ptrace_scope").unwrap_or_default();
    if matches!(scope.trim(), "2" | "3") {
        return Ok(Some(format!(
            "kernel.yama.ptrace_scope is {}",
            scope.trim()
        )));
    }
    match process::fork_into(0, None).step("a process to try a filter (clone3)")? {
        Forked::Child => {
            let installed = process::set_no_new_privileges()
                .and_then(|()| sys::seccomp::install_with_listener(filter).map(drop));
            process::exit(
                installed
                    .err()
                    .and_then(|error| error.raw_os_error())
                    .unwrap_or(0),
            )
        }
        Forked::Parent(..) => {
            let ended = process::wait_any().step("trying a filter")?;
            let errno = libc::WEXITSTATUS(ended.status);
            let told = || {
                format!(
                    "calls cannot wait for an answer here: {}",
                    io::Error::from_raw_os_error(errno)
                )
            };
            Ok((errno != 0 || libc::WIFSIGNALED(ended.status)).then(told))
        }
    }
}

/// Waits until something has been written to an event.
fn wait_for(event: BorrowedFd<'_>) -> io::Result<()> {
    let mut buffer = [0; 8];
    while fd::read(event, &mut buffer)?.is_none() {}
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_time_is_what_is_right_in_front_of_its_fast_clock() {
        let newer = "7000-9000 rw-p 00000000 00:00 0 \n9000-d000 r--p 00000000 00:00 0    [vvar]\n\
            d000-f000 r--p 00000000 00:00 0    [vvar_vclock]\nf000-11000 r-xp 00000000 00:00 0    [vdso]\n";
        let older = "1000-5000 r--p 00000000 00:00 0    [vvar]\n5000-6000 r-xp 00000000 00:00 0    [vdso]\n";
        assert_eq!(
            (kernel_time_bytes(newer), kernel_time_bytes(older)),
            (Some(0x6000), Some(0x4000))
        );
        let apart = older.replace("5000-6000", "6000-7000");
        let without = "1000-5000 r--p 00000000 00:00 0    [heap]\n5000-6000 r-xp 00000000 00:00 0    [vdso]\n";
        for maps in [&*apart, without, "", "nonsense"] {
            assert_eq!(kernel_time_bytes(maps), None, "{maps}");
        }
    }
}
