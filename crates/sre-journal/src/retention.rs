//! Purging old orders, and what the rest still needs.
//!
//! A purged order keeps its row of identity: id, digest of the request, submitter, time. Its id
//! stays in the log, and so does its receipt. If the id could be used again, another order would
//! get the receipt of the old one.

use std::time::Duration;

use async_trait::async_trait;
use serde::Serialize;
use sre_core::{BlobDigest, InvocationDigest, OrderResult, SkillDigest};

use crate::error::JournalError;
use crate::verdict_ledger::Finality;

/// Orders that are named one by one in [`Purged::never_final_orders`].
pub const NEVER_FINAL_LIMIT: usize = 1000;

/// Purging, and the roots of garbage collection.
#[async_trait]
pub trait Retention: Send + Sync {
    /// Purges orders that ended too long ago and whose callback is not pending. An order whose
    /// callback is held for verdicts waits longer, and loses its callback when it is purged.
    /// Uploads of blobs that are older than [`RetentionPolicy::age`] are purged too.
    ///
    /// # Errors
    /// [`JournalError`]; some may have been purged.
    async fn purge(
        &self,
        policy: RetentionPolicy,
        without_receipt: WithoutReceipt,
    ) -> Result<Purged, JournalError>;

    /// Calls `visit` with everything that the journal still needs from the blob store.
    ///
    /// # Errors
    /// [`JournalError`]; not everything was visited, so nothing may be removed.
    async fn each_gc_root(
        &self,
        visit: &mut (dyn FnMut(GcRoot) + Send),
    ) -> Result<(), JournalError>;

    /// Whether an order was ever accepted here, or a skill or blob uploaded.
    ///
    /// # Errors
    /// [`JournalError`].
    async fn is_used(&self) -> Result<bool, JournalError>;
}

/// How long ended orders are kept.
#[derive(Debug, Clone, Copy)]
pub struct RetentionPolicy {
    /// Orders and uploads.
    pub age: Duration,
    /// Orders whose callback is held until verdicts come; never less than `age`.
    pub verdicts_age: Duration,
}

/// What to do with an old order whose receipt was not issued.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WithoutReceipt {
    /// Keep it: its receipt is still to be issued.
    Keep,
    /// Purge it like others: receipts are not issued here.
    Purge,
}

/// Something that the journal needs from the blob store; see [`Retention::each_gc_root`].
#[derive(Debug)]
pub enum GcRoot {
    /// A result, with everything that its commitment names.
    Result(Box<OrderResult>),
    /// The skill of an open order, or one that was uploaded.
    Skill(SkillDigest),
    /// The invocation of an open order, with everything that it names.
    Invocation(InvocationDigest),
    /// A blob that was uploaded.
    Blob(BlobDigest),
}

/// What was purged.
#[derive(Debug, Default)]
pub struct Purged {
    /// How many orders.
    pub orders: u64,
    /// How many of them needed verdicts and never had enough.
    pub never_final: u64,
    /// The first [`NEVER_FINAL_LIMIT`] of those.
    pub never_final_orders: Vec<NeverFinal>,
    /// How many orders are old enough and were kept, because their receipt could not be issued so
    /// far.
    pub without_receipt: u64,
}

/// An order that was purged before it was final.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct NeverFinal {
    /// Which order.
    pub order_id: String,
    /// The verdicts it needed and had.
    pub finality: Finality,
    /// Whether its callback was held for them to the end, and so was never sent.
    pub callback_dropped: bool,
}
