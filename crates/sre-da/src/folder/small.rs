//! Small blobs: rows of one table.
//!
//! Digests are random, so writes to a table that is sorted by digest go to random pages. The bytes
//! are therefore appended in order of arrival, and only the narrow index has that cost. One run
//! each on a busy machine, 600,000 blobs of 300 bytes in groups of 256: the table itself sorted by
//! digest (`WITHOUT ROWID`) 8,700 blobs/s, as below 19,100/s, an index over the first 8 bytes only
//! 18,200/s. The first gap is wide enough to decide; the second is not, so the simpler schema
//! stays.

use std::path::Path;
use std::sync::Arc;

use rusqlite::{OptionalExtension, params};
use sre_core::{BlobDigest, Digest};

use crate::blob::Blob;
use crate::store_error::StoreError;
use crate::sweep::Removed;
use sre_sqlite::{
    DatabaseFile, GroupCommit, GroupCommitOptions, GroupCommitStats, OpenError, ReadError,
};

/// "sreb", big-endian.
pub(super) const APPLICATION_ID: i32 = 0x7372_6562;

const MIGRATIONS: &[&str] = &["CREATE TABLE blob (
    id     INTEGER PRIMARY KEY,
    digest BLOB NOT NULL UNIQUE CHECK (length(digest) = 32), -- SHA-256 of bytes
    bytes  BLOB NOT NULL
) STRICT"];

/// Leaves a right row alone and repairs a wrong one.
const PUT: &str = "INSERT INTO blob (digest, bytes) VALUES (?1, ?2)
    ON CONFLICT (digest) DO UPDATE SET bytes = excluded.bytes WHERE bytes IS NOT excluded.bytes";
pub(super) const GET: &str = "SELECT bytes FROM blob WHERE digest = ?1";
const EXISTS: &str = "SELECT 1 FROM blob WHERE digest = ?1";

/// The database of small blobs.
pub(super) struct Small {
    database: GroupCommit,
}

impl Small {
    pub(super) fn open(path: &Path, busy_timeout: std::time::Duration) -> Result<Self, OpenError> {
        let mut options = GroupCommitOptions::new(APPLICATION_ID);
        options.busy_timeout = busy_timeout;
        Ok(Self {
            database: GroupCommit::open(path, MIGRATIONS, options)?,
        })
    }

    /// Whether a transaction can be made.
    pub(super) async fn probe(&self) -> Result<(), StoreError> {
        Ok(self.database.write(|_| Ok(())).await?)
    }

    pub(super) fn file(&self) -> DatabaseFile {
        self.database.file()
    }

    pub(super) async fn put(&self, blobs: Vec<Blob>) -> Result<(), StoreError> {
        if blobs.is_empty() {
            return Ok(());
        }
        self.database
            .write(move |transaction| {
                let mut put = transaction.prepare_cached(PUT)?;
                for blob in &blobs {
                    put.execute(params![
                        blob.digest().digest().as_bytes(),
                        &blob.bytes()[..]
                    ])?;
                }
                Ok(())
            })
            .await?;
        Ok(())
    }

    /// The stored bytes, not yet checked. Blocks for microseconds: an index descent and a row,
    /// mostly from the page cache.
    pub(super) fn get(&self, digest: BlobDigest) -> Result<Option<Arc<[u8]>>, StoreError> {
        let reader = self.database.reader()?;
        let row = || {
            reader
                .prepare_cached(GET)?
                .query_row([digest.digest().as_bytes()], |row| {
                    Ok(Arc::from(row.get_ref(0)?.as_blob()?))
                })
                .optional()
        };
        row().map_err(|source| self.failed(source))
    }

    /// As [`Small::get`] for several, in one transaction: locking the database costs more than
    /// reading a row.
    pub(super) fn get_many(
        &self,
        digests: &[BlobDigest],
    ) -> Result<Vec<Option<Arc<[u8]>>>, StoreError> {
        let reader = self.database.reader()?;
        let rows = || {
            let transaction = reader.unchecked_transaction()?;
            let mut get = transaction.prepare_cached(GET)?;
            let row = |digest: &BlobDigest| {
                get.query_row([digest.digest().as_bytes()], |row| {
                    Ok(Arc::from(row.get_ref(0)?.as_blob()?))
                })
                .optional()
            };
            let rows = digests.iter().map(row).collect::<rusqlite::Result<_>>()?;
            drop(get);
            transaction.commit()?;
            Ok(rows)
        };
        rows().map_err(|source| self.failed(source))
    }

    pub(super) fn exists(&self, digest: BlobDigest) -> Result<bool, StoreError> {
        let reader = self.database.reader()?;
        let row = || {
            reader
                .prepare_cached(EXISTS)?
                .exists([digest.digest().as_bytes()])
        };
        row().map_err(|source| self.failed(source))
    }

    /// Some of the digests behind row `after`, in the order of arrival, and the last one's row;
    /// `None` where there are no more.
    pub(super) fn list(&self, after: i64) -> Result<(Vec<BlobDigest>, Option<i64>), StoreError> {
        let reader = self.database.reader()?;
        let read = || {
            let mut list = reader.prepare_cached(
                "SELECT id, digest FROM blob WHERE id > ?1 ORDER BY id LIMIT 1000",
            )?;
            let rows = list.query_map([after], |row| Ok((row.get(0)?, row.get(1)?)))?;
            rows.collect::<rusqlite::Result<Vec<(i64, [u8; 32])>>>()
        };
        let rows = read().map_err(|source| self.failed(source))?;
        let last = rows.last().map(|(id, _)| *id);
        let digests = rows
            .into_iter()
            .map(|(_, digest)| Digest::from_bytes(digest).into());
        Ok((digests.collect(), last))
    }

    /// Removes the rows of these digests.
    pub(super) async fn remove(&self, digests: Vec<BlobDigest>) -> Result<Removed, StoreError> {
        let removed = self.database.write(move |transaction| {
            let mut delete = transaction
                .prepare_cached("DELETE FROM blob WHERE digest = ?1 RETURNING length(bytes)")?;
            let mut removed = Removed::default();
            for digest in &digests {
                let length: Option<i64> = delete
                    .query_row([digest.digest().as_bytes()], |row| row.get(0))
                    .optional()?;
                if let Some(length) = length {
                    removed.blobs += 1;
                    removed.bytes += length.unsigned_abs();
                }
            }
            Ok(removed)
        });
        Ok(removed.await?)
    }

    pub(super) fn row_of(&self, digest: BlobDigest) -> String {
        format!("row {digest} of {}", self.database.path().display())
    }

    pub(super) fn stats(&self) -> GroupCommitStats {
        self.database.stats()
    }

    fn failed(&self, source: rusqlite::Error) -> StoreError {
        let path = self.database.path().to_path_buf();
        ReadError { path, source }.into()
    }
}
