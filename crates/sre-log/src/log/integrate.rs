//! Batches: what was submitted is hashed, made durable, and only then signed.

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use sre_da::Blob;
use sre_receipt::tlog::{Entry, Hash};
use tokio::time::Instant;

use super::snapshot::{Snapshot, read_snapshot};
use super::{Log, LogError};
use crate::compact_range::FullTile;
use crate::schema;

/// Entries hashed in one batch. More wait for the next one, which follows at once.
const BATCH_LIMIT_ENTRIES: u32 = 16_384;
/// How often to look for the work of other processes: what they have integrated is served here too,
/// and what a process numbered before it died is integrated here.
const LOOK_PERIOD: Duration = Duration::from_secs(1);

impl Log {
    /// Hashes everything that was submitted, and signs a checkpoint over it. Returns its size.
    ///
    /// # Errors
    /// [`LogError`]; the checkpoint before it stays. Trying again is safe.
    pub async fn integrate(&self) -> Result<u64, LogError> {
        let _exclusive = self.integrating.lock().await;
        loop {
            let before = self.refresh()?;
            let entries = schema::entries(
                &*self.database.reader()?,
                before.head.size,
                BATCH_LIMIT_ENTRIES,
            )?;
            if entries.is_empty() {
                return Ok(before.head.size);
            }
            self.integrate_batch(&before, &entries).await?;
        }
    }

    async fn integrate_batch(&self, before: &Snapshot, entries: &[Entry]) -> Result<(), LogError> {
        let (mut range, mut full) = (before.range.clone(), Vec::new());
        for entry in entries {
            range.push(Hash::leaf(&entry.to_canonical()), &mut full);
        }
        let root = range.root();
        let blobs: Vec<Blob> = full
            .iter()
            .map(|tile| Blob::new(tile.bytes.clone()))
            .collect();
        let full: Vec<(FullTile, _)> = full
            .into_iter()
            .zip(blobs.iter().map(Blob::digest))
            .collect();
        self.store.put(blobs).await?;
        // A process that dies here leaves tiles that no head names. The same batch makes the same
        // tiles again.
        let old = before.head;
        let replaced = self
            .database
            .write(move |transaction| schema::replace_head(transaction, old, &range, root, &full))
            .await?;
        // A process that dies here leaves a durable head; the next process that reads it signs it.
        if !replaced {
            tracing::debug!("another process was faster; reading its head");
        }
        self.refresh().map(drop)
    }

    /// Integrates whenever something was submitted, at most once per `interval`; until it is
    /// dropped. Every second, or every `interval` if that is longer, it looks for what other
    /// processes did with the log. Failures are logged, and it tries again.
    pub async fn run(&self, interval: Duration) {
        loop {
            let begun = Instant::now();
            if let Err(error) = self.integrate().await {
                tracing::error!(%error, "the log could not take the entries that wait; trying again");
                tokio::time::sleep(interval.max(Duration::from_secs(1))).await;
                continue;
            }
            tokio::select! {
                () = self.submitted.notified() => {}
                () = tokio::time::sleep(LOOK_PERIOD) => {}
            }
            // Measured from the beginning of the batch: an entry that comes alone is not delayed.
            tokio::time::sleep_until(begun + interval).await;
        }
    }

    /// The newest durable head, signed.
    pub(super) fn refresh(&self) -> Result<Arc<Snapshot>, LogError> {
        // Read before the file is asked: the head can only grow meanwhile.
        let known = self.snapshot();
        let head = schema::head(&*self.database.reader()?)?;
        if head == known.head {
            return Ok(known);
        }
        if head.size <= known.head.size {
            let (now, before) = (head.size, known.head.size);
            return Err(LogError::Damaged(format!(
                "its head of size {before} was replaced by another of size {now}"
            )));
        }
        let key = self.key.read().unwrap_or_else(PoisonError::into_inner);
        let fresh = read_snapshot(&self.database, &key)?;
        let mut current = self
            .snapshot
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        if fresh.head.size > current.head.size {
            *current = Arc::new(fresh);
        }
        Ok(Arc::clone(&current))
    }
}
