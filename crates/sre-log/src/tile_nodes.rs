//! A tile with all its inner nodes.

use sre_receipt::tlog::{Hash, TILE_WIDTH};

/// Levels of inner nodes in a tile: 2⁸ hashes.
pub(crate) const TILE_HEIGHT: u8 = 8;

/// The hashes of a tile and every node above them that is complete, up to the root of a full tile.
#[derive(Debug)]
pub(crate) struct TileNodes {
    /// `levels[h][i]` covers hashes `i·2ʰ` to `(i+1)·2ʰ`.
    levels: Vec<Vec<Hash>>,
}

impl TileNodes {
    pub(crate) fn new(hashes: Vec<Hash>) -> Self {
        let mut levels = vec![hashes];
        while let Some(below) = levels.last().filter(|below| below.len() > 1) {
            let above = below
                .chunks_exact(2)
                .map(|pair| Hash::node(&pair[0], &pair[1]))
                .collect();
            levels.push(above);
        }
        Self { levels }
    }

    /// The tile with these bytes; `None` unless they are `width` hashes.
    pub(crate) fn from_bytes(bytes: &[u8], width: u16) -> Option<Self> {
        let (chunks, rest) = bytes.as_chunks::<32>();
        let is_whole = rest.is_empty()
            && chunks.len() == usize::from(width)
            && (1..=TILE_WIDTH).contains(&width);
        is_whole.then(|| Self::new(chunks.iter().copied().map(Hash).collect()))
    }

    /// The node of this height within the tile.
    pub(crate) fn node(&self, height: u8, index: usize) -> Option<Hash> {
        self.levels.get(usize::from(height))?.get(index).copied()
    }
}

/// Hashes as the bytes of a tile.
pub(crate) fn to_bytes(hashes: &[Hash]) -> Vec<u8> {
    hashes.iter().flat_map(|hash| hash.0).collect()
}
