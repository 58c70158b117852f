//! The journal in one SQLite file, with one writer thread and group commit (see [`sre_sqlite`]).
//! Every answer to a write waits for its fsync.
//!
//! | table | holds |
//! |---|---|
//! | `orders` | every order ever accepted; a purged order keeps its id, so that it is never used again |
//! | `open_orders` | the few that have not ended, with everything that running them needs; a row goes when its order ends |
//! | `results` | how the others ended; rows are only ever inserted, so a result never changes |
//! | `events` | what happened to an order, numbered from 1 |
//! | `outbox` | callbacks, inserted in the transaction that inserts the result |
//! | `receipts_due` | ended orders without a receipt, inserted in the transaction that inserts the result |
//! | `log_sizes` | the largest size of each transparency log |
//! | `verdicts`, `finality`, `coverage` | verdicts about orders, which orders wait for them, and sums |
//! | `skills`, `blob_owners` | what was uploaded, and by whom |
//! | `holders` | processes that hold leases |
//!
//! An order has a row in exactly one of `open_orders` and `results`; a purged order has a row in
//! neither. All tables but `open_orders` grow at their end, so the cost of an order does not grow
//! with the number of orders before it.
//!
//! Reads run on the calling thread, also in async functions: they are index look-ups of some
//! microseconds on a pooled connection, less than handing them to another thread would cost. A list
//! may read much and runs on a thread of its own; garbage collection reads everything and runs in a
//! process of its own.

mod accept;
mod acquire;
mod blob_owners;
mod cancel;
mod deliveries;
mod error;
mod events;
mod expire;
mod file_locks;
mod finish;
mod health;
mod journal;
mod leases;
mod list;
mod outbox;
mod queue;
mod reader;
mod receipt_queue;
mod recover;
mod retention;
mod schema;
mod skill_catalog;
mod verdict_ledger;

pub use journal::SqliteJournal;
