//! What every HTTP client of this program has in common, whatever it talks to: callbacks, services,
//! logs, collectors.
//!
//! A client follows no redirects and uses no proxy of the environment, so that a request goes where
//! it was addressed and its address check holds. Bodies are read up to a limit. This crate knows no
//! protocol of ours; see `sre-client` for that.

mod client;

pub use client::{BodyError, http_client, read_body, with_causes};
