//! From what was asked for to what will be done, or a refusal before anything ran or was written.

mod acceptance;
mod backend;
pub(crate) mod error;
mod fingerprint;
mod order;
mod profile;

pub use acceptance::Acceptance;
pub use error::{AcceptError, AcceptErrorKind};
pub use order::AcceptedOrder;
pub(crate) use order::{AttemptOrder, ExecutionSpec, RetryPolicy};
