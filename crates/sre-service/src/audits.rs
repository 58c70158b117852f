//! What the audit of the store has found so far.

use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use serde::Serialize;
use sre_core::BlobDigest;

/// What the rounds of an audit have found since the start.
#[derive(Debug, Clone, Default, Serialize)]
pub struct AuditReport {
    /// When the last round ended; `None` before the first one.
    pub audited_at: Option<Timestamp>,
    /// Receipts read, of all rounds.
    pub receipts: u64,
    /// Those of them whose orders were purged, and their evidence with them.
    pub forgotten: u64,
    /// Blobs that could not be read for the moment, of all rounds.
    pub unread: u64,
    /// Blobs read, of all rounds.
    pub blobs: u64,
    /// Their bytes.
    pub bytes: u64,
    /// What is missing or damaged now.
    pub lost: Vec<LostBlob>,
}

/// A blob that is not what it should be.
#[derive(Debug, Clone, Serialize)]
pub struct LostBlob {
    /// Which.
    pub digest: BlobDigest,
    /// What is wrong with it.
    pub problem: String,
    /// Orders that cannot be verified without it, as far as they were audited.
    pub orders: BTreeSet<String>,
}

/// The place where the audit writes and clients read.
#[derive(Debug, Default)]
pub struct Audits(Mutex<AuditReport>);

impl AuditReport {
    /// How many orders are affected.
    #[must_use]
    pub fn lost_orders(&self) -> usize {
        self.lost
            .iter()
            .flat_map(|lost| &lost.orders)
            .collect::<BTreeSet<_>>()
            .len()
    }
}

impl Audits {
    /// What is known.
    #[must_use]
    pub fn report(&self) -> AuditReport {
        self.lock().clone()
    }

    /// Changes what is known.
    pub fn update(&self, change: impl FnOnce(&mut AuditReport)) {
        change(&mut self.lock());
    }

    fn lock(&self) -> MutexGuard<'_, AuditReport> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
