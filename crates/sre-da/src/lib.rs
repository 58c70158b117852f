//! Data availability: bytes addressed by their SHA-256 digest.
//!
//! A [`Store`] keeps [`Blob`]s. Two promises carry the rest of the runtime:
//! - **durable before acknowledged**: when [`Store::put`] returns, the bytes survive a power cut;
//! - **checked before writing and after reading**: no byte goes in or comes out under a digest that
//!   is not its own.
//!
//! [`LocalStore`] is the embedded implementation: one SQLite file for small blobs, one file each
//! for large ones. Its writer, [`group_commit`], is a machine of its own that the orchestrator's
//! journal uses too.
//!
//! [`private`] writes the small files that stand beside a store, such as keys and tokens, by the
//! same steps.
//!
//! This crate does not know what the bytes mean, deletes nothing, and talks to no network.

mod blob;
mod durable;
pub mod group_commit;
mod local;
pub mod private;
mod source;
mod store;
mod store_error;
mod uri;

pub use blob::Blob;
pub use durable::{Disk, OsDisk};
pub use local::{LocalReader, LocalStore, LocalStoreOptions, LocalStoreStats, Removed};
pub use source::Source;
pub use store::{FetchError, Store, fetch_result, store_result};
pub use store_error::{StoreError, StoreErrorKind};
pub use uri::{UriError, format_uri, parse_uri};
