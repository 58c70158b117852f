//! The file of an open database: whether it is still there, and how to rescue what it held.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use crate::copy;
use crate::error::OpenError;
use crate::file_identity::FileIdentity;
use crate::reader::Readers;

/// How long a rescue waits for a connection that others have borrowed.
const READER_PATIENCE: Duration = Duration::from_secs(10);

/// The file of a [`GroupCommit`](super::GroupCommit). Once that is closed, nothing can be saved of
/// a file without a name.
#[derive(Clone)]
pub struct DatabaseFile {
    pub(super) path: Arc<Path>,
    pub(super) identity: FileIdentity,
    pub(super) readers: Arc<Readers>,
}

impl DatabaseFile {
    /// Where it was opened.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether it is still there. Costs some microseconds.
    ///
    /// # Errors
    /// [`OpenError::Moved`]; from the first time on nothing is written any more, see
    /// [`WriteError::Moved`](super::WriteError::Moved).
    pub fn check(&self) -> Result<(), OpenError> {
        self.identity.check()
    }

    /// Saves the content of a database that was moved in a new file beside its path, mode 0600,
    /// durable when this returns: every answered write, and perhaps more. Removes the write-ahead
    /// log at that path, which another database there would take for its own. Blocks, for minutes
    /// if there are gigabytes.
    ///
    /// # Errors
    /// [`OpenError::Io`], for instance when the folder is gone too or the disk is full,
    /// [`OpenError::Sqlite`]; then no copy is left.
    pub fn save_copy(&self) -> Result<PathBuf, OpenError> {
        let to = copy::name_beside(&self.path);
        // Under load all connections may be lent at this moment, and a new one cannot be opened to a
        // file without a name.
        let reader = if self.identity.is_current() {
            self.readers.lend()?
        } else {
            self.readers.lend_opened(READER_PATIENCE)?
        };
        copy::save(&reader, &to)?;
        if !self.identity.is_current() {
            self.identity
                .remove_log()
                .map_err(OpenError::io("remove the log of", &self.path))?;
        }
        Ok(to)
    }
}

impl std::fmt::Debug for DatabaseFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DatabaseFile")
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}
