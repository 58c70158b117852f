//! The guest's clock.
//!
//! It starts at the order's `clock_start` and moves for two reasons only: a read takes a virtual
//! microsecond, so that a guest that waits for time to pass gets there; a sleep takes
//! as long as it says and costs the host nothing. Where the guest sleeps past the profile's time
//! limit it is stopped, as it would be by a wall clock.

use jiff::Timestamp;

use super::{CallRecorder, Halt};

/// What a read of the clock takes, and the resolution it reports: one microsecond.
pub(crate) const CLOCK_RESOLUTION_NS: u64 = 1_000;

pub(crate) struct VirtualClock {
    start_ns: u64,
    elapsed_ns: u64,
    limit_ns: u64,
    recorder: CallRecorder,
}

impl VirtualClock {
    pub(crate) fn new(start: Timestamp, limit_ms: u64, recorder: CallRecorder) -> Self {
        // WASI counts nanoseconds since 1970 in 64 bits, which end in 2554; moments outside are
        // moved to the near end.
        let start_ns =
            u64::try_from(start.as_nanosecond().clamp(0, i128::from(u64::MAX))).unwrap_or(u64::MAX);
        Self {
            start_ns,
            elapsed_ns: 0,
            limit_ns: limit_ms.saturating_mul(1_000_000),
            recorder,
        }
    }

    pub(crate) fn start_ns(&self) -> u64 {
        self.start_ns
    }

    /// Nanoseconds since the Unix epoch.
    pub(crate) fn realtime_ns(&mut self) -> Result<u64, Halt> {
        self.advance(CLOCK_RESOLUTION_NS)?;
        let now = self.start_ns.saturating_add(self.elapsed_ns);
        self.recorder.record_number("wall clock", now);
        Ok(now)
    }

    /// Nanoseconds since the guest started.
    pub(crate) fn monotonic_ns(&mut self) -> Result<u64, Halt> {
        self.advance(CLOCK_RESOLUTION_NS)?;
        self.recorder
            .record_number("monotonic clock", self.elapsed_ns);
        Ok(self.elapsed_ns)
    }

    /// The monotonic time without the passage of time that a read is.
    pub(crate) fn peek_ns(&self) -> u64 {
        self.elapsed_ns
    }

    /// The monotonic instant that is `realtime_ns` on the other clock; 0 if that lies before the
    /// start.
    pub(crate) fn monotonic_at(&self, realtime_ns: u64) -> u64 {
        realtime_ns.saturating_sub(self.start_ns)
    }

    pub(crate) fn sleep_until(&mut self, monotonic_ns: u64) -> Result<(), Halt> {
        self.advance(monotonic_ns.saturating_sub(self.elapsed_ns))
    }

    fn advance(&mut self, by_ns: u64) -> Result<(), Halt> {
        self.elapsed_ns = self.elapsed_ns.saturating_add(by_ns);
        if self.elapsed_ns > self.limit_ns {
            Err(Halt::ClockLimit)
        } else {
            Ok(())
        }
    }
}
