//! The journal's clocks.
//!
//! Two, because the wall clock jumps: the first NTP answer after boot, a resumed virtual machine,
//! an operator. Moments that people see, and moments that must mean the same after a restart, are
//! the wall clock's. Waiting is measured by the steady clock, so that no order ends because a clock
//! was set.

use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;

/// Tells the time, in milliseconds since 1970.
type Clock = Arc<dyn Fn() -> i64 + Send + Sync>;

/// A wall clock and a steady one.
#[derive(Clone)]
pub struct Clocks {
    wall: Clock,
    steady: Clock,
}

impl Clocks {
    /// The operating system's. The steady clock starts at the time of the wall clock and then goes
    /// on by itself, so the two agree as long as the wall clock does not jump.
    #[must_use]
    pub fn system() -> Self {
        let (start_ms, start) = (wall_ms(), Instant::now());
        Self::new(wall_ms, move || {
            start_ms.saturating_add(milliseconds(start.elapsed()))
        })
    }

    /// Clocks for tests. Each returns milliseconds since 1970; `steady` must never go back.
    pub fn new(
        wall: impl Fn() -> i64 + Send + Sync + 'static,
        steady: impl Fn() -> i64 + Send + Sync + 'static,
    ) -> Self {
        Self {
            wall: Arc::new(wall),
            steady: Arc::new(steady),
        }
    }

    pub(crate) fn wall_ms(&self) -> i64 {
        (self.wall)()
    }

    pub(crate) fn steady_ms(&self) -> i64 {
        (self.steady)()
    }
}

impl std::fmt::Debug for Clocks {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Clocks").finish_non_exhaustive()
    }
}

fn wall_ms() -> i64 {
    Timestamp::now().as_millisecond()
}

/// A duration as the tables keep it; one that is too long for that is as good as endless.
pub(crate) fn milliseconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}
