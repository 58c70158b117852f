//! What `sre serve` does when one of its databases is moved, replaced or deleted: it saves what
//! that one held, says so for a while, and ends.

use std::time::Duration;

use sre_core::ErrorCode;
use sre_sqlite::DatabaseFile;

use crate::failure::Failure;

/// How often is looked.
const PERIOD: Duration = Duration::from_secs(1);

/// A database of the service.
pub struct Watched {
    /// The error code when it is lost.
    pub code: ErrorCode,
    /// Its file.
    pub file: DatabaseFile,
}

/// Ends with `stop`, or some time after a file was lost: during `notice` the service says that
/// it is not ready. Returns why it had to end, if it had to.
pub async fn watch(
    files: &[Watched],
    notice: Duration,
    stop: impl Future<Output = ()>,
) -> Option<Failure> {
    let mut stop = std::pin::pin!(stop);
    let failure = loop {
        if let Some(failure) = look(files) {
            break failure;
        }
        tokio::select! {
            () = stop.as_mut() => return None,
            () = tokio::time::sleep(PERIOD) => {}
        }
    };
    tracing::error!(error = failure.detail, "the service ends soon");
    drop(tokio::time::timeout(notice, stop).await);
    Some(failure)
}

/// Saves what those files held that are not where they were opened, and says so.
pub fn look(files: &[Watched]) -> Option<Failure> {
    let lost: Vec<&Watched> = files
        .iter()
        .filter(|watched| watched.file.check().is_err())
        .collect();
    let failures = lost
        .iter()
        .map(|watched| tokio::task::block_in_place(|| rescue(watched)));
    // One failure for all files, with the code and the hint of the first.
    failures.reduce(|first, next| Failure {
        detail: format!("{}; {}", first.detail, next.detail),
        ..first
    })
}

fn rescue(Watched { code, file }: &Watched) -> Failure {
    let place = file.path().display();
    let lost = format!("{place} was moved, replaced or deleted while the service had it open");
    match file.save_copy() {
        Ok(copy) => Failure::new(*code, format!("{lost}; all that it held is saved in {}", copy.display()))
            .hint(format!("rename the copy to {place}, without a -wal or -shm beside it, and start the service again")),
        Err(error) => Failure::new(*code, format!("{lost}, and what it held cannot be saved: {error}"))
            .hint("put the file back that was there, with its -wal beside it, or a copy of yours"),
    }
}
