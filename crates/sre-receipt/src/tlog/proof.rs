//! Proofs that need no network (C2SP `tlog-proof`): where an entry stands, the path to the root,
//! and the checkpoint.

use std::fmt;
use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::checkpoint::{parse_decimal, parse_hash};
use super::{
    Checkpoint, CheckpointError, Hash, MerkleError, NOTE_LIMIT_BYTES, Note, NoteError,
    PATH_LIMIT_HASHES, verify_inclusion,
};

/// Longest proof, in bytes.
pub const PROOF_LIMIT_BYTES: usize = NOTE_LIMIT_BYTES + 8192;
const HEADER: &str = "c2sp.org/tlog-proof@v1";

/// That an entry stands in a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlogProof {
    /// Where, from 0.
    pub index: u64,
    /// From the leaf's sibling to the root's child.
    pub path: Vec<Hash>,
    /// What the log signed.
    pub checkpoint: Note,
}

/// Why bytes are no proof, or a proof does not hold.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TlogProofError {
    /// Longer than [`PROOF_LIMIT_BYTES`], or not text.
    #[error("the proof is longer than {PROOF_LIMIT_BYTES} bytes, or no text")]
    Text,
    /// The first line says it is something else.
    #[error("the proof does not begin with {HEADER:?}")]
    Header,
    /// Index or path are malformed. The `extra` line of the format is refused: nothing
    /// authenticates it.
    #[error("the proof's {0} is malformed")]
    Line(&'static str),
    /// The checkpoint in it is malformed.
    #[error("in the proof: {0}")]
    Note(#[from] NoteError),
    /// The checkpoint in it does not hold.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// The path does not lead from the entry to the checkpoint.
    #[error("the receipt is not in the log where the proof says: {0}")]
    Merkle(#[from] MerkleError),
}

impl TlogProof {
    /// Reads a proof. Nothing is verified.
    ///
    /// # Errors
    /// [`TlogProofError`].
    pub fn parse(bytes: &[u8]) -> Result<Self, TlogProofError> {
        if bytes.len() > PROOF_LIMIT_BYTES {
            return Err(TlogProofError::Text);
        }
        let text = std::str::from_utf8(bytes).map_err(|_| TlogProofError::Text)?;
        let rest = text
            .strip_prefix(HEADER)
            .and_then(|rest| rest.strip_prefix('\n'))
            .ok_or(TlogProofError::Header)?;
        let (index, mut rest) = rest.split_once('\n').ok_or(TlogProofError::Line("index"))?;
        let index = index
            .strip_prefix("index ")
            .and_then(parse_decimal)
            .ok_or(TlogProofError::Line("index"))?;
        let mut path = Vec::new();
        loop {
            let (line, after) = rest.split_once('\n').ok_or(TlogProofError::Line("path"))?;
            rest = after;
            if line.is_empty() {
                break;
            }
            if path.len() == PATH_LIMIT_HASHES {
                return Err(TlogProofError::Line("path"));
            }
            path.push(parse_hash(line).ok_or(TlogProofError::Line("path"))?);
        }
        Ok(Self {
            index,
            path,
            checkpoint: Note::parse(rest.as_bytes())?,
        })
    }

    /// Checks that the entry stands in the tree of the checkpoint, and returns that checkpoint.
    /// Whether the checkpoint is signed by whom is another question: see [`Checkpoint::verify`].
    ///
    /// # Errors
    /// [`TlogProofError`].
    pub fn verify_inclusion(&self, entry: &[u8]) -> Result<Checkpoint, TlogProofError> {
        let checkpoint = Checkpoint::parse(self.checkpoint.text())?;
        verify_inclusion(
            Hash::leaf(entry),
            self.index,
            checkpoint.size,
            &self.path,
            &checkpoint.root,
        )?;
        Ok(checkpoint)
    }
}

impl fmt::Display for TlogProof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{HEADER}\nindex {}", self.index)?;
        let mut encoded = String::with_capacity(44);
        for hash in &self.path {
            encoded.clear();
            STANDARD.encode_string(hash.0, &mut encoded);
            writeln!(f, "{encoded}")?;
        }
        f.write_char('\n')?;
        self.checkpoint.fmt(f)
    }
}
