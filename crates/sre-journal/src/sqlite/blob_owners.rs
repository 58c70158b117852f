//! [`BlobOwners`] over SQLite.

use async_trait::async_trait;
use rusqlite::params;
use sre_core::BlobDigest;

use super::error::SqliteError;
use super::journal::SqliteJournal;
use crate::blob_owners::BlobOwners;
use crate::error::JournalError;

#[async_trait]
impl BlobOwners for SqliteJournal {
    async fn record_upload(
        &self,
        submitter: &str,
        blobs: Vec<(BlobDigest, u64)>,
    ) -> Result<(), JournalError> {
        let (submitter, now) = (submitter.to_owned(), self.now_ms());
        let recorded = self.database.write(move |transaction| {
            let mut insert = transaction.prepare_cached(
                "INSERT INTO blob_owners VALUES (?1, ?2, ?3, ?4)
                 ON CONFLICT DO UPDATE SET created_ms = excluded.created_ms",
            )?;
            for (digest, size) in &blobs {
                let size = i64::try_from(*size).unwrap_or(i64::MAX);
                insert.execute(params![digest.digest().as_bytes(), submitter, size, now])?;
            }
            Ok(())
        });
        Ok(recorded.await.map_err(SqliteError::from)?)
    }

    async fn may_use(&self, submitter: &str, digest: BlobDigest) -> Result<bool, JournalError> {
        Ok(may_use(self, submitter, digest)?)
    }
}

fn may_use(
    journal: &SqliteJournal,
    submitter: &str,
    digest: BlobDigest,
) -> Result<bool, SqliteError> {
    let reader = journal.database.reader()?;
    let mut statement =
        reader.prepare_cached("SELECT 1 FROM blob_owners WHERE digest = ?1 AND submitter = ?2")?;
    Ok(statement.exists(params![digest.digest().as_bytes(), submitter])?)
}
