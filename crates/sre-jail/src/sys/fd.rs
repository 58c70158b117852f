//! Descriptors: pipes, sockets, memory files, passing and waiting.
//!
//! Every descriptor made here is close-on-exec: what a guest gets is moved to 0, 1 and 2 on purpose.

use std::io;
use std::mem::{self, MaybeUninit};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::ptr;

use super::{c_string, check, check_int};

/// Most descriptors in one message.
pub const PASSED_LIMIT: usize = 16;

/// Takes over a descriptor that a call has just returned.
pub(super) fn own(answer: libc::c_long) -> io::Result<OwnedFd> {
    let raw = RawFd::try_from(check(answer)?).map_err(|_| io::Error::from_raw_os_error(libc::EBADF))?;
    // SAFETY: the kernel has just returned this number for a new descriptor, which nobody else knows.
    Ok(unsafe { OwnedFd::from_raw_fd(raw) })
}

fn own_pair(raw: [RawFd; 2]) -> io::Result<(OwnedFd, OwnedFd)> {
    Ok((own(raw[0].into())?, own(raw[1].into())?))
}

/// A pipe: read end, write end.
pub fn pipe() -> io::Result<(OwnedFd, OwnedFd)> {
    let mut ends = [0; 2];
    // SAFETY: `ends` has room for the two numbers that are written.
    check_int(unsafe { libc::pipe2(ends.as_mut_ptr(), libc::O_CLOEXEC) })?;
    own_pair(ends)
}

/// Two connected sockets that keep messages apart.
pub fn socket_pair() -> io::Result<(OwnedFd, OwnedFd)> {
    let mut ends = [0; 2];
    let kind = libc::SOCK_SEQPACKET | libc::SOCK_CLOEXEC;
    // SAFETY: `ends` has room for the two numbers that are written.
    check_int(unsafe { libc::socketpair(libc::AF_UNIX, kind, 0, ends.as_mut_ptr()) })?;
    own_pair(ends)
}

/// A file in memory.
pub fn memory_file(name: &str) -> io::Result<OwnedFd> {
    let name = c_string(name)?;
    // SAFETY: `name` is a C string that outlives the call.
    let answer = unsafe { libc::memfd_create(name.as_ptr(), libc::MFD_CLOEXEC | libc::MFD_ALLOW_SEALING) };
    own(answer.into())
}

/// Makes a memory file unchangeable for ever.
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
    // SAFETY: numbers in, number out. The caller owns what is at `number`: it is 0, 1 or 2 of a process about to `exec`.
    check_int(unsafe { libc::dup3(file.as_raw_fd(), number, 0) }).map(drop)
}

/// Copies a descriptor to the lowest free number at or above `least`.
pub fn duplicate_above(file: BorrowedFd<'_>, least: RawFd) -> io::Result<OwnedFd> {
    // SAFETY: F_DUPFD_CLOEXEC takes a number; no memory is touched.
    own(unsafe { libc::fcntl(file.as_raw_fd(), libc::F_DUPFD_CLOEXEC, least) }.into())
}

/// Closes every descriptor from `first` on except `kept`, which must be sorted.
///
/// For a process that starts anew (the launcher) or a copy that drops what it inherited: values that believe they own
/// one of them must be leaked or never touched again.
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

/// The control part of a message, aligned as the kernel wants it.
#[repr(C, align(8))]
struct Control([u8; 128]);

fn passed_bytes(count: usize) -> libc::c_uint {
    libc::c_uint::try_from(count * size_of::<RawFd>()).unwrap_or(libc::c_uint::MAX)
}

fn header(iov: &mut libc::iovec, control: &mut Control, control_bytes: usize) -> libc::msghdr {
    // SAFETY: a msghdr of zeroes is an empty message.
    let mut message: libc::msghdr = unsafe { mem::zeroed() };
    message.msg_iov = iov;
    message.msg_iovlen = 1;
    if control_bytes > 0 {
        message.msg_control = control.0.as_mut_ptr().cast();
        message.msg_controllen = control_bytes as _;
    }
    message
}

