//! When a callback is tried again.

use std::time::Duration;

/// Pauses between deliveries. After the last one it is given up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schedule(Vec<Duration>);

impl Schedule {
    /// A schedule with these pauses; the first delivery is made at once and needs none.
    #[must_use]
    pub fn new(pauses: Vec<Duration>) -> Self {
        Self(pauses)
    }

    /// The pause after delivery number `failed` (from 1), for a random number in `0.0..1.0`; `None`
    /// when it is given up.
    ///
    /// Jitter adds up to a fifth, so that the callbacks of an outage do not come back together, and
    /// never too early.
    #[must_use]
    pub fn pause(&self, failed: u32, random: f64) -> Option<Duration> {
        let index = usize::try_from(failed).ok()?.checked_sub(1)?;
        self.0
            .get(index)
            .map(|pause| pause.mul_f64(1.0 + random.clamp(0.0, 1.0) / 5.0))
    }
}

impl Default for Schedule {
    /// The schedule that the Standard Webhooks specification recommends: 5 s, 5 min, 30 min, 2, 5,
    /// 10, 14, 20 and 24 h.
    fn default() -> Self {
        const SECONDS: [u64; 9] = [5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400];
        Self(SECONDS.map(Duration::from_secs).to_vec())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_follow_the_specification_and_end() {
        let schedule = Schedule::default();
        assert_eq!(schedule.pause(1, 0.0), Some(Duration::from_secs(5)));
        assert_eq!(
            schedule.pause(9, 1.0),
            Some(Duration::from_secs(86_400 * 6 / 5))
        );
        assert_eq!(
            (
                schedule.pause(10, 0.5),
                schedule.pause(u32::MAX, 0.5),
                schedule.pause(0, 0.5)
            ),
            (None, None, None)
        );
    }
}
