//! Small blobs: rows of one table.
//!
//! Digests are random, so whatever is sorted by digest is written all over. The bytes are therefore
//! appended in order of arrival, and only the narrow index pays. One run each on a busy machine,
//! 600,000 blobs of 300 bytes in groups of 256: the table itself sorted by digest (`WITHOUT ROWID`)
//! 8,700 blobs/s, as below 19,100/s, an index over the first 8 bytes only 18,200/s. The first gap
//! is wide enough to decide; the second is not, so the simpler schema stays.

use std::path::Path;
use std::sync::Arc;

use rusqlite::{OptionalExtension, params};
use sre_core::{BlobDigest, Digest};

use crate::{Blob, StoreError};
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

    /// Removes the rows that `keep` does not want, some at a time. Returns how many and their
    /// bytes.
    pub(super) async fn retain(
        &self,
        keep: &(dyn Fn(BlobDigest) -> bool + Sync),
    ) -> Result<(u64, u64), StoreError> {
        let (mut after, mut blobs, mut bytes) = (0_i64, 0, 0);
        loop {
            let rows: Vec<(i64, [u8; 32], i64)> = {
                let reader = self.database.reader()?;
                let read = || {
                    reader
                        .prepare_cached(
                            "SELECT id, digest, length(bytes) FROM blob WHERE id > ?1 ORDER BY id LIMIT 1000",
                        )?
                        .query_map([after], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?
                        .collect::<rusqlite::Result<_>>()
                };
                read().map_err(|source| self.failed(source))?
            };
            let Some((last, ..)) = rows.last() else {
                return Ok((blobs, bytes));
            };
            after = *last;
            let unwanted: Vec<_> = rows
                .into_iter()
                .filter(|(_, digest, _)| !keep(Digest::from_bytes(*digest).into()))
                .collect();
            blobs += unwanted.len() as u64;
            bytes += unwanted
                .iter()
                .map(|(.., length)| length.unsigned_abs())
                .sum::<u64>();
            self.database
                .write(move |transaction| {
                    let mut delete =
                        transaction.prepare_cached("DELETE FROM blob WHERE id = ?1")?;
                    for (id, ..) in unwanted {
                        delete.execute([id])?;
                    }
                    Ok(())
                })
                .await?;
        }
    }

    pub(super) fn place(&self, digest: BlobDigest) -> String {
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
