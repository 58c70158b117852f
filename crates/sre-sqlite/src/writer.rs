//! The writer thread: batches, savepoints, commits, answers.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use rusqlite::{Connection, Transaction, TransactionBehavior};
use tokio::sync::mpsc;

use crate::batch_window::BatchWindow;
use crate::checkpoint::Checkpoints;
use crate::error::WriteError;
use crate::file_identity::FileIdentity;
use crate::job::{Job, JobFailure};

/// What the writer has done so far.
#[derive(Debug, Default)]
pub(super) struct Counters {
    pub(super) jobs: AtomicU64,
    pub(super) transactions: AtomicU64,
    pub(super) failed_transactions: AtomicU64,
}

/// The state of the writer thread.
pub(super) struct Writer {
    pub(super) path: Arc<Path>,
    pub(super) identity: FileIdentity,
    // Before the connection: it is dropped first.
    pub(super) checkpoints: Checkpoints,
    pub(super) connection: Connection,
    pub(super) queue: mpsc::Receiver<Box<dyn Job>>,
    pub(super) batch_limit_jobs: usize,
    pub(super) counters: Arc<Counters>,
}

impl Writer {
    /// Works until the queue is closed and empty.
    pub(super) fn run(mut self) {
        let mut batch = Vec::new();
        let mut window = BatchWindow::new();
        // The next batch is what queued during the last commit, and what follows within the window.
        while self
            .queue
            .blocking_recv_many(&mut batch, self.batch_limit_jobs)
            > 0
        {
            window.wait(|| batch.len() + self.queue.len());
            while batch.len() < self.batch_limit_jobs
                && let Ok(job) = self.queue.try_recv()
            {
                batch.push(job);
            }
            window.observe(batch.len());
            self.counters
                .jobs
                .fetch_add(batch.len() as u64, Ordering::Relaxed);
            let outcome = self.commit(&mut batch);
            let counter = match &outcome {
                Ok(()) => &self.counters.transactions,
                Err(_) => &self.counters.failed_transactions,
            };
            // Counted before the answers, so that a caller who looks afterwards finds its own
            // transaction.
            counter.fetch_add(1, Ordering::Relaxed);
            if let Err(error) = &outcome {
                tracing::warn!(%error, jobs = batch.len(), "a group commit failed");
            }
            for job in batch.drain(..) {
                job.answer(outcome.clone());
            }
            self.checkpoints
                .after_batch(&self.connection, self.queue.is_empty());
        }
    }

    fn commit(&mut self, batch: &mut Vec<Box<dyn Job>>) -> Result<(), WriteError> {
        let moved = || WriteError::Moved {
            path: self.path.clone(),
        };
        if self.identity.was_replaced() {
            return Err(moved());
        }
        commit_batch(&mut self.connection, batch, &self.path)?;
        // After the commit: what is answered was in the file of this name.
        if self.identity.is_current() {
            Ok(())
        } else {
            Err(moved())
        }
    }
}

/// Runs and commits the batch. On return it holds the jobs that share the outcome of the
/// transaction; those that failed by themselves have been answered and taken out.
fn commit_batch(
    connection: &mut Connection,
    batch: &mut Vec<Box<dyn Job>>,
    path: &Arc<Path>,
) -> Result<(), WriteError> {
    let refused = |source| WriteError::Commit {
        path: path.clone(),
        source: Arc::new(source),
    };
    let transaction = connection
        .transaction_with_behavior(TransactionBehavior::Immediate)
        .map_err(refused)?;
    // A single job needs no savepoint: the transaction is one.
    let savepoints = batch.len() > 1;
    let mut at = 0;
    while at < batch.len() {
        let job = batch[at].as_mut();
        let ran = if savepoints {
            run_in_savepoint(&transaction, job)
        } else {
            job.run(&transaction)
        };
        if transaction.is_autocommit() {
            // SQLite has undone the whole transaction (disk full, I/O error, out of memory), or a
            // job has ended it.
            return Err(refused(cause_of(ran)));
        }
        match ran {
            Ok(()) => at += 1,
            Err(failure) => batch.remove(at).answer(Err(failure.into_error(path))),
        }
    }
    if batch.is_empty() {
        return transaction.rollback().map_err(refused);
    }
    // Dying before this line: nothing of the batch exists. After it: all of it does, and no caller
    // knows yet. Callers that have had no answer repeat their write.
    transaction.commit().map_err(refused)
}

fn run_in_savepoint(transaction: &Transaction<'_>, job: &mut dyn Job) -> Result<(), JobFailure> {
    // Prepared once per connection; rusqlite's own `Savepoint` would parse its statements for each
    // job.
    let step = |sql| {
        transaction
            .prepare_cached(sql)
            .and_then(|mut s| s.execute([]))
            .map(drop)
    };
    step("SAVEPOINT group_commit_job").map_err(JobFailure::Sqlite)?;
    let ran = job.run(transaction);
    if transaction.is_autocommit() {
        return ran;
    }
    if ran.is_err() {
        step("ROLLBACK TO group_commit_job").map_err(JobFailure::Sqlite)?;
    }
    step("RELEASE group_commit_job").map_err(JobFailure::Sqlite)?;
    ran
}

fn cause_of(ran: Result<(), JobFailure>) -> rusqlite::Error {
    let text = match ran {
        Err(JobFailure::Sqlite(error)) => return error,
        Err(JobFailure::Panicked(message)) => {
            format!("a job ended the transaction and panicked: {message}")
        }
        Ok(()) => "a job ended the transaction".to_owned(),
    };
    rusqlite::Error::SqliteFailure(
        rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_MISUSE),
        Some(text),
    )
}
