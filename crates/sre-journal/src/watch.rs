//! Waiting for news of an order within this process.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::watch;

/// Whom to wake when something was recorded about an order. Records of other processes do not wake:
/// a waiting caller looks again from time to time.
#[derive(Default)]
pub(crate) struct Watches(Mutex<HashMap<i64, watch::Sender<News>>>);

/// What was recorded about an order since its first watch.
#[derive(Debug, Clone, Default)]
pub struct News {
    /// Whether it has ended.
    pub ended: bool,
    /// How it ended, as the JSON of an [`OrderResult`](sre_core::OrderResult), where that is at
    /// hand; else it is in the journal.
    pub result: Option<Arc<str>>,
}

/// Wakes when something was recorded about one order.
pub struct Watch {
    sequence: i64,
    watches: Arc<Watches>,
    changed: watch::Receiver<News>,
}

impl Watches {
    pub(crate) fn of(self: &Arc<Self>, sequence: i64) -> Watch {
        let mut watches = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let changed = watches
            .entry(sequence)
            .or_insert_with(|| watch::channel(News::default()).0)
            .subscribe();
        Watch {
            sequence,
            watches: Arc::clone(self),
            changed,
        }
    }

    pub(crate) fn notify(&self, sequence: i64) {
        self.tell(sequence, |_| ());
    }

    pub(crate) fn ended(&self, sequence: i64, result: Option<Arc<str>>) {
        self.tell(sequence, |news| {
            *news = News {
                ended: true,
                result,
            }
        });
    }

    fn tell(&self, sequence: i64, change: impl FnOnce(&mut News)) {
        if let Some(sender) = self
            .0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(&sequence)
        {
            sender.send_modify(change);
        }
    }

    pub(crate) fn is_watched(&self, sequence: i64) -> bool {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .contains_key(&sequence)
    }
}

impl Watch {
    /// Waits until something was recorded since the last call (or since the watch was made), and
    /// says what is known by then.
    pub async fn changed(&mut self) -> News {
        if self.changed.changed().await.is_err() {
            // The sender lives in the table as long as this watch does.
            std::future::pending::<()>().await;
        }
        self.changed.borrow_and_update().clone()
    }
}

impl std::fmt::Debug for Watch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Watch")
            .field("sequence", &self.sequence)
            .finish_non_exhaustive()
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        let mut watches = self
            .watches
            .0
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        // This receiver is still counted.
        if watches
            .get(&self.sequence)
            .is_some_and(|sender| sender.receiver_count() <= 1)
        {
            watches.remove(&self.sequence);
        }
    }
}
