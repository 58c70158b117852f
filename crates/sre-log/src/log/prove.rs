//! Proofs: of an entry, and that the log only grew; and what witnesses signed of it.

use std::sync::{Arc, PoisonError};

use sre_receipt::tlog::{Checkpoint, Hash, Note, NoteError, NoteSignature, TILE_WIDTH, TlogProof, VerifierKey};

use super::snapshot::{Snapshot, sign};
use super::{Log, LogError};
use crate::proofs::{self, Tiles};
use crate::schema::{self, Head};
use crate::tile_nodes::{TILE_HEIGHT, TileNodes};

impl Log {
    /// The proof of the entry at `position`; `None` while it is pending. With cosignatures where there are any.
    ///
    /// # Errors
    /// [`LogError`].
    pub async fn prove(&self, position: u64) -> Result<Option<TlogProof>, LogError> {
        let mut snapshot = self.snapshot();
        if position >= snapshot.head.size {
            // Another process may have integrated it.
            snapshot = self.refresh()?;
        }
        if position >= snapshot.head.size {
            return Ok(None);
        }
        let cosigned = schema::cosigned(&*self.database.reader()?, position + 1)?;
        let (size, checkpoint) = match cosigned.filter(|(size, _)| *size <= snapshot.head.size) {
            Some((size, lines)) => (size, self.cosigned_note(&snapshot, size, &lines).await?),
            None => (snapshot.head.size, snapshot.note.clone()),
        };
        let path = proofs::inclusion(&Own { log: self, snapshot: &snapshot }, position, size).await?;
        Ok(Some(TlogProof { index: position, path, checkpoint }))
    }

    async fn cosigned_note(&self, snapshot: &Snapshot, size: u64, lines: &[String]) -> Result<Note, LogError> {
        let root = proofs::root(&Own { log: self, snapshot }, size, snapshot.head.size).await?;
        let mut note = sign(&self.key(), Head { size, root })?;
        note.merge(&lines.iter().filter_map(|line| NoteSignature::parse(line)).collect::<Vec<_>>());
        Ok(note)
    }

    /// What a witness that last saw the log at size `old` is sent (C2SP `tlog-witness`, `add-checkpoint`): the path from
    /// there, and the checkpoint.
    ///
    /// # Errors
    /// [`LogError`].
    pub async fn consistency(&self, old: u64) -> Result<(Vec<Hash>, Note), LogError> {
        let snapshot = self.snapshot();
        let path = proofs::consistency(&Own { log: self, snapshot: &snapshot }, old, snapshot.head.size).await?;
        Ok((path, snapshot.note.clone()))
    }

    /// Keeps what a witness signed of `note`, a checkpoint of this log, after checking that `witness` did sign it.
    ///
    /// # Errors
    /// [`LogError::Cosignature`]; nothing was kept.
    pub async fn add_cosignature(&self, note: &Note, witness: &VerifierKey) -> Result<(), LogError> {
        let damaged = |error: sre_receipt::tlog::CheckpointError| LogError::Damaged(error.to_string());
        let checkpoint = Checkpoint::verify(note, &self.verifier_key()).map_err(damaged)?;
        note.signed_by(witness)?.ok_or(NoteError::NoTrustedSignature)?;
        let id = witness.id();
        let theirs = note.signatures().iter().filter(|line| line.name == witness.name && line.id == id);
        let lines: Vec<String> = theirs.map(ToString::to_string).collect();
        let size = checkpoint.size;
        self.database.write(move |transaction| schema::add_cosignatures(transaction, size, &lines)).await?;
        Ok(())
    }
}

/// The tiles of this log at one head.
struct Own<'a> {
    log: &'a Log,
    snapshot: &'a Snapshot,
}

impl Tiles for Own<'_> {
    type Error = LogError;

    async fn tile(&self, level: u8, index: u64, width: u16) -> Result<Arc<TileNodes>, LogError> {
        let available = (self.snapshot.head.size >> (TILE_HEIGHT * level)) - index * u64::from(TILE_WIDTH);
        if available < u64::from(TILE_WIDTH) {
            let made = self.snapshot.partial.get(usize::from(level)).and_then(|nodes| {
                nodes.get_or_init(|| schema::partial(&self.snapshot.fringe, level).map(Arc::new)).clone()
            });
            return made.ok_or_else(|| self.incomplete(level, index));
        }
        let lock = || self.log.tiles.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = lock().get(&(level, index)) {
            return Ok(Arc::clone(known));
        }
        let bytes = self.log.full_tile(level, index).await?;
        let nodes = TileNodes::from_bytes(&bytes, TILE_WIDTH).map(Arc::new);
        let nodes = nodes.filter(|_| width <= TILE_WIDTH).ok_or_else(|| self.incomplete(level, index))?;
        lock().put((level, index), Arc::clone(&nodes));
        Ok(nodes)
    }

    fn incomplete(&self, level: u8, index: u64) -> LogError {
        LogError::Damaged(format!("tile {index} of level {level} lacks hashes"))
    }
}
