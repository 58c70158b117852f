//! A journal whose file is moved, replaced or deleted under the process that has it open.
//!
//! From then on nothing is accepted or recorded: the next process would not find it. What was acknowledged before is still in the file that
//! is open, so it is saved beside the place, and as long as that copy lies there no process opens a journal there: an empty one in
//! its place would look like a service that never had an order.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::{Journal, JournalError};

/// What the names of saved copies begin and end with; between them stands the name of the process that wrote it.
const SAVED: (&str, &str) = ("journal-saved-", ".sqlite3");

impl Journal {
    /// Whether the file is still where it was opened. Costs some microseconds.
    ///
    /// # Errors
    /// [`JournalError::Open`] with the cause `moved`; from the first time on nothing is written any more.
    pub fn check_place(&self) -> Result<(), JournalError> {
        Ok(self.database.check_place()?)
    }

    /// Saves all that this journal holds in a file beside it, and returns that; for one that was moved. Takes minutes if there
    /// are gigabytes.
    ///
    /// # Errors
    /// [`JournalError::Open`], for instance when the whole folder is gone or the disk is full.
    pub async fn save_copy(self: &Arc<Self>) -> Result<PathBuf, JournalError> {
        // Whatever is being written ends before this is answered, with an error.
        drop(self.database.write(|_| Ok(())).await);
        let journal = Arc::clone(self);
        let saved = move || {
            let copy = journal.path().with_file_name(format!("{}{}{}", SAVED.0, journal.holder.name(), SAVED.1));
            journal.database.save_copy(&copy).map(|()| copy)
        };
        match tokio::task::spawn_blocking(saved).await {
            Ok(saved) => Ok(saved?),
            Err(panicked) => std::panic::resume_unwind(panicked.into_panic()),
        }
    }
}

/// Refuses to open a journal beside a saved copy of one.
pub(super) fn refuse_beside_copy(path: &Path) -> Result<(), JournalError> {
    // A folder that cannot be read is somebody else's to complain about.
    let Some(entries) = path.parent().and_then(|folder| fs::read_dir(folder).ok()) else { return Ok(()) };
    let is_copy = |name: &str| name.starts_with(SAVED.0) && name.ends_with(SAVED.1);
    let copy = entries.flatten().find(|entry| entry.file_name().to_str().is_some_and(is_copy));
    copy.map_or(Ok(()), |copy| Err(JournalError::Saved { copy: copy.path(), path: path.to_path_buf() }))
}
