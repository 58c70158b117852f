//! The right edge of the tree: the tiles that are not full yet. All other tiles never change
//! again.

use std::mem;

use sre_receipt::tlog::{Hash, TILE_WIDTH};

use crate::tile_nodes::{TILE_HEIGHT, TileNodes, to_bytes};

/// The partial tile of each level, from the leaves up. With the number of entries it determines the
/// root.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct CompactRange {
    size: u64,
    levels: Vec<Vec<Hash>>,
}

/// A tile that has become full.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FullTile {
    pub(crate) level: u8,
    pub(crate) index: u64,
    pub(crate) bytes: Vec<u8>,
}

impl CompactRange {
    /// The compact range of a tree of `size` entries; `None` if these cannot be its partial tiles.
    pub(crate) fn new(size: u64, mut levels: Vec<Vec<Hash>>) -> Option<Self> {
        let needed = (0..)
            .take_while(|level| size >> (TILE_HEIGHT * level) > 0)
            .count();
        levels.resize(needed.max(levels.len()), Vec::new());
        let fits = levels.len() == needed
            && levels.iter().zip(0..).all(|(hashes, level)| {
                hashes.len() as u64 == (size >> (TILE_HEIGHT * level)) % u64::from(TILE_WIDTH)
            });
        fits.then_some(Self { size, levels })
    }

    pub(crate) fn size(&self) -> u64 {
        self.size
    }

    /// The partial tiles, from the leaves up; some may be empty.
    pub(crate) fn levels(&self) -> &[Vec<Hash>] {
        &self.levels
    }

    /// Appends a leaf; tiles that are full now go to `full`.
    pub(crate) fn push(&mut self, leaf: Hash, full: &mut Vec<FullTile>) {
        self.size += 1;
        let mut carried = leaf;
        for level in 0.. {
            if self.levels.len() == usize::from(level) {
                self.levels.push(Vec::new());
            }
            let hashes = &mut self.levels[usize::from(level)];
            hashes.push(carried);
            if hashes.len() < usize::from(TILE_WIDTH) {
                return;
            }
            let hashes = mem::take(hashes);
            let index = (self.size >> (TILE_HEIGHT * (level + 1))) - 1;
            full.push(FullTile {
                level,
                index,
                bytes: to_bytes(&hashes),
            });
            // The root of a full tile is one hash of the level above.
            let Some(root) = TileNodes::new(hashes).node(TILE_HEIGHT, 0) else {
                return;
            };
            carried = root;
        }
    }

    /// The root of the whole tree: its complete subtrees, hashed together from the smallest one, at
    /// the right, to the left (RFC 6962, section 2.1).
    pub(crate) fn root(&self) -> Hash {
        let mut root: Option<Hash> = None;
        for hashes in self.levels.iter().filter(|hashes| !hashes.is_empty()) {
            let nodes = TileNodes::new(hashes.clone());
            for height in (0..TILE_HEIGHT).filter(|height| hashes.len() >> height & 1 == 1) {
                let Some(left) = nodes.node(height, (hashes.len() >> height) - 1) else {
                    continue;
                };
                root = Some(root.map_or(left, |right| Hash::node(&left, &right)));
            }
        }
        root.unwrap_or_else(Hash::empty)
    }
}
