//! Digests this process knows to be durable.
//!
//! An optimisation only: leaving one out costs a write, having a wrong one loses a blob. So a
//! digest enters after its blob was acknowledged by the disk, and only if nothing was forgotten
//! since that put began: otherwise a put that overlaps a deletion could bring the digest back after
//! the bytes are gone.

use std::collections::HashSet;
use std::mem;
use std::sync::{Mutex, MutexGuard, PoisonError};

use sre_core::BlobDigest;

/// A bounded set. Two generations instead of an order of use: when the young one is full it becomes
/// the old one, and the old one is dropped; a digest found in the old one is moved to the young
/// one.
pub(super) struct Known {
    generation_limit: usize,
    sets: Mutex<Sets>,
}

#[derive(Default)]
struct Sets {
    young: HashSet<BlobDigest>,
    old: HashSet<BlobDigest>,
    epoch: Epoch,
}

/// A moment between two calls of [`Known::forget`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Epoch(u64);

impl Known {
    pub(super) fn new(limit_digests: usize) -> Self {
        Self {
            generation_limit: limit_digests / 2,
            sets: Mutex::default(),
        }
    }

    /// To be taken before a blob is written, for [`Known::insert`] after it.
    pub(super) fn epoch(&self) -> Epoch {
        self.lock().epoch
    }

    pub(super) fn contains(&self, digest: &BlobDigest) -> bool {
        let mut sets = self.lock();
        if sets.young.contains(digest) {
            return true;
        }
        let found = sets.old.remove(digest);
        if found {
            self.insert_into(&mut sets, *digest);
        }
        found
    }

    pub(super) fn insert(&self, since: Epoch, digests: impl IntoIterator<Item = BlobDigest>) {
        let mut sets = self.lock();
        if sets.epoch == since {
            for digest in digests {
                self.insert_into(&mut sets, digest);
            }
        }
    }

    pub(super) fn forget(&self, digests: &[BlobDigest]) {
        let mut sets = self.lock();
        sets.epoch.0 += 1;
        for digest in digests {
            sets.young.remove(digest);
            sets.old.remove(digest);
        }
    }

    fn insert_into(&self, sets: &mut Sets, digest: BlobDigest) {
        if self.generation_limit == 0 {
            return;
        }
        if sets.young.len() >= self.generation_limit {
            sets.old = mem::take(&mut sets.young);
        }
        sets.young.insert(digest);
    }

    fn lock(&self) -> MutexGuard<'_, Sets> {
        // No code panics while it holds the lock, and the sets are valid after every step.
        self.sets.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digest(n: u32) -> BlobDigest {
        BlobDigest::of(&n.to_le_bytes())
    }

    #[test]
    fn it_is_bounded_and_keeps_what_is_used() {
        let known = Known::new(8);
        for n in 0..100 {
            known.insert(known.epoch(), [digest(n)]);
            assert!(known.contains(&digest(0)), "used every time, after {n}");
        }
        assert!((0..100).filter(|n| known.contains(&digest(*n))).count() <= 8);
    }

    #[test]
    fn a_put_that_overlaps_a_deletion_is_not_remembered() {
        let known = Known::new(8);
        let before = known.epoch();
        known.forget(&[digest(1)]);
        known.insert(before, [digest(1)]);
        assert!(!known.contains(&digest(1)));
        known.insert(known.epoch(), [digest(1)]);
        assert!(known.contains(&digest(1)));
    }

    #[test]
    fn a_limit_of_zero_turns_it_off() {
        let known = Known::new(0);
        known.insert(known.epoch(), [digest(1)]);
        assert!(!known.contains(&digest(1)));
    }
}
