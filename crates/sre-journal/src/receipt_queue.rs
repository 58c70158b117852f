//! Which orders still need a receipt, and how long the transparency log was.
//!
//! An order is due in the transaction that ends it and leaves the queue when its receipt is durable
//! in the log, so an ended order without a receipt is always found again. A process that dies in
//! between issues the receipt twice, and the log keeps the first.

use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use sre_core::{OrderId, OrderResult};

use crate::error::JournalError;
use crate::reader::parse_result;

/// Orders that need a receipt, and the log that keeps receipts.
#[async_trait]
pub trait ReceiptQueue: Send + Sync {
    /// Orders that need a receipt now, in the order of their acceptance: at most `limit_orders`,
    /// and none after the order whose result brings the sum to `limit_bytes`.
    ///
    /// # Errors
    /// [`JournalError`].
    async fn due_receipts(
        &self,
        limit_orders: usize,
        limit_bytes: usize,
    ) -> Result<DueReceipts, JournalError>;

    /// The same of one order, whether or not it has a receipt; `None` while it is open, or if it is
    /// unknown.
    ///
    /// # Errors
    /// [`JournalError`].
    async fn due_receipt(&self, order_id: &OrderId) -> Result<Option<DueReceipt>, JournalError>;

    /// Records that these orders have a receipt, durable and numbered in the log, which now has
    /// this size.
    ///
    /// # Errors
    /// [`JournalError`]; they stay due, and issuing again finds the same receipts.
    async fn receipts_issued(&self, sequences: Vec<i64>, log: LogSize) -> Result<(), JournalError>;

    /// Records why an order's receipt could not be issued; it is due again after `pause`.
    ///
    /// # Errors
    /// [`JournalError`]; it stays due.
    async fn receipt_failed(
        &self,
        sequence: i64,
        pause: Duration,
        error: String,
    ) -> Result<(), JournalError>;

    /// How many orders need a receipt.
    ///
    /// # Errors
    /// [`JournalError`].
    async fn count_receipts_due(&self) -> Result<ReceiptsDue, JournalError>;

    /// Ends when this process has ended an order since the last call.
    async fn receipt_wanted(&self);

    /// Records how long the log is. The record never shrinks.
    ///
    /// # Errors
    /// [`JournalError`].
    async fn record_log_size(&self, log: LogSize) -> Result<(), JournalError>;

    /// The largest recorded size of the log of this name, in entries. A log that is shorter was
    /// lost, or restored from an older copy.
    ///
    /// # Errors
    /// [`JournalError`].
    async fn log_high_water_mark(&self, origin: &str) -> Result<u64, JournalError>;
}

/// An order that has ended and needs a receipt.
#[derive(Debug, Clone)]
pub struct DueReceipt {
    /// Its place in the journal.
    pub sequence: i64,
    /// Which order.
    pub order_id: String,
    /// Attempts to issue it that failed.
    pub attempt: u32,
    /// When the order ended.
    pub finished_at: Timestamp,
    /// The [`OrderResult`] as JSON.
    pub(crate) result: String,
}

impl DueReceipt {
    /// How the order ended.
    ///
    /// # Errors
    /// [`JournalErrorKind::Damaged`](crate::JournalErrorKind::Damaged).
    pub fn result(&self) -> Result<OrderResult, JournalError> {
        parse_result(&self.order_id, &self.result)
    }
}

/// Orders that need a receipt now, in the order of their acceptance.
#[derive(Debug)]
pub struct DueReceipts {
    /// At most as many as were asked for.
    pub orders: Vec<DueReceipt>,
    /// There may be more of them.
    pub has_more: bool,
}

/// How long a log is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogSize {
    /// Its name.
    pub origin: String,
    /// Entries that were numbered and are durable there.
    pub entries: u64,
}

/// How many orders need a receipt.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ReceiptsDue {
    /// All of them.
    pub waiting: u64,
    /// Those whose receipt could not be issued so far.
    pub failing: u64,
}
