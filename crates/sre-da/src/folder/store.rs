//! [`LocalStore`]: one folder for small and large blobs.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use sre_core::BlobDigest;

use super::LocalStoreOptions;
use super::blocking::blocking;
use super::known::Known;
use super::large::Large;
use super::small::Small;
use super::writer::LocalWriter;
use crate::blob::Blob;
use crate::store::{Store, get_each};
use crate::store_error::StoreError;
use crate::stream::{BlobReader, BlobWriter};
use sre_durable::create_folder;
use sre_durable::{Disk, OsDisk};
use sre_sqlite::{DatabaseFile, OpenError};

/// Up to this many bytes are hashed on the calling thread, in a tenth of a millisecond; more, on a
/// blocking thread.
const HASH_INLINE_LIMIT_BYTES: usize = 128 << 10;

/// A store in a folder of this machine: `small.sqlite3` holds small blobs, `large/ab/<64 hex>` each
/// larger one, `tmp/` files being written. Folders have mode 0700, files 0600.
///
/// Several stores, also in several processes, may share the folder. Dropping the store waits for
/// its writer thread.
pub struct LocalStore {
    dir: PathBuf,
    options: LocalStoreOptions,
    pub(super) small: Small,
    pub(super) large: Arc<Large>,
    pub(super) known: Known,
    puts: AtomicU64,
    skipped: AtomicU64,
}

/// What a store has done since it was opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LocalStoreStats {
    /// Calls of `put`.
    pub puts: u64,
    /// Blobs not written because this process knew them to be durable.
    pub skipped_blobs: u64,
    /// Transactions of the database of small blobs, one fsync each.
    pub transactions: u64,
    /// Transactions that failed.
    pub failed_transactions: u64,
}

impl LocalStore {
    /// Opens the store in `dir`, making the folder and its missing parents. Blocks for a few
    /// fsyncs.
    ///
    /// # Errors
    /// [`StoreError::Backend`], whose message names the path and what to do.
    pub fn open(dir: &Path, options: LocalStoreOptions) -> Result<Self, StoreError> {
        Self::open_on(Arc::new(OsDisk), dir, options)
    }

    /// As [`LocalStore::open`], with another way to make large blobs durable. SQLite does its own
    /// file access.
    ///
    /// # Errors
    /// As [`LocalStore::open`].
    pub fn open_on(
        disk: Arc<dyn Disk>,
        dir: &Path,
        options: LocalStoreOptions,
    ) -> Result<Self, StoreError> {
        create_folder(&*disk, dir).map_err(OpenError::io("create folder", dir))?;
        let large = Arc::new(Large::open(dir, disk.clone(), options.blob_limit_bytes)?);
        let small = Small::open(&dir.join("small.sqlite3"), options.busy_timeout)?;
        // The names may have been made by a process that died right after: from here on they are
        // durable.
        disk.sync_dir(dir)
            .map_err(OpenError::io("make durable the folder", dir))?;
        if let Some(parent) = dir.parent().filter(|parent| !parent.as_os_str().is_empty()) {
            // Reported only where this process made the folder, in `create_folder`: an existing one
            // may stand in a folder that we may pass through but not read.
            let _ = disk.sync_dir(parent);
        }
        let known = Known::new(options.known_limit_digests);
        let (puts, skipped) = (AtomicU64::new(0), AtomicU64::new(0));
        Ok(Self {
            dir: dir.to_path_buf(),
            options,
            small,
            large,
            known,
            puts,
            skipped,
        })
    }

    /// The folder.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The database of small blobs.
    #[must_use]
    pub fn database(&self) -> DatabaseFile {
        self.small.file()
    }

    /// What the store has done so far.
    #[must_use]
    pub fn stats(&self) -> LocalStoreStats {
        let writer = self.small.stats();
        LocalStoreStats {
            puts: self.puts.load(Ordering::Relaxed),
            skipped_blobs: self.skipped.load(Ordering::Relaxed),
            transactions: writer.transactions,
            failed_transactions: writer.failed_transactions,
        }
    }

    /// Stops assuming that these digests are durable: the next put of each writes again. A put that
    /// is under way is not remembered either. For programs that change the folder without the
    /// store.
    pub fn forget(&self, digests: &[BlobDigest]) {
        self.known.forget(digests);
    }

    /// Refuses blobs over the limit and blobs with a wrong digest.
    async fn check(&self, mut blobs: Vec<Blob>) -> Result<Vec<Blob>, StoreError> {
        let limit_bytes = self.options.blob_limit_bytes;
        for blob in &blobs {
            let size_bytes = blob.bytes().len() as u64;
            if size_bytes > limit_bytes {
                return Err(StoreError::TooLarge {
                    digest: blob.digest(),
                    size_bytes,
                    limit_bytes,
                });
            }
        }
        let to_hash_bytes: usize = blobs.iter().map(Blob::unchecked_bytes).sum();
        let check = move || {
            blobs.iter_mut().try_for_each(Blob::check)?;
            Ok(blobs)
        };
        if to_hash_bytes <= HASH_INLINE_LIMIT_BYTES {
            check()
        } else {
            blocking(check).await
        }
    }

