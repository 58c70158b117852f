//! Telling submitters how their orders ended: Standard Webhooks from a durable outbox.
//!
//! | file | holds |
//! |---|---|
//! | `message` | what is delivered, and the trait that delivers it |
//! | `keys`, `signature` | the secrets, and what is made of them |
//! | `address` | to which addresses requests may go |
//! | `http` | the delivery itself |
//! | `schedule` | when it is tried again |
//! | `courier` | takes callbacks from the outbox and records what became of them |
//!
//! Specification:
//! <https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md>.

mod address;
mod courier;
mod http;
mod keys;
mod message;
mod schedule;
mod signature;

pub use address::{AddressPolicy, AddressPolicyError, Network, NetworkError};
pub use courier::Courier;
pub use http::HttpCallback;
pub use keys::{CallbackKeys, KeysError};
pub use message::{Callback, CallbackError, CallbackMessage};
pub use schedule::Schedule;
