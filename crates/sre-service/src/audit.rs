//! Whether everything that receipts point to is still there: a random sample, read and
//! recomputed.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use sre_core::BlobDigest;
use sre_da::{Store, StoreError, StoreErrorKind};
use sre_receipt::tlog::EntryKind;
use sre_receipt::{Envelope, Receipt};

use sre_orchestrator::{Registrar, RegistrarError, evidence};

/// What an audit found.
#[derive(Debug, Default)]
pub struct Audit {
    /// Receipts in the sample.
    pub receipts: u64,
    /// Those of them whose orders were purged, and their evidence with them.
    pub forgotten: u64,
    /// What was read.
    pub blobs: BTreeSet<BlobDigest>,
    /// Its bytes.
    pub bytes: u64,
    /// What could not be read for the moment.
    pub unread: BTreeSet<BlobDigest>,
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
    /// Reads `count` random entries of the log, the log's tiles over them, and
    /// everything that receipts of orders that are kept lead to.
    ///
    /// # Errors
    /// When log or journal cannot be read.
    pub async fn sample(
        registrar: &Registrar,
        store: &dyn Store,
        count: u32,
    ) -> Result<Self, RegistrarError> {
        let (log, mut audit) = (registrar.log(), Self::default());
        for position in positions(log.submitted()?, u64::from(count)) {
            let Some((order_id, entry)) = log.entry_at(position)? else {
                continue;
            };
            for tile in log.tiles_over(position)? {
                audit.read(store, &order_id, tile).await;
            }
            let bytes = audit.read(store, &order_id, entry.sha256.into()).await;
            if entry.kind != EntryKind::Receipt {
                continue;
            }
            audit.receipts += 1;
            let is_kept = match order_id.parse() {
                Ok(order_id) => registrar.is_kept(&order_id).await?,
                Err(_) => false,
            };
            if !is_kept {
                audit.forgotten += 1;
                continue;
            }
            let receipt = bytes.and_then(|bytes| Receipt::read(Envelope::parse(&bytes).ok()?).ok());
            if let Some(receipt) = receipt {
                audit.evidence(store, &order_id, &receipt).await;
            }
        }
        Ok(audit)
    }

    async fn evidence(&mut self, store: &dyn Store, order_id: &str, receipt: &Receipt) {
        let evidence = evidence(store, receipt, false).await;
        for (digest, bytes) in &evidence.blobs {
            self.found(*digest, bytes.len());
        }
        for (digest, error) in &evidence.missing {
            self.missed(*digest, order_id, error);
        }
    }

    /// A blob, unless it is lost.
    async fn read(
        &mut self,
        store: &dyn Store,
        order_id: &str,
        digest: BlobDigest,
    ) -> Option<Arc<[u8]>> {
        match store.get(digest).await {
            Ok(bytes) => {
                self.found(digest, bytes.len());
                Some(bytes)
            }
            Err(error) => {
                self.missed(digest, order_id, &error);
                None
            }
        }
    }

    fn found(&mut self, digest: BlobDigest, length: usize) {
        if self.blobs.insert(digest) {
            self.bytes += length as u64;
        }
    }

    /// A store that fails for the moment has not lost anything.
    fn missed(&mut self, digest: BlobDigest, order_id: &str, error: &StoreError) {
        if error.is_retryable() {
            tracing::warn!(%digest, %error, "a blob cannot be read now, and is not audited");
            self.unread.insert(digest);
            return;
        }
        let lost = self.lost.entry(digest).or_insert_with(|| Lost {
            problem: error.to_string(),
            is_mismatch: error.kind() == StoreErrorKind::Mismatch,
            orders: BTreeSet::new(),
        });
        lost.orders.insert(order_id.to_owned());
    }
}

/// `count` random numbers below `total`; all of them where there are no more.
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
