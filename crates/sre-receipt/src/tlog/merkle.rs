//! The Merkle tree of RFC 6962, section 2.1: hashing and the verification of proofs (algorithms of
//! RFC 9162, sections 2.1.3.2 and 2.1.4.2).

use std::fmt;

use sha2::{Digest as _, Sha256};

/// Hashes in an inclusion or consistency path of a tree of up to 2⁶³ entries.
pub const PATH_LIMIT_HASHES: usize = 64;

/// A node of the tree: SHA-256.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Hash(pub [u8; 32]);

/// A proof that does not hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum MerkleError {
    /// The entry is beyond the tree, or the trees are in the wrong order.
    #[error("the position or size is outside of the tree")]
    Range,
    /// The path does not lead to the root.
    #[error("the path does not lead to the root")]
    Root,
}

impl Hash {
    /// Root of the tree without entries.
    #[must_use]
    pub fn empty() -> Self {
        Self(Sha256::digest(b"").into())
    }

    /// A leaf.
    #[must_use]
    pub fn leaf(entry: &[u8]) -> Self {
        Self(
            Sha256::new()
                .chain_update([0])
                .chain_update(entry)
                .finalize()
                .into(),
        )
    }

    /// An inner node.
    #[must_use]
    pub fn node(left: &Self, right: &Self) -> Self {
        let mut bytes = [1; 65];
        bytes[1..33].copy_from_slice(&left.0);
        bytes[33..].copy_from_slice(&right.0);
        Self(Sha256::digest(bytes).into())
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        sre_core::Digest::from_bytes(self.0).fmt(f)
    }
}

/// Checks that the entry with hash `leaf` stands at `index` of the tree with `size` entries and
/// this root.
///
/// # Errors
/// [`MerkleError`].
pub fn verify_inclusion(
    leaf: Hash,
    index: u64,
    size: u64,
    path: &[Hash],
    root: &Hash,
) -> Result<(), MerkleError> {
    if index >= size {
        return Err(MerkleError::Range);
    }
    let (mut node, mut last, mut hash) = (index, size - 1, leaf);
    for sibling in path {
        if last == 0 {
            return Err(MerkleError::Root);
        }
        if is_right(node, last) {
            hash = Hash::node(sibling, &hash);
            skip_lone_nodes(&mut node, &mut last);
        } else {
            hash = Hash::node(&hash, sibling);
        }
        (node, last) = (node >> 1, last >> 1);
    }
    if last == 0 && hash == *root {
        Ok(())
    } else {
        Err(MerkleError::Root)
    }
}

/// Checks that the tree with `size` entries begins with the one of `old_size` entries: nothing was
/// changed or removed.
///
/// # Errors
/// [`MerkleError`].
pub fn verify_consistency(
    (old_size, old_root): (u64, &Hash),
    (size, root): (u64, &Hash),
    path: &[Hash],
) -> Result<(), MerkleError> {
    if old_size > size {
        return Err(MerkleError::Range);
    }
    if old_size == size || old_size == 0 {
        let same = if old_size == 0 {
            *old_root == Hash::empty()
        } else {
            old_root == root
        };
        let same = same && (size != 0 || root == old_root);
        return if same && path.is_empty() {
            Ok(())
        } else {
            Err(MerkleError::Root)
        };
    }
    // A complete tree is its own first node, which the proof then leaves out.
    let (first, path) = if old_size.is_power_of_two() {
        (*old_root, path)
    } else {
        path.split_first()
            .map(|(first, rest)| (*first, rest))
            .ok_or(MerkleError::Root)?
    };
    let (mut node, mut last) = (old_size - 1, size - 1);
    while node & 1 == 1 {
        (node, last) = (node >> 1, last >> 1);
    }
    let (mut old, mut new) = (first, first);
    for sibling in path {
        if last == 0 {
            return Err(MerkleError::Root);
        }
        if is_right(node, last) {
            old = Hash::node(sibling, &old);
            new = Hash::node(sibling, &new);
            skip_lone_nodes(&mut node, &mut last);
        } else {
            new = Hash::node(&new, sibling);
        }
        (node, last) = (node >> 1, last >> 1);
    }
    if last == 0 && old == *old_root && new == *root {
        Ok(())
    } else {
        Err(MerkleError::Root)
    }
}

/// Whether the sibling stands to the left.
const fn is_right(node: u64, last: u64) -> bool {
    node & 1 == 1 || node == last
}

/// The last node of a level has no sibling while it is a left one: it is its own parent.
fn skip_lone_nodes(node: &mut u64, last: &mut u64) {
    while *node & 1 == 0 && *node != 0 {
        (*node, *last) = (*node >> 1, *last >> 1);
    }
}
