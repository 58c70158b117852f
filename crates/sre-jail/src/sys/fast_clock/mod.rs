//! A guest's fast clock: code that answers clocks in the guest itself, without a system call.
//!
//! The kernel gives every program such code (the vDSO, `man 7 vdso`), which shows the machine's
//! time. Ours counts on a page that a jail's first process and all of its guest's processes share,
//! by the rules of `init::world::clock`; both ways show one clock. It is written in assembly
//! because it lives in other programs: it must not call, allocate or refer to anything. This is the
//! place of its bytes only; `init::world::exec` puts it there.
//!
//! x86-64 only. Other processors have none, and every clock call asks.

/// Offsets in the page of the clock, of eight bytes each.
pub mod page {
    /// Nanoseconds since the start.
    pub const ELAPSED: usize = 0;
    /// The start in nanoseconds since 1970.
    pub const START: usize = 8;
    /// How many waits are noted whose end may move the clock: as long as it is not zero, everybody
    /// asks.
    pub const NOTED: usize = 16;
}

/// What a read takes, in nanoseconds.
pub const RESOLUTION_NS: u64 = 1000;

/// The number of the page of the clock in every jail: that of its first System V segment.
pub const SEGMENT: i32 = 0;

/// What is filled in for each program.
#[derive(Debug, Clone, Copy)]
#[cfg_attr(
    not(target_arch = "x86_64"),
    expect(dead_code, reason = "there is nothing to fill in")
)]
pub struct Slots {
    /// Where the program begins.
    pub entry: u64,
    /// Where its start-up list names the fast clock.
    pub list: u64,
    /// Where the pages of the kernel's time begin.
    pub kernel_start: u64,
    /// How many bytes they have.
    pub kernel_bytes: u64,
}

/// The code for one program, to be put at its first page of the kernel's; and where in it the
/// program is to start. `None` on other processors.
#[must_use]
pub fn image(slots: &Slots) -> Option<(Vec<u8>, u64)> {
    here::image(slots)
}

#[cfg(target_arch = "x86_64")]
mod here {
    use std::slice;

    use super::{RESOLUTION_NS, SEGMENT, Slots, page};

    std::arch::global_asm!(
        include_str!("x86_64.s"),
        page = const PAGE_ADDRESS,
        elapsed = const page::ELAPSED,
        start = const page::START,
        noted = const page::NOTED,
        resolution = const RESOLUTION_NS,
        dates = const DATES,
        segment = const SEGMENT,
        options(att_syntax),
    );

    /// Where the page of the clock is in every program: above all that the kernel places by itself
    /// where addresses are not randomised (from 128 MiB below the end downwards), and below the
    /// largest stack (8 MiB).
    const PAGE_ADDRESS: u64 = 0x7fff_fc00_0000;

    /// The clocks that show the date, one bit each.
    const DATES: u32 = 1 << libc::CLOCK_REALTIME
        | 1 << libc::CLOCK_REALTIME_COARSE
        | 1 << libc::CLOCK_REALTIME_ALARM
        | 1 << libc::CLOCK_TAI;

    unsafe extern "C" {
        static sre_fast_clock: u8;
        static sre_fast_clock_slots: u8;
        static sre_fast_clock_begin: u8;
        static sre_fast_clock_end: u8;
    }

    /// Where a label is, from the start.
    fn offset(label: *const u8) -> usize {
        label.addr() - (&raw const sre_fast_clock).addr()
    }

    #[expect(
        clippy::unnecessary_wraps,
        reason = "other processors have no fast clock here"
    )]
    pub fn image(slots: &Slots) -> Option<(Vec<u8>, u64)> {
        let length = offset(&raw const sre_fast_clock_end);
        // SAFETY: the assembly file puts both labels into one section that is readable and never
        // written, the second behind the first.
        let mut image =
            unsafe { slice::from_raw_parts(&raw const sre_fast_clock, length) }.to_vec();
        let mut at = offset(&raw const sre_fast_clock_slots);
        for value in [
            slots.entry,
            slots.list,
            slots.kernel_start,
            slots.kernel_bytes,
        ] {
            image[at..at + 8].copy_from_slice(&value.to_ne_bytes());
            at += 8;
        }
        let begin = offset(&raw const sre_fast_clock_begin);
        Some((image, begin as u64))
    }
}

#[cfg(not(target_arch = "x86_64"))]
mod here {
    use super::Slots;

    pub const fn image(_: &Slots) -> Option<(Vec<u8>, u64)> {
        None
    }
}

#[cfg(all(test, target_arch = "x86_64"))]
mod tests {
    use std::process::Command;

    use super::*;

    /// Programs of the tests find the functions through the C library; this is another reader, for
    /// all else.
    #[test]
    fn others_read_it_as_a_whole_shared_object() {
        let slots = Slots {
            entry: 0x0101,
            list: 0x0202,
            kernel_start: 0x0303,
            kernel_bytes: 0x0404,
        };
        let (image, begin) = image(&slots).expect("a fast clock");
        assert!(
            image.len() <= 4096 && begin < image.len() as u64,
            "one page: {} bytes",
            image.len()
        );
        let filled: Vec<u8> = [0x0101_u64, 0x0202, 0x0303, 0x0404]
            .into_iter()
            .flat_map(u64::to_ne_bytes)
            .collect();
        assert!(
            image.windows(32).any(|window| window == filled),
            "the slots"
        );

        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("image");
        std::fs::write(&file, &image).expect("a file");
        let Ok(read) = Command::new("readelf")
            .args(["-W", "-h", "-l", "-d", "-D", "-s"])
            .arg(&file)
            .output()
        else {
            eprintln!("NOT TESTED HERE: the fast clock as a shared object, there is no readelf");
            return;
        };
        assert!(
            read.status.success() && read.stderr.is_empty(),
            "{}",
            String::from_utf8_lossy(&read.stderr)
        );
        let shown = String::from_utf8_lossy(&read.stdout);
        let words: Vec<String> = shown
            .lines()
            .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "))
            .collect();
        for name in ["clock_gettime", "clock_getres", "gettimeofday", "time"] {
            let ending = format!("FUNC GLOBAL DEFAULT 1 __vdso_{name}@@LINUX_2.6");
            assert!(
                words.iter().any(|line| line.ends_with(&ending)),
                "{name}: {shown}"
            );
        }
        for part in [
            "Library soname: [linux-vdso.so.1]",
            "R E 0x1000",
            "GNU_EH_FRAME",
            "Advanced Micro Devices X86-64",
        ] {
            assert!(shown.contains(part), "{part}: {shown}");
        }
    }
}
