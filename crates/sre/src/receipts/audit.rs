//! Whether everything is still there that receipts point to: a sample, chosen by chance, read and recomputed.

use std::collections::{BTreeMap, BTreeSet};

use sre_core::BlobDigest;
use sre_da::{Store, StoreError, StoreErrorKind};
use sre_log::{Log, LogError};
use sre_receipt::tlog::EntryKind;
use sre_receipt::{Envelope, Receipt};

use sre_orchestrator::evidence;

/// What an audit found.
#[derive(Debug, Default)]
pub struct Audit {
    /// Receipts in the sample.
    pub receipts: u64,
    /// What was read.
    pub blobs: BTreeSet<BlobDigest>,
    /// Its bytes.
    pub bytes: u64,
    /// What is missing or damaged.
    pub lost: BTreeMap<BlobDigest, Lost>,
}

/// A blob that is not what it should be.
#[derive(Debug)]
pub struct Lost {
    /// What is wrong with it.
    pub problem: String,
    /// Whether there are bytes, and others than there should be.
    pub is_mismatch: bool,
    /// Orders that need it.
    pub orders: BTreeSet<String>,
}

impl Audit {
    /// Reads `count` receipts of the log, chosen by chance, and everything they lead to.
    ///
    /// # Errors
    /// When the log itself cannot be read.
    pub async fn sample(log: &Log, store: &dyn Store, count: u32) -> Result<Self, LogError> {
        let mut audit = Self::default();
        for position in positions(log.submitted()?, u64::from(count)) {
            let Some((order_id, entry)) = log.entry_at(position)? else { continue };
            if entry.kind == EntryKind::Receipt {
                audit.receipt(store, &order_id, entry.sha256.into()).await;
            }
        }
        Ok(audit)
    }

    async fn receipt(&mut self, store: &dyn Store, order_id: &str, digest: BlobDigest) {
        self.receipts += 1;
        let receipt = match store.get(digest).await {
            Ok(bytes) => {
                self.found(digest, bytes.len());
                Envelope::parse(&bytes).ok().and_then(|envelope| Receipt::read(envelope).ok())
            }
            Err(error) => return self.lost(digest, order_id, &error),
        };
        let Some(receipt) = receipt else { return };
        let evidence = evidence(store, &receipt, false).await;
        for (digest, bytes) in &evidence.blobs {
            self.found(*digest, bytes.len());
        }
        for (digest, error) in &evidence.missing {
            self.lost(*digest, order_id, error);
        }
    }

    fn found(&mut self, digest: BlobDigest, length: usize) {
        if self.blobs.insert(digest) {
            self.bytes += length as u64;
        }
    }

    fn lost(&mut self, digest: BlobDigest, order_id: &str, error: &StoreError) {
        let lost = self.lost.entry(digest).or_insert_with(|| Lost {
            problem: error.to_string(),
            is_mismatch: error.kind() == StoreErrorKind::Mismatch,
            orders: BTreeSet::new(),
        });
        lost.orders.insert(order_id.to_owned());
    }
}

/// `count` of the numbers below `total`, chosen by chance; all of them where there are no more.
fn positions(total: u64, count: u64) -> BTreeSet<u64> {
    if total <= count {
        return (0..total).collect();
    }
    let mut chosen = BTreeSet::new();
    while (chosen.len() as u64) < count {
        chosen.insert(rand::random_range(0..total));
    }
    chosen
}
