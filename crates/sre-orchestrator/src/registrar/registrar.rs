//! The handle.

use std::collections::BTreeSet;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use jiff::Timestamp;
use sre_core::OrderId;
use sre_journal::Journal;
use sre_log::{Log, Notary};
use sre_receipt::tlog::TlogProof;
use sre_receipt::{KeyFolder, KeyFolderError, KeyId, Purpose, Receipt, Trust};
use tokio::sync::{Mutex, MutexGuard};

use super::RegistrarError;

/// Issues the receipts of a journal's orders, and takes verdicts on them. May be shared between
/// threads.
pub struct Registrar {
    pub(super) journal: Arc<dyn Journal>,
    pub(super) notary: Notary,
    pub(super) keys: KeyFolder,
    /// Held while a verdict on one of these orders is taken; by a hash of the order's id.
    pub(super) locks: [Mutex<()>; LOCK_STRIPES],
}

/// Orders on which verdicts are taken at the same time, at most.
const LOCK_STRIPES: usize = 64;

/// The receipt of an order and where it stands.
#[derive(Debug, Clone)]
pub struct ReceiptState {
    /// The receipt; `None` until it is signed, which follows the order's end at once.
    pub receipt: Option<Receipt>,
    /// Its number in the log.
    pub position: Option<u64>,
    /// The proof of its place; `None` while it is pending.
    pub proof: Option<TlogProof>,
}

impl Registrar {
    /// A registrar of `journal` that signs and keeps with `notary`, and believes whom the trust
    /// file in `keys` names.
    #[must_use]
    pub fn new(journal: Arc<dyn Journal>, notary: Notary, keys: KeyFolder) -> Self {
        Self {
            journal,
            notary,
            keys,
            locks: std::array::from_fn(|_| Mutex::new(())),
        }
    }

    /// The log.
    #[must_use]
    pub fn log(&self) -> &Arc<Log> {
        self.notary.log()
    }

    /// What signs.
    #[must_use]
    pub fn notary(&self) -> &Notary {
        &self.notary
    }

    /// The receipt of an order and where it stands.
    ///
    /// # Errors
    /// [`RegistrarError`].
    pub async fn state(&self, order_id: &OrderId) -> Result<ReceiptState, RegistrarError> {
        let Some((position, receipt)) = self.receipt_of(order_id).await? else {
            return Ok(ReceiptState {
                receipt: None,
                position: None,
                proof: None,
            });
        };
        let proof = self.log().prove(position).await?;
        Ok(ReceiptState {
            receipt: Some(receipt),
            position: Some(position),
            proof,
        })
    }

    /// The receipt of an order and its number in the log; `None` while it has none, or when it was
    /// forgotten.
    pub(super) async fn receipt_of(
        &self,
        order_id: &OrderId,
    ) -> Result<Option<(u64, Receipt)>, RegistrarError> {
        let Some(order) = self.journal.due_receipt(order_id).await? else {
            return Ok(None);
        };
        Ok(self.notary.receipt_of(&order.result()?).await?)
    }

    /// Whether an order is kept, and with it the evidence that its receipt leads to; of one that
    /// was forgotten only the receipt is.
    ///
    /// # Errors
    /// [`RegistrarError::Journal`].
    pub async fn is_kept(&self, order_id: &OrderId) -> Result<bool, RegistrarError> {
        Ok(self.journal.sequence(order_id).await?.is_some())
    }

    /// Waits until this process takes no other verdict on this order.
    pub(super) async fn lock_order(&self, order_id: &OrderId) -> MutexGuard<'_, ()> {
        let mut hasher = DefaultHasher::new();
        order_id.as_str().hash(&mut hasher);
        self.locks[(hasher.finish() % LOCK_STRIPES as u64) as usize]
            .lock()
            .await
    }

    /// The keys whose verdicts count now: all that are trusted for it but this node's own, present
    /// and past.
    ///
    /// # Errors
    /// [`RegistrarError::Keys`].
    pub fn verdict_keys(&self, now: Timestamp) -> Result<BTreeSet<KeyId>, RegistrarError> {
        let trust = self.trust()?;
        let counts = trust
            .keys()
            .iter()
            .filter(|key| !self.is_own(key) && key.allows(Purpose::Verdict, now).is_ok());
        Ok(counts.map(|key| key.public_key.id()).collect())
    }

    /// The trust file as it is now: people edit it while the service runs.
    pub(super) fn trust(&self) -> Result<Trust, RegistrarError> {
        Ok(self.keys.trust()?)
    }

    /// Signs with the key in the folder from now on, if it was replaced (`sre key rotate`).
    ///
    /// Called after the orders of a batch were read: so an order that the old key signs had ended
    /// before the new one was in place, and until then the old one is trusted. Where the file
    /// cannot be used nothing is signed: receipts wait, as they would at a start.
    pub(super) fn take_new_key(&self) -> Result<(), RegistrarError> {
        let key = self
            .keys
            .load()?
            .ok_or_else(|| KeyFolderError::Missing(self.keys.path().to_path_buf()))?;
        if key.secret.public() == self.log().key().secret.public() {
            return Ok(());
        }
        let id = key.secret.public().id();
        self.log().use_key(Arc::new(key))?;
        tracing::info!(key = %id, "the signing key was replaced; receipts and checkpoints are signed with the new one");
        Ok(())
    }

    pub(super) fn is_own(&self, key: &sre_receipt::TrustedKey) -> bool {
        key.name == self.log().verifier_key().name
    }
}
