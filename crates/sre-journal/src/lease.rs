//! The right to work on an order.

use std::sync::{Arc, Mutex, PoisonError};

use sre_core::OrderId;

/// The right to work on one attempt of one order. Dropping it without finishing gives the order
/// back: the attempt does not count, and the next acquisition by this process can take it again.
#[derive(Debug)]
pub struct Lease {
    pub(super) order_id: OrderId,
    submitter: String,
    pub(super) key: LeaseKey,
    pub(super) attempt: u32,
    pub(super) accepted_at_ms: i64,
    abandoned: Option<Arc<Abandoned>>,
}

/// What names a lease in the journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct LeaseKey {
    pub(super) sequence: i64,
    pub(super) token: i64,
}

/// Leases that were dropped; the next write of the journal gives them back.
#[derive(Debug, Default)]
pub(super) struct Abandoned(Mutex<Vec<LeaseKey>>);

impl Abandoned {
    pub(super) fn pending(&self) -> Vec<LeaseKey> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    pub(super) fn remove(&self, keys: &[LeaseKey]) {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .retain(|key| !keys.contains(key));
    }

    fn add(&self, key: LeaseKey) {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(key);
    }
}

impl Lease {
    pub(super) fn new(
        order_id: OrderId,
        submitter: String,
        key: LeaseKey,
        attempt: u32,
        accepted_at_ms: i64,
        abandoned: &Arc<Abandoned>,
    ) -> Self {
        Self {
            order_id,
            submitter,
            key,
            attempt,
            accepted_at_ms,
            abandoned: Some(Arc::clone(abandoned)),
        }
    }

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

    /// Nothing is left to give back.
    pub(super) fn settle(mut self) {
        self.abandoned = None;
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if let Some(abandoned) = self.abandoned.take() {
            abandoned.add(self.key);
        }
    }
}
