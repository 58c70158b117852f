//! Why there is no receipt, or a verdict is not taken.

use sre_core::OrderId;
use sre_journal::JournalError;
use sre_log::{LogError, NotaryError};
use sre_receipt::{EnvelopeError, KeyFolderError, ReceiptError, TrustError};

/// Why receipts cannot be issued or read.
#[derive(Debug, thiserror::Error)]
pub enum RegistrarError {
    /// Key or trust file cannot be used.
    #[error(transparent)]
    Keys(#[from] KeyFolderError),
    /// The log cannot be used.
    #[error(transparent)]
    Log(#[from] LogError),
    /// The notary failed.
    #[error(transparent)]
    Notary(#[from] NotaryError),
    /// The journal failed.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// A bug: what was entered into the log stands in its tree once that has grown.
    #[error("bug: the receipt of order {0} was entered and is not in the log")]
    Unproven(OrderId),
    /// The log is shorter than it was.
    #[error(
        "the log {origin} has {entries} entries here, and had {seen}: log.sqlite3 was lost, or put back from an older copy; it would \
         sign a second history under the same name, so it is not used; put its newest copy back or, without a copy, begin a log \
         of another name: move log.sqlite3 and keys/signing.pem away (keep a copy of the folder) and run `sre key new --name NAME`"
    )]
    LogBehind {
        /// The log's name.
        origin: String,
        /// Entries it has.
        entries: u64,
        /// Entries it has had.
        seen: u64,
    },
    /// The journal never issued a receipt, and the log has some.
    #[error(
        "the log {origin} has {entries} entries, and this journal never issued a receipt: journal.sqlite3 was lost or replaced; \
         put its newest copy back"
    )]
    LogUnknown {
        /// The log's name.
        origin: String,
        /// Entries it has.
        entries: u64,
    },
}

/// Why a verdict is not taken.
#[derive(Debug, thiserror::Error)]
pub enum VerdictError {
    /// No signed envelope.
    #[error("the verdict is no signed envelope: {0}")]
    Envelope(#[from] EnvelopeError),
    /// No verdict of a version that is known here.
    #[error("the envelope holds no verdict: {0}")]
    Statement(#[from] ReceiptError),
    /// Signed by another key than it names.
    #[error("the verdict is not signed by the key it names")]
    Signature,
    /// Signed by a key that is not trusted here.
    #[error("the verdict is not taken: {0}")]
    Untrusted(#[from] TrustError),
    /// Signed by this node itself, about its own work.
    #[error(
        "the verdict is signed by this node; its own word about its own work counts for nothing"
    )]
    Own,
    /// About another order or another receipt of it.
    #[error("the verdict is about another receipt than the one in the log for order {0}")]
    Other(OrderId),
    /// The order has no receipt (yet).
    #[error("order {0} has no receipt yet")]
    NoReceipt(OrderId),
    /// The key has said enough.
    #[error("this key has given as many verdicts about order {0} as it may")]
    TooMany(OrderId),
    /// Something of this node failed.
    #[error(transparent)]
    Operating(#[from] RegistrarError),
}
