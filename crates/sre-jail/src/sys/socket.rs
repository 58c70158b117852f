//! Sockets that keep messages apart and pass descriptors.

use std::io;
use std::mem;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd, RawFd};

use super::fd::{own, own_pair};
use super::{check, check_int};

/// Most descriptors in one message.
pub const PASSED_LIMIT: usize = 16;

/// Two connected sockets that keep messages apart.
pub fn socket_pair() -> io::Result<(OwnedFd, OwnedFd)> {
    let mut ends = [0; 2];
    let kind = libc::SOCK_SEQPACKET | libc::SOCK_CLOEXEC;
    // SAFETY: `ends` has room for the two numbers that are written.
    check_int(unsafe { libc::socketpair(libc::AF_UNIX, kind, 0, ends.as_mut_ptr()) })?;
    own_pair(ends)
}

/// Two connected sockets that carry bytes.
pub fn stream_pair() -> io::Result<(OwnedFd, OwnedFd)> {
    let mut ends = [0; 2];
    // SAFETY: `ends` has room for the two numbers that are written.
    check_int(unsafe {
        libc::socketpair(
            libc::AF_UNIX,
            libc::SOCK_STREAM | libc::SOCK_CLOEXEC,
            0,
            ends.as_mut_ptr(),
        )
    })?;
    own_pair(ends)
}

/// The other end reads to the end; what it writes can still be read.
pub fn end_writing(socket: BorrowedFd<'_>) -> io::Result<()> {
    // SAFETY: numbers in, number out.
    check_int(unsafe { libc::shutdown(socket.as_raw_fd(), libc::SHUT_WR) }).map(drop)
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
    let mut iov = libc::iovec {
        iov_base: bytes.as_ptr().cast_mut().cast(),
        iov_len: bytes.len(),
    };
    let mut control = Control([0; 128]);
    let payload = passed_bytes(passed.len());
    // SAFETY: pure arithmetic on a size.
    let space = unsafe { libc::CMSG_SPACE(payload) } as usize;
    let message = header(
        &mut iov,
        &mut control,
        if passed.is_empty() { 0 } else { space },
    );
    if !passed.is_empty() {
        // SAFETY: `message` points to the control part, which is alive.
        let first = unsafe { libc::CMSG_FIRSTHDR(&raw const message) };
        // SAFETY: the control part is aligned, zeroed and longer than a header, so the first header
        // exists.
        let first = unsafe { &mut *first };
        first.cmsg_level = libc::SOL_SOCKET;
        first.cmsg_type = libc::SCM_RIGHTS;
        // SAFETY: pure arithmetic on a size.
        first.cmsg_len = unsafe { libc::CMSG_LEN(payload) } as _;
        // SAFETY: `first` is a header inside the control part.
        let data = unsafe { libc::CMSG_DATA(first) }.cast::<RawFd>();
        for (at, file) in passed.iter().enumerate() {
            // SAFETY: `at` is below PASSED_LIMIT, and 16 descriptors and a header need 80 of the
            // 128 bytes.
            let place = unsafe { data.add(at) };
            // SAFETY: `place` lies in the control part; the write needs no alignment.
            unsafe { place.write_unaligned(file.as_raw_fd()) };
        }
    }
    loop {
        // SAFETY: the message points to `iov`, `bytes` and `control`, which live until the call is
        // over.
        let answer =
            unsafe { libc::sendmsg(socket.as_raw_fd(), &raw const message, libc::MSG_NOSIGNAL) };
        match check(answer as libc::c_long) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
            Ok(_) => return Ok(()),
        }
    }
}

/// Receives one message into `buffer`: its length and the descriptors that came with it. Length 0
/// is the end.
pub fn receive(socket: BorrowedFd<'_>, buffer: &mut [u8]) -> io::Result<(usize, Vec<OwnedFd>)> {
    let mut iov = libc::iovec {
        iov_base: buffer.as_mut_ptr().cast(),
        iov_len: buffer.len(),
    };
    let mut control = Control([0; 128]);
    let mut message = header(&mut iov, &mut control, size_of::<Control>());
    let length = loop {
        // SAFETY: the message points to `iov`, `buffer` and `control`, which live until the call is
        // over.
        let answer =
            unsafe { libc::recvmsg(socket.as_raw_fd(), &raw mut message, libc::MSG_CMSG_CLOEXEC) };
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
    let answer = unsafe {
        libc::getsockopt(
            file.as_raw_fd(),
            level,
            name,
            (&raw mut kind).cast(),
            &raw mut length,
        )
    };
    answer == 0 && kind == libc::SOCK_SEQPACKET
}
