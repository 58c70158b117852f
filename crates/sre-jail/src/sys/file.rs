//! Files below a folder that is held open.

use std::io;
use std::mem::{self, MaybeUninit};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use super::fd::{own, read};
use super::{c_string, check, check_int};

/// Sets both times of a file, in seconds since 1970. `path` is below `folder`.
pub fn set_times(folder: BorrowedFd<'_>, path: &[u8], seconds: i64) -> io::Result<()> {
    let path = c_string(path)?;
    let mut time = MaybeUninit::<libc::timespec>::zeroed();
    let time_pointer = time.as_mut_ptr();
    // SAFETY: zero is a valid timespec, and the pointer is to it.
    unsafe { (*time_pointer).tv_sec = seconds as _ };
    // SAFETY: it was zeroed and written above.
    let time = unsafe { time.assume_init() };
    let times = [time, time];
    // SAFETY: `path` is a C string and `times` two timespecs; both outlive the call.
    let answer = unsafe {
        libc::utimensat(
            folder.as_raw_fd(),
            path.as_ptr(),
            times.as_ptr(),
            libc::AT_SYMLINK_NOFOLLOW,
        )
    };
    check_int(answer).map(drop)
}

/// Opens `path` below `folder`.
pub fn open_at(
    folder: BorrowedFd<'_>,
    path: &[u8],
    flags: libc::c_int,
    mode: u32,
) -> io::Result<OwnedFd> {
    let path = c_string(path)?;
    // SAFETY: `path` is a C string that outlives the call.
    own(unsafe {
        libc::openat(
            folder.as_raw_fd(),
            path.as_ptr(),
            flags | libc::O_CLOEXEC,
            mode,
        )
    }
    .into())
}

/// Appends the content of a small file to `bytes`: one that the kernel makes up as it is read, so
/// its length is unknown.
pub fn append_file(folder: BorrowedFd<'_>, path: &[u8], bytes: &mut Vec<u8>) -> io::Result<()> {
    append(
        open_at(folder, path, libc::O_RDONLY, 0)?.as_fd(),
        bytes,
        4096,
    )
}

/// Reads a file whose length is known to the kernel from its start.
pub fn whole(file: BorrowedFd<'_>) -> io::Result<Vec<u8>> {
    // SAFETY: a stat of zeroes is valid.
    let mut found: libc::stat = unsafe { mem::zeroed() };
    // SAFETY: `found` outlives the call.
    check_int(unsafe { libc::fstat(file.as_raw_fd(), &raw mut found) })?;
    // Neither more nor less is touched: each page of memory that is costs more than a call.
    let mut bytes = vec![0; usize::try_from(found.st_size).unwrap_or(0)];
    let mut length = 0;
    while length < bytes.len() {
        match read(file, &mut bytes[length..])? {
            None => {}
            Some(0) => break,
            Some(more) => length += more,
        }
    }
    bytes.truncate(length);
    Ok(bytes)
}

/// Appends what follows in a file to `bytes`, in pieces of a size.
fn append(file: BorrowedFd<'_>, bytes: &mut Vec<u8>, piece_bytes: usize) -> io::Result<()> {
    loop {
        let start = bytes.len();
        bytes.resize(start + piece_bytes, 0);
        let length = read(file, &mut bytes[start..])?.unwrap_or(0);
        bytes.truncate(start + length);
        if length == 0 {
            return Ok(());
        }
    }
}

/// Where a short symbolic link points to.
pub fn read_link(folder: BorrowedFd<'_>, path: &[u8]) -> io::Result<Vec<u8>> {
    let path = c_string(path)?;
    let mut target = vec![0; 64];
    let room = target.as_mut_ptr().cast();
    // SAFETY: `path` is a C string and `target` has room for the length that is told; both outlive
    // the call.
    let answer = unsafe { libc::readlinkat(folder.as_raw_fd(), path.as_ptr(), room, target.len()) };
    target.truncate(usize::try_from(check(answer as libc::c_long)?).unwrap_or(0));
    Ok(target)
}

/// Makes a folder below `folder`.
pub fn make_folder_at(folder: BorrowedFd<'_>, path: &[u8], mode: libc::mode_t) -> io::Result<()> {
    let path = c_string(path)?;
    // SAFETY: `path` is a C string that outlives the call.
    check_int(unsafe { libc::mkdirat(folder.as_raw_fd(), path.as_ptr(), mode) }).map(drop)
}

/// Makes a symbolic link to `target` at `path` below `folder`.
pub fn make_link_at(target: &[u8], folder: BorrowedFd<'_>, path: &[u8]) -> io::Result<()> {
    let (target, path) = (c_string(target)?, c_string(path)?);
    // SAFETY: both are C strings that outlive the call.
    check_int(unsafe { libc::symlinkat(target.as_ptr(), folder.as_raw_fd(), path.as_ptr()) })
        .map(drop)
}

/// Makes a named pipe below `folder`.
pub fn make_pipe_at(folder: BorrowedFd<'_>, path: &[u8], mode: libc::mode_t) -> io::Result<()> {
    let path = c_string(path)?;
    // SAFETY: `path` is a C string that outlives the call.
    check_int(unsafe { libc::mkfifoat(folder.as_raw_fd(), path.as_ptr(), mode) }).map(drop)
}

/// Removes a name that is no folder's below `folder`.
pub fn remove_at(folder: BorrowedFd<'_>, path: &[u8]) -> io::Result<()> {
    let path = c_string(path)?;
    // SAFETY: `path` is a C string that outlives the call.
    check_int(unsafe { libc::unlinkat(folder.as_raw_fd(), path.as_ptr(), 0) }).map(drop)
}
