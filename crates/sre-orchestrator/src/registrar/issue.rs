//! From orders that have ended to receipts.

use std::time::{Duration, Instant};

use sre_core::{OrderId, OrderResult};
use sre_log::{Finished, NotaryError};
use sre_receipt::Receipt;
use sre_receipt::tlog::TlogProof;
use tokio::sync::watch;

use super::{Registrar, RegistrarError};
use sre_journal::{DueReceipt, DueReceipts, JournalErrorKind};

/// Receipts in one batch. Signing so many takes some milliseconds.
const BATCH_LIMIT_ORDERS: usize = 256;
/// Results in one batch, in bytes of JSON; one more than fits is taken. An output may be as large
/// as the whole limit.
const BATCH_LIMIT_BYTES: usize = 16 << 20;
/// Batches begin no faster than this, so that one fsync serves many orders.
const BATCH_PERIOD: Duration = Duration::from_millis(100);
/// How often orders are looked for that another process has ended, or that are to be tried again.
const POLL_PERIOD: Duration = Duration::from_secs(1);
/// Pause after something failed that concerns every order.
const FAILURE_PAUSE: Duration = Duration::from_secs(2);
/// How often the same such failure is logged.
const LOG_PERIOD: Duration = Duration::from_secs(60);
/// First and longest pause before an order whose evidence cannot be read is tried again.
const RETRY_PAUSE: Duration = Duration::from_secs(5);
const RETRY_PAUSE_CAP: Duration = Duration::from_secs(3600);

/// An order with its result, parsed.
type Parsed = (DueReceipt, OrderResult);

/// What one look for orders that have no receipt led to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Batch {
    /// None was due.
    Empty,
    /// All that were due were taken care of.
    Last,
    /// As many as fit; more may be due.
    Full,
}

impl Registrar {
    /// Issues receipts as orders end, until `stop` turns true. What fails is logged and tried
    /// again.
    pub async fn run(&self, mut stop: watch::Receiver<bool>) {
        let (mut failure, mut noted) = (Failure::default(), 0);
        while !*stop.borrow() {
            // The newest checkpoint is signed anew too, where no order ends.
            let mut batch = self.take_new_key().and(self.issue_due().await);
            if matches!(batch, Ok(Batch::Empty))
                && let Err(error) = self.note_log(&mut noted).await
            {
                // It grows by verdicts too.
                batch = Err(error);
            }
            failure.log(batch.as_ref().err());
            let pause = match batch {
                Ok(Batch::Full) => continue,
                Ok(Batch::Last) => BATCH_PERIOD,
                Ok(Batch::Empty) => Duration::ZERO,
                Err(_) => FAILURE_PAUSE,
            };
            tokio::time::sleep(pause).await;
            tokio::select! {
                () = self.journal.receipt_wanted() => tokio::time::sleep(BATCH_PERIOD / 10).await,
                () = tokio::time::sleep(POLL_PERIOD) => {}
                _ = stop.changed() => {}
            }
        }
    }

    /// Issues the receipts of one batch of orders that have none.
    ///
    /// # Errors
    /// [`RegistrarError`] when nothing can be issued at the moment. An order of which only its own
    /// evidence is at fault is logged, put off, and does not hold up others.
    pub async fn issue_due(&self) -> Result<Batch, RegistrarError> {
        let due = self
            .journal
            .due_receipts(BATCH_LIMIT_ORDERS, BATCH_LIMIT_BYTES)
            .await?;
        let batch = match due {
            DueReceipts { has_more: true, .. } => Batch::Full,
            DueReceipts { ref orders, .. } if orders.is_empty() => Batch::Empty,
            DueReceipts { .. } => Batch::Last,
        };
        let mut parsed = Vec::with_capacity(due.orders.len());
        for order in due.orders {
            match order.result() {
                Ok(result) => parsed.push((order, result)),
                Err(error) => self.put_off(&order, &error).await?,
            }
        }
        match self.issue_all(&parsed).await {
            Ok(()) => return Ok(batch),
            Err(error) if !is_about_one_order(&error) => return Err(error),
            Err(_) => {}
        }
        for one in &parsed {
            match self.issue_all(std::slice::from_ref(one)).await {
                Ok(()) => {}
                Err(error) if is_about_one_order(&error) => self.put_off(&one.0, &error).await?,
                Err(error) => return Err(error),
            }
        }
        Ok(batch)
    }

