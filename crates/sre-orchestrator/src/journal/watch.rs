//! Waiting for news of an order within this process.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::watch;

/// Whom to wake when something was recorded about an order. Other processes' records wake nobody: whoever waits looks
/// again from time to time.
#[derive(Default)]
pub(super) struct Watches(Mutex<HashMap<i64, watch::Sender<u64>>>);

/// Wakes when something was recorded about one order.
pub struct Watch {
    sequence: i64,
    watches: Arc<Watches>,
    changed: watch::Receiver<u64>,
}

impl Watches {
    pub(super) fn of(self: &Arc<Self>, sequence: i64) -> Watch {
        let mut watches = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let changed = watches.entry(sequence).or_insert_with(|| watch::channel(0).0).subscribe();
        Watch { sequence, watches: Arc::clone(self), changed }
    }

    pub(super) fn notify(&self, sequence: i64) {
        if let Some(sender) = self.0.lock().unwrap_or_else(PoisonError::into_inner).get(&sequence) {
            sender.send_modify(|count| *count = count.wrapping_add(1));
        }
    }

    pub(super) fn is_watched(&self, sequence: i64) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).contains_key(&sequence)
    }
}

impl Watch {
    /// Waits until something was recorded since the last call (or since the watch was made).
    pub async fn changed(&mut self) {
        if self.changed.changed().await.is_err() {
            // The sender lives in the table as long as this watch does.
            std::future::pending::<()>().await;
        }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        let mut watches = self.watches.0.lock().unwrap_or_else(PoisonError::into_inner);
        // This receiver is still counted.
        if watches.get(&self.sequence).is_some_and(|sender| sender.receiver_count() <= 1) {
            watches.remove(&self.sequence);
        }
    }
}
