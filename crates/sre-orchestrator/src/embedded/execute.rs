//! Executing one order to its receipt.

use std::sync::Arc;

use sre_core::{OrderId, OrderResult};
use sre_receipt::Receipt;

use crate::embedded::{Embedded, EmbeddedError};
use crate::{AcceptedOrder, ExecuteError, Orchestrator, RegistrarError, Stage};

/// An order that was executed.
#[derive(Debug)]
pub struct Executed {
    /// How it ended. Durable.
    pub result: OrderResult,
    /// Its receipt, in the log and with a proof; or why it has none yet. The same order again issues
    /// it.
    pub receipt: Result<Receipt, EmbeddedError>,
}

impl Embedded {
    /// Executes an order on an orchestrator of this data folder and issues its receipt, telling
    /// `observer` of every change of stage.
    ///
    /// # Errors
    /// As [`Orchestrator::execute`]. A receipt that cannot be issued does not undo the result.
    pub async fn execute(
        &self,
        orchestrator: &Orchestrator,
        order: AcceptedOrder,
        observer: &(dyn Fn(Stage) + Send + Sync),
    ) -> Result<Executed, ExecuteError> {
        let result = orchestrator.execute_observed(order, observer).await?;
        // The result is durable. Dies here: the order has no receipt, and the same order again
        // issues it.
        let receipt = self.issue(orchestrator, &result.order_id).await;
        Ok(Executed { result, receipt })
    }

    /// The registrar is opened only now: a key that cannot be used must not keep an order from its
    /// result.
    async fn issue(
        &self,
        orchestrator: &Orchestrator,
        order_id: &OrderId,
    ) -> Result<Receipt, EmbeddedError> {
        let (journal, store) = (orchestrator.journal(), orchestrator.store());
        let registrar = self
            .folder()
            .open_registrar(Arc::clone(journal), Arc::clone(store), self.program())
            .await?;
        let issued = registrar.issue_proven(order_id).await?;
        let (receipt, _) = issued.ok_or_else(|| RegistrarError::Unproven(order_id.clone()))?;
        Ok(receipt)
    }
}
