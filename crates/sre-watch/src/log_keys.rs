//! Whose log it is, and which keys may sign it.

use sre_log::LogSource;
use sre_log::watch::Fault;
use sre_receipt::Trust;
use sre_receipt::tlog::{Checkpoint, CheckpointError, KeyName, Note, VerifierKey};

/// Whose log it says it is; not to be believed before a key of that name verified it.
///
/// # Errors
/// When the checkpoint cannot be read or is malformed.
pub async fn log_origin(source: &dyn LogSource) -> Result<KeyName, Fault> {
    let note = Note::parse(&source.checkpoint().await?).map_err(CheckpointError::from)?;
    Ok(Checkpoint::parse(note.text())?.origin)
}

/// The keys that may sign a log: those that were `given`, and those trusted for it here.
#[must_use]
pub fn log_keys(given: &[VerifierKey], trust: &Trust, origin: &KeyName) -> Vec<VerifierKey> {
    let trusted = trust.logs(origin).map(|key| key.as_log());
    given.iter().cloned().chain(trusted).collect()
}
