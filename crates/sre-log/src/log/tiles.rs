//! The public read interface of the log: its checkpoint, tiles of hashes, bundles of entries (C2SP
//! `tlog-tiles`).

use std::sync::Arc;

use async_trait::async_trait;
use sre_receipt::tlog::{Entry, TILE_WIDTH, TilePath};

use super::{Log, LogError};
use crate::schema;
use crate::source::{LogSource, SourceError};
use crate::tile_nodes::{TILE_HEIGHT, to_bytes};

impl Log {
    pub(super) async fn full_tile(&self, level: u8, index: u64) -> Result<Arc<[u8]>, LogError> {
        let digest = schema::tile(&*self.database.reader()?, level, index)?;
        let digest = digest.ok_or_else(|| {
            LogError::Damaged(format!("tile {index} of level {level} has no name"))
        })?;
        Ok(self.store.get(digest).await?)
    }

    async fn read_tile(&self, path: TilePath) -> Result<Option<Vec<u8>>, LogError> {
        let snapshot = self.snapshot();
        let level = path.level.unwrap_or(0);
        let hashes = snapshot
            .head
            .size
            .checked_shr(u32::from(TILE_HEIGHT) * u32::from(level))
            .unwrap_or(0);
        let Some(first) = path.index.checked_mul(u64::from(TILE_WIDTH)) else {
            return Ok(None);
        };
        if hashes.saturating_sub(first) < u64::from(path.width) {
            return Ok(None);
        }
        if path.level.is_none() {
            let entries = schema::entries(&*self.database.reader()?, first, path.width.into())?;
            let bundle = entries.iter().map(Entry::to_canonical).flat_map(|entry| {
                // An entry has about 120 bytes.
                [&(entry.len() as u16).to_be_bytes()[..], &entry].concat()
            });
            return Ok(Some(bundle.collect()));
        }
        let length = 32 * usize::from(path.width);
        if hashes - first >= u64::from(TILE_WIDTH) {
            let tile = self.full_tile(level, path.index).await?;
            return Ok(tile.get(..length).map(<[u8]>::to_vec));
        }
        let partial = snapshot.range.levels().get(usize::from(level));
        Ok(partial
            .map(|hashes| to_bytes(hashes))
            .and_then(|bytes| bytes.get(..length).map(<[u8]>::to_vec)))
    }
}

#[async_trait]
impl LogSource for Log {
    async fn checkpoint(&self) -> Result<Vec<u8>, SourceError> {
        Ok(Self::checkpoint(self).1.to_string().into_bytes())
    }

    async fn tile(&self, path: TilePath) -> Result<Vec<u8>, SourceError> {
        match self.read_tile(path).await {
            Ok(Some(bytes)) => Ok(bytes),
            Ok(None) => Err(SourceError::Missing(path.to_string())),
            Err(error) => Err(SourceError::Unreachable(error.to_string())),
        }
    }
}
