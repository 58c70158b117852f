//! The launcher: a small process that makes jails, so that a large one with many threads never
//! forks.
//!
//! It is this very program, started again with a marker in its environment and a socket as standard
//! input; `main` hands over with [`enter_if_asked`] before it does anything else. It has one thread
//! and no state but a template:
//!
//! 1. *start*: into namespaces of its own. Started by root, it becomes a user of its own;
//!    started by anybody else, it has no rights of its starter's but over itself. It is process 1
//!    of its process namespace: when it dies, for whatever reason, the kernel ends every jail with
//!    it.
//! 2. *template*: a root folder in memory with the host's programs, read-only, becomes its root;
//!    the host's files are gone from its sight for good.
//! 3. *serve*: for each message, one copy of itself in new namespaces, which is the first process
//!    of a jail (`init`). A jail's mount namespace is a copy of the launcher's: ten mounts, none of
//!    the host's.
//!
//! It reads nothing of an order but how many descriptors came with it. Guests cannot reach it: they
//! are in other process, user, mount and network namespaces and hold no descriptor of its.

pub(crate) mod serve;
pub(crate) mod start;
mod template;

use std::os::fd::AsFd;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::sys;

pub use start::FIRST_HOST_ID;
pub use template::Root;

/// The marker, and how the launcher learns the root folder it is to use.
pub(crate) const MARKER: &str = "SRE_JAIL_LAUNCHER";

static MAY_BE_STARTED_AGAIN: AtomicBool = AtomicBool::new(false);

/// Becomes the launcher if this process was started as one; else notes that this program can be
/// started as one, and returns.
///
/// Call it first in `main`, before threads, arguments and output. A program that never calls it
/// must name another one in [`LauncherProgram`](crate::LauncherProgram).
pub fn enter_if_asked() {
    MAY_BE_STARTED_AGAIN.store(true, Ordering::Relaxed);
    let Some(marker) = std::env::var_os(MARKER) else {
        return;
    };
    if !sys::socket::is_message_socket(std::io::stdin().as_fd()) {
        return;
    }
    start::run(&marker)
}

/// Whether this program called [`enter_if_asked`].
pub(crate) fn may_start_this_program() -> bool {
    MAY_BE_STARTED_AGAIN.load(Ordering::Relaxed)
}
