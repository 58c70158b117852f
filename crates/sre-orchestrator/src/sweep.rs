//! Garbage collection: removing what is not needed any more.
//!
//! Order matters: orders are forgotten first, then the blobs that no kept order names. A process
//! that dies in between leaves blobs without orders, which the next sweep removes. No other process
//! uses the data folder meanwhile: a blob that an order is about to name looks like one that is not
//! needed. So everything that says what is needed is read after the folder is ours, and where one of
//! these files is missing nothing is removed.

use std::collections::HashSet;
use std::sync::Arc;

use sre_core::{BlobDigest, BlobRole, EvidenceWalk};
use sre_da::{BlobSweep, Store};

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
/// [`EmbeddedError`]: another process uses the folder, journal or log are missing or not what they
/// were, or something could not be read; then no blob was removed.
pub async fn sweep(
    folder: &DataFolder,
    retention: RetentionPolicy,
    program: &str,
) -> Result<Swept, EmbeddedError> {
    let journal: Arc<dyn Journal> = Arc::new(folder.open_journal_alone()?);
    let store: Arc<dyn BlobSweep> = Arc::new(folder.open_store()?);
    let registrar = open_registrar(folder, &journal, &store, program).await?;
    if !journal.is_used().await? {
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
    let kept = needed(&*journal, &*store, of_log.unwrap_or_default()).await?;
    let removed = sre_da::retain(&*store, &|digest| kept.contains(&digest)).await?;
    Ok(Swept {
        orders,
        blobs: removed.blobs,
        bytes: removed.bytes,
    })
}

/// The registrar, where there is a log.
async fn open_registrar(
    folder: &DataFolder,
    journal: &Arc<dyn Journal>,
    store: &Arc<dyn BlobSweep>,
    program: &str,
) -> Result<Option<Registrar>, EmbeddedError> {
    let issued = journal.coverage().await?.receipts;
    if !folder.has_log()? {
        folder.refuse_lost_log(String::from("of this folder"), issued)?;
        return Ok(None);
    }
    let store: Arc<dyn Store> = Arc::<dyn BlobSweep>::clone(store);
    let registrar = folder
        .open_registrar(Arc::clone(journal), store, program)
        .await?;
    let entries = registrar.log().submitted().map_err(RegistrarError::from)?;
    if entries > 0 && issued == 0 && journal.count_receipts_due().await?.waiting == 0 {
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
    journal: &dyn Journal,
    store: &dyn Store,
    of_log: HashSet<BlobDigest>,
) -> Result<HashSet<BlobDigest>, EmbeddedError> {
    let (mut walk, mut uploads) = (EvidenceWalk::default(), Vec::new());
    let mut visit = |root| match root {
        GcRoot::Blob(digest) => uploads.push(digest),
        GcRoot::Skill(digest) => walk.add_blob(BlobRole::Manifest, digest),
        GcRoot::Invocation(digest) => walk.add_blob(BlobRole::Invocation, digest),
        GcRoot::Result(result) => {
            if let Some(claim) = &result.commit_result {
                walk.add_claim(claim);
            }
        }
    };
    journal.each_gc_root(&mut visit).await?;
    while let Some(blob) = walk.next_blob() {
        if !blob.role.names_others() {
            continue;
        }
        match store.get(blob.digest).await {
            Ok(bytes) => walk.read(blob, &bytes),
            Err(error) if error.is_retryable() => return Err(error.into()),
            // What is missing or damaged names nothing, and is no reason to stop.
            Err(error) => {
                tracing::warn!(role = %blob.role, %error, "a kept order names a blob that is not there");
            }
        }
    }
    let mut kept = walk.into_seen();
    kept.extend(of_log);
    kept.extend(uploads);
    Ok(kept)
}
