//! New programs: each begins with the order's fast clock in place of the kernel's, and with the
//! order's start-up randomness.
//!
//! The kernel hands a program a list beside its arguments (`getauxval(3)`). Two entries are the
//! machine's: where the code is that answers clocks without a system call (`AT_SYSINFO_EHDR`, the
//! vDSO), and 16 random bytes (`AT_RANDOM`). A thread that is about to become another program is
//! attached to; when it has, it stops before the first instruction, the bytes are replaced, the
//! order's [`fast_clock`] is written over the kernel's, and it is let go. It then begins in there:
//! takes away the kernel's time, puts the page that the clock stands on in place, and goes on where
//! it would have begun.
//!
//! Where the fast clock cannot be replaced, or its page cannot be mapped, its entry is made one to
//! be ignored: the program then asks for the time each time. What it sees is the same.

use std::collections::BTreeSet;
use std::io;

use super::random::Random;
use crate::sys::fast_clock;
use crate::sys::process::Pid;
use crate::sys::trace::{self, Registers};

const END: u64 = 0;
const IGNORE: u64 = 1;
const RANDOM: u64 = 25;
const FAST_CLOCK: u64 = 33;

/// Arguments, environment and the list are within a quarter of the largest stack that the jail
/// allows, which is 8 MiB.
const LIMIT_BYTES: usize = 2 << 20;

/// What is read at a time.
const PIECE_BYTES: usize = 4096;

/// Sees to it that a thread stops when it has become another program.
pub fn attach(thread: Pid, attached: &mut BTreeSet<Pid>) -> Result<(), i32> {
    match trace::stop_at_exec(thread) {
        Ok(()) => {
            attached.insert(thread);
            Ok(())
        }
        // An earlier attempt failed, and it has not stopped since.
        Err(_) if attached.contains(&thread) => Ok(()),
        Err(error) => Err(error.raw_os_error().unwrap_or(libc::EPERM)),
    }
}

/// Changes what a thread that has stopped begins with, and looks whether it is as it should be.
pub fn prepare(thread: Pid, random: &mut Random, kernel_time_bytes: Option<u64>) -> io::Result<()> {
    let mut registers = Registers::of(thread)?;
    let stack = registers.stack_pointer();
    let entries = find(&mut |at, bytes| trace::read_memory(thread, stack + at, bytes))?;
    if let Some(address) = entries.random {
        trace::write_memory(thread, address, &random.at_start(thread))?;
    }
    let Some((at, kernels)) = entries.fast_clock else {
        return Ok(());
    };
    let list = stack + at;
    if kernel_time_bytes
        .is_some_and(|bytes| replace(thread, &mut registers, list, kernels, bytes).is_ok())
    {
        return Ok(());
    }
    trace::write_memory(thread, list, &IGNORE.to_ne_bytes())?;
    let changed = find(&mut |at, bytes| trace::read_memory(thread, stack + at, bytes))?;
    if changed.fast_clock.is_some() {
        Err(io::Error::other("the fast clock is still there"))
    } else {
        Ok(())
    }
}

/// Puts our fast clock over the kernel's, in this program alone, and has the program begin there.
fn replace(
    thread: Pid,
    registers: &mut Registers,
    list: u64,
    kernels: u64,
    time_bytes: u64,
) -> io::Result<()> {
    let entry = *registers.next_instruction();
    let kernel_start = kernels.saturating_sub(time_bytes);
    let slots = fast_clock::Slots {
        entry,
        list,
        kernel_start,
        kernel_bytes: time_bytes,
    };
    let (image, begin) = fast_clock::image(&slots).ok_or(io::ErrorKind::Unsupported)?;
    trace::write_code(thread, kernels, &image)?;
    *registers.next_instruction() = kernels + begin;
    registers.write(thread)
}

/// What is changed.
#[derive(Debug, Default, PartialEq, Eq)]
struct Entries {
    /// Where the entry of the fast clock is, from the end of the stack, and what it says.
    fast_clock: Option<(u64, u64)>,
    /// Where the random bytes are.
    random: Option<u64>,
}

/// Finds both entries: behind the count of arguments, the arguments, a zero, the environment and a
/// zero.
fn find(read: &mut dyn FnMut(u64, &mut [u8]) -> io::Result<usize>) -> io::Result<Entries> {
    let mut words = Words {
        read,
        piece: Vec::new(),
        at: 0,
    };
    words.next()?;
    for _ in 0..2 {
        while words.next()? != 0 {}
    }
    let mut entries = Entries::default();
    loop {
        let at = words.at;
        let (kind, value) = (words.next()?, words.next()?);
        match kind {
            END => return Ok(entries),
            FAST_CLOCK => entries.fast_clock = Some((at, value)),
            RANDOM => entries.random = Some(value),
            _ => {}
        }
    }
}

/// The words of a stack, read in pieces.
struct Words<'a> {
    read: &'a mut dyn FnMut(u64, &mut [u8]) -> io::Result<usize>,
    piece: Vec<u8>,
    at: u64,
}

impl Words<'_> {
    fn next(&mut self) -> io::Result<u64> {
        let offset = usize::try_from(self.at).unwrap_or(usize::MAX);
        if offset >= LIMIT_BYTES {
            return Err(io::Error::other("a start-up list without an end"));
        }
        if offset + 8 > self.piece.len() {
            let read = self.piece.len();
            self.piece.resize(read + PIECE_BYTES, 0);
            // The stack may end within a piece.
            let length = (self.read)(read as u64, &mut self.piece[read..])?;
            self.piece.truncate(read + length);
        }
        let word = self
            .piece
            .get(offset..offset + 8)
            .and_then(|word| word.try_into().ok());
        self.at += 8;
        word.map(u64::from_ne_bytes)
            .ok_or_else(|| io::Error::other("a start-up list that is cut off"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(words: &[u64]) -> io::Result<Entries> {
        let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_ne_bytes()).collect();
        find(&mut |at, into| {
            let rest = bytes.get(at as usize..).unwrap_or_default();
            let length = rest.len().min(into.len());
            into[..length].copy_from_slice(&rest[..length]);
            Ok(length)
        })
    }

    #[test]
    fn entries_are_found_behind_arguments_and_environment() {
        let words = [
            2, 100, 101, 0, 200, 0, 6, 4096, FAST_CLOCK, 7000, RANDOM, 8000, END, 0,
        ];
        let expected = Entries {
            fast_clock: Some((8 * 8, 7000)),
            random: Some(8000),
        };
        assert_eq!(found(&words).expect("entries"), expected);
        let mut many = vec![1000];
        many.extend(vec![1; 1000]);
        many.extend([0, 0, FAST_CLOCK, 1, END, 0]);
        assert_eq!(
            found(&many).expect("entries").fast_clock,
            Some((8 * 1003, 1))
        );
    }

    #[test]
    fn a_list_that_is_cut_off_or_has_no_end_is_an_error() {
        assert!(found(&[1, 100, 0, 0, RANDOM]).is_err());
        assert!(found(&[]).is_err());
        assert!(
            find(&mut |_, into| {
                into.fill(1);
                Ok(into.len())
            })
            .is_err()
        );
    }
}
