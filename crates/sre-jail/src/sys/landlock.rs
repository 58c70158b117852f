//! Landlock, Linux 5.13 and later. Kernel interface: `Documentation/userspace-api/landlock.rst`.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};
use std::ptr;

use super::check;
use super::fd::own;

/// `struct landlock_ruleset_attr` of interface version 6; older kernels are given the part they
/// know.
#[repr(C)]
struct Ruleset {
    handled_files: u64,
    handled_net: u64,
    scoped: u64,
}

/// `struct landlock_path_beneath_attr`, which the kernel declares packed.
#[repr(C, packed)]
struct PathBeneath {
    allowed: u64,
    parent: i32,
}

/// The interface version of this kernel, 0 if it has none.
pub fn version() -> u32 {
    const VERSION: u32 = 1;
    let none = ptr::null::<Ruleset>();
    // SAFETY: asking for the version takes a null and a size of 0.
    let answer = unsafe { libc::syscall(libc::SYS_landlock_create_ruleset, none, 0, VERSION) };
    u32::try_from(answer).unwrap_or(0)
}

/// A set of rules that handles these rights. `size` says how many of the three the kernel knows.
pub fn new_ruleset(files: u64, net: u64, scoped: u64, fields: usize) -> io::Result<OwnedFd> {
    let ruleset = Ruleset {
        handled_files: files,
        handled_net: net,
        scoped,
    };
    let size = fields.min(3) * size_of::<u64>();
    // SAFETY: `ruleset` is at least as long as the size that is told and outlives the call.
    own(unsafe {
        libc::syscall(
            libc::SYS_landlock_create_ruleset,
            &raw const ruleset,
            size,
            0,
        )
    })
}

/// Allows rights on a file or on everything below a folder.
pub fn allow(ruleset: BorrowedFd<'_>, place: BorrowedFd<'_>, rights: u64) -> io::Result<()> {
    const PATH_BENEATH: u32 = 1;
    let rule = PathBeneath {
        allowed: rights,
        parent: place.as_raw_fd(),
    };
    let number = ruleset.as_raw_fd();
    // SAFETY: `rule` has the layout of this rule type and outlives the call.
    check(unsafe {
        libc::syscall(
            libc::SYS_landlock_add_rule,
            number,
            PATH_BENEATH,
            &raw const rule,
            0,
        )
    })
    .map(drop)
}

/// Puts the rules on this process and everything it becomes. It needs `no_new_privs`.
pub fn restrict_self(ruleset: BorrowedFd<'_>) -> io::Result<()> {
    // SAFETY: numbers in, number out.
    check(unsafe { libc::syscall(libc::SYS_landlock_restrict_self, ruleset.as_raw_fd(), 0) })
        .map(drop)
}
