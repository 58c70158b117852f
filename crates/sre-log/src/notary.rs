//! Issues the receipts of finished orders: signed, stored under their digest, entered into the log.
//!
//! An order's receipt is issued once. If two processes issue it at the same time, the first to be
//! numbered stays, and both return that one. So any process that finds an order without a receipt
//! may issue it, at any time after the order ended. The receipt that the log has under the order's
//! id is checked before it is returned: where an id was used twice, it is another order's.

use std::sync::Arc;

use jiff::Timestamp;
use sre_core::{Canonical, CommitResult, OrderId, OrderResult, Outcome, ReceiptDigest};
use sre_da::{Blob, Store, StoreError};
use sre_receipt::tlog::{Entry, TlogProof};
use sre_receipt::{
    Envelope, EnvelopeError, Host, IssueContext, Receipt, ReceiptError, VerdictStatement,
};
use tokio::task::{JoinSet, yield_now};

use crate::log::{Log, LogError, Submission};

/// Receipts that are signed and stored in one go. Signing them takes two milliseconds, during which
/// their thread runs nothing else; and orders that wait for the same group commit wait for no more
/// of them.
const GROUP_LIMIT_RECEIPTS: usize = 64;

/// Issues receipts. May be shared between threads.
#[derive(Clone)]
pub struct Notary {
    store: Arc<dyn Store>,
    log: Arc<Log>,
    host: Host,
}

/// An order that has ended.
#[derive(Debug, Clone)]
pub struct Finished<'a> {
    /// How.
    pub result: &'a OrderResult,
    /// When.
    pub finished_at: Timestamp,
}

/// Why there is no receipt.
#[derive(Debug, thiserror::Error)]
pub enum NotaryError {
    /// The log failed.
    #[error(transparent)]
    Log(#[from] LogError),
    /// The blob store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The committed outcome is not what it should be, or a stored receipt is not.
    #[error(transparent)]
    Receipt(#[from] ReceiptError),
    /// A stored receipt is malformed.
    #[error(transparent)]
    Envelope(#[from] EnvelopeError),
    /// Another order of this id has a receipt.
    #[error(
        "the log has another order's receipt {receipt} under the id {order_id}, which was used twice; an id has one receipt, so \
         this order never gets one: submit it again under another order_id"
    )]
    Taken {
        /// The id.
        order_id: OrderId,
        /// The receipt that stands.
        receipt: ReceiptDigest,
    },
    /// The committed outcome cannot be read.
    #[error("the outcome of order {order_id} cannot be read: {reason}")]
    Outcome {
        /// Which order.
        order_id: OrderId,
        /// What is wrong with it.
        reason: String,
    },
}

impl Notary {
    /// A notary that signs with the key of `log`, stores in `store` and enters into `log`.
    #[must_use]
    pub fn new(store: Arc<dyn Store>, log: Arc<Log>, host: Host) -> Self {
        Self { store, log, host }
    }

    /// The log.
    #[must_use]
    pub fn log(&self) -> &Arc<Log> {
        &self.log
    }

    /// The receipt of a finished order, issued now unless there is one. When this returns it is
    /// durable and numbered; its proof follows with the next batch.
    ///
    /// # Errors
    /// [`NotaryError`]; trying again is safe.
    pub async fn issue(
        &self,
        result: &OrderResult,
        finished_at: Timestamp,
    ) -> Result<Receipt, NotaryError> {
        if let Some((_, receipt)) = self.receipt_of(result).await? {
            return Ok(receipt);
        }
        let finished = Finished {
            result,
            finished_at,
        };
        let mut receipts = self.issue_all(vec![finished]).await?;
        receipts
            .pop()
            .ok_or_else(|| LogError::Damaged(String::from("an entry without an answer")).into())
    }

    /// The receipts of many finished orders at once, in the order given: few writes to the store
    /// and one to the log for all of them, which costs each a fraction of what it would alone.
    ///
    /// # Errors
    /// [`NotaryError`]; some may have been issued. Trying again is safe. [`NotaryError::Taken`] is
    /// about one of them only.
    pub async fn issue_all(
        &self,
        finished: Vec<Finished<'_>>,
    ) -> Result<Vec<Receipt>, NotaryError> {
        let key = self.log.key();
        let (mut receipts, mut submissions) = (
            Vec::with_capacity(finished.len()),
            Vec::with_capacity(finished.len()),
        );
        let mut puts = JoinSet::new();
        for group in finished.chunks(GROUP_LIMIT_RECEIPTS) {
            let mut blobs = Vec::with_capacity(group.len());
            for Finished {
                result,
                finished_at,
            } in group
            {
                let outcome = match &result.commit_result {
                    Some(commit) => Some(self.outcome(&result.order_id, commit).await?),
                    None => None,
                };
                let context = IssueContext {
                    finished_at: *finished_at,
                    outcome,
                    host: self.host.clone(),
                };
                let receipt = Receipt::issue(result, context, &key.secret)?;
                let blob = Blob::new(receipt.envelope().to_canonical());
                let entry = Entry::receipt(blob.digest().digest().into());
                submissions.push(Submission {
                    entry,
                    order_id: result.order_id.clone(),
                });
                blobs.push(blob);
                receipts.push((entry, receipt));
            }
            // These are written while the next ones are signed, and other tasks of this thread get
            // a turn.
            let store = Arc::clone(&self.store);
            puts.spawn(async move { store.put(blobs).await });
            yield_now().await;
        }
        puts.join_all()
            .await
            .into_iter()
            .collect::<Result<(), _>>()?;
        // A process that dies here leaves receipts that were given to no caller. The next attempt
        // issues others.
        let stands = self.log.submit(submissions).await?;
        let mut issued = Vec::with_capacity(receipts.len());
        for (((entry, receipt), (_, stands)), finished) in
            receipts.into_iter().zip(stands).zip(&finished)
        {
            if stands == entry {
                issued.push(receipt);
                continue;
            }
            let earlier = self.read(stands.sha256).await?;
            check_is_of(finished.result, &earlier)?;
            issued.push(earlier);
        }
        Ok(issued)
    }

