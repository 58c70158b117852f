//! Descriptors: pipes, memory files, reading, writing and waiting.
//!
//! Every descriptor made here is close-on-exec: what a guest gets is moved to 0, 1 and 2 on
//! purpose.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::ptr;
use std::time::Duration;

use super::{c_string, check, check_int};

/// Takes over a descriptor that a call has just returned.
pub(super) fn own(answer: libc::c_long) -> io::Result<OwnedFd> {
    let raw =
        RawFd::try_from(check(answer)?).map_err(|_| io::Error::from_raw_os_error(libc::EBADF))?;
    // SAFETY: the kernel has just returned this number for a new descriptor, which no other code
    // knows.
    Ok(unsafe { OwnedFd::from_raw_fd(raw) })
}

pub(super) fn own_pair(raw: [RawFd; 2]) -> io::Result<(OwnedFd, OwnedFd)> {
    Ok((own(raw[0].into())?, own(raw[1].into())?))
}

/// A pipe: read end, write end.
pub fn pipe() -> io::Result<(OwnedFd, OwnedFd)> {
    let mut ends = [0; 2];
    // SAFETY: `ends` has room for the two numbers that are written.
    check_int(unsafe { libc::pipe2(ends.as_mut_ptr(), libc::O_CLOEXEC) })?;
    own_pair(ends)
}

/// A file in memory.
pub fn memory_file(name: &str) -> io::Result<OwnedFd> {
    let name = c_string(name)?;
    // SAFETY: `name` is a C string that outlives the call.
    let answer =
        unsafe { libc::memfd_create(name.as_ptr(), libc::MFD_CLOEXEC | libc::MFD_ALLOW_SEALING) };
    own(answer.into())
}

/// Makes a memory file unchangeable.
pub fn seal(file: BorrowedFd<'_>) -> io::Result<()> {
    let seals = libc::F_SEAL_SEAL | libc::F_SEAL_SHRINK | libc::F_SEAL_GROW | libc::F_SEAL_WRITE;
    // SAFETY: F_ADD_SEALS takes a number; no memory is touched.
    check_int(unsafe { libc::fcntl(file.as_raw_fd(), libc::F_ADD_SEALS, seals) }).map(drop)
}

/// Makes reads and writes return at once.
pub fn set_nonblocking(file: BorrowedFd<'_>) -> io::Result<()> {
    // SAFETY: F_SETFL takes a number; no memory is touched.
    check_int(unsafe { libc::fcntl(file.as_raw_fd(), libc::F_SETFL, libc::O_NONBLOCK) }).map(drop)
}

/// Makes `number` a copy of `file` that survives `exec`. Whatever was open there is closed.
pub fn place(file: BorrowedFd<'_>, number: RawFd) -> io::Result<()> {
    if file.as_raw_fd() == number {
        // SAFETY: F_SETFD takes a number; no memory is touched.
        return check_int(unsafe { libc::fcntl(number, libc::F_SETFD, 0) }).map(drop);
    }
    // SAFETY: numbers in, number out. The caller owns what is at `number`: it is 0, 1 or 2 of a
    // process about to `exec`.
    check_int(unsafe { libc::dup3(file.as_raw_fd(), number, 0) }).map(drop)
}

/// Copies a descriptor to the lowest free number at or above `least`.
pub fn duplicate_above(file: BorrowedFd<'_>, least: RawFd) -> io::Result<OwnedFd> {
    // SAFETY: F_DUPFD_CLOEXEC takes a number; no memory is touched.
    own(unsafe { libc::fcntl(file.as_raw_fd(), libc::F_DUPFD_CLOEXEC, least) }.into())
}

/// Closes every descriptor from `first` on except `kept`, which must be sorted.
///
/// For a process that starts anew (the launcher) or a copy that drops what it inherited: values
/// that believe they own one of them must be leaked or never touched again.
pub fn close_all_from(first: RawFd, kept: &[RawFd]) -> io::Result<()> {
    let mut next = first;
    for &keep in kept.iter().filter(|&&keep| keep >= first) {
        if keep > next {
            close_range(next, keep - 1)?;
        }
        next = keep + 1;
    }
    close_range(next, RawFd::MAX)
}

fn close_range(first: RawFd, last: RawFd) -> io::Result<()> {
    // SAFETY: numbers in, number out; see `close_all_from` for whose descriptors these are.
    check(unsafe { libc::syscall(libc::SYS_close_range, first, last, 0) }).map(drop)
}

/// What to wait for, and afterwards what happened.
#[repr(transparent)]
pub struct Waiting(libc::pollfd);

