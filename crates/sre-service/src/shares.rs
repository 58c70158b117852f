//! What callers share, and how much of it one of them may hold.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::caller::LOCAL;

/// Permits, for instance for event streams, verifications or kibibytes of memory. One caller may
/// hold half of them, so that none keeps the service from the others. Cheap to clone; clones share
/// the permits.
#[derive(Clone)]
pub struct Shares {
    permits: Arc<Semaphore>,
    size: usize,
    held: Arc<Mutex<HashMap<String, usize>>>,
}

/// Permits of one caller, released when this is dropped.
pub struct Held {
    _permit: OwnedSemaphorePermit,
    shares: Shares,
    caller: String,
    count: usize,
}

impl Shares {
    /// This many permits.
    #[must_use]
    pub fn new(size: usize) -> Self {
        Self {
            permits: Arc::new(Semaphore::new(size)),
            size,
            held: Arc::default(),
        }
    }

    /// This many of them for `caller`, if they are free and it does not hold its share already. A
    /// caller that holds nothing may take more than its share at once: it would never get it
    /// otherwise.
    #[must_use]
    pub fn take(&self, caller: &str, count: usize) -> Option<Held> {
        // Without tokens there is one caller only.
        let share = if caller == LOCAL {
            self.size
        } else {
            self.size.div_ceil(2)
        };
        let mut held = self.held();
        let holds = held.get(caller).copied().unwrap_or(0);
        if holds > 0 && holds + count > share {
            return None;
        }
        let permit = Arc::clone(&self.permits)
            .try_acquire_many_owned(u32::try_from(count).ok()?)
            .ok()?;
        *held.entry(caller.to_owned()).or_default() += count;
        drop(held);
        Some(Held {
            _permit: permit,
            shares: self.clone(),
            caller: caller.to_owned(),
            count,
        })
    }

    fn held(&self) -> MutexGuard<'_, HashMap<String, usize>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let mut held = self.shares.held();
        if let Some(count) = held.get_mut(&self.caller) {
            *count -= self.count;
            if *count == 0 {
                held.remove(&self.caller);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_caller_gets_half_and_gives_it_back() {
        let shares = Shares::new(5);
        let first = shares.take("a", 2).expect("a permit");
        let second = shares.take("a", 1).expect("half of five, rounded up");
        assert!(shares.take("a", 1).is_none());
        let other = shares.take("b", 2).expect("what a cannot have");
        assert!(shares.take("b", 1).is_none(), "there are no more");
        drop(first);
        drop(shares.take("a", 2).expect("given back"));
        drop((second, other));
        assert!(shares.held().is_empty());
        drop(
            shares
                .take("a", 5)
                .expect("more than a share for a caller that holds nothing"),
        );
        assert!(shares.take("a", 6).is_none());
        let local: Vec<_> = (0..5)
            .map(|_| shares.take(LOCAL, 1).expect("the only caller"))
            .collect();
        assert_eq!(local.len(), 5);
    }
}
