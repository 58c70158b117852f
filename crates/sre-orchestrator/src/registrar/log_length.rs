//! Whether the log is as long as it was.
//!
//! A log that is shorter than it was would number other entries where there were some, and sign a
//! second history of the same sizes. The journal notes how long the log is, in the transaction that
//! counts receipts as issued and whenever it has grown otherwise; what it notes is durable in the
//! log before. So a log that was lost, or put back from an older copy, is found out before anything
//! is signed. A journal and a log that are put back together are not: only others, who have seen
//! more, can tell.

use super::{Registrar, RegistrarError};
use sre_journal::LogSize;

impl Registrar {
    /// Refuses a log that is shorter than it was, and notes how long it is; to be called before
    /// anything is signed.
    ///
    /// # Errors
    /// [`RegistrarError::LogBehind`]; [`RegistrarError::Journal`].
    pub async fn check_log(&self) -> Result<(), RegistrarError> {
        let origin = self.log().key().name.to_string();
        // Before the log is asked: it only grows meanwhile.
        let seen = self.journal.log_high_water_mark(&origin).await?;
        let log = self.log_length()?;
        if log.entries < seen {
            return Err(RegistrarError::LogBehind {
                origin,
                entries: log.entries,
                seen,
            });
        }
        if log.entries > seen {
            self.journal.record_log_size(log).await?;
        }
        Ok(())
    }

    /// Notes how long the log is, where it is longer than `noted`.
    pub(super) async fn note_log(&self, noted: &mut u64) -> Result<(), RegistrarError> {
        let log = self.log_length()?;
        let entries = log.entries;
        if entries > *noted {
            self.journal.record_log_size(log).await?;
            *noted = entries;
        }
        Ok(())
    }

    /// How long the log is now.
    pub(super) fn log_length(&self) -> Result<LogSize, RegistrarError> {
        Ok(LogSize {
            origin: self.log().key().name.to_string(),
            entries: self.log().submitted()?,
        })
    }
}
