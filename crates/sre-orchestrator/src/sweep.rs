//! Removing what nobody needs any more.
//!
//! Order matters: orders are forgotten first, then the blobs that no kept order names. A process that dies in between leaves blobs
//! without orders, which the next sweep removes. Nobody else uses the data folder meanwhile: a blob that an order is about to name
//! looks like one that nobody needs.

use std::collections::HashSet;

use serde::de::DeserializeOwned;
use sre_core::{BlobDigest, Engine, Manifest, RuntimeDigest, SkillDigest};
use sre_da::{LocalStore, Store};

use crate::journal::{Forgotten, Kept, Retention};
use crate::{DataFolder, EmbeddedError};

/// What a sweep removed.
#[derive(Debug)]
pub struct Swept {
    /// Orders forgotten.
    pub orders: Forgotten,
    /// Blobs removed.
    pub blobs: u64,
    /// Their bytes.
    pub bytes: u64,
}

/// Forgets orders that ended longer ago than `retention` says, and removes every blob that no kept order and no uploaded skill needs,
/// nor anybody else who has named it in `needed`: a transparency log keeps its tiles in the same store.
///
/// # Errors
/// [`EmbeddedError`]: somebody else uses the folder, or something could not be read; then no blob was removed.
pub async fn sweep(
    folder: &DataFolder,
    retention: Retention,
    needed: HashSet<BlobDigest>,
) -> Result<Swept, EmbeddedError> {
    let journal = folder.open_journal_alone()?;
    let store = folder.open_store()?;
    let orders = journal.forget(retention).await?;
    let (mut kept, mut skills, mut engines) = (needed, HashSet::new(), HashSet::new());
    journal.each_kept(|thing| match thing {
        Kept::Skill(digest) => drop(skills.insert(digest)),
        Kept::Result(result) => {
            let Some(committed) = result.commit_result else { return };
            let commitment = &committed.commitment;
            skills.insert(commitment.skill);
            engines.insert(commitment.runtime);
            let digests: [BlobDigest; 5] = [
                committed.commitment_hash.into(),
                commitment.input.into(),
                commitment.profile.into(),
                commitment.runtime.into(),
                commitment.outcome.into(),
            ];
            kept.extend(digests);
            kept.extend(committed.result_hash.map(BlobDigest::from));
        }
    })?;
    for skill in skills {
        keep_skill(&store, skill, &mut kept).await?;
    }
    for engine in engines {
        keep_language_runtime(&store, engine, &mut kept).await?;
    }
    let removed = store.retain(|digest| kept.contains(&digest)).await?;
    Ok(Swept { orders, blobs: removed.blobs, bytes: removed.bytes })
}

/// The interpreter that an engine names.
async fn keep_language_runtime(
    store: &LocalStore,
    engine: RuntimeDigest,
    kept: &mut HashSet<BlobDigest>,
) -> Result<(), EmbeddedError> {
    let engine = stored::<Engine>(store, engine.into()).await?;
    let named = engine.and_then(|engine| engine.language_runtime().ok().flatten());
    kept.extend(named.map(BlobDigest::from));
    Ok(())
}

/// A skill's manifest and files.
async fn keep_skill(
    store: &LocalStore,
    skill: SkillDigest,
    kept: &mut HashSet<BlobDigest>,
) -> Result<(), EmbeddedError> {
    kept.insert(skill.into());
    match stored::<Manifest>(store, skill.into()).await? {
        Some(manifest) => kept.extend(manifest.files.iter().map(|file| BlobDigest::from(file.sha256))),
        None => tracing::warn!(%skill, "the skill of a kept order is missing or damaged"),
    }
    Ok(())
}

/// A value from the store. One that is missing or damaged keeps nothing and is no reason to stop: `None`.
async fn stored<T: DeserializeOwned>(store: &LocalStore, digest: BlobDigest) -> Result<Option<T>, EmbeddedError> {
    match store.get(digest).await {
        Ok(bytes) => Ok(serde_json::from_slice(&bytes).ok()),
        Err(error) if error.is_retryable() => Err(error.into()),
        Err(_) => Ok(None),
    }
}
