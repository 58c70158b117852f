//! The time the guest sees: the same as in the Wasm world.
//!
//! It starts at the order's moment and moves for two reasons only: a read takes a virtual microsecond, and a wait that
//! ran its full length takes that length. Waits take as long in the machine's time, so this clock is never ahead of it.

/// What a read takes, and the resolution that is reported: one microsecond.
pub const RESOLUTION_NS: u64 = 1000;

/// All clocks of a guest.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    start_ns: u64,
    elapsed_ns: u64,
}

impl Clock {
    /// A clock at its start, in nanoseconds since 1970.
    pub const fn new(start_ns: u64) -> Self {
        Self { start_ns, elapsed_ns: 0 }
    }

    /// Another start; time since the start goes on.
    pub const fn restart(&mut self, start_ns: u64) {
        *self = Self { start_ns: start_ns.saturating_sub(self.elapsed_ns), elapsed_ns: self.elapsed_ns };
    }

    /// Nanoseconds since the start; asking takes time.
    pub const fn read(&mut self) -> u64 {
        self.elapsed_ns = self.elapsed_ns.saturating_add(RESOLUTION_NS);
        self.elapsed_ns
    }

    /// The same without asking.
    pub const fn elapsed_ns(&self) -> u64 {
        self.elapsed_ns
    }

    /// The wall clock's start.
    pub const fn start_ns(&self) -> u64 {
        self.start_ns
    }

    /// It is at least so late.
    pub const fn at_least(&mut self, elapsed_ns: u64) {
        if elapsed_ns > self.elapsed_ns {
            self.elapsed_ns = elapsed_ns;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_moves_by_reads_and_waits_and_never_back() {
        let mut clock = Clock::new(5_000_000_000);
        assert_eq!((clock.read(), clock.read()), (1000, 2000));
        clock.at_least(7_000);
        clock.at_least(3_000);
        assert_eq!(clock.read(), 8_000);
        clock.restart(9_000_000_000);
        assert_eq!(clock.start_ns() + clock.elapsed_ns(), 9_000_000_000);
        assert_eq!(clock.read(), 9_000);
    }
}
