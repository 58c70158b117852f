//! The handle that callers hold.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::{self, JoinHandle};

use rusqlite::Transaction;
use tokio::sync::mpsc;

use crate::checkpoint::Checkpoints;
use crate::copy;
use crate::error::{OpenError, WriteError};
use crate::file::DatabaseFile;
use crate::file_identity::FileIdentity;
use crate::job::{Job, Write};
use crate::open::open_writer;
use crate::options::GroupCommitOptions;
use crate::reader::Reader;
use crate::reader::Readers;
use crate::writer::{Counters, Writer};

/// A SQLite file with one writer thread and a pool of readers; see the
/// [module](crate).
///
/// Dropping it waits until the queued writes are committed and the file is closed.
pub struct GroupCommit {
    path: Arc<Path>,
    // Empty only while dropping.
    queue: Option<mpsc::Sender<Box<dyn Job>>>,
    thread: Option<JoinHandle<()>>,
    readers: Arc<Readers>,
    identity: FileIdentity,
    counters: Arc<Counters>,
}

/// What a writer has done since it was opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GroupCommitStats {
    /// Writes taken from the queue, whether or not they succeeded.
    pub jobs: u64,
    /// Transactions ended, one fsync each.
    pub transactions: u64,
    /// Transactions that could not be begun or committed.
    pub failed_transactions: u64,
}

impl GroupCommit {
    /// Opens the database at `path`, makes it if it is missing (its folder must exist), applies the
    /// missing migrations and starts the writer. Blocks for a few fsyncs.
    ///
    /// `migrations[n]` is SQL that brings schema version `n` to `n + 1`; entries are only ever
    /// appended. They run in one transaction.
    ///
    /// # Errors
    /// [`OpenError`], whose message names the path and what to do.
    pub fn open(
        path: &Path,
        migrations: &'static [&'static str],
        options: GroupCommitOptions,
    ) -> Result<Self, OpenError> {
        copy::refuse_beside_copy(path)?;
        let mut connection = open_writer(path, migrations, &options)?;
        let checkpoints =
            Checkpoints::of(&mut connection, path, &options).map_err(OpenError::sqlite(path))?;
        let identity = FileIdentity::of(path)?;
        let (sender, queue) = mpsc::channel(options.queue_limit_jobs.max(1));
        let path: Arc<Path> = path.into();
        let counters = Arc::new(Counters::default());
        let batch_limit_jobs = options.batch_limit_jobs.max(1);
        let writer = Writer {
            path: path.clone(),
            identity: identity.clone(),
            checkpoints,
            connection,
            queue,
            batch_limit_jobs,
            counters: counters.clone(),
        };
        let thread = thread::Builder::new()
            .name("group-commit".to_owned())
            .spawn(move || writer.run())
            .map_err(OpenError::io("start the writer thread of", &path))?;
        let readers = Arc::new(Readers::new(path.clone(), identity.clone(), options));
        // One that stays, so that a copy has a way to the file when its name is gone.
        drop(readers.lend()?);
        Ok(Self {
            path,
            queue: Some(sender),
            thread: Some(thread),
            readers,
            identity,
            counters,
        })
    }

    /// Runs `job` in the writer's next transaction and returns its result once that is durable.
    ///
    /// The job shares its transaction with others and sees what they wrote. It must not end the
    /// transaction, must not wait for anything, and must not violate *deferred* constraints, which
    /// only the commit would notice, failing its neighbours too.
    ///
    /// Waits while the queue is full. When the future is dropped after the job was queued, the job
    /// runs nevertheless.
    ///
    /// # Errors
    /// [`WriteError`]; unless it is [`WriteError::Closed`], nothing of the job was kept.
    pub async fn write<T, F>(&self, job: F) -> Result<T, WriteError>
    where
        T: Send + 'static,
        F: FnOnce(&Transaction<'_>) -> rusqlite::Result<T> + Send + 'static,
    {
        self.enqueue(job).await?.await
    }

    /// As [`GroupCommit::write`], but returns once the job is queued. The future it returns ends
    /// with the commit and may be dropped. Jobs run in the order in which they were queued.
    ///
    /// # Errors
    /// [`WriteError::Closed`].
    pub async fn enqueue<T, F>(
        &self,
        job: F,
    ) -> Result<impl Future<Output = Result<T, WriteError>> + Send + use<T, F>, WriteError>
    where
        T: Send + 'static,
        F: FnOnce(&Transaction<'_>) -> rusqlite::Result<T> + Send + 'static,
    {
        let queue = self.queue.as_ref().ok_or(WriteError::Closed)?;
        let (write, answer) = Write::new(job);
        queue
            .send(Box::new(write))
            .await
            .map_err(|_| WriteError::Closed)?;
        Ok(async { answer.await.unwrap_or(Err(WriteError::Closed)) })
    }

    /// A connection that sees all answered writes and cannot write. Does not wait; opens another
    /// connection when all are lent out.
    ///
    /// # Errors
    /// [`OpenError::Sqlite`] when a connection has to be opened and cannot be.
    pub fn reader(&self) -> Result<Reader<'_>, OpenError> {
        self.readers.lend()
    }

    /// The file, so that the owner of the process can watch over it.
    #[must_use]
    pub fn file(&self) -> DatabaseFile {
        DatabaseFile {
            path: self.path.clone(),
            identity: self.identity.clone(),
            readers: Arc::clone(&self.readers),
        }
    }

    /// The database file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What the writer has done so far.
    #[must_use]
    pub fn stats(&self) -> GroupCommitStats {
        GroupCommitStats {
            jobs: self.counters.jobs.load(Ordering::Relaxed),
            transactions: self.counters.transactions.load(Ordering::Relaxed),
            failed_transactions: self.counters.failed_transactions.load(Ordering::Relaxed),
        }
    }
}

impl Drop for GroupCommit {
    fn drop(&mut self) {
        self.readers.close();
        drop(self.queue.take());
        // A job that holds the last handle drops it on the writer thread, which cannot wait for
        // itself.
        if let Some(thread) = self
            .thread
            .take()
            .filter(|thread| thread.thread().id() != thread::current().id())
        {
            // The writer catches what jobs panic with; anything else has been reported by the panic
            // hook.
            let _ = thread.join();
        }
    }
}

impl std::fmt::Debug for GroupCommit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("GroupCommit")
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}
