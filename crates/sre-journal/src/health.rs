//! How the journal itself is doing, for readiness checks and metrics.

use async_trait::async_trait;

use crate::error::JournalError;

/// Whether the journal can be used, and what it has done.
#[async_trait]
pub trait JournalHealth: Send + Sync {
    /// Writes something and waits for the disk: whether the journal can be written to at all.
    ///
    /// # Errors
    /// [`JournalError`].
    async fn probe(&self) -> Result<(), JournalError>;

    /// Whether the storage is still the one that was opened. Costs some microseconds.
    ///
    /// # Errors
    /// [`JournalErrorKind::Moved`](crate::JournalErrorKind::Moved); nothing is written any more
    /// until the process opens the journal again.
    fn check(&self) -> Result<(), JournalError>;

    /// What this process has written.
    fn write_stats(&self) -> WriteStats;
}

/// What a process has written since it opened the journal.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct WriteStats {
    /// Transactions ended.
    pub transactions: u64,
    /// Transactions that could not be begun or committed.
    pub failed_transactions: u64,
}
