//! Why a watcher cannot go on.

use std::path::PathBuf;

use sre_core::ErrorCode;
use sre_log::watch::Fault;
use sre_log::{LogMemory, LogMemoryError};
use sre_receipt::KeyFolderError;
use sre_receipt::tlog::{CheckpointError, KeyName, NoteError};

/// Why a watcher cannot go on. Reads well after "error:".
#[derive(Debug, thiserror::Error)]
pub enum WatchError {
    /// The executor does not answer, or refuses everything.
    #[error("{detail}")]
    Unreachable {
        /// What happened.
        detail: String,
        /// Whether the executor asks for another token.
        is_forbidden: bool,
    },
    /// The log answers, and receipts in it cannot be had.
    #[error("{0}")]
    Withheld(String),
    /// It cannot be read whose log this is.
    #[error(transparent)]
    Origin(Fault),
    /// The log cannot be read or believed.
    #[error(transparent)]
    Log(#[from] LogFault),
    /// Another watcher uses the folder.
    #[error("another `sre watch` follows {0} with this data folder")]
    Running(KeyName),
    /// What is remembered of the executor cannot be read or written.
    #[error("cannot {action} {}: {reason}", path.display())]
    Folder {
        /// What was tried.
        action: &'static str,
        /// With which file.
        path: PathBuf,
        /// What went wrong.
        reason: String,
    },
    /// This node's key or trust file cannot be used.
    #[error(transparent)]
    Keys(#[from] KeyFolderError),
    /// What is remembered of logs cannot be used.
    #[error(transparent)]
    LogMemory(#[from] LogMemoryError),
    /// TLS cannot be set up.
    #[error("no HTTP client can be made: {0}")]
    Client(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// What is wrong with a log, and where the evidence of it is kept.
#[derive(Debug, thiserror::Error)]
#[error("{fault}")]
pub struct LogFault {
    /// What is wrong.
    pub fault: Fault,
    /// The file with the checkpoints that prove it, where there is something to prove.
    pub evidence: Option<PathBuf>,
}

impl WatchError {
    /// The stable code.
    #[must_use]
    pub fn code(&self) -> ErrorCode {
        match self {
            Self::Unreachable { .. } => ErrorCode::ServiceUnreachable,
            Self::Withheld(_) => ErrorCode::ReceiptWithheld,
            Self::Origin(fault) => code(fault),
            Self::Log(fault) => fault.code(),
            Self::Running(_) => ErrorCode::WatchRunning,
            Self::Folder { .. } => ErrorCode::WatchMemory,
            Self::Keys(_) => ErrorCode::KeyUnusable,
            Self::LogMemory(_) => ErrorCode::LogMemory,
            Self::Client(_) => ErrorCode::ClientUnavailable,
        }
    }

    /// Whether it may be better at the next look. A log that was trusted before may have a new key,
    /// which its reader may trust in a moment; a log that misbehaves does not get better.
    pub(crate) fn is_transient(&self, has_looked: bool) -> bool {
        match self.code() {
            ErrorCode::ServiceUnreachable
            | ErrorCode::ReceiptWithheld
            | ErrorCode::LogUnreadable => true,
            ErrorCode::LogUntrusted => has_looked,
            _ => false,
        }
    }
}

impl LogFault {
    /// What is wrong with a log, with the evidence kept.
    ///
    /// # Errors
    /// When the evidence cannot be written.
    pub fn keep(
        memory: &LogMemory,
        origin: &KeyName,
        fault: Fault,
    ) -> Result<Self, LogMemoryError> {
        let evidence = memory.keep_evidence(origin, &fault)?;
        Ok(Self { fault, evidence })
    }

    /// The stable code.
    #[must_use]
    pub fn code(&self) -> ErrorCode {
        code(&self.fault)
    }
}

/// The stable code of what is wrong with a log.
fn code(fault: &Fault) -> ErrorCode {
    match fault {
        Fault::Forked { .. } => ErrorCode::LogForked,
        Fault::Shrunk { .. } => ErrorCode::LogShrunk,
        Fault::Rewritten { .. } => ErrorCode::LogRewritten,
        Fault::Foreign { .. } => ErrorCode::LogForeign,
        Fault::Checkpoint(CheckpointError::Note(NoteError::NoTrustedSignature)) => {
            ErrorCode::LogUntrusted
        }
        Fault::Checkpoint(_) => ErrorCode::LogMalformed,
        Fault::Source(_) | Fault::Unproven { .. } => ErrorCode::LogUnreadable,
    }
}
