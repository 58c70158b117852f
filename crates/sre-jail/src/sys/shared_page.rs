//! A page of memory that this process shares with others, as numbers that anybody may change at any
//! time.
//!
//! It is a System V segment: a jail has a namespace of its own for these, so its first segment has
//! the number 0, and a program can put it in place with one call, without a descriptor, a file or
//! anybody to ask. Its size cannot be changed.

use std::io;
use std::ptr::{self, NonNull};
use std::sync::atomic::AtomicU64;

use super::check_int;

/// Bytes of the page.
const PAGE_BYTES: usize = 4096;

/// The page. What is read is whatever another process has written.
#[derive(Debug)]
pub struct SharedPage {
    words: NonNull<AtomicU64>,
}

impl SharedPage {
    /// A page of zeroes, which other processes of this user and IPC namespace can attach by the
    /// number it is given; 0 is the first.
    pub fn new() -> io::Result<(Self, i32)> {
        // SAFETY: numbers in, number out.
        let number = check_int(unsafe { libc::shmget(libc::IPC_PRIVATE, PAGE_BYTES, 0o600) })?;
        // SAFETY: a new mapping where nothing is.
        let mapped = unsafe { libc::shmat(number, ptr::null(), 0) };
        match NonNull::new(mapped.cast()) {
            Some(words) if mapped.addr() != usize::MAX => Ok((Self { words }, number)),
            _ => Err(io::Error::last_os_error()),
        }
    }

    /// A page of zeroes that only copies of this process share.
    pub fn private() -> io::Result<Self> {
        let access = libc::PROT_READ | libc::PROT_WRITE;
        let kind = libc::MAP_SHARED | libc::MAP_ANONYMOUS;
        // SAFETY: a new mapping where nothing is.
        let mapped = unsafe { libc::mmap(ptr::null_mut(), PAGE_BYTES, access, kind, -1, 0) };
        match NonNull::new(mapped.cast()) {
            Some(words) if mapped != libc::MAP_FAILED => Ok(Self { words }),
            _ => Err(io::Error::last_os_error()),
        }
    }

    /// The number at an offset in bytes.
    ///
    /// # Panics
    /// If the offset is no multiple of eight within the page.
    pub fn word(&self, offset: usize) -> &AtomicU64 {
        assert!(
            offset.is_multiple_of(8) && offset < PAGE_BYTES,
            "an offset within the page"
        );
        // SAFETY: the offset is within the mapping, which is one allocation.
        let word = unsafe { self.words.add(offset / 8) };
        // SAFETY: the mapping lives as long as the process, and the word is aligned. All that
        // others can do is to store numbers, each of which is valid; every access here is atomic.
        unsafe { word.as_ref() }
    }
}
