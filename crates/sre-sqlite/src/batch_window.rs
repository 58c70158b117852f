//! How long the writer waits for more jobs before it commits.
//!
//! A commit costs about the same for one job as for thirty. When many callers write, callers that
//! were answered together come back within a fraction of a millisecond of each other. A commit at
//! the first of them would split one large batch into many small ones. So the writer waits until as
//! many jobs are there as in recent batches, but never longer than [`MAX_DELAY`]. A single caller
//! is expected alone and does not wait at all.

use std::time::{Duration, Instant};

/// The longest a job waits for others.
const MAX_DELAY: Duration = Duration::from_millis(1);

/// How often the writer counts the jobs that are there.
const POLL_INTERVAL: Duration = Duration::from_micros(100);

/// The factor by which the expectation falls after a smaller batch.
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

    /// Waits while fewer jobs than expected are there.
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
    fn a_single_caller_does_not_wait() {
        let mut window = BatchWindow::new();
        for jobs in [1, 2, 1, 1] {
            window.observe(jobs);
        }
        // One job is there and will stay alone: an expectation of two would wait for the time
        // limit.
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
