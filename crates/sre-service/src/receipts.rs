//! Receipts of orders, and the verdicts of others.

use std::time::Duration;

use jiff::Timestamp;
use sre_core::{ErrorCode, OrderId};
use sre_journal::{Coverage, JournalEntry, OrderState, StoredVerdict};
use sre_orchestrator::{KeptVerdict, ReceiptState, VerdictError};

use crate::caller::Caller;
use crate::error::ServiceError;
use crate::service::Service;

/// Callers that wait look this often. A proof follows within a second.
const LOOK_PERIOD: Duration = Duration::from_millis(50);

impl Service {
    /// The receipt of an order that has ended, with its proof or as it is when the time is over or
    /// the service stops.
    ///
    /// # Errors
    /// As [`Service::order`]; `receipt_unavailable` before the order has ended.
    pub async fn receipt(
        &self,
        caller: &Caller,
        id: &str,
        wait: Option<Duration>,
    ) -> Result<(OrderId, ReceiptState), ServiceError> {
        let JournalEntry {
            order_id, state, ..
        } = self.order(caller, id).await?;
        if state != OrderState::Finished {
            let detail = format!("order {order_id} has not ended and has no receipt yet");
            return Err(ServiceError::new(ErrorCode::ReceiptUnavailable, detail));
        }
        let receipt = match wait.filter(|wait| !wait.is_zero()) {
            None => self.receipt_state(&order_id).await?,
            Some(wait) => match tokio::time::timeout(wait, self.proven_receipt(&order_id)).await {
                Ok(ended) => ended?,
                Err(_) => self.receipt_state(&order_id).await?,
            },
        };
        Ok((order_id, receipt))
    }

    async fn proven_receipt(&self, order_id: &OrderId) -> Result<ReceiptState, ServiceError> {
        let mut stop = self.stopping();
        loop {
            let state = self.receipt_state(order_id).await?;
            if state.proof.is_some() || *stop.borrow() {
                return Ok(state);
            }
            tokio::select! {
                () = tokio::time::sleep(LOOK_PERIOD) => {}
                _ = stop.changed() => {}
            }
        }
    }

    async fn receipt_state(&self, order_id: &OrderId) -> Result<ReceiptState, ServiceError> {
        self.registrar
            .state(order_id)
            .await
            .map_err(|error| ServiceError::operating(ErrorCode::ReceiptFailed, &error))
    }

    /// Takes the signed verdict of another node on the receipt of an order.
    ///
    /// # Errors
    /// As [`Service::order`]; `receipt_unavailable`, `receipt_failed` and the codes of verdicts.
    pub async fn take_verdict(
        &self,
        caller: &Caller,
        id: &str,
        envelope: &[u8],
    ) -> Result<KeptVerdict, ServiceError> {
        let order_id = self.order(caller, id).await?.order_id;
        self.registrar
            .take_verdict(&order_id, envelope, Timestamp::now())
            .await
            .map_err(refused)
    }

    /// The verdicts of others on the receipt of an order, oldest first, with the order.
    ///
    /// # Errors
    /// As [`Service::order`].
    pub async fn verdicts(
        &self,
        caller: &Caller,
        id: &str,
    ) -> Result<(JournalEntry, Vec<StoredVerdict>), ServiceError> {
        let entry = self.order(caller, id).await?;
        let verdicts = self.journal().verdicts(&entry.order_id).await?;
        Ok((entry, verdicts))
    }

    /// How many receipts others have checked, and with what outcome.
    ///
    /// # Errors
    /// `journal_failed`.
    pub async fn coverage(&self) -> Result<Coverage, ServiceError> {
        Ok(self.journal().coverage().await?)
    }
}

fn refused(error: VerdictError) -> ServiceError {
    let code = match &error {
        VerdictError::Envelope(_) | VerdictError::Statement(_) => ErrorCode::VerdictMalformed,
        VerdictError::Signature => ErrorCode::VerdictForged,
        VerdictError::Other(_) => ErrorCode::VerdictMisplaced,
        VerdictError::Untrusted(_) | VerdictError::Own => ErrorCode::VerdictUntrusted,
        VerdictError::NoReceipt(_) => ErrorCode::ReceiptUnavailable,
        VerdictError::TooMany(_) => ErrorCode::VerdictsExhausted,
        VerdictError::Operating(error) => {
            return ServiceError::operating(ErrorCode::ReceiptFailed, error);
        }
    };
    ServiceError::new(code, error.to_string())
}
