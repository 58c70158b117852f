//! Skills by digest: in the store permanently, in memory while they are used.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use lru::LruCache;
use sre_core::SkillDigest;
use sre_da::{Blob, Store, StoreError};
use sre_skill::{PackageLimits, Skill, SkillBlobsError};

/// Bytes of skills kept in memory.
const CACHE_LIMIT_BYTES: usize = 128 << 20;

/// Skills by digest. Cheap to clone; clones share what is loaded.
#[derive(Clone)]
pub struct SkillCache {
    store: Arc<dyn Store>,
    loaded: Arc<Mutex<Loaded>>,
}

/// What was stored or loaded by this process, so that its bytes are durable.
struct Loaded {
    skills: LruCache<SkillDigest, Arc<Skill>>,
    bytes: usize,
}

/// Why there is no skill under a digest.
#[derive(Debug, thiserror::Error)]
pub enum SkillCacheError {
    /// The store has no such bytes, or wrong ones, or failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// What is stored is no skill.
    #[error("what is stored under {digest} is no skill: {message}")]
    NoSkill {
        /// The digest asked for.
        digest: SkillDigest,
        /// What is wrong.
        message: String,
    },
}

impl SkillCacheError {
    /// Whether the same may succeed later.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Store(error) => error.is_retryable(),
            Self::NoSkill { .. } => false,
        }
    }

    /// Whether it was never stored.
    #[must_use]
    pub fn is_unknown(&self) -> bool {
        matches!(self, Self::Store(StoreError::NotFound { .. }))
    }
}

impl SkillCache {
    /// A skills over `store`.
    #[must_use]
    pub fn new(store: Arc<dyn Store>) -> Self {
        Self {
            store,
            loaded: Arc::new(Mutex::new(Loaded {
                skills: LruCache::unbounded(),
                bytes: 0,
            })),
        }
    }

    /// Stores a skill; when this returns, [`SkillCache::get`] finds it, also after a crash.
    ///
    /// # Errors
    /// As [`Store::put`].
    pub async fn put(&self, skill: &Arc<Skill>) -> Result<(), StoreError> {
        if self.lock().skills.get(&skill.digest()).is_some() {
            return Ok(());
        }
        let blobs = skill
            .blobs()
            .map(|(digest, bytes)| Blob::with_digest(digest, bytes))
            .collect();
        self.store.put(blobs).await?;
        self.lock().insert(skill);
        Ok(())
    }

    /// The skill with this digest, every byte of it checked.
    ///
    /// # Errors
    /// [`SkillCacheError`].
    pub async fn get(&self, digest: SkillDigest) -> Result<Arc<Skill>, SkillCacheError> {
        if let Some(skill) = self.lock().skills.get(&digest) {
            return Ok(Arc::clone(skill));
        }
        let skill = Skill::from_blobs(digest, &PackageLimits::NONE, |blob| self.store.get(blob))
            .await
            .map_err(|error| match error {
                SkillBlobsError::Fetch(error) => SkillCacheError::Store(error),
                other => SkillCacheError::NoSkill {
                    digest,
                    message: other.to_string(),
                },
            })?;
        let skill = Arc::new(skill);
        self.lock().insert(&skill);
        Ok(skill)
    }

    fn lock(&self) -> MutexGuard<'_, Loaded> {
        self.loaded.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Loaded {
    fn insert(&mut self, skill: &Arc<Skill>) {
        self.bytes += weight(skill);
        if let Some(same) = self.skills.put(skill.digest(), Arc::clone(skill)) {
            self.bytes -= weight(&same);
        }
        while self.bytes > CACHE_LIMIT_BYTES
            && let Some((_, oldest)) = self.skills.pop_lru()
        {
            self.bytes -= weight(&oldest);
        }
    }
}

/// The files, and something for what is made of the manifest.
fn weight(skill: &Skill) -> usize {
    skill
        .files()
        .iter()
        .map(|file| file.bytes.len())
        .sum::<usize>()
        + 16 * 1024
}
