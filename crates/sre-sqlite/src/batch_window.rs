//! How long the writer waits for more jobs before it commits.
//!
//! A commit costs about the same for one job as for thirty. When many callers write, those that
//! were answered together come back within a fraction of a millisecond of each other; committing at
//! the first of them makes many small commits of what could be a large one. So the writer waits
//! until as many are there as came the last times, but never longer than [`MAX_DELAY`]. A caller who
//! is alone is expected alone and does not wait at all.

use std::time::{Duration, Instant};

/// The longest a job waits for others.
const MAX_DELAY: Duration = Duration::from_millis(1);

/// How often the writer looks who has come.
const POLL_INTERVAL: Duration = Duration::from_micros(100);

/// What of the expectation is left when fewer came.
const DECAY: f64 = 0.9;

/// The expected size of the next batch.
#[derive(Debug)]
pub(super) struct BatchWindow {
    expected_jobs: f64,
}

impl BatchWindow {
    pub(super) fn new() -> Self {
        Self { expected_jobs: 1.0 }
    }

    /// Waits while fewer jobs than expected `are_there`.
    pub(super) fn wait(&self, are_there: impl Fn() -> usize) {
        let started = Instant::now();
        // Whole jobs: an expectation of 1.9 is met by one.
        while (are_there() as f64) < self.expected_jobs.floor() && started.elapsed() < MAX_DELAY {
            std::thread::sleep(POLL_INTERVAL);
        }
    }

    /// Learns from a batch.
    pub(super) fn observe(&mut self, jobs: usize) {
        self.expected_jobs = (jobs as f64).max(self.expected_jobs * DECAY);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_was_alone_is_expected_alone() {
        let mut window = BatchWindow::new();
        for jobs in [1, 2, 1, 1] {
            window.observe(jobs);
        }
        // Would not come back otherwise: nobody else is ever there, and time is not what ends it.
        window.wait(|| 1);
        assert!(window.expected_jobs < 2.0);
    }

    #[test]
    fn expectations_rise_at_once_and_fall_slowly() {
        let mut window = BatchWindow::new();
        window.observe(40);
        assert_eq!(window.expected_jobs.floor(), 40.0);
        window.observe(10);
        assert_eq!(window.expected_jobs.floor(), 36.0);
        (0..60).for_each(|_| window.observe(1));
        assert_eq!(window.expected_jobs.floor(), 1.0);
    }
}
