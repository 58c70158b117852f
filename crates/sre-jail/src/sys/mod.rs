//! System calls, one safe function each. The only unsafe code of the workspace besides the loading
//! of compiled modules.
//!
//! Nothing here decides anything. Each function takes owned or borrowed descriptors and Rust
//! strings, makes one call and turns its error number into an [`io::Error`]. `unsafe` blocks hold
//! one operation and say why it is sound.

pub mod fast_clock;
pub mod fd;
pub mod file;
pub mod landlock;
pub mod large_pages;
pub mod mount;
pub mod notify;
pub mod process;
pub mod seccomp;
pub mod shared_page;
pub mod socket;
pub mod trace;

use std::ffi::CString;
use std::io;

/// The result of a call that answers -1 and `errno`.
fn check(answer: libc::c_long) -> io::Result<libc::c_long> {
    if answer < 0 {
        Err(io::Error::last_os_error())
    } else {
        Ok(answer)
    }
}

fn check_int(answer: libc::c_int) -> io::Result<libc::c_int> {
    if answer < 0 {
        Err(io::Error::last_os_error())
    } else {
        Ok(answer)
    }
}

/// A text as the kernel wants it; one with a zero byte inside is no valid argument.
fn c_string(text: impl Into<Vec<u8>>) -> io::Result<CString> {
    CString::new(text).map_err(|_| io::Error::from_raw_os_error(libc::EINVAL))
}
