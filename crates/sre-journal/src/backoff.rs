//! How long to wait before the next attempt.

use std::time::Duration;

/// Exponential backoff with jitter: after attempt `n` a random time between half and all of `base ×
/// 2ⁿ⁻¹`, at most `cap`.
///
/// Jitter spreads orders that failed together, so that they do not come back together.
#[derive(Debug, Clone, Copy)]
pub struct Backoff {
    /// Upper bound of the first pause. Default 1 s.
    pub base: Duration,
    /// Upper bound of every pause. Default 60 s.
    pub cap: Duration,
}

impl Default for Backoff {
    fn default() -> Self {
        Self {
            base: Duration::from_secs(1),
            cap: Duration::from_secs(60),
        }
    }
}

impl Backoff {
    /// The pause after attempt number `failed` (from 1), for a random number in `0.0..1.0`. Never
    /// below half of the bound: without a pause, a service that just failed would be hammered.
    #[must_use]
    pub fn pause(&self, failed: u32, random: f64) -> Duration {
        let bound = self
            .base
            .saturating_mul(
                1u32.checked_shl(failed.saturating_sub(1))
                    .unwrap_or(u32::MAX),
            )
            .min(self.cap);
        bound.mul_f64(0.5 + random.clamp(0.0, 1.0) / 2.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_the_cap() {
        let backoff = Backoff::default();
        let longest: Vec<u64> = (1..=9)
            .map(|failed| backoff.pause(failed, 1.0).as_secs())
            .collect();
        assert_eq!(longest, [1, 2, 4, 8, 16, 32, 60, 60, 60]);
        for failed in [1, 5, 40, u32::MAX] {
            let (shortest, longest) = (backoff.pause(failed, 0.0), backoff.pause(failed, 1.0));
            assert_eq!(shortest * 2, longest);
            assert!(longest <= backoff.cap);
        }
    }
}