impl Waiting {
    /// Waits until there is something to read, or the other end is gone.
    pub fn to_read(file: &impl AsFd) -> Self {
        Self(libc::pollfd {
            fd: file.as_fd().as_raw_fd(),
            events: libc::POLLIN,
            revents: 0,
        })
    }

    /// Waits until there is room to write.
    pub fn to_write(file: &impl AsFd) -> Self {
        Self(libc::pollfd {
            fd: file.as_fd().as_raw_fd(),
            events: libc::POLLOUT,
            revents: 0,
        })
    }

    /// Waits for nothing.
    pub const fn nothing() -> Self {
        Self(libc::pollfd {
            fd: -1,
            events: 0,
            revents: 0,
        })
    }

    /// Whether there is something to read.
    pub const fn is_readable(&self) -> bool {
        self.0.revents & libc::POLLIN != 0
    }

    /// Whether it happened.
    pub const fn happened(&self) -> bool {
        self.0.revents != 0
    }
}

/// Waits for the first of `waiting`; at most so many milliseconds, or without limit with -1.
pub fn poll(waiting: &mut [Waiting], timeout_ms: i32) -> io::Result<()> {
    let count = libc::nfds_t::try_from(waiting.len()).unwrap_or(0);
    // SAFETY: `Waiting` holds a pollfd and nothing else (`transparent` below), and `count` is their
    // number.
    let answer = unsafe {
        libc::poll(
            waiting.as_mut_ptr().cast::<libc::pollfd>(),
            count,
            timeout_ms,
        )
    };
    match check_int(answer) {
        Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(()),
        other => other.map(drop),
    }
}

/// As [`poll`], with a time limit to the nanosecond; `None` waits without limit.
pub fn poll_for(waiting: &mut [Waiting], limit: Option<Duration>) -> io::Result<()> {
    let count = libc::nfds_t::try_from(waiting.len()).unwrap_or(0);
    let limit = limit.map(|limit| libc::timespec {
        tv_sec: libc::time_t::try_from(limit.as_secs()).unwrap_or(libc::time_t::MAX),
        tv_nsec: limit.subsec_nanos().into(),
    });
    let limit = limit.as_ref().map_or(ptr::null(), ptr::from_ref);
    // SAFETY: as in `poll`; `limit` is null or points to a timespec that outlives the call.
    let answer = unsafe {
        libc::ppoll(
            waiting.as_mut_ptr().cast::<libc::pollfd>(),
            count,
            limit,
            ptr::null(),
        )
    };
    match check_int(answer) {
        Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(()),
        other => other.map(drop),
    }
}

const _: () = assert!(size_of::<Waiting>() == size_of::<libc::pollfd>());

/// Reads what is there into `buffer`: 0 is the end, `None` that nothing is there now.
pub fn read(file: BorrowedFd<'_>, buffer: &mut [u8]) -> io::Result<Option<usize>> {
    // SAFETY: `buffer` has room for its length.
    let answer = unsafe { libc::read(file.as_raw_fd(), buffer.as_mut_ptr().cast(), buffer.len()) };
    match check(answer as libc::c_long) {
        Ok(length) => Ok(usize::try_from(length).ok()),
        Err(error)
            if matches!(
                error.kind(),
                io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted
            ) =>
        {
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

/// Writes all of `bytes`.
pub fn write_all(file: BorrowedFd<'_>, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        // SAFETY: `bytes` is readable for its length.
        let answer = unsafe { libc::write(file.as_raw_fd(), bytes.as_ptr().cast(), bytes.len()) };
        match check(answer as libc::c_long) {
            Ok(length) => {
                bytes = bytes
                    .get(usize::try_from(length).unwrap_or(0)..)
                    .unwrap_or_default()
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Goes back to the start of a file.
pub fn rewind(file: BorrowedFd<'_>) -> io::Result<()> {
    // SAFETY: numbers in, number out.
    check(unsafe { libc::lseek(file.as_raw_fd(), 0, libc::SEEK_SET) } as libc::c_long).map(drop)
}

/// An event counter at zero. Reading waits until something has been written.
pub fn event() -> io::Result<OwnedFd> {
    // SAFETY: numbers in, number out.
    own(unsafe { libc::eventfd(0, libc::EFD_CLOEXEC) }.into())
}

/// The null pointer that calls take for "no value".
pub(super) const fn nothing<T>() -> *const T {
    ptr::null()
}

/// Makes a pipe hold one page and no more.
pub fn shrink_pipe(pipe: BorrowedFd<'_>) -> io::Result<()> {
    // SAFETY: F_SETPIPE_SZ takes a number; no memory is touched.
    check_int(unsafe { libc::fcntl(pipe.as_raw_fd(), libc::F_SETPIPE_SZ, 1) }).map(drop)
}
