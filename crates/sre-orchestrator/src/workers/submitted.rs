//! What becomes of an order that is submitted.

use sre_core::{Backend, OrderId, OrderResult};
use sre_da::StoreError;

use sre_journal::{JournalEntry, JournalError, Watch};

/// Answer to [`Workers::submit`](super::Workers::submit).
#[derive(Debug)]
pub enum Submitted {
    /// The order is new.
    Accepted {
        /// What the journal knows of it.
        entry: Box<JournalEntry>,
        /// Wakes with everything that is recorded from here on.
        watch: Watch,
    },
    /// The same order was accepted before and has not ended.
    Known {
        /// Who submitted it.
        submitter: String,
    },
    /// The same order was accepted before and has ended.
    Finished {
        /// How.
        result: Box<OrderResult>,
        /// Who submitted it.
        submitter: String,
    },
}

/// Why an order was not accepted. Nothing is kept of it.
#[derive(Debug, thiserror::Error)]
pub enum SubmitError {
    /// Another order was accepted under this id, or another submitter's.
    #[error(
        "order {0} exists already, with other contents or from another token; choose another order_id"
    )]
    Conflict(OrderId),
    /// The order that was accepted under this id was forgotten, with its result.
    #[error(
        "order {0} was accepted before and has been forgotten since, with its result; no id is ever new again, choose another"
    )]
    Forgotten(OrderId),
    /// As many orders are open as the operator allows.
    #[error(
        "{limit} orders are waiting or running, which is as many as this service takes; try again later"
    )]
    Full {
        /// The operator's limit.
        limit: usize,
    },
    /// The service is shutting down.
    #[error("the service is shutting down; try again later")]
    Stopping,
    /// Orders for this backend are not worked on here.
    #[error("this service has no workers for the {0} backend")]
    NoWorkers(Backend),
    /// The journal failed.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The skill could not be stored.
    #[error(transparent)]
    Store(#[from] StoreError),
}
