//! Taking what others found.

use jiff::Timestamp;
use sre_core::{OrderId, ReceiptDigest};
use sre_receipt::{Envelope, KeyId, Purpose, VerdictStatement};

use super::{Registrar, RegistrarError, VerdictError};
use sre_journal::{Finality, NewVerdict, VerdictStanding};

/// What became of a verdict that was taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeptVerdict {
    /// Who signed it.
    pub key: KeyId,
    /// It says nothing that the latest verdict of this key about this order does not.
    pub is_known: bool,
    /// Where the order stands with it; `None` where it needs no verdicts.
    pub finality: Option<Finality>,
}

impl Registrar {
    /// Takes a verdict on the receipt of `order_id`, an envelope in canonical JSON:
    /// checked, stored, entered into the log, counted. When this returns, all of it is durable. The
    /// same again changes nothing.
    ///
    /// # Errors
    /// [`VerdictError`]; the verdict does not count.
    pub async fn take_verdict(
        &self,
        order_id: &OrderId,
        envelope: &[u8],
        now: Timestamp,
    ) -> Result<KeptVerdict, VerdictError> {
        let verdict = VerdictStatement::read(Envelope::parse(envelope)?)?;
        verdict
            .verify_signature()
            .map_err(|_| VerdictError::Signature)?;
        let key = verdict.envelope().key();
        self.check_trust(key, verdict.predicate().checked_at, now)?;
        let predicate = verdict.predicate();
        let sequence = self
            .journal
            .sequence(order_id)
            .await
            .map_err(RegistrarError::from)?;
        let (Some(sequence), Some((_, receipt))) = (sequence, self.receipt_of(order_id).await?)
        else {
            return Err(VerdictError::NoReceipt(order_id.clone()));
        };
        if predicate.order_id != *order_id || verdict.receipt() != Some(receipt.digest()) {
            return Err(VerdictError::Other(order_id.clone()));
        }
        // The log never forgets what it is given, so nothing may be added between this look and the
        // journal's count.
        let _lock = self.lock_order(order_id).await;
        let standing = self
            .journal
            .standing(sequence, key.into(), predicate.verdict)
            .await
            .map_err(RegistrarError::from)?;
        if standing == VerdictStanding::TooMany {
            return Err(VerdictError::TooMany(order_id.clone()));
        }
        let mut is_known = standing == VerdictStanding::Known;
        if !is_known {
            self.notary
                .keep_verdict(&verdict)
                .await
                .map_err(RegistrarError::from)?;
            // Dies here: the verdict is in the log and does not count. Its signer was told nothing
            // and sends it again.
            let new = NewVerdict {
                sequence,
                key: key.into(),
                verdict: predicate.verdict,
                checked_at: predicate.checked_at,
                digest: ReceiptDigest::of(envelope).digest(),
            };
            match self
                .journal
                .record_verdict(new)
                .await
                .map_err(RegistrarError::from)?
            {
                VerdictStanding::New => {}
                VerdictStanding::Known => is_known = true,
                VerdictStanding::TooMany => return Err(VerdictError::TooMany(order_id.clone())),
            }
        }
        let entry = self
            .journal
            .get(order_id)
            .await
            .map_err(RegistrarError::from)?;
        Ok(KeptVerdict {
            key,
            is_known,
            finality: entry.and_then(|entry| entry.finality),
        })
    }

    /// Whether the key is believed about others' work: now, and when it says that it looked.
    fn check_trust(
        &self,
        id: KeyId,
        checked_at: Timestamp,
        now: Timestamp,
    ) -> Result<(), VerdictError> {
        let trust = self.trust()?;
        for at in [now, checked_at] {
            match trust.find(id, Purpose::Verdict, at) {
                Ok(key) if self.is_own(key) => return Err(VerdictError::Own),
                Ok(_) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }
}
