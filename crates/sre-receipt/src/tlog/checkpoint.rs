//! Checkpoints (C2SP `tlog-checkpoint`): a log's name, its size and the root of its tree, as the
//! text of a signed note.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::{Hash, KeyName, Note, NoteError, VerifierKey};

/// What a log says about itself at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// Which log.
    pub origin: KeyName,
    /// Entries in it.
    pub size: u64,
    /// Root of their Merkle tree.
    pub root: Hash,
}

/// Why a note is no checkpoint.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CheckpointError {
    /// The note itself is malformed or not to be believed.
    #[error(transparent)]
    Note(#[from] NoteError),
    /// The text is no origin, size and root.
    #[error("the checkpoint is malformed: {0}")]
    Text(&'static str),
    /// Another log's.
    #[error("the checkpoint is of the log {found}, not of {expected}")]
    Origin {
        /// As written.
        found: KeyName,
        /// As expected.
        expected: KeyName,
    },
}

impl Checkpoint {
    /// Reads the text of a note.
    ///
    /// # Errors
    /// [`CheckpointError::Text`]. Extension lines are refused: no log of this project writes any,
    /// and what they say cannot be audited.
    pub fn parse(text: &str) -> Result<Self, CheckpointError> {
        let mut lines = text.split('\n');
        let mut line = || {
            lines
                .next()
                .ok_or(CheckpointError::Text("it has less than three lines"))
        };
        let origin = line()?
            .parse()
            .map_err(|_| CheckpointError::Text("the origin is no key name"))?;
        let size =
            parse_decimal(line()?).ok_or(CheckpointError::Text("the size is no decimal number"))?;
        let root = parse_hash(line()?)
            .ok_or(CheckpointError::Text("the root is no base64 of 32 bytes"))?;
        if line()?.is_empty() && lines.next().is_none() {
            Ok(Self { origin, size, root })
        } else {
            Err(CheckpointError::Text("it has more than three lines"))
        }
    }

    /// The checkpoint in a note that the log with this key signed.
    ///
    /// # Errors
    /// [`CheckpointError`].
    pub fn verify(note: &Note, key: &VerifierKey) -> Result<Self, CheckpointError> {
        let checkpoint = Self::parse(note.text())?;
        if checkpoint.origin != key.name {
            return Err(CheckpointError::Origin {
                found: checkpoint.origin,
                expected: key.name.clone(),
            });
        }
        note.signed_by(key)?.ok_or(NoteError::NoTrustedSignature)?;
        Ok(checkpoint)
    }

    /// The text that is signed.
    #[must_use]
    pub fn to_text(&self) -> String {
        format!(
            "{}\n{}\n{}\n",
            self.origin,
            self.size,
            STANDARD.encode(self.root.0)
        )
    }
}

/// A decimal number in its one spelling.
pub(crate) fn parse_decimal(text: &str) -> Option<u64> {
    let canonical =
        text == "0" || (!text.starts_with('0') && text.bytes().all(|b| b.is_ascii_digit()));
    if canonical { text.parse().ok() } else { None }
}

/// A hash in base64.
pub(crate) fn parse_hash(text: &str) -> Option<Hash> {
    STANDARD.decode(text).ok()?.try_into().ok().map(Hash)
}
