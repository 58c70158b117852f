//! Callbacks: results that are still to be delivered, and how earlier deliveries went.
//!
//! A callback is recorded in the transaction that ends its order, so a result whose callback is
//! unknown cannot exist. Delivery is at least once: a process that dies between a delivery and its
//! record delivers again, under the same message id.

use async_trait::async_trait;
use jiff::Timestamp;
use serde::Serialize;
use sre_core::OrderId;

use crate::error::JournalError;
use crate::slots::DeliverySlots;

/// Callbacks and their delivery.
#[async_trait]
pub trait Outbox: Send + Sync {
    /// Acquires callbacks that are due, as many as `slots` allows: submitters take turns, and each
    /// submitter's callbacks come by age.
    ///
    /// # Errors
    /// [`JournalError`]; nothing was acquired.
    async fn acquire_callbacks(&self, slots: DeliverySlots) -> Result<Vec<Outgoing>, JournalError>;

    /// Acquires the callback of one order, due or not, if it is pending and no other process
    /// delivers it. A callback that is held until verdicts come is not acquired.
    ///
    /// # Errors
    /// [`JournalError`]; nothing was acquired.
    async fn acquire_callback(&self, sequence: i64) -> Result<Option<Outgoing>, JournalError>;

    /// Records how a delivery ended. Under an old token nothing is recorded.
    ///
    /// # Errors
    /// [`JournalError`]; the callback stays acquired by this process.
    async fn delivered(
        &self,
        outgoing: &Outgoing,
        outcome: DeliveryOutcome,
    ) -> Result<(), JournalError>;

    /// Where the callback of an order stands; `None` if the order has no callback, or has not
    /// ended.
    ///
    /// # Errors
    /// [`JournalError`].
    async fn delivery(&self, order_id: &OrderId) -> Result<Option<Delivery>, JournalError>;

    /// Makes a callback due at once, in whatever state it is, and starts its schedule again; `None`
    /// if there is no callback.
    ///
    /// # Errors
    /// [`JournalError`]; nothing has changed.
    async fn redeliver(&self, order_id: &OrderId) -> Result<Option<Delivery>, JournalError>;

    /// Callbacks that are still to be delivered.
    ///
    /// # Errors
    /// [`JournalError`].
    async fn pending_callbacks(&self) -> Result<i64, JournalError>;
}

/// A callback to be delivered now.
#[derive(Debug, Clone)]
pub struct Outgoing {
    /// The order's place in the journal.
    pub sequence: i64,
    pub(crate) token: i64,
    /// The same for each delivery of this callback.
    pub message_id: String,
    /// Which order.
    pub order_id: String,
    /// Who submitted it.
    pub submitter: String,
    /// Where to.
    pub url: String,
    /// Scheme, host and port of the URL.
    pub host: String,
    /// Deliveries begun, this one included.
    pub attempt: u32,
    /// The OrderResult as JSON.
    pub body: String,
    /// The submitter's trace (a W3C `traceparent`), if there is one.
    pub trace: Option<String>,
}

/// Where a callback stands.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Delivery {
    /// Which order.
    pub order_id: String,
    /// The same for each delivery of this callback.
    pub message_id: String,
    /// Where to: scheme, host and port; the rest may be a secret.
    pub receiver: String,
    /// Its state.
    pub state: DeliveryState,
    /// Deliveries begun since it was last asked for.
    pub attempts: u32,
    /// When it is tried next; null when it is not.
    pub next_attempt_at: Option<Timestamp>,
    /// Why the last delivery failed; null when no delivery failed.
    pub last_error: Option<String>,
}

/// The state of a callback.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum DeliveryState {
    /// It will be tried (again).
    Pending,
    /// The receiver has acknowledged it.
    Delivered,
    /// The receiver wants no more of them (410).
    Refused,
    /// It was tried as often as the schedule allows.
    GivenUp,
}

impl DeliveryState {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Delivered => "delivered",
            Self::Refused => "refused",
            Self::GivenUp => "given_up",
        }
    }

    pub(crate) fn parse(text: &str) -> Option<Self> {
        [Self::Pending, Self::Delivered, Self::Refused, Self::GivenUp]
            .into_iter()
            .find(|state| state.as_str() == text)
    }
}

/// How a delivery ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DeliveryOutcome {
    /// Acknowledged.
    Delivered,
    /// The receiver wants no more.
    Refused(String),
    /// It failed and is tried again.
    Later {
        /// Milliseconds from now.
        pause_ms: u64,
        /// Why it failed.
        error: String,
    },
    /// It failed for the last time.
    GivenUp(String),
}
