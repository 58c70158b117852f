//! The log of one node.
//!
//! ```text
//! submit     ─▶ entry numbered, durable                      the receipt is pending
//! integrate  ─▶ hash the batch ─▶ full tiles into the store, durable
//!                              ─▶ head, fringe, names of tiles: one transaction, only if the head is the one read
//!                              ─▶ sign the checkpoint         the receipt has a proof
//! ```
//! Invariants:
//! - A checkpoint is signed after everything it stands for is durable: signing needs a head that was committed.
//! - There is one head of a size. The head is replaced only by the process that read it, whatever others do meanwhile, and
//!   the signature is a function of the head; so two processes sign the same bytes, or different sizes.
//! - An entry that was submitted keeps its number.
//!
//! Crash behaviour: before the transaction, tiles in the store that nobody names; after it, a head that is signed by
//! whoever opens the log next. A *restored backup* of the file is a fork, and this module cannot know it.

use std::collections::HashSet;
use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::{Arc, Mutex, OnceLock, PoisonError, RwLock};
use std::time::Duration;

use async_trait::async_trait;
use lru::LruCache;
use sre_core::{BlobDigest, OrderId};
use sre_da::group_commit::{GroupCommit, GroupCommitOptions, OpenError, WriteError};
use sre_da::{Blob, Store, StoreError};
use sre_receipt::NodeKey;
use sre_receipt::tlog::{
    Checkpoint, Entry, Hash, Note, NoteError, NoteSignature, TILE_WIDTH, TilePath, TlogProof, VerifierKey,
};
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::fringe::{Fringe, FullTile};
use crate::proofs::{self, Tiles};
use crate::schema::{self, Head};
use crate::source::{LogSource, SourceError};
use crate::tile_nodes::{TILE_HEIGHT, TileNodes, to_bytes};

/// Entries hashed in one batch. More wait for the next one, which follows at once.
const BATCH_LIMIT_ENTRIES: u32 = 16_384;
/// Full tiles kept with their inner nodes, 16 KiB each.
const TILES_LIMIT: NonZeroUsize = NonZeroUsize::new(1024).expect("not zero");

/// A transparency log. May be shared between threads, and its file between processes.
pub struct Log {
    database: GroupCommit,
    store: Arc<dyn Store>,
    /// Held while something is signed that stays, so that nothing stays under a key that was replaced meanwhile.
    key: RwLock<Arc<NodeKey>>,
    /// Held while a batch is hashed: two of them in one process would do the same work.
    integrating: tokio::sync::Mutex<()>,
    submitted: Notify,
    snapshot: RwLock<Arc<Snapshot>>,
    tiles: Mutex<LruCache<(u8, u64), Arc<TileNodes>>>,
}

/// An entry and the order it belongs to.
#[derive(Debug, Clone)]
pub struct Submission {
    /// What the tree holds.
    pub entry: Entry,
    /// By what it is found again. Not part of the tree.
    pub order_id: OrderId,
}

