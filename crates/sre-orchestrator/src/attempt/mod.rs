//! One attempt of an order: its stages, and what becomes of it in the journal.

mod call;
mod error;
mod record;
mod result;
mod stages;

use error::AttemptError;
pub(crate) use record::Ended;
