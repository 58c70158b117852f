//! Removing what nobody needs any more.
//!
//! Order matters: orders are forgotten first, then the blobs that no kept order names. A process
//! that dies in between leaves blobs without orders, which the next sweep removes. Nobody else uses
//! the data folder meanwhile: a blob that an order is about to name looks like one that nobody
//! needs. So everything that says what is needed is read after the folder is ours, and where one of
//! these files is missing nothing is removed.

use std::collections::HashSet;
use std::sync::Arc;

use serde::de::DeserializeOwned;
use sre_core::{BlobDigest, Engine, Manifest, RuntimeDigest, SkillDigest};
use sre_da::{LocalStore, Store};

use crate::{Batch, DataFolder, EmbeddedError, Registrar, RegistrarError};
use sre_journal::{GcRoot, Journal, Purged, RetentionPolicy, WithoutReceipt};

/// What a sweep removed.
#[derive(Debug)]
pub struct Swept {
    /// Orders forgotten.
    pub orders: Purged,
    /// Blobs removed.
    pub blobs: u64,
    /// Their bytes.
    pub bytes: u64,
}

/// Forgets orders that ended longer ago than `retention` says, and removes every blob that no kept
/// order and no uploaded skill needs, nor the log. Where there is a log, the receipts that are due
/// are issued first, in the name of `program`; an order whose receipt cannot be issued is kept.
///
/// # Errors
/// [`EmbeddedError`]: somebody else uses the folder, journal or log are missing or not what they
/// were, or something could not be read; then no blob was removed.
pub async fn sweep(
    folder: &DataFolder,
    retention: RetentionPolicy,
    program: &str,
) -> Result<Swept, EmbeddedError> {
    let journal = Arc::new(folder.open_journal_alone()?);
    let store = Arc::new(folder.open_store()?);
    let registrar = open_registrar(folder, &journal, &store, program).await?;
    if !journal.is_used()? {
        // New, or emptied by an accident: either way it says nothing about what is needed.
        return Ok(Swept {
            orders: Purged::default(),
            blobs: 0,
            bytes: 0,
        });
    }
    if let Some(registrar) = &registrar {
        issue_due(registrar).await;
    }
    let receiptless = if registrar.is_some() {
        WithoutReceipt::Keep
    } else {
        WithoutReceipt::Purge
    };
    let orders = journal.purge(retention, receiptless).await?;
    let of_log = registrar
        .map(|registrar| registrar.log().blobs())
        .transpose()
        .map_err(RegistrarError::from)?;
    let kept = needed(&journal, &store, of_log.unwrap_or_default()).await?;
    let removed = store.retain(|digest| kept.contains(&digest)).await?;
    Ok(Swept {
        orders,
        blobs: removed.blobs,
        bytes: removed.bytes,
    })
}

/// The registrar, where there is a log.
async fn open_registrar(
    folder: &DataFolder,
    journal: &Arc<Journal>,
    store: &Arc<LocalStore>,
    program: &str,
) -> Result<Option<Registrar>, EmbeddedError> {
    let issued = journal.coverage()?.receipts;
    if !folder.has_log()? {
        folder.refuse_lost_log(String::from("of this folder"), issued)?;
        return Ok(None);
    }
    let store: Arc<dyn Store> = Arc::<LocalStore>::clone(store);
    let registrar = folder
        .open_registrar(Arc::clone(journal), store, program)
        .await?;
    let entries = registrar.log().submitted().map_err(RegistrarError::from)?;
    if entries > 0 && issued == 0 && journal.count_receipts_due()?.waiting == 0 {
        let origin = registrar.log().key().name.to_string();
        return Err(RegistrarError::LogUnknown { origin, entries }.into());
    }
    Ok(Some(registrar))
}

/// Issues what can be issued now: an order that is forgotten never gets its receipt. Where that
/// fails, the orders are kept.
async fn issue_due(registrar: &Registrar) {
    loop {
        match registrar.issue_due().await {
            Ok(Batch::Full) => {}
            Ok(Batch::Last | Batch::Empty) => return,
            Err(error) => {
                return tracing::warn!(%error, "receipts cannot be issued; their orders are kept");
            }
        }
    }
}

/// What kept orders, uploaded skills and the log need.
async fn needed(
    journal: &Journal,
    store: &LocalStore,
    of_log: HashSet<BlobDigest>,
) -> Result<HashSet<BlobDigest>, EmbeddedError> {
    let (mut kept, mut skills, mut engines) = (of_log, HashSet::new(), HashSet::new());
    journal.each_gc_root(|thing| match thing {
        GcRoot::Skill(digest) => drop(skills.insert(digest)),
        GcRoot::Result(result) => {
            let Some(committed) = result.commit_result else {
                return;
            };
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
        keep_skill(store, skill, &mut kept).await?;
    }
    for engine in engines {
        keep_language_runtime(store, engine, &mut kept).await?;
    }
    Ok(kept)
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
        Some(manifest) => kept.extend(
            manifest
                .files
                .iter()
                .map(|file| BlobDigest::from(file.sha256)),
        ),
        None => tracing::warn!(%skill, "the skill of a kept order is missing or damaged"),
    }
    Ok(())
}

/// A value from the store. One that is missing or damaged keeps nothing and is no reason to stop:
/// `None`.
async fn stored<T: DeserializeOwned>(
    store: &LocalStore,
    digest: BlobDigest,
) -> Result<Option<T>, EmbeddedError> {
    match store.get(digest).await {
        Ok(bytes) => Ok(serde_json::from_slice(&bytes).ok()),
        Err(error) if error.is_retryable() => Err(error.into()),
        Err(_) => Ok(None),
    }
}
