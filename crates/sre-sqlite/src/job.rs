//! A write on its way through the queue: what to do, and whom to tell.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;

use rusqlite::Transaction;
use tokio::sync::oneshot;

use crate::error::WriteError;

/// Why a job itself did not succeed.
pub(super) enum JobFailure {
    Sqlite(rusqlite::Error),
    Panicked(String),
}

impl JobFailure {
    pub(super) fn into_error(self, path: &Arc<Path>) -> WriteError {
        match self {
            Self::Sqlite(source) => WriteError::Job {
                path: path.clone(),
                source: Arc::new(source),
            },
            Self::Panicked(message) => WriteError::Panicked { message },
        }
    }
}

/// A queued write with the type of its result forgotten. It is run at most once and answered once.
pub(super) trait Job: Send {
    /// Does the work and keeps its result.
    fn run(&mut self, transaction: &Transaction<'_>) -> Result<(), JobFailure>;

    /// Tells the caller; `Ok` stands for the result that `run` kept.
    fn answer(self: Box<Self>, committed: Result<(), WriteError>);
}

/// A write whose caller waits for a `T`.
pub(super) struct Write<F, T> {
    work: Option<F>,
    result: Option<T>,
    caller: oneshot::Sender<Result<T, WriteError>>,
}

impl<F, T> Write<F, T> {
    pub(super) fn new(work: F) -> (Self, oneshot::Receiver<Result<T, WriteError>>) {
        let (caller, answer) = oneshot::channel();
        (
            Self {
                work: Some(work),
                result: None,
                caller,
            },
            answer,
        )
    }
}

impl<F, T> Job for Write<F, T>
where
    F: FnOnce(&Transaction<'_>) -> rusqlite::Result<T> + Send,
    T: Send,
{
    fn run(&mut self, transaction: &Transaction<'_>) -> Result<(), JobFailure> {
        let Some(work) = self.work.take() else {
            return Ok(());
        };
        // Unwind safe: the closure is consumed, and the database is rolled back to where it was.
        match catch_unwind(AssertUnwindSafe(|| work(transaction))) {
            Ok(Ok(result)) => {
                self.result = Some(result);
                Ok(())
            }
            Ok(Err(error)) => Err(JobFailure::Sqlite(error)),
            Err(payload) => Err(JobFailure::Panicked(panic_message(payload.as_ref()))),
        }
    }

    fn answer(self: Box<Self>, committed: Result<(), WriteError>) {
        let Self { result, caller, .. } = *self;
        // The caller may have gone away; the write stands.
        let _ = caller.send(committed.and_then(|()| result.ok_or(WriteError::Closed)));
    }
}

fn panic_message(payload: &(dyn Any + Send)) -> String {
    let text = payload.downcast_ref::<&str>().copied();
    text.or_else(|| payload.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("no message")
        .to_owned()
}
