//! A blob that comes in pieces: into the database where it ends small, else into a file of its own.

use std::mem;
use std::sync::Arc;

use async_trait::async_trait;
use sre_core::{BlobDigest, Hasher};
use tempfile::NamedTempFile;

use super::blocking::blocking;
use super::known::{Epoch, Known};
use super::large::Large;
use super::options::LocalStoreOptions;
use crate::blob::Blob;
use crate::store::Store;
use crate::store_error::StoreError;
use crate::stream::{BlobWriter, WrittenBlob, expect};

/// Bytes that are collected before they are hashed and written on a thread that may block.
const PIECE_BYTES: usize = 1 << 20;

/// The writer of a [`LocalStore`](super::LocalStore).
pub(super) struct LocalWriter<'a> {
    /// For a blob that ends small.
    store: &'a dyn Store,
    known: &'a Known,
    large: Arc<Large>,
    options: &'a LocalStoreOptions,
    since: Epoch,
    size_bytes: u64,
    /// `None` after a failure, or while a piece is being written.
    state: Option<State>,
}

#[derive(Default)]
struct State {
    /// What is neither hashed nor in the file.
    piece: Vec<u8>,
    hasher: Hasher,
    /// Made with the first piece.
    file: Option<NamedTempFile>,
}

impl<'a> LocalWriter<'a> {
    pub(super) fn new(
        store: &'a dyn Store,
        known: &'a Known,
        large: Arc<Large>,
        options: &'a LocalStoreOptions,
    ) -> Self {
        Self {
            store,
            known,
            large,
            options,
            since: known.epoch(),
            size_bytes: 0,
            state: Some(State::default()),
        }
    }

    /// Hashes and writes the collected piece. A failure, or a caller that goes away meanwhile,
    /// drops the state and with it the file.
    async fn flush(&mut self) -> Result<(), StoreError> {
        let mut state = self.state.take().ok_or(StoreError::Closed)?;
        let large = Arc::clone(&self.large);
        let flushed = blocking(move || {
            state.hasher.update(&state.piece);
            let file = match &mut state.file {
                Some(file) => file,
                none => none.insert(large.create_temporary()?),
            };
            large.append(file, &state.piece)?;
            state.piece.clear();
            Ok(state)
        });
        self.state = Some(flushed.await?);
        Ok(())
    }
}

#[async_trait]
impl BlobWriter for LocalWriter<'_> {
    async fn write(&mut self, mut bytes: &[u8]) -> Result<(), StoreError> {
        let limit_bytes = self.options.blob_limit_bytes;
        self.size_bytes += bytes.len() as u64;
        if self.size_bytes > limit_bytes {
            self.state = None;
            return Err(StoreError::LimitExceeded { limit_bytes });
        }
        while !bytes.is_empty() {
            let state = self.state.as_mut().ok_or(StoreError::Closed)?;
            let room = PIECE_BYTES - state.piece.len();
            let (now, later) = bytes.split_at(room.min(bytes.len()));
            state.piece.extend_from_slice(now);
            bytes = later;
            if state.piece.len() == PIECE_BYTES {
                self.flush().await?;
            }
        }
        Ok(())
    }

    async fn finish(
        mut self: Box<Self>,
        expected: Option<BlobDigest>,
    ) -> Result<WrittenBlob, StoreError> {
        let size_bytes = self.size_bytes;
        let state = self.state.as_mut().ok_or(StoreError::Closed)?;
        if state.file.is_none() && size_bytes <= self.options.small_limit_bytes {
            let blob = Blob::new(mem::take(&mut state.piece));
            let digest = blob.digest();
            expect(expected, digest)?;
            self.store.put(vec![blob]).await?;
            return Ok(WrittenBlob { digest, size_bytes });
        }
        self.flush().await?;
        let State { hasher, file, .. } = self.state.take().ok_or(StoreError::Closed)?;
        let file = file.ok_or(StoreError::Closed)?;
        let digest = BlobDigest::from(hasher.finish());
        expect(expected, digest)?;
        if !self.known.contains(&digest) {
            let large = Arc::clone(&self.large);
            blocking(move || large.place_file(file, digest)).await?;
            self.known.insert(self.since, [digest]);
        }
        Ok(WrittenBlob { digest, size_bytes })
    }
}