    /// The receipt of this order, if it was issued, and its number.
    ///
    /// # Errors
    /// [`NotaryError`]; [`NotaryError::Taken`] where the id was used twice.
    pub async fn receipt_of(
        &self,
        result: &OrderResult,
    ) -> Result<Option<(u64, Receipt)>, NotaryError> {
        let Some((position, entry)) = self.log.receipt_of(&result.order_id)? else {
            return Ok(None);
        };
        let receipt = self.read(entry.sha256).await?;
        check_is_of(result, &receipt)?;
        Ok(Some((position, receipt)))
    }

    /// The receipt that the log has under an id, if one was issued.
    ///
    /// # Errors
    /// [`NotaryError`].
    pub async fn receipt(&self, order_id: &OrderId) -> Result<Option<Receipt>, NotaryError> {
        match self.log.receipt_of(order_id)? {
            Some((_, entry)) => self.read(entry.sha256).await.map(Some),
            None => Ok(None),
        }
    }

    /// The proof of an order's receipt; `None` while it is pending, or when there is no receipt.
    ///
    /// # Errors
    /// [`NotaryError`].
    pub async fn proof(&self, order_id: &OrderId) -> Result<Option<TlogProof>, NotaryError> {
        match self.log.receipt_of(order_id)? {
            Some((position, _)) => Ok(self.log.prove(position).await?),
            None => Ok(None),
        }
    }

    /// Keeps a verdict of another verifier on the receipt of an order: stored under its digest and
    /// entered into the log.
    ///
    /// The caller has checked the signature and decided that it keeps verdicts of this signer.
    ///
    /// # Errors
    /// [`NotaryError`]; trying again is safe.
    pub async fn keep_verdict(&self, verdict: &VerdictStatement) -> Result<u64, NotaryError> {
        let bytes = verdict.envelope().to_canonical();
        let entry = Entry::verdict(ReceiptDigest::of(&bytes));
        self.store.put(vec![Blob::new(bytes)]).await?;
        let order_id = verdict.predicate().order_id.clone();
        let stands = self
            .log
            .submit(vec![Submission { entry, order_id }])
            .await?;
        Ok(stands.first().map_or(0, |(position, _)| *position))
    }

    /// The verdicts that are kept about an order.
    ///
    /// # Errors
    /// [`NotaryError`].
    pub async fn verdicts(&self, order_id: &OrderId) -> Result<Vec<VerdictStatement>, NotaryError> {
        let mut verdicts = Vec::new();
        for (_, entry) in self.log.verdicts_of(order_id)? {
            let bytes = self.store.get(entry.sha256.into()).await?;
            verdicts.push(VerdictStatement::read(Envelope::parse(&bytes)?)?);
        }
        Ok(verdicts)
    }

    async fn read(&self, digest: ReceiptDigest) -> Result<Receipt, NotaryError> {
        let bytes = self.store.get(digest.into()).await?;
        Ok(Receipt::read(Envelope::parse(&bytes)?)?)
    }

    async fn outcome(
        &self,
        order_id: &OrderId,
        commit: &CommitResult,
    ) -> Result<Outcome, NotaryError> {
        // Of a success it is known from the result, and its digest says that it is the committed
        // one; that spares a read.
        let returned = commit.result_hash.map(Outcome::returned);
        if let Some(outcome) =
            returned.filter(|outcome| outcome.digest() == commit.commitment.outcome)
        {
            return Ok(outcome);
        }
        let bytes = self.store.get(commit.commitment.outcome.into()).await?;
        let outcome = serde_json::from_slice(&bytes).map(Canonical::<Outcome>::new);
        outcome
            .map(Canonical::into_value)
            .map_err(|error| NotaryError::Outcome {
                order_id: order_id.clone(),
                reason: error.to_string(),
            })
    }
}

/// Whether the receipt describes what this order did: issued again, it would say the same.
fn check_is_of(result: &OrderResult, receipt: &Receipt) -> Result<(), NotaryError> {
    let said = receipt.predicate();
    let committed = result
        .commit_result
        .as_ref()
        .map(|commit| commit.commitment_hash);
    let is_same = said.order_id == result.order_id
        && said
            .provable
            .as_ref()
            .map(|provable| provable.commitment_hash)
            == committed
        && said.reported.status == result.status
        && said.reported.error_code == result.error_code;
    if is_same {
        return Ok(());
    }
    Err(NotaryError::Taken {
        order_id: result.order_id.clone(),
        receipt: receipt.digest(),
    })
}

impl std::fmt::Debug for Notary {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Notary")
            .field("log", &self.log)
            .finish_non_exhaustive()
    }
}