/// Sends one message with descriptors. A peer that is gone is an error and not a signal.
pub fn send(socket: BorrowedFd<'_>, bytes: &[u8], passed: &[BorrowedFd<'_>]) -> io::Result<()> {
    if passed.len() > PASSED_LIMIT {
        return Err(io::Error::from_raw_os_error(libc::EINVAL));
    }
    let mut iov = libc::iovec { iov_base: bytes.as_ptr().cast_mut().cast(), iov_len: bytes.len() };
    let mut control = Control([0; 128]);
    let payload = passed_bytes(passed.len());
    // SAFETY: pure arithmetic on a size.
    let space = unsafe { libc::CMSG_SPACE(payload) } as usize;
    let message = header(&mut iov, &mut control, if passed.is_empty() { 0 } else { space });
    if !passed.is_empty() {
        // SAFETY: `message` points to the control part, which is alive.
        let first = unsafe { libc::CMSG_FIRSTHDR(&raw const message) };
        // SAFETY: the control part is aligned, zeroed and longer than a header, so the first header exists.
        let first = unsafe { &mut *first };
        first.cmsg_level = libc::SOL_SOCKET;
        first.cmsg_type = libc::SCM_RIGHTS;
        // SAFETY: pure arithmetic on a size.
        first.cmsg_len = unsafe { libc::CMSG_LEN(payload) } as _;
        // SAFETY: `first` is a header inside the control part.
        let data = unsafe { libc::CMSG_DATA(first) }.cast::<RawFd>();
        for (at, file) in passed.iter().enumerate() {
            // SAFETY: `at` is below PASSED_LIMIT, and 16 descriptors and a header need 80 of the 128 bytes.
            let place = unsafe { data.add(at) };
            // SAFETY: `place` lies in the control part; the write needs no alignment.
            unsafe { place.write_unaligned(file.as_raw_fd()) };
        }
    }
    loop {
        // SAFETY: the message points to `iov`, `bytes` and `control`, which live until the call is over.
        let answer = unsafe { libc::sendmsg(socket.as_raw_fd(), &raw const message, libc::MSG_NOSIGNAL) };
        match check(answer as libc::c_long) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
            Ok(_) => return Ok(()),
        }
    }
}

/// Receives one message into `buffer`: its length and the descriptors that came with it. Length 0 is the end.
pub fn receive(socket: BorrowedFd<'_>, buffer: &mut [u8]) -> io::Result<(usize, Vec<OwnedFd>)> {
    let mut iov = libc::iovec { iov_base: buffer.as_mut_ptr().cast(), iov_len: buffer.len() };
    let mut control = Control([0; 128]);
    let mut message = header(&mut iov, &mut control, size_of::<Control>());
    let length = loop {
        // SAFETY: the message points to `iov`, `buffer` and `control`, which live until the call is over.
        let answer = unsafe { libc::recvmsg(socket.as_raw_fd(), &raw mut message, libc::MSG_CMSG_CLOEXEC) };
        match check(answer as libc::c_long) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
            Ok(length) => break usize::try_from(length).unwrap_or(0),
        }
    };
    let mut passed = Vec::new();
    // SAFETY: the kernel has filled in `message`, whose control part is still alive.
    let mut header = unsafe { libc::CMSG_FIRSTHDR(&raw const message) };
    // SAFETY: `header` is null or points to a header inside the control part.
    while let Some(found) = unsafe { header.as_ref() } {
        if found.cmsg_level == libc::SOL_SOCKET && found.cmsg_type == libc::SCM_RIGHTS {
            // SAFETY: pure arithmetic on a size.
            let start = unsafe { libc::CMSG_LEN(0) } as usize;
            let payload = found.cmsg_len - start;
            // SAFETY: `found` is a header inside the control part.
            let data = unsafe { libc::CMSG_DATA(found) }.cast::<RawFd>();
            for at in 0..payload / size_of::<RawFd>() {
                // SAFETY: the header says that so many descriptors follow it.
                let place = unsafe { data.add(at) };
                // SAFETY: as above; the read needs no alignment.
                let raw = unsafe { place.read_unaligned() };
                passed.push(own(raw.into())?);
            }
        }
        // SAFETY: `header` is a header inside the message's control part.
        header = unsafe { libc::CMSG_NXTHDR(&raw const message, header) };
    }
    if message.msg_flags & (libc::MSG_TRUNC | libc::MSG_CTRUNC) != 0 {
        return Err(io::Error::from_raw_os_error(libc::EMSGSIZE));
    }
    Ok((length, passed))
}

