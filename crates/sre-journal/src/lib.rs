//! What must survive: which orders were accepted, where they are, how they ended, and whom to tell.
//!
//! One SQLite file with one writer thread and group commit (see [`sre_sqlite`]). Every
//! answer waits for its fsync. This is the one seam of the service: whatever stages and workers
//! must remember goes through it, so that a fleet can replace it by something distributed.
//!
//! | table | holds |
//! |---|---|
//! | `orders` | every order ever accepted; of one that was purged no more than its id is left, so that no id is ever new again |
//! | `open_orders` | the few that have not ended, with all that running them needs; a row goes when its order ends |
//! | `results` | how the others ended; rows are only ever inserted, so a result never changes |
//! | `events` | what happened to an order, numbered from 1 |
//! | `outbox` | callbacks, inserted in the transaction that inserts the result |
//! | `receipts_due` | orders that have ended and have no receipt yet, inserted in the transaction that inserts the result |
//! | `verdicts`, `finality`, `coverage` | what others found about orders, which orders wait for that, and sums |
//! | `log_seen` | how long the log was when it was last used |
//! | `skills` | uploaded skills |
//! | `holders` | processes that hold leases |
//!
//! Invariants:
//! - An order has a row in exactly one of `open_orders` and `results`; one that was purged in
//!   neither.
//! - Whoever works on an order holds a [`Lease`] with a fencing token, which grows with every
//!   acquisition. Nothing is recorded or finished under an older token.
//! - A lease ends when its holder has died, which the kernel tells by a file lock (`holders`), or
//!   when the holder has not renewed it in time. An attempt that ended like that is an operating
//!   failure and counts.
//! - All tables but `open_orders` grow at their end, which keeps the cost of an order the same
//!   however many there were before.
//! - No time limit trusts the wall clock to go forward: what was set in the future of now is due.

mod accept;
mod acquire;
mod backoff;
mod cancel;
mod deliveries;
mod entry;
mod error;
mod events;
mod expire;
mod finish;
mod holders;
mod journal;
mod lease;
mod list;
mod outbox;
mod receipts;
mod recover;
mod retention;
mod schema;
mod skills;
mod slots;
mod verdicts;
mod watch;

pub use accept::{Accepted, AcquirePolicy, NewOrder};
pub use acquire::AcquiredOrder;
pub use backoff::Backoff;
pub use cancel::Cancelled;
pub use deliveries::Outgoing;
pub use entry::{JournalEntry, OrderState};
pub use error::JournalError;
pub use events::{Event, EventKind};
pub use finish::Retry;
pub use journal::Journal;
pub use lease::Lease;
pub use list::{OrderFilter, OrderSummary};
pub use outbox::{Delivery, DeliveryOutcome, DeliveryState};
pub use receipts::{DueReceipt, DueReceipts, LogSize, ReceiptsDue};
pub use recover::RECOVERY_PERIOD;
pub use recover::Recovered;
pub use retention::{
    GcRoot, NEVER_FINAL_LIMIT, NeverFinal, Purged, RetentionPolicy, WithoutReceipt,
};
pub use skills::UploadedSkill;
pub use slots::DeliverySlots;
pub use verdicts::{Coverage, Finality, NewVerdict, StoredVerdict, VerdictStanding};
pub use watch::{News, Watch};
