//! Skills as blobs and back: a manifest, and every file under its digest.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use sre_core::{BlobDigest, Canonical, Manifest, SkillDigest};

use crate::{PackageLimits, Skill, SkillError};

/// Longest manifest, in bytes: a package of 10,000 files has some three million.
const MANIFEST_LIMIT_BYTES: usize = 16 << 20;

/// Why there is no skill under a digest.
#[derive(Debug, thiserror::Error)]
pub enum SkillBlobsError<E> {
    /// A blob cannot be had.
    #[error("{0}")]
    Fetch(E),
    /// What is there is not the skill that the digest names.
    #[error("{0}")]
    Wrong(String),
    /// The skill is larger than is granted. Nothing beyond was fetched.
    #[error("the skill has {found} {what}, and {limit} are granted here")]
    TooLarge {
        /// Of what.
        what: &'static str,
        /// How much.
        found: u64,
        /// How much is granted.
        limit: u64,
    },
    /// The blobs are there and make no skill of this version.
    #[error(transparent)]
    Skill(#[from] SkillError),
}

impl Skill {
    /// The manifest and every file, by digest.
    pub fn blobs(&self) -> impl Iterator<Item = (BlobDigest, Arc<[u8]>)> {
        let manifest = (
            self.manifest().address(),
            Arc::clone(self.manifest().bytes()),
        );
        self.files()
            .iter()
            .map(|file| (file.sha256.into(), Arc::clone(&file.bytes)))
            .chain([manifest])
    }

    /// Reads the skill with this digest through `fetch` and checks every byte of it. Fetches no
    /// more than `limits` grant, and nothing twice.
    ///
    /// # Errors
    /// [`SkillBlobsError`].
    pub async fn from_blobs<E, F>(
        digest: SkillDigest,
        limits: &PackageLimits,
        fetch: impl Fn(BlobDigest) -> F,
    ) -> Result<Self, SkillBlobsError<E>>
    where
        F: Future<Output = Result<Arc<[u8]>, E>>,
    {
        let wrong = |message| Err(SkillBlobsError::Wrong(message));
        let bytes = fetch(digest.into()).await.map_err(SkillBlobsError::Fetch)?;
        at_most(
            "bytes of manifest",
            bytes.len() as u64,
            MANIFEST_LIMIT_BYTES as u64,
        )?;
        let manifest: Manifest = match serde_json::from_slice(&bytes) {
            Ok(manifest) => manifest,
            Err(error) => return wrong(format!("{digest} is not a skill manifest: {error}")),
        };
        let manifest = Canonical::new(manifest);
        if manifest.address() != digest.into() {
            return wrong(format!("{digest} is not the canonical form of a manifest"));
        }
        let manifest = manifest.into_value();
        let total = manifest
            .files
            .iter()
            .fold(0_u64, |sum, file| sum.saturating_add(file.size));
        at_most("files", manifest.files.len() as u64, limits.files as u64)?;
        at_most("bytes", total, limits.unpacked_bytes)?;
        let (mut files, mut fetched) = (BTreeMap::new(), HashMap::<_, Arc<[u8]>>::new());
        for file in &manifest.files {
            let bytes = match fetched.entry(file.sha256) {
                Entry::Occupied(known) => Arc::clone(known.get()),
                Entry::Vacant(new) => {
                    let bytes = fetch(file.sha256.into())
                        .await
                        .map_err(SkillBlobsError::Fetch)?;
                    Arc::clone(new.insert(bytes))
                }
            };
            // Before the next is fetched: the limits hold for what the manifest says, not for what
            // the store has.
            if bytes.len() as u64 != file.size {
                let (found, said) = (bytes.len(), file.size);
                return wrong(format!(
                    "{} has {found} bytes, the manifest says {said}",
                    file.sha256
                ));
            }
            files.insert(file.path.clone(), bytes);
        }
        let skill = Self::from_manifest(manifest, files)?;
        if skill.digest() == digest {
            Ok(skill)
        } else {
            wrong(format!(
                "the skill's digest is {}, not {digest}",
                skill.digest()
            ))
        }
    }
}

fn at_most<E>(what: &'static str, found: u64, limit: u64) -> Result<(), SkillBlobsError<E>> {
    if found <= limit {
        Ok(())
    } else {
        Err(SkillBlobsError::TooLarge { what, found, limit })
    }
}
