//! Why the embedded runtime cannot work.

use std::io;
use std::path::PathBuf;

use sre_da::StoreError;
use sre_journal::JournalError;
use sre_sandbox::SandboxError;

use crate::{AcceptError, CallbackError, ExecuteError, KeysError, RegistrarError};

/// Why the embedded runtime cannot work.
#[derive(Debug, thiserror::Error)]
pub enum EmbeddedError {
    /// The order is refused; nothing ran and nothing was written.
    #[error(transparent)]
    Accept(#[from] AcceptError),
    /// The order has no result.
    #[error(transparent)]
    Execute(#[from] ExecuteError),
    /// The sandbox could not be built.
    #[error(transparent)]
    Sandbox(#[from] SandboxError),
    /// The data folder cannot be made.
    #[error("the data folder {} cannot be used: {source}; choose another with --data-dir or SRE_DATA_DIR", path.display())]
    Folder {
        /// Which folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Whether a file is there cannot be found out.
    #[error("{} cannot be looked at: {source}", path.display())]
    Unknown {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// There is no journal, which alone says what is needed.
    #[error("there is no journal at {}, so what is needed here is not known; put it back, or name another folder with --data-dir", .0.display())]
    NoJournal(PathBuf),
    /// There is no home folder to put the data folder into.
    #[error("no home folder was found; name a data folder with --data-dir or SRE_DATA_DIR")]
    NoHome,
    /// The blob store cannot be opened.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The journal cannot be opened.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The callback client could not be built.
    #[error(transparent)]
    Callback(#[from] CallbackError),
    /// The key that signs receipts, or the log, cannot be used.
    #[error(transparent)]
    Registrar(#[from] RegistrarError),
    /// There are no keys to sign callbacks with.
    #[error(transparent)]
    Keys(#[from] KeysError),
}
