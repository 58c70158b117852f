//! What must survive: which orders were accepted, where they are, how they ended, whom to tell.
//!
//! Everything that stages and workers must remember goes through the traits of this crate, one for
//! each role ([`OrderQueue`], [`OrderReader`], [`Outbox`], [`ReceiptQueue`], [`VerdictLedger`],
//! [`SkillCatalog`], [`BlobOwners`], [`Retention`], [`JournalHealth`]), together [`Journal`]. No
//! type of a database appears in them. [`SqliteJournal`] keeps them in one SQLite file; another
//! implementation must pass the same tests (`tests/conformance`).
//!
//! This crate knows no stage, no sandbox and no service, and does not interpret what an order runs.
//!
//! What every implementation promises:
//! - What a method returned survives a crash and a power cut.
//! - An order is either open or has a result; a purged order is neither. A result never changes.
//! - Working on an order needs a [`Lease`] with a fencing token, which grows with every
//!   acquisition. Nothing is recorded under an older token.
//! - A lease ends when its holder has died ([`Liveness`]), or has sent no heartbeat for a minute.
//!   An attempt that ended like that is an operating failure and counts.
//! - The cost of an order does not grow with the number of orders before it.
//! - No order's fate depends on jumps of the wall clock: waiting is measured by a steady clock
//!   ([`Clocks`]), and a due time that was set in the future of now is due.

mod backoff;
mod blob_owners;
mod clock;
mod error;
mod health;
mod journal;
mod lease;
mod liveness;
mod outbox;
mod queue;
mod reader;
mod receipt_queue;
mod retention;
mod skill_catalog;
mod slots;
mod sqlite;
mod verdict_ledger;
mod watch;

pub use backoff::Backoff;
pub use blob_owners::BlobOwners;
pub use clock::Clocks;
pub use error::{JournalError, JournalErrorKind};
pub use health::{JournalHealth, WriteStats};
pub use journal::Journal;
pub use lease::Lease;
pub use liveness::Liveness;
pub use outbox::{Delivery, DeliveryOutcome, DeliveryState, Outbox, Outgoing};
pub use queue::{
    Accepted, AcquirePolicy, AcquiredOrder, Cancelled, NewOrder, OrderQueue, RECOVERY_PERIOD,
    Recovered, Retry,
};
pub use reader::{
    Event, EventKind, JournalEntry, OrderFilter, OrderReader, OrderState, OrderSummary,
};
pub use receipt_queue::{DueReceipt, DueReceipts, LogSize, ReceiptQueue, ReceiptsDue};
pub use retention::{
    GcRoot, NEVER_FINAL_LIMIT, NeverFinal, Purged, Retention, RetentionPolicy, WithoutReceipt,
};
pub use skill_catalog::{SkillCatalog, UploadedSkill};
pub use slots::DeliverySlots;
pub use sqlite::SqliteJournal;
pub use verdict_ledger::{
    Coverage, Finality, NewVerdict, StoredVerdict, VerdictLedger, VerdictStanding,
};
pub use watch::{News, Watch};
