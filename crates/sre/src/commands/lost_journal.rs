//! What `sre serve` does when its journal is moved, replaced or deleted: it saves what it had, says so for a while, and ends.

use std::sync::Arc;
use std::time::Duration;

use sre_orchestrator::{Journal, Workers};

use crate::failure::Failure;

/// Ends with `stop`, or some time after the journal was lost: for `notice` everybody who asks is told that the service is not ready. Returns
/// why it had to end, if it had to.
pub async fn watch(workers: &Workers, notice: Duration, stop: impl Future<Output = ()>) -> Option<Failure> {
    let mut stop = std::pin::pin!(stop);
    tokio::select! {
        () = stop.as_mut() => return None,
        () = workers.journal_moved() => {}
    }
    let failure = rescue(workers.orchestrator().journal()).await;
    tracing::error!(error = failure.detail, "the service ends soon");
    drop(tokio::time::timeout(notice, stop).await);
    Some(failure)
}

/// Saves what the journal holds if its file is not where it was opened, and says so.
pub async fn look(journal: &Arc<Journal>) -> Option<Failure> {
    match journal.check_place() {
        Ok(()) => None,
        Err(_) => Some(rescue(journal).await),
    }
}

async fn rescue(journal: &Arc<Journal>) -> Failure {
    let place = journal.path().display();
    let lost = format!("{place} was moved, replaced or deleted while the service had it open");
    match journal.save_copy().await {
        Ok(copy) => {
            Failure::operating("journal_moved", format!("{lost}; all that it held is saved in {}", copy.display()))
                .hint(format!(
                    "rename the copy to {place}, without a -wal or -shm beside it, and start the service again"
                ))
        }
        Err(error) => Failure::operating("journal_moved", format!("{lost}, and what it held cannot be saved: {error}"))
            .hint("put the file back that was there, with its -wal beside it, or a copy of yours"),
    }
}
