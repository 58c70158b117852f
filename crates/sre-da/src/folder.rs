//! The embedded store: a folder.
//!
//! ```text
//! <dir>/                 0700
//!   small.sqlite3        0600  blobs up to `small_limit_bytes`; -wal and -shm beside it
//!   large/ab/<64 hex>    0600  each larger blob; `ab` are the first two digits, so 256 folders
//!   tmp/.put-XXXXXX      0600  files being written
//! ```
//! A blob's size when it was put decides where it is, a reader looks in the database first: so the
//! limit may change between runs. SQLite users can inspect `small.sqlite3`: `SELECT hex(digest),
//! length(bytes) FROM blob`.
//!
//! Invariants: nothing is in place under a name before it is whole; what `put` acknowledged is
//! durable; a put of the right bytes repairs wrong ones.
//!
//! Crash behaviour: small blobs see [`sre_sqlite`]. A process that dies while it writes a large one,
//! whole or in pieces, leaves a file in `tmp/`, which any open sweeps once it is an hour old (a
//! younger one may belong to a living process that shares the folder), or a complete file whose
//! name may not be durable, which the next put of that blob makes so.
//!
//! Only garbage collection deletes blobs ([`BlobSweep`](crate::BlobSweep)), while no other process
//! uses the folder: every process remembers digests that are durable and does not write them again.

mod blocking;
mod failure;
mod known;
mod large;
mod options;
mod reader;
mod small;
mod store;
mod sweep;
mod writer;

pub use options::LocalStoreOptions;
pub use reader::LocalReader;
pub use store::{LocalStore, LocalStoreStats};