/// Whether a descriptor is a message socket, as the launcher's must be.
pub fn is_message_socket(file: BorrowedFd<'_>) -> bool {
    let mut kind: libc::c_int = 0;
    let mut length = libc::socklen_t::try_from(size_of::<libc::c_int>()).unwrap_or(0);
    let (level, name) = (libc::SOL_SOCKET, libc::SO_TYPE);
    // SAFETY: `kind` and `length` live until the call is over, and `length` is the size of `kind`.
    let answer = unsafe { libc::getsockopt(file.as_raw_fd(), level, name, (&raw mut kind).cast(), &raw mut length) };
    answer == 0 && kind == libc::SOCK_SEQPACKET
}

/// What to wait for, and afterwards what happened.
#[repr(transparent)]
pub struct Waiting(libc::pollfd);

impl Waiting {
    /// Waits until there is something to read, or the other end is gone.
    pub fn to_read(file: &impl AsFd) -> Self {
        Self(libc::pollfd { fd: file.as_fd().as_raw_fd(), events: libc::POLLIN, revents: 0 })
    }

    /// Waits for nothing.
    pub const fn nothing() -> Self {
        Self(libc::pollfd { fd: -1, events: 0, revents: 0 })
    }

    /// Whether it happened.
    pub const fn happened(&self) -> bool {
        self.0.revents != 0
    }
}

/// Waits for the first of `waiting`; at most so many milliseconds, or for ever with -1.
pub fn poll(waiting: &mut [Waiting], timeout_ms: i32) -> io::Result<()> {
    let count = libc::nfds_t::try_from(waiting.len()).unwrap_or(0);
    // SAFETY: `Waiting` holds a pollfd and nothing else (`transparent` below), and `count` is their number.
    let answer = unsafe { libc::poll(waiting.as_mut_ptr().cast::<libc::pollfd>(), count, timeout_ms) };
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
        Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Writes all of `bytes`.
pub fn write_all(file: BorrowedFd<'_>, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        // SAFETY: `bytes` is readable for its length.
        let answer = unsafe { libc::write(file.as_raw_fd(), bytes.as_ptr().cast(), bytes.len()) };
        match check(answer as libc::c_long) {
            Ok(length) => bytes = bytes.get(usize::try_from(length).unwrap_or(0)..).unwrap_or_default(),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

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
    let answer =
        unsafe { libc::utimensat(folder.as_raw_fd(), path.as_ptr(), times.as_ptr(), libc::AT_SYMLINK_NOFOLLOW) };
    check_int(answer).map(drop)
}

/// Opens `path` below `folder`.
pub fn open_at(folder: BorrowedFd<'_>, path: &[u8], flags: libc::c_int, mode: u32) -> io::Result<OwnedFd> {
    let path = c_string(path)?;
    // SAFETY: `path` is a C string that outlives the call.
    own(unsafe { libc::openat(folder.as_raw_fd(), path.as_ptr(), flags | libc::O_CLOEXEC, mode) }.into())
}

/// Appends the content of a small file to `bytes`: one that the kernel makes up as it is read, so its length is unknown.
pub fn append_file(folder: BorrowedFd<'_>, path: &[u8], bytes: &mut Vec<u8>) -> io::Result<()> {
    append(open_at(folder, path, libc::O_RDONLY, 0)?.as_fd(), bytes, 4096)
}

/// Appends what follows in a file to `bytes`, in pieces of a size.
pub fn append(file: BorrowedFd<'_>, bytes: &mut Vec<u8>, piece_bytes: usize) -> io::Result<()> {
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
    // SAFETY: `path` is a C string and `target` has room for the length that is told; both outlive the call.
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

/// Goes back to the start of a file.
pub fn rewind(file: BorrowedFd<'_>) -> io::Result<()> {
    // SAFETY: numbers in, number out.
    check(unsafe { libc::lseek(file.as_raw_fd(), 0, libc::SEEK_SET) } as libc::c_long).map(drop)
}

/// An event counter at zero. Reading waits until somebody has written.
pub fn event() -> io::Result<OwnedFd> {
    // SAFETY: numbers in, number out.
    own(unsafe { libc::eventfd(0, libc::EFD_CLOEXEC) }.into())
}

/// The null pointer that calls take for "no value".
pub(super) const fn nothing<T>() -> *const T {
    ptr::null()
}
