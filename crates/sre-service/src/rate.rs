//! How many requests a caller may make: a token bucket per name.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// A bucket per name. Names are those of tokens, so there are few.
pub(crate) struct RateLimit {
    per_second: f64,
    buckets: Mutex<HashMap<String, Bucket>>,
}

struct Bucket {
    left: f64,
    filled: Instant,
}

impl RateLimit {
    /// On average `per_second`, and two seconds' worth at once.
    pub(crate) fn new(per_second: f64) -> Self {
        Self {
            per_second: per_second.max(0.001),
            buckets: Mutex::default(),
        }
    }

    /// Takes one request of `name`, or says how long to wait.
    pub(crate) fn take(&self, name: &str, now: Instant) -> Result<(), Duration> {
        let burst = (2.0 * self.per_second).max(1.0);
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        if !buckets.contains_key(name) {
            buckets.insert(
                name.to_owned(),
                Bucket {
                    left: burst,
                    filled: now,
                },
            );
        }
        let Some(bucket) = buckets.get_mut(name) else {
            return Ok(());
        };
        let elapsed = now.saturating_duration_since(bucket.filled).as_secs_f64();
        bucket.left = (bucket.left + elapsed * self.per_second).min(burst);
        bucket.filled = now;
        if bucket.left >= 1.0 {
            bucket.left -= 1.0;
            return Ok(());
        }
        Err(
            Duration::try_from_secs_f64((1.0 - bucket.left) / self.per_second)
                .unwrap_or(Duration::from_secs(60)),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_name_has_its_own_bucket_which_fills_with_time() {
        let (limit, start) = (RateLimit::new(2.0), Instant::now());
        for _ in 0..4 {
            assert_eq!(limit.take("a", start), Ok(()));
        }
        assert_eq!(limit.take("a", start), Err(Duration::from_millis(500)));
        assert_eq!(limit.take("b", start), Ok(()));
        assert_eq!(limit.take("a", start + Duration::from_millis(500)), Ok(()));
        assert!(limit.take("a", start + Duration::from_millis(500)).is_err());
    }
}
