//! Operating failures of the commit stage.

use sre_da::StoreError;
use sre_sandbox::SandboxError;

/// Why nothing was committed.
#[derive(Debug, thiserror::Error)]
pub enum CommitError {
    /// The sandbox could not find out what the skill does.
    #[error(transparent)]
    Sandbox(#[from] SandboxError),
    /// The bytes could not be made durable.
    #[error("the result could not be stored: {0}")]
    Store(#[from] StoreError),
    /// Another implementation of the stage failed in its own way. It may work the next time.
    #[error("{0}")]
    Stage(String),
}
