//! Readiness and metrics.

use async_trait::async_trait;

use super::error::SqliteError;
use super::journal::SqliteJournal;
use super::leases;
use crate::error::JournalError;
use crate::health::{JournalHealth, WriteStats};

#[async_trait]
impl JournalHealth for SqliteJournal {
    async fn probe(&self) -> Result<(), JournalError> {
        Ok(leases::heartbeat(self).await?)
    }

    fn check(&self) -> Result<(), JournalError> {
        Ok(self.database.file().check().map_err(SqliteError::from)?)
    }

    fn write_stats(&self) -> WriteStats {
        let stats = self.database.stats();
        WriteStats {
            transactions: stats.transactions,
            failed_transactions: stats.failed_transactions,
        }
    }
}
