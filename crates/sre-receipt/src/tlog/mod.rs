//! The formats of a transparency log, as C2SP specifies them (<https://c2sp.org>): `signed-note`,
//! `tlog-checkpoint`, `tlog-tiles`, `tlog-proof`, and version 1 of `tlog-cosignature` over the
//! Merkle tree of RFC 6962.
//!
//! Formats and checks only; `sre-log` keeps a log.

mod checkpoint;
mod entry;
mod merkle;
mod note;
mod proof;
mod tile;
mod verifier_key;

pub use checkpoint::{Checkpoint, CheckpointError};
pub use entry::{Entry, EntryError, EntryKind};
pub use merkle::{Hash, MerkleError, PATH_LIMIT_HASHES, verify_consistency, verify_inclusion};
pub use note::{NOTE_LIMIT_BYTES, Note, NoteError, NoteSignature, SIGNATURE_LIMIT};
pub use proof::{PROOF_LIMIT_BYTES, TlogProof, TlogProofError};
pub use tile::{TILE_WIDTH, TilePath, TilePathError};
pub use verifier_key::{KeyName, KeyNameError, NoteKind, VerifierKey, VerifierKeyError};
