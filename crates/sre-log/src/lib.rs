//! A transparency log: an append-only Merkle tree of receipts, whose operator cannot show two
//! people two different histories without being caught.
//!
//! [`Log`] keeps one, in the tile layout of C2SP `tlog-tiles`: entries are numbered when they are
//! submitted, hashed in batches, and only when a batch is durable is a checkpoint over it signed.
//! [`Notary`] issues the receipts that go into it. [`watch`] is the other side: it follows the log
//! of another node and notices when it shrinks, forks or hides something.
//!
//! The formats are `sre_receipt::tlog`'s; this crate is what needs a disk.

mod compact_range;
mod log;
mod memory;
mod notary;
mod proofs;
mod schema;
mod source;
mod tile_nodes;
pub mod watch;

pub use log::{Log, LogError, Submission};
pub use memory::{LogMemory, LogMemoryError, LookError};
pub use notary::{Finished, Notary, NotaryError};
pub use source::{LogSource, SourceError, TILE_LIMIT_BYTES};
