//! The command contract's part of an order: from what a submitter writes to what is committed.
//!
//! [`InvocationConfig`] is the form on the wire, which may hold contents as text or base64, name
//! blobs and trees by digest, or name another order. Resolving it reads every reference through
//! [`Inputs`] and ends in an [`Invocation`](sre_core::Invocation), in which everything is a digest.

mod config;
mod inputs;
mod resolve;

pub use config::{ContentConfig, FileConfig, FolderConfig, InvocationConfig};
pub use inputs::{Inputs, InputsError, NoInputs, OrderFolder, StoredInputs};
pub(crate) use resolve::{Resolved, resolve};