    /// The receipt of an order, issued now unless there is one, with the proof of its place in the
    /// log, which grows now if it must; `None` for an order without a result.
    ///
    /// # Errors
    /// [`RegistrarError`]. Trying again is safe.
    pub async fn issue_proven(
        &self,
        order_id: &OrderId,
    ) -> Result<Option<(Receipt, TlogProof)>, RegistrarError> {
        let Some(receipt) = self.issue(order_id).await? else {
            return Ok(None);
        };
        // Dies here: the receipt is in the log and not yet in a checkpoint; asking again completes
        // it.
        self.log().integrate().await?;
        let proof = self.notary.proof(order_id).await?;
        Ok(Some((
            receipt,
            proof.ok_or_else(|| RegistrarError::Unproven(order_id.clone()))?,
        )))
    }

    /// The receipt of one order that has ended, issued now unless there is one; `None` while it is
    /// open, or when it was forgotten.
    ///
    /// # Errors
    /// [`RegistrarError`]; trying again is safe.
    pub async fn issue(&self, order_id: &OrderId) -> Result<Option<Receipt>, RegistrarError> {
        let Some(order) = self.journal.due_receipt(order_id).await? else {
            return Ok(None);
        };
        let result = order.result()?;
        if let Some((_, receipt)) = self.notary.receipt_of(&result).await? {
            return Ok(Some(receipt));
        }
        self.take_new_key()?;
        let receipt = self.notary.issue(&result, order.finished_at).await?;
        self.journal
            .receipts_issued(vec![order.sequence], self.log_length()?)
            .await?;
        Ok(Some(receipt))
    }

    async fn issue_all(&self, parsed: &[Parsed]) -> Result<(), RegistrarError> {
        if parsed.is_empty() {
            return Ok(());
        }
        self.take_new_key()?;
        let finished = parsed.iter().map(|(order, result)| Finished {
            result,
            finished_at: order.finished_at,
        });
        self.notary.issue_all(finished.collect()).await?;
        // Dies here: the orders stay due; the next batch signs the same, and the log keeps what it
        // has.
        let issued = parsed.iter().map(|(order, _)| order.sequence).collect();
        self.journal
            .receipts_issued(issued, self.log_length()?)
            .await?;
        Ok(())
    }

    /// Tries an order again later, less and less often.
    async fn put_off(
        &self,
        order: &DueReceipt,
        error: &(dyn std::error::Error + Sync),
    ) -> Result<(), RegistrarError> {
        let pause = RETRY_PAUSE
            .saturating_mul(1 << order.attempt.min(16))
            .min(RETRY_PAUSE_CAP);
        tracing::error!(order_id = order.order_id, %error, "an order has no receipt; trying again later");
        self.journal
            .receipt_failed(order.sequence, pause, error.to_string())
            .await?;
        Ok(())
    }
}

/// The failure that lasts, and when it was logged.
#[derive(Default)]
struct Failure(Option<(String, Instant)>);

impl Failure {
    /// Logs how it went, unless the same was logged just now.
    fn log(&mut self, error: Option<&RegistrarError>) {
        let Some(error) = error.map(ToString::to_string) else {
            if self.0.take().is_some() {
                tracing::info!("receipts are issued again");
            }
            return;
        };
        if self
            .0
            .as_ref()
            .is_some_and(|(last, at)| *last == error && at.elapsed() < LOG_PERIOD)
        {
            return;
        }
        tracing::error!(
            error,
            "receipts cannot be issued; trying again every two seconds"
        );
        self.0 = Some((error, Instant::now()));
    }
}

/// Whether other orders may have receipts nevertheless.
fn is_about_one_order(error: &RegistrarError) -> bool {
    match error {
        RegistrarError::Notary(NotaryError::Store(error)) => !error.is_retryable(),
        RegistrarError::Notary(NotaryError::Log(_)) | RegistrarError::Log(_) => false,
        RegistrarError::Keys(_)
        | RegistrarError::LogBehind { .. }
        | RegistrarError::LogUnknown { .. } => false,
        RegistrarError::Notary(_) | RegistrarError::Unproven(_) => true,
        RegistrarError::Journal(error) => error.kind() == JournalErrorKind::Damaged,
    }
}