/// Why a log could not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The file cannot be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// A change was not kept.
    #[error(transparent)]
    Write(#[from] WriteError),
    /// A row cannot be read.
    #[error("the log cannot be read: {0}")]
    Read(#[from] rusqlite::Error),
    /// A tile could not be stored or fetched.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The file is another log's.
    #[error("the log in this folder is {found}, and this node is {expected}: a log keeps its name")]
    Origin {
        /// The name in the file.
        found: String,
        /// The node's name.
        expected: String,
    },
    /// What is stored does not fit together. Nothing is signed any more.
    #[error("the log is damaged: {0}; restore it together with every tile, or start a log with another name")]
    Damaged(String),
    /// What a witness answered is none of its signatures.
    #[error("the cosignature is not accepted: {0}")]
    Cosignature(#[from] NoteError),
}

/// The digests of all blobs that the log at `path` needs, for whoever removes others. No log, no blobs.
///
/// # Errors
/// [`LogError`]: then nothing must be removed.
pub fn blobs_of_log(path: &Path) -> Result<HashSet<BlobDigest>, LogError> {
    if !path.exists() {
        return Ok(HashSet::new());
    }
    let database = GroupCommit::open(path, schema::MIGRATIONS, GroupCommitOptions::new(schema::APPLICATION_ID))?;
    Ok(schema::blobs(&*database.reader()?)?)
}

/// A head, signed, and what proofs of its right edge need.
struct Snapshot {
    head: Head,
    fringe: Fringe,
    note: Note,
    /// Inner nodes of the partial tiles, made when they are needed.
    partial: Vec<OnceLock<Option<Arc<TileNodes>>>>,
}

impl Log {
    /// Opens the log at `path` whose tiles are in `store`, making it if need be, and signs its head.
    ///
    /// # Errors
    /// [`LogError`].
    pub async fn open(path: &Path, store: Arc<dyn Store>, key: Arc<NodeKey>) -> Result<Self, LogError> {
        let database = GroupCommit::open(path, schema::MIGRATIONS, GroupCommitOptions::new(schema::APPLICATION_ID))?;
        let origin = key.name.to_string();
        let found = database.write(move |transaction| schema::name_log(transaction, &origin)).await?;
        if found != key.name.as_str() {
            return Err(LogError::Origin { found, expected: key.name.to_string() });
        }
        let snapshot = RwLock::new(Arc::new(read_snapshot(&database, &key)?));
        let tiles = Mutex::new(LruCache::new(TILES_LIMIT));
        let integrating = tokio::sync::Mutex::new(());
        let key = RwLock::new(key);
        Ok(Self { database, store, key, integrating, submitted: Notify::new(), snapshot, tiles })
    }

    /// The key that signs now.
    #[must_use]
    pub fn key(&self) -> Arc<NodeKey> {
        Arc::clone(&self.key.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Signs with another key of the same name from now on, the newest checkpoint first. What was signed before stays as it is.
    ///
    /// # Errors
    /// [`LogError::Origin`] for a key of another name: nothing has changed.
    pub fn use_key(&self, key: Arc<NodeKey>) -> Result<(), LogError> {
        let mut current = self.key.write().unwrap_or_else(PoisonError::into_inner);
        if key.name != current.name {
            return Err(LogError::Origin { found: current.name.to_string(), expected: key.name.to_string() });
        }
        let mut snapshot = self.snapshot.write().unwrap_or_else(PoisonError::into_inner);
        *snapshot = Arc::new(read_snapshot(&self.database, &key)?);
        *current = key;
        Ok(())
    }

    /// Numbers entries. When this returns they survive, and the next batch takes them. An entry that is known of its order keeps its
    /// number; of two receipts for one order the first stays. Returns what stands in the log, in the order given.
    ///
    /// # Errors
    /// [`LogError`]; nothing was kept.
    pub async fn submit(&self, submissions: Vec<Submission>) -> Result<Vec<(u64, Entry)>, LogError> {
        let numbered = self
            .database
            .write(move |transaction| {
                let numbered = submissions.iter().map(|s| schema::submit(transaction, &s.entry, s.order_id.as_str()));
                numbered.collect::<rusqlite::Result<Vec<_>>>()
            })
            .await?;
        self.submitted.notify_one();
        Ok(numbered)
    }

    /// Hashes everything that was submitted, and signs a checkpoint over it. Returns its size.
    ///
    /// # Errors
    /// [`LogError`]; the checkpoint before it stays. Trying again is safe.
    pub async fn integrate(&self) -> Result<u64, LogError> {
        let _turn = self.integrating.lock().await;
        loop {
            let before = self.refresh()?;
            let entries = schema::entries(&*self.database.reader()?, before.head.size, BATCH_LIMIT_ENTRIES)?;
            if entries.is_empty() {
                return Ok(before.head.size);
            }
            self.integrate_batch(&before, &entries).await?;
        }
    }

    async fn integrate_batch(&self, before: &Snapshot, entries: &[Entry]) -> Result<(), LogError> {
        let (mut fringe, mut full) = (before.fringe.clone(), Vec::new());
        for entry in entries {
            fringe.push(Hash::leaf(&entry.to_canonical()), &mut full);
        }
        let root = fringe.root();
        let blobs: Vec<Blob> = full.iter().map(|tile| Blob::new(tile.bytes.clone())).collect();
        let full: Vec<(FullTile, _)> = full.into_iter().zip(blobs.iter().map(Blob::digest)).collect();
        self.store.put(blobs).await?;
        // Dies here: tiles that nobody names. The same batch makes the same tiles again.
        let old = before.head;
        let replaced = self
            .database
            .write(move |transaction| schema::replace_head(transaction, old, &fringe, root, &full))
            .await?;
        // Dies here: the head is durable and signed by whoever reads it next.
        if !replaced {
            tracing::debug!("another process was faster; reading its head");
        }
        self.refresh().map(drop)
    }

    /// Integrates whenever something was submitted, at most once per `interval`; until it is dropped. What fails is logged
    /// and tried again.
    pub async fn run(&self, interval: Duration) {
        loop {
            let begun = Instant::now();
            if let Err(error) = self.integrate().await {
                tracing::error!(%error, "the log could not take the entries that wait; trying again");
                tokio::time::sleep(interval.max(Duration::from_secs(1))).await;
                continue;
            }
            self.submitted.notified().await;
            // Whoever comes alone does not wait.
            tokio::time::sleep_until(begun + interval).await;
        }
    }

    /// The head that is durable by now, signed.
    fn refresh(&self) -> Result<Arc<Snapshot>, LogError> {
        let key = self.key.read().unwrap_or_else(PoisonError::into_inner);
        let fresh = read_snapshot(&self.database, &key)?;
        let mut current = self.snapshot.write().unwrap_or_else(PoisonError::into_inner);
        if fresh.head.size > current.head.size {
            *current = Arc::new(fresh);
        }
        Ok(Arc::clone(&current))
    }

    fn snapshot(&self) -> Arc<Snapshot> {
        Arc::clone(&self.snapshot.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// The log's name and key.
    #[must_use]
    pub fn verifier_key(&self) -> VerifierKey {
        self.key().verifier_key()
    }

    /// The newest signed checkpoint, and its size.
    #[must_use]
    pub fn checkpoint(&self) -> (u64, Note) {
        let snapshot = self.snapshot();
        (snapshot.head.size, snapshot.note.clone())
    }

    /// The proof of the entry at `position`; `None` while it is pending. With cosignatures where there are any.
    ///
    /// # Errors
    /// [`LogError`].
    pub async fn prove(&self, position: u64) -> Result<Option<TlogProof>, LogError> {
        let mut snapshot = self.snapshot();
        if position >= snapshot.head.size {
            // Another process may have integrated it.
            snapshot = self.refresh()?;
        }
        if position >= snapshot.head.size {
            return Ok(None);
        }
        let cosigned = schema::cosigned(&*self.database.reader()?, position + 1)?;
        let (size, checkpoint) = match cosigned.filter(|(size, _)| *size <= snapshot.head.size) {
            Some((size, lines)) => (size, self.cosigned_note(&snapshot, size, &lines).await?),
            None => (snapshot.head.size, snapshot.note.clone()),
        };
        let path = proofs::inclusion(&Own { log: self, snapshot: &snapshot }, position, size).await?;
        Ok(Some(TlogProof { index: position, path, checkpoint }))
    }

    async fn cosigned_note(&self, snapshot: &Snapshot, size: u64, lines: &[String]) -> Result<Note, LogError> {
        let root = proofs::root(&Own { log: self, snapshot }, size, snapshot.head.size).await?;
        let mut note = sign(&self.key(), Head { size, root })?;
        note.merge(&lines.iter().filter_map(|line| NoteSignature::parse(line)).collect::<Vec<_>>());
        Ok(note)
    }

    /// What a witness that last saw the log at size `old` is sent (C2SP `tlog-witness`, `add-checkpoint`): the path from
    /// there, and the checkpoint.
    ///
    /// # Errors
    /// [`LogError`].
    pub async fn consistency(&self, old: u64) -> Result<(Vec<Hash>, Note), LogError> {
        let snapshot = self.snapshot();
        let path = proofs::consistency(&Own { log: self, snapshot: &snapshot }, old, snapshot.head.size).await?;
        Ok((path, snapshot.note.clone()))
    }

    /// Keeps what a witness signed of `note`, a checkpoint of this log, after checking that `witness` did sign it.
    ///
    /// # Errors
    /// [`LogError::Cosignature`]; nothing was kept.
    pub async fn add_cosignature(&self, note: &Note, witness: &VerifierKey) -> Result<(), LogError> {
        let damaged = |error: sre_receipt::tlog::CheckpointError| LogError::Damaged(error.to_string());
        let checkpoint = Checkpoint::verify(note, &self.verifier_key()).map_err(damaged)?;
        note.signed_by(witness)?.ok_or(NoteError::NoTrustedSignature)?;
        let id = witness.id();
        let theirs = note.signatures().iter().filter(|line| line.name == witness.name && line.id == id);
        let lines: Vec<String> = theirs.map(ToString::to_string).collect();
        let size = checkpoint.size;
        self.database.write(move |transaction| schema::add_cosignatures(transaction, size, &lines)).await?;
        Ok(())
    }

    /// Where the receipt of an order stands.
    ///
    /// # Errors
    /// [`LogError`].
    pub fn receipt_of(&self, order_id: &OrderId) -> Result<Option<(u64, Entry)>, LogError> {
        Ok(schema::receipt_of(&*self.database.reader()?, order_id.as_str())?)
    }

    /// The verdicts on an order's receipt, oldest first.
    ///
    /// # Errors
    /// [`LogError`].
    pub fn verdicts_of(&self, order_id: &OrderId) -> Result<Vec<(u64, Entry)>, LogError> {
        Ok(schema::verdicts_of(&*self.database.reader()?, order_id.as_str())?)
    }

    /// How many entries were submitted, those that wait included.
    ///
    /// # Errors
    /// [`LogError`].
    pub fn submitted(&self) -> Result<u64, LogError> {
        Ok(schema::count(&*self.database.reader()?)?)
    }

    /// The entry at `position` and the order it belongs to.
    ///
    /// # Errors
    /// [`LogError`].
    pub fn entry_at(&self, position: u64) -> Result<Option<(String, Entry)>, LogError> {
        Ok(schema::entry_at(&*self.database.reader()?, position)?)
    }

    async fn full_tile(&self, level: u8, index: u64) -> Result<Arc<[u8]>, LogError> {
        let digest = schema::tile(&*self.database.reader()?, level, index)?;
        let digest = digest.ok_or_else(|| LogError::Damaged(format!("tile {index} of level {level} has no name")))?;
        Ok(self.store.get(digest).await?)
    }

    async fn read_tile(&self, path: TilePath) -> Result<Option<Vec<u8>>, LogError> {
        let snapshot = self.snapshot();
        let level = path.level.unwrap_or(0);
        let hashes = snapshot.head.size.checked_shr(u32::from(TILE_HEIGHT) * u32::from(level)).unwrap_or(0);
        let Some(first) = path.index.checked_mul(u64::from(TILE_WIDTH)) else { return Ok(None) };
        if hashes.saturating_sub(first) < u64::from(path.width) {
            return Ok(None);
        }
        if path.level.is_none() {
            let entries = schema::entries(&*self.database.reader()?, first, path.width.into())?;
            let bundle = entries.iter().map(Entry::to_canonical).flat_map(|entry| {
                // An entry has about 120 bytes.
                [&(entry.len() as u16).to_be_bytes()[..], &entry].concat()
            });
            return Ok(Some(bundle.collect()));
        }
        let length = 32 * usize::from(path.width);
        if hashes - first >= u64::from(TILE_WIDTH) {
            let tile = self.full_tile(level, path.index).await?;
            return Ok(tile.get(..length).map(<[u8]>::to_vec));
        }
        let partial = snapshot.fringe.levels().get(usize::from(level));
        Ok(partial.map(|hashes| to_bytes(hashes)).and_then(|bytes| bytes.get(..length).map(<[u8]>::to_vec)))
    }
}

/// Reads the head, checks that the fringe belongs to it, and signs it.
fn read_snapshot(database: &GroupCommit, key: &NodeKey) -> Result<Snapshot, LogError> {
    let (head, fringe) = schema::read_head(&*database.reader()?)?;
    let fringe = fringe.ok_or_else(|| LogError::Damaged(format!("the root of size {} is another one", head.size)))?;
    let partial = fringe.levels().iter().map(|_| OnceLock::new()).collect();
    Ok(Snapshot { head, fringe, note: sign(key, head)?, partial })
}

/// The head's checkpoint. Only heads that are durable come here.
fn sign(key: &NodeKey, head: Head) -> Result<Note, LogError> {
    let checkpoint = Checkpoint { origin: key.name.clone(), size: head.size, root: head.root };
    let mut note = Note::new(checkpoint.to_text())?;
    note.sign(key.name.clone(), &key.secret);
    Ok(note)
}

/// The tiles of this log at one head.
struct Own<'a> {
    log: &'a Log,
    snapshot: &'a Snapshot,
}

impl Tiles for Own<'_> {
    type Error = LogError;

    async fn tile(&self, level: u8, index: u64, width: u16) -> Result<Arc<TileNodes>, LogError> {
        let available = (self.snapshot.head.size >> (TILE_HEIGHT * level)) - index * u64::from(TILE_WIDTH);
        if available < u64::from(TILE_WIDTH) {
            let made = self.snapshot.partial.get(usize::from(level)).and_then(|nodes| {
                nodes.get_or_init(|| schema::partial(&self.snapshot.fringe, level).map(Arc::new)).clone()
            });
            return made.ok_or_else(|| self.incomplete(level, index));
        }
        let lock = || self.log.tiles.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = lock().get(&(level, index)) {
            return Ok(Arc::clone(known));
        }
        let bytes = self.log.full_tile(level, index).await?;
        let nodes = TileNodes::from_bytes(&bytes, TILE_WIDTH).map(Arc::new);
        let nodes = nodes.filter(|_| width <= TILE_WIDTH).ok_or_else(|| self.incomplete(level, index))?;
        lock().put((level, index), Arc::clone(&nodes));
        Ok(nodes)
    }

    fn incomplete(&self, level: u8, index: u64) -> LogError {
        LogError::Damaged(format!("tile {index} of level {level} lacks hashes"))
    }
}

#[async_trait]
impl LogSource for Log {
    async fn checkpoint(&self) -> Result<Vec<u8>, SourceError> {
        Ok(Self::checkpoint(self).1.to_string().into_bytes())
    }

    async fn tile(&self, path: TilePath) -> Result<Vec<u8>, SourceError> {
        match self.read_tile(path).await {
            Ok(Some(bytes)) => Ok(bytes),
            Ok(None) => Err(SourceError::Missing(path.to_string())),
            Err(error) => Err(SourceError::Unreachable(error.to_string())),
        }
    }
}

impl std::fmt::Debug for Log {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Log").field("key", &self.key()).finish_non_exhaustive()
    }
}
