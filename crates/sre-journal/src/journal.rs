//! The journal as a whole: every role in one object.

use crate::blob_owners::BlobOwners;
use crate::health::JournalHealth;
use crate::outbox::Outbox;
use crate::queue::OrderQueue;
use crate::reader::OrderReader;
use crate::receipt_queue::ReceiptQueue;
use crate::retention::Retention;
use crate::skill_catalog::SkillCatalog;
use crate::verdict_ledger::VerdictLedger;

/// Everything that a runtime must remember. Each role has a trait of its own, so that a caller can
/// ask for no more than it needs.
pub trait Journal:
    OrderQueue
    + OrderReader
    + Outbox
    + ReceiptQueue
    + VerdictLedger
    + SkillCatalog
    + BlobOwners
    + Retention
    + JournalHealth
{
}

impl<T> Journal for T where
    T: OrderQueue
        + OrderReader
        + Outbox
        + ReceiptQueue
        + VerdictLedger
        + SkillCatalog
        + BlobOwners
        + Retention
        + JournalHealth
{
}
