//! The right to work on an order.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use sre_core::OrderId;

/// The right to work on one attempt of one order. Dropping it without finishing releases the order:
/// the attempt does not count, and the next acquisition by this process can take it again.
#[derive(Debug)]
pub struct Lease {
    pub(crate) order_id: OrderId,
    pub(crate) submitter: String,
    pub(crate) key: LeaseKey,
    pub(crate) attempt: u32,
    /// By the steady clock.
    pub(crate) queued_at_ms: i64,
    /// Where to note that the lease was dropped; `None` once it is settled.
    pub(crate) dropped: Option<Arc<DroppedLeases>>,
}

/// What names a lease in the journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct LeaseKey {
    pub(crate) sequence: i64,
    /// The fencing token.
    pub(crate) token: i64,
}

/// Leases that were dropped. Dropping cannot wait for a write, so the next write of the journal
/// releases them.
#[derive(Debug, Default)]
pub(crate) struct DroppedLeases(Mutex<Vec<LeaseKey>>);

impl DroppedLeases {
    pub(crate) fn pending(&self) -> Vec<LeaseKey> {
        self.lock().clone()
    }

    pub(crate) fn remove(&self, keys: &[LeaseKey]) {
        self.lock().retain(|key| !keys.contains(key));
    }

    fn add(&self, key: LeaseKey) {
        self.lock().push(key);
    }

    fn lock(&self) -> MutexGuard<'_, Vec<LeaseKey>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Lease {
    /// Which order.
    #[must_use]
    pub fn order_id(&self) -> &OrderId {
        &self.order_id
    }

    /// Who submitted it.
    #[must_use]
    pub fn submitter(&self) -> &str {
        &self.submitter
    }

    /// The order's place in the journal.
    #[must_use]
    pub fn sequence(&self) -> i64 {
        self.key.sequence
    }

    /// Number of the attempt, from 1.
    #[must_use]
    pub fn attempt(&self) -> u32 {
        self.attempt
    }

    /// Ends the lease without releasing the order: the journal has recorded its end.
    pub(crate) fn settle(mut self) {
        self.dropped = None;
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if let Some(dropped) = self.dropped.take() {
            dropped.add(self.key);
        }
    }
}
