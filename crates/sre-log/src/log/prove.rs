//! Proofs: of an entry, and that the log only grew; and what witnesses signed of it.

use std::sync::{Arc, PoisonError};

use sre_receipt::tlog::{
    Checkpoint, Hash, Note, NoteError, NoteSignature, TILE_WIDTH, TlogProof, VerifierKey,
};

use super::snapshot::{Snapshot, sign};
use super::{Log, LogError};
use crate::proofs::{self, Tiles};
use crate::schema::{self, Head};
use crate::tile_nodes::{TILE_HEIGHT, TileNodes};

impl Log {
    /// The proof of the entry at `position`; `None` while it is pending. Where witnesses cosigned,
    /// it leads to the checkpoint that most of them did, and of those to the newest; a reader may
    /// demand several witnesses of one checkpoint.
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
        let mut cosigned = schema::cosigned(&*self.database.reader()?, position + 1)?;
        if cosigned
            .keys()
            .next_back()
            .is_some_and(|newest| *newest > snapshot.head.size)
        {
            // Another process had its checkpoint cosigned.
            snapshot = self.refresh()?;
        }
        cosigned.retain(|size, _| *size <= snapshot.head.size);
        // Of equals the last one, which is the newest.
        let (size, checkpoint) = match cosigned.into_iter().max_by_key(|(_, lines)| lines.len()) {
            Some((size, lines)) => (size, self.cosigned_note(&snapshot, size, &lines).await?),
            None => (snapshot.head.size, snapshot.note.clone()),
        };
        let path = proofs::inclusion(
            &Own {
                log: self,
                snapshot: &snapshot,
            },
            position,
            size,
        )
        .await?;
        Ok(Some(TlogProof {
            index: position,
            path,
            checkpoint,
        }))
    }

    async fn cosigned_note(
        &self,
        snapshot: &Snapshot,
        size: u64,
        lines: &[NoteSignature],
    ) -> Result<Note, LogError> {
        let root = proofs::root(
            &Own {
                log: self,
                snapshot,
            },
            size,
            snapshot.head.size,
        )
        .await?;
        let mut note = sign(&self.key(), Head { size, root })?;
        note.merge(lines);
        Ok(note)
    }

    /// What a witness that last saw the log at size `old` needs together with the checkpoint of
    /// `size` (C2SP `tlog-witness`, `add-checkpoint`): the path from there. `None` unless the log
    /// has had both sizes, one after the other.
    ///
    /// # Errors
    /// [`LogError`].
    pub async fn consistency(&self, old: u64, size: u64) -> Result<Option<Vec<Hash>>, LogError> {
        let snapshot = self.snapshot();
        if old > size || size > snapshot.head.size {
            return Ok(None);
        }
        proofs::consistency(
            &Own {
                log: self,
                snapshot: &snapshot,
            },
            old,
            size,
        )
        .await
        .map(Some)
    }

    /// Keeps what a witness signed of `note`, a checkpoint of this log, after checking that
    /// `witness` did sign it.
    ///
    /// # Errors
    /// [`LogError::Cosignature`]; nothing was kept.
    pub async fn add_cosignature(
        &self,
        note: &Note,
        witness: &VerifierKey,
    ) -> Result<(), LogError> {
        let damaged =
            |error: sre_receipt::tlog::CheckpointError| LogError::Damaged(error.to_string());
        let checkpoint = Checkpoint::verify(note, &self.verifier_key()).map_err(damaged)?;
        note.signed_by(witness)?
            .ok_or(NoteError::NoTrustedSignature)?;
        let id = witness.id();
        let theirs = note
            .signatures()
            .iter()
            .filter(|line| line.name == witness.name && line.id == id);
        let lines: Vec<NoteSignature> = theirs.cloned().collect();
        let size = checkpoint.size;
        self.database
            .write(move |transaction| schema::add_cosignatures(transaction, size, &lines))
            .await?;
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
        let available =
            (self.snapshot.head.size >> (TILE_HEIGHT * level)) - index * u64::from(TILE_WIDTH);
        if available < u64::from(TILE_WIDTH) {
            let made = self
                .snapshot
                .partial
                .get(usize::from(level))
                .and_then(|nodes| {
                    nodes
                        .get_or_init(|| schema::partial(&self.snapshot.range, level).map(Arc::new))
                        .clone()
                });
            return made.ok_or_else(|| self.incomplete(level, index));
        }
        let lock = || {
            self.log
                .tiles
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
        };
        if let Some(known) = lock().get(&(level, index)) {
            return Ok(Arc::clone(known));
        }
        let bytes = self.log.full_tile(level, index).await?;
        let nodes = TileNodes::from_bytes(&bytes, TILE_WIDTH).map(Arc::new);
        let nodes = nodes
            .filter(|_| width <= TILE_WIDTH)
            .ok_or_else(|| self.incomplete(level, index))?;
        lock().put((level, index), Arc::clone(&nodes));
        Ok(nodes)
    }

    fn incomplete(&self, level: u8, index: u64) -> LogError {
        LogError::Damaged(format!("tile {index} of level {level} lacks hashes"))
    }
}
