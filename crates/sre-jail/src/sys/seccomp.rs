//! Putting a filter on this process.

use std::io;
use std::os::fd::OwnedFd;

use super::check;
use super::fd::own;

/// Puts `program` on this process and everything it becomes. It needs `no_new_privs`.
pub fn install(program: &[libc::sock_filter]) -> io::Result<()> {
    set(program, 0).map(drop)
}

/// The same for a program that has calls wait for an answer; the descriptor is where they are
/// answered.
pub fn install_with_listener(program: &[libc::sock_filter]) -> io::Result<OwnedFd> {
    const NEW_LISTENER: libc::c_uint = 1 << 3;
    own(set(program, NEW_LISTENER)?)
}

fn set(program: &[libc::sock_filter], flags: libc::c_uint) -> io::Result<libc::c_long> {
    const SET_MODE_FILTER: libc::c_uint = 1;
    let length =
        u16::try_from(program.len()).map_err(|_| io::Error::from_raw_os_error(libc::EINVAL))?;
    // The kernel reads through the pointer and never writes.
    let header = libc::sock_fprog {
        len: length,
        filter: program.as_ptr().cast_mut(),
    };
    // SAFETY: `header` points to `length` instructions; both outlive the call, and the kernel
    // copies them.
    check(unsafe { libc::syscall(libc::SYS_seccomp, SET_MODE_FILTER, flags, &raw const header) })
}
