//! Which nodes a proof consists of (RFC 6962, sections 2.1.1 and 2.1.2), and how they are read from
//! tiles.
//!
//! A proof of a tree of n entries has at most log₂ n nodes, each from one tile or from the few at
//! the tree's right edge.

use std::ops::Range;
use std::sync::Arc;

use sre_receipt::tlog::{Hash, TILE_WIDTH};

use crate::tile_nodes::{TILE_HEIGHT, TileNodes};

/// Where the nodes come from.
pub(crate) trait Tiles {
    type Error;

    /// The tile with these coordinates; it has at least `width` hashes.
    async fn tile(&self, level: u8, index: u64, width: u16) -> Result<Arc<TileNodes>, Self::Error>;

    /// A tile without a node it should have.
    fn incomplete(&self, level: u8, index: u64) -> Self::Error;
}

/// The path from the entry at `index` to the root of the tree of `size` entries.
pub(crate) async fn inclusion<T: Tiles>(
    tiles: &T,
    index: u64,
    size: u64,
) -> Result<Vec<Hash>, T::Error> {
    hashes(tiles, size, &inclusion_ranges(index, 0..size)).await
}

/// That the tree of `old` entries is the beginning of the one of `size`.
pub(crate) async fn consistency<T: Tiles>(
    tiles: &T,
    old: u64,
    size: u64,
) -> Result<Vec<Hash>, T::Error> {
    if old == 0 || old == size {
        return Ok(Vec::new());
    }
    hashes(tiles, size, &consistency_ranges(old, 0..size, true)).await
}

/// The root of the first `old` entries of a tree of `size`.
pub(crate) async fn root<T: Tiles>(tiles: &T, old: u64, size: u64) -> Result<Hash, T::Error> {
    if old == 0 {
        Ok(Hash::empty())
    } else {
        hash(tiles, size, 0..old).await
    }
}

async fn hashes<T: Tiles>(
    tiles: &T,
    size: u64,
    ranges: &[Range<u64>],
) -> Result<Vec<Hash>, T::Error> {
    let mut path = Vec::with_capacity(ranges.len());
    for range in ranges {
        path.push(hash(tiles, size, range.clone()).await?);
    }
    Ok(path)
}

/// The root of a range that starts at a multiple of the power of two not below its length.
async fn hash<T: Tiles>(tiles: &T, size: u64, range: Range<u64>) -> Result<Hash, T::Error> {
    let mut root: Option<Hash> = None;
    for (height, index) in complete_subtrees(range).into_iter().rev() {
        let left = node(tiles, size, height, index).await?;
        root = Some(root.map_or(left, |right| Hash::node(&left, &right)));
    }
    Ok(root.unwrap_or_else(Hash::empty))
}

/// The root of the complete subtree of 2^`height` entries with this index among its like.
async fn node<T: Tiles>(tiles: &T, size: u64, height: u8, index: u64) -> Result<Hash, T::Error> {
    let (level, within) = (height / TILE_HEIGHT, height % TILE_HEIGHT);
    let per_tile = u64::from(TILE_WIDTH) >> within;
    let tile_index = index / per_tile;
    let available = (size >> (TILE_HEIGHT * level)) - tile_index * u64::from(TILE_WIDTH);
    let width = u16::try_from(available)
        .unwrap_or(TILE_WIDTH)
        .min(TILE_WIDTH);
    let tile = tiles.tile(level, tile_index, width).await?;
    let within_tile = usize::try_from(index % per_tile).unwrap_or(usize::MAX);
    tile.node(within, within_tile)
        .ok_or_else(|| tiles.incomplete(level, tile_index))
}

/// The largest power of two below `length`, which is 2 or more.
fn split(length: u64) -> u64 {
    1 << (63 - (length - 1).leading_zeros())
}

/// From the leaf's sibling up to the root's child.
fn inclusion_ranges(index: u64, tree: Range<u64>) -> Vec<Range<u64>> {
    let mut ranges = Vec::new();
    let mut tree = tree;
    while tree.end - tree.start > 1 {
        let middle = tree.start + split(tree.end - tree.start);
        if index < middle {
            ranges.push(middle..tree.end);
            tree.end = middle;
        } else {
            ranges.push(tree.start..middle);
            tree.start = middle;
        }
    }
    ranges.reverse();
    ranges
}

/// `SUBPROOF` of RFC 6962. `is_known`: the subtree is the whole old tree so far, whose root the
/// reader has.
fn consistency_ranges(old: u64, tree: Range<u64>, is_known: bool) -> Vec<Range<u64>> {
    let mut ranges = Vec::new();
    let (mut tree, mut is_known) = (tree, is_known);
    while old < tree.end {
        let middle = tree.start + split(tree.end - tree.start);
        if old <= middle {
            ranges.push(middle..tree.end);
            tree.end = middle;
        } else {
            ranges.push(tree.start..middle);
            tree.start = middle;
            is_known = false;
        }
    }
    if !is_known {
        ranges.push(tree);
    }
    ranges.reverse();
    ranges
}

/// The complete subtrees a range consists of, the largest and leftmost first: height, and index
/// among their like.
fn complete_subtrees(range: Range<u64>) -> Vec<(u8, u64)> {
    let mut subtrees = Vec::new();
    let mut start = range.start;
    while start < range.end {
        let height = (63 - (range.end - start).leading_zeros()) as u8;
        subtrees.push((height, start >> height));
        start += 1 << height;
    }
    subtrees
}
