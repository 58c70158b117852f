//! Receipts of finished orders, and what others say about them.
//!
//! ```text
//! journal: order ended ─▶ receipts_due ─▶ Notary: signed, stored, numbered ─▶ journal: issued
//!                                                   └─▶ Log: next batch, checkpoint ─▶ proof
//! POST verdict ─▶ signature, trust ─▶ Notary: stored, numbered ─▶ journal: counted ─▶ the order is final
//! ```
//! The journal decides which order still needs a receipt; the log decides which receipt it has. A
//! process that dies between the two leaves an order that is due and has one, and the process that
//! comes next finds it. Several processes may do this over one data folder at the same
//! time.

mod error;
mod evidence;
mod issue;
mod log_length;
#[expect(
    clippy::module_inception,
    reason = "the folder is the registrar's, and this file the handle to it"
)]
mod registrar;
mod verdict;

pub use error::{RegistrarError, VerdictError};
pub use evidence::{Evidence, evidence};
pub use issue::Batch;
pub use registrar::{ReceiptState, Registrar};
pub use verdict::KeptVerdict;
