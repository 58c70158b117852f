//! One client for everything this program reads over HTTP: a service of its own kind, the
//! transparency logs of other nodes, and witnesses.
//!
//! The command line, the Python module and the verifier node share it. It sends requests, limits
//! how long an answer may be and how long it may take, and has one type for all failures. It
//! believes nothing: signatures, digests and proofs are checked by the caller. It prints nothing and
//! reads no environment.

mod address;
mod blobs;
mod client;
mod error;
mod events;
mod log;
mod receipt;
mod request;
mod sources;
mod sse;
mod witness;

pub use address::{Address, AddressError, is_url};
pub use client::{Client, Token, TokenError};
pub use error::{ClientError, Problem};
pub use events::{Event, Events};
pub use log::HttpLog;
pub use receipt::{OrderReceipt, ShownReceipt};
pub use request::{ANSWER_LIMIT_BYTES, Request};
pub use sources::{SourceErrors, Sources};
pub use witness::{Witness, WitnessAnswer};
