//! When a callback is tried again.

use std::time::Duration;

/// Longest pause that a receiver can ask for: the longest of the default schedule.
const RETRY_AFTER_LIMIT: Duration = Duration::from_secs(86_400);

/// How often the outbox is read without being woken: what other processes put there is found so.
const POLL_PERIOD: Duration = Duration::from_millis(500);

/// Pauses between deliveries. After the last one it is given up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schedule {
    pauses: Vec<Duration>,
    poll_period: Duration,
}

impl Schedule {
    /// A schedule with these pauses; the first delivery is made at once and needs none.
    #[must_use]
    pub fn new(pauses: Vec<Duration>) -> Self {
        Self {
            pauses,
            poll_period: POLL_PERIOD,
        }
    }

    /// The same, reading the outbox once in this time when nothing wakes the courier. Default
    /// 500 ms.
    #[must_use]
    pub fn polling_every(self, poll_period: Duration) -> Self {
        Self {
            poll_period,
            ..self
        }
    }

    pub(super) fn poll_period(&self) -> Duration {
        self.poll_period
    }

    /// The pause after delivery number `failed` (from 1), for a random number in `0.0..1.0`; `None`
    /// when it is given up. A receiver that asks for a longer pause gets it, up to
    /// a day.
    ///
    /// Jitter adds up to a fifth, so that the callbacks of an outage do not come back together, and
    /// never too early.
    #[must_use]
    pub fn pause(&self, failed: u32, asked: Option<Duration>, random: f64) -> Option<Duration> {
        let index = usize::try_from(failed).ok()?.checked_sub(1)?;
        let asked = asked.unwrap_or_default().min(RETRY_AFTER_LIMIT);
        self.pauses
            .get(index)
            .map(|pause| (*pause).max(asked))
            .map(|pause| pause.mul_f64(1.0 + random.clamp(0.0, 1.0) / 5.0))
    }
}

impl Default for Schedule {
    /// The schedule that the Standard Webhooks specification recommends: 5 s, 5 min, 30 min, 2, 5,
    /// 10, 14, 20 and 24 h.
    fn default() -> Self {
        const SECONDS: [u64; 9] = [5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400];
        Self::new(SECONDS.map(Duration::from_secs).to_vec())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_follow_the_specification_and_end() {
        let schedule = Schedule::default();
        assert_eq!(schedule.pause(1, None, 0.0), Some(Duration::from_secs(5)));
        assert_eq!(
            schedule.pause(9, None, 1.0),
            Some(Duration::from_secs(86_400 * 6 / 5))
        );
        assert_eq!(
            (
                schedule.pause(10, None, 0.5),
                schedule.pause(u32::MAX, None, 0.5),
                schedule.pause(0, None, 0.5)
            ),
            (None, None, None)
        );
    }

    #[test]
    fn a_receiver_can_ask_for_a_longer_pause_and_not_for_more_deliveries() {
        let schedule = Schedule::new(vec![Duration::from_secs(2)]);
        let pause = |failed, asked| schedule.pause(failed, Some(Duration::from_secs(asked)), 0.0);
        assert_eq!(pause(1, 12), Some(Duration::from_secs(12)));
        assert_eq!(pause(1, 0), Some(Duration::from_secs(2)));
        assert_eq!(pause(1, u64::MAX), Some(RETRY_AFTER_LIMIT));
        assert_eq!(pause(2, 12), None);
    }
}
