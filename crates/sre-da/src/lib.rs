//! Data availability: bytes addressed by their SHA-256 digest.
//!
//! A [`Store`] keeps [`Blob`]s. Two promises carry the rest of the runtime:
//! - **durable before acknowledged**: when [`Store::put`] returns, the bytes survive a power cut;
//! - **checked before writing and after reading**: no byte goes in or comes out under a digest that
//!   is not its own.
//!
//! `LocalStore` (feature `folder`) is the embedded implementation: one SQLite file for small blobs,
//! one file each for large ones. Without the feature this crate compiles no database, which is what
//! a verifier needs that only reads from a bundle or a server.
//!
//! This crate does not know what the bytes mean, deletes nothing, and talks to no network.

mod blob;
#[cfg(feature = "folder")]
mod folder;
mod source;
mod store;
mod store_error;
mod stream;
mod sweep;
mod uri;

pub use blob::Blob;
#[cfg(feature = "folder")]
pub use folder::{LocalReader, LocalStore, LocalStoreOptions, LocalStoreStats};
pub use source::Source;
pub use store::{FetchError, Store, fetch_result, store_result};
pub use store_error::{StoreError, StoreErrorKind};
pub use stream::{BlobReader, BlobWriter, WrittenBlob};
pub use sweep::{BlobPage, BlobSweep, Removed, retain};
pub use uri::{UriError, format_uri, parse_uri};
