//! The time the guest sees: the same as in the Wasm world.
//!
//! It starts at the order's moment and moves for two reasons only: a read takes a virtual
//! microsecond, and a wait that ran its full length takes that length.
//!
//! It stands on a page that is shared with the guest, whose fast clock ([`fast_clock`]) reads and
//! moves it by the same rules without asking; so both ways show one clock. *The guest can write
//! there what it likes.* All it gains is another time for itself, as with a clock it may set: here
//! any number is a valid time, nothing is computed from it that could overflow, and the start that
//! counts is kept here.

use std::io;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::sys::fast_clock::page::{ELAPSED, NOTED, START};
use crate::sys::shared_page::SharedPage;

#[cfg(doc)]
use crate::sys::fast_clock;
pub use crate::sys::fast_clock::RESOLUTION_NS;
use crate::sys::fast_clock::SEGMENT;

/// All clocks of a guest.
pub struct Clock {
    page: SharedPage,
    start_ns: u64,
    /// The last move since the mark: from where, to where.
    moved: Option<(u64, u64)>,
}

impl Clock {
    /// A clock at its start, in nanoseconds since 1970.
    pub fn new(start_ns: u64) -> io::Result<Self> {
        // A kernel without such pages, or a number that programs do not know: they do without, and
        // ask.
        let page = match SharedPage::new() {
            Ok((page, SEGMENT)) => page,
            _ => SharedPage::private()?,
        };
        let mut clock = Self {
            page,
            start_ns,
            moved: None,
        };
        clock.restart(start_ns);
        Ok(clock)
    }

    /// Another start; time since the start goes on.
    pub fn restart(&mut self, start_ns: u64) {
        self.start_ns = start_ns.saturating_sub(self.elapsed_ns());
        self.page.word(START).store(self.start_ns, Ordering::SeqCst);
    }

    /// Nanoseconds since the start; asking takes time.
    pub fn read(&mut self) -> u64 {
        let before = self.elapsed().fetch_add(RESOLUTION_NS, Ordering::SeqCst);
        let now = before.wrapping_add(RESOLUTION_NS);
        self.moved = Some((before, now));
        now
    }

    /// The same without asking.
    pub fn elapsed_ns(&self) -> u64 {
        self.elapsed().load(Ordering::SeqCst)
    }

    /// The wall clock's start.
    pub const fn start_ns(&self) -> u64 {
        self.start_ns
    }

    /// It is at least so late.
    pub fn at_least(&mut self, elapsed_ns: u64) {
        let before = self.elapsed().fetch_max(elapsed_ns, Ordering::SeqCst);
        if before < elapsed_ns {
            self.moved = Some((before, elapsed_ns));
        }
    }

    /// From here on, a move may be taken back.
    pub const fn mark(&mut self) {
        self.moved = None;
    }

    /// Takes back the last move since the mark; unless the clock was read since, for whom
    /// it was that late.
    pub fn take_back(&mut self) {
        if let Some((from, to)) = self.moved.take() {
            // Refused if it was.
            self.elapsed()
                .compare_exchange(to, from, Ordering::SeqCst, Ordering::SeqCst)
                .ok();
        }
    }

    /// So many waits are noted whose end may move the clock: unless there are none, everybody asks.
    pub fn set_noted(&self, waits: usize) {
        self.page.word(NOTED).store(waits as u64, Ordering::SeqCst);
    }

    fn elapsed(&self) -> &AtomicU64 {
        self.page.word(ELAPSED)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_moves_by_reads_and_waits_and_never_back() {
        let mut clock = Clock::new(5_000_000_000).expect("a page");
        assert_eq!((clock.read(), clock.read()), (1000, 2000));
        clock.at_least(7_000);
        clock.at_least(3_000);
        assert_eq!(clock.read(), 8_000);
        clock.restart(9_000_000_000);
        assert_eq!(clock.start_ns() + clock.elapsed_ns(), 9_000_000_000);
        assert_eq!(clock.read(), 9_000);
    }

    #[test]
    fn what_is_taken_back_has_not_been_unless_it_was_read() {
        let mut clock = Clock::new(0).expect("a page");
        clock.read();
        clock.take_back();
        clock.take_back();
        assert_eq!(clock.elapsed_ns(), 0);
        clock.at_least(5000);
        clock.mark();
        clock.take_back();
        assert_eq!(clock.elapsed_ns(), 5000);
        clock.read();
        // As the guest's fast clock does.
        clock
            .page
            .word(ELAPSED)
            .fetch_add(RESOLUTION_NS, Ordering::SeqCst);
        clock.take_back();
        assert_eq!(clock.elapsed_ns(), 7000);
    }

    #[test]
    fn whatever_a_guest_writes_is_a_time() {
        let mut clock = Clock::new(u64::MAX).expect("a page");
        clock.page.word(ELAPSED).store(u64::MAX, Ordering::SeqCst);
        clock.page.word(START).store(77, Ordering::SeqCst);
        assert_eq!((clock.read(), clock.start_ns()), (999, u64::MAX));
        clock.restart(5);
        assert_eq!(clock.start_ns(), 0);
    }
}