    async fn put_large(&self, blobs: Vec<Blob>) -> Result<(), StoreError> {
        if blobs.is_empty() {
            return Ok(());
        }
        let large = self.large.clone();
        blocking(move || blobs.iter().try_for_each(|blob| large.put(blob))).await
    }

    async fn get_large(&self, digest: BlobDigest) -> Result<Arc<[u8]>, StoreError> {
        let large = self.large.clone();
        blocking(move || {
            let bytes = large.get(digest)?.ok_or(StoreError::NotFound { digest })?;
            StoreError::expect_digest(digest, &bytes, || {
                large.path_of(digest).1.display().to_string()
            })?;
            Ok(bytes)
        })
        .await
    }

    /// Small blobs are read on the calling thread: that takes microseconds, less than handing the
    /// read to another thread would.
    async fn read(&self, digest: BlobDigest) -> Result<Arc<[u8]>, StoreError> {
        self.finish_read(digest, self.small.get(digest)?).await
    }

    /// Takes a digest that cannot be read for not durable, so that the next put repairs it.
    fn forget_unless_read<T>(
        &self,
        digest: BlobDigest,
        read: Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        if read.is_err() {
            self.known.forget(&[digest]);
        }
        read
    }

    async fn open_checked(&self, digest: BlobDigest) -> Result<BlobReader, StoreError> {
        if let Some(bytes) = self.small.get(digest)? {
            StoreError::expect_digest(digest, &bytes, || self.small.row_of(digest))?;
            return Ok(BlobReader::new(bytes));
        }
        let large = Arc::clone(&self.large);
        let opened = blocking(move || large.open_blob(digest)).await?;
        let (file, size_bytes) = opened.ok_or(StoreError::NotFound { digest })?;
        Ok(BlobReader::of_file(file, size_bytes))
    }

    async fn finish_read(
        &self,
        digest: BlobDigest,
        small: Option<Arc<[u8]>>,
    ) -> Result<Arc<[u8]>, StoreError> {
        match small {
            Some(bytes) => {
                StoreError::expect_digest(digest, &bytes, || self.small.row_of(digest))?;
                Ok(bytes)
            }
            None => self.get_large(digest).await,
        }
    }
}

#[async_trait]
impl Store for LocalStore {
    async fn put(&self, mut blobs: Vec<Blob>) -> Result<(), StoreError> {
        self.puts.fetch_add(1, Ordering::Relaxed);
        let epoch = self.known.epoch();
        let offered = blobs.len();
        // Before they are checked: bytes whose digest is durable are not needed, right or wrong. A
        // skill's files come with every order, and hashing them again would cost more than all the
        // rest.
        blobs.retain(|blob| !self.known.contains(&blob.digest()));
        self.skipped
            .fetch_add((offered - blobs.len()) as u64, Ordering::Relaxed);
        if blobs.is_empty() {
            return Ok(());
        }
        let blobs = self.check(blobs).await?;
        let digests: Vec<_> = blobs.iter().map(Blob::digest).collect();
        let is_small = |blob: &Blob| blob.bytes().len() as u64 <= self.options.small_limit_bytes;
        let (small, large): (Vec<_>, Vec<_>) = blobs.into_iter().partition(is_small);
        // Both to their end, also when one fails: an error must not leave work running behind the
        // caller's back.
        let (small, large) = tokio::join!(self.small.put(small), self.put_large(large));
        small.and(large)?;
        self.known.insert(epoch, digests);
        Ok(())
    }

    async fn get(&self, digest: BlobDigest) -> Result<Arc<[u8]>, StoreError> {
        let read = self.read(digest).await;
        self.forget_unless_read(digest, read)
    }

    async fn get_many(&self, digests: &[BlobDigest]) -> Vec<Result<Arc<[u8]>, StoreError>> {
        let Ok(rows) = self.small.get_many(digests) else {
            // One by one, so that each answer says what is wrong with it.
            return get_each(self, digests).await;
        };
        let mut answers = Vec::with_capacity(digests.len());
        for (&digest, row) in digests.iter().zip(rows) {
            let answer = self.finish_read(digest, row).await;
            answers.push(self.forget_unless_read(digest, answer));
        }
        answers
    }

    async fn open(&self, digest: BlobDigest) -> Result<BlobReader, StoreError> {
        let opened = self.open_checked(digest).await;
        self.forget_unless_read(digest, opened)
    }

    async fn writer(&self) -> Result<Box<dyn BlobWriter + '_>, StoreError> {
        let large = Arc::clone(&self.large);
        let writer = LocalWriter::new(self, &self.known, large, &self.options);
        Ok(Box::new(writer))
    }

    async fn exists(&self, digest: BlobDigest) -> Result<bool, StoreError> {
        if self.small.exists(digest)? {
            return Ok(true);
        }
        let large = self.large.clone();
        blocking(move || large.exists(digest)).await
    }

    async fn probe(&self) -> Result<(), StoreError> {
        self.small.probe().await
    }
}

impl std::fmt::Debug for LocalStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LocalStore")
            .field("dir", &self.dir)
            .finish_non_exhaustive()
    }
}
