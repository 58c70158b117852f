//! System calls that wait for an answer: seccomp's user notification, Linux 5.0 and later. Kernel
//! interface: `Documentation/userspace-api/seccomp_filter.rst`.

use std::io;
use std::mem;
use std::os::fd::{AsRawFd, BorrowedFd};

use super::check_int;
use super::process::Pid;

/// A call that waits.
#[derive(Debug, Clone, Copy)]
pub struct Call {
    /// Stands for the call as long as it waits, and is never used again.
    pub id: u64,
    /// The thread that makes it, as this process counts.
    pub thread: Pid,
    /// Its number.
    pub number: libc::c_long,
    /// Its arguments.
    pub arguments: [u64; 6],
}

/// Has the answering process run on the caller's processor, which halves what an answer takes. Linux 6.6
/// and later; earlier ones answer all the same.
pub fn answer_nearby(listener: BorrowedFd<'_>) {
    const SYNC_WAKE_UP: u64 = 1;
    // SAFETY: numbers in, number out; a kernel that does not know the command says so.
    unsafe {
        libc::ioctl(
            listener.as_raw_fd(),
            libc::SECCOMP_IOCTL_NOTIF_SET_FLAGS,
            SYNC_WAKE_UP,
        )
    };
}

/// The next call that waits; `None` if it was given up before it was received.
pub fn receive(listener: BorrowedFd<'_>) -> io::Result<Option<Call>> {
    // SAFETY: the kernel wants a notification of zeroes, which is a valid one.
    let mut found: libc::seccomp_notif = unsafe { mem::zeroed() };
    // SAFETY: `found` has the size that is part of the command and outlives the call.
    let answer = unsafe {
        libc::ioctl(
            listener.as_raw_fd(),
            libc::SECCOMP_IOCTL_NOTIF_RECV,
            &raw mut found,
        )
    };
    match check_int(answer) {
        Ok(_) => Ok(Some(Call {
            id: found.id,
            thread: Pid::try_from(found.pid).unwrap_or(0),
            number: found.data.nr.into(),
            arguments: found.data.args,
        })),
        Err(error) if matches!(error.raw_os_error(), Some(libc::ENOENT | libc::EINTR)) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Answers a call with a value or an error number; whether it still waited.
pub fn answer(listener: BorrowedFd<'_>, id: u64, outcome: Result<i64, i32>) -> bool {
    let (val, error) = outcome.map_or_else(|errno| (0, -errno), |value| (value, 0));
    respond(
        listener,
        libc::seccomp_notif_resp {
            id,
            val,
            error,
            flags: 0,
        },
    )
}

/// Lets the kernel carry a call out after all. Its memory may have changed since anybody looked at
/// it, so this is for calls that are allowed whatever they ask.
pub fn let_go(listener: BorrowedFd<'_>, id: u64) -> bool {
    const CONTINUE: u32 = 1;
    respond(
        listener,
        libc::seccomp_notif_resp {
            id,
            val: 0,
            error: 0,
            flags: CONTINUE,
        },
    )
}

fn respond(listener: BorrowedFd<'_>, response: libc::seccomp_notif_resp) -> bool {
    // SAFETY: `response` has the size that is part of the command and outlives the call.
    let answer = unsafe {
        libc::ioctl(
            listener.as_raw_fd(),
            libc::SECCOMP_IOCTL_NOTIF_SEND,
            &raw const response,
        )
    };
    answer == 0
}

/// Whether a call still waits: what is known of its thread belongs to that thread and no other.
pub fn is_waiting(listener: BorrowedFd<'_>, id: u64) -> bool {
    // SAFETY: `id` has the size that is part of the command and outlives the call.
    let answer = unsafe {
        libc::ioctl(
            listener.as_raw_fd(),
            libc::SECCOMP_IOCTL_NOTIF_ID_VALID,
            &raw const id,
        )
    };
    answer == 0
}
