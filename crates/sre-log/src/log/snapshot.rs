//! A head that is durable, signed.

use std::sync::{Arc, OnceLock};

use sre_receipt::NodeKey;
use sre_receipt::tlog::{Checkpoint, Note};
use sre_sqlite::GroupCommit;

use super::LogError;
use crate::compact_range::CompactRange;
use crate::schema::{self, Head};
use crate::tile_nodes::TileNodes;

/// A head, signed, and what proofs of its right edge need.
pub(super) struct Snapshot {
    pub(super) head: Head,
    pub(super) range: CompactRange,
    pub(super) note: Note,
    /// Inner nodes of the partial tiles, made when they are needed.
    pub(super) partial: Vec<OnceLock<Option<Arc<TileNodes>>>>,
}

/// Reads the head, checks that the range belongs to it, and signs it.
pub(super) fn read_snapshot(database: &GroupCommit, key: &NodeKey) -> Result<Snapshot, LogError> {
    let (head, range) = schema::read_head(&*database.reader()?)?;
    let range = range.ok_or_else(|| {
        LogError::Damaged(format!("the root of size {} is another one", head.size))
    })?;
    let partial = range.levels().iter().map(|_| OnceLock::new()).collect();
    Ok(Snapshot {
        head,
        range,
        note: sign(key, head)?,
        partial,
    })
}

/// The head's checkpoint. Only heads that are durable come here.
pub(super) fn sign(key: &NodeKey, head: Head) -> Result<Note, LogError> {
    let checkpoint = Checkpoint {
        origin: key.name.clone(),
        size: head.size,
        root: head.root,
    };
    let mut note = Note::new(checkpoint.to_text())?;
    note.sign(key.name.clone(), &key.secret);
    Ok(note)
}
