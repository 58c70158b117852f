//! The log of one node.
//!
//! ```text
//! submit     ─▶ entry numbered, durable                      the receipt is pending
//! integrate  ─▶ hash the batch ─▶ full tiles into the store, durable
//!                              ─▶ head, range, names of tiles: one transaction, only if the head is the one read
//!                              ─▶ sign the checkpoint         the receipt has a proof
//! ```
//! Invariants:
//! - A checkpoint is signed after everything it stands for is durable: signing needs a head that
//!   was committed.
//! - There is one head of a size. A head is replaced only if it is the one that was read, so two
//!   processes cannot both replace it. The signature is a function of the head, so two processes
//!   sign the same bytes, or different sizes.
//! - An entry that was submitted keeps its number.
//!
//! `integrate` takes these steps, `prove` makes proofs, `tiles` is the public read interface.
//!
//! Crash behaviour: a process that dies before the transaction leaves tiles in the store that no
//! head names; after it, a head that the next process that opens the log signs. A *restored backup*
//! of the file is a fork, which this module cannot notice. So the journal beside it records how
//! many entries the log has had (`sre_orchestrator`'s registrar).

mod integrate;
mod prove;
mod snapshot;
mod tiles;

use std::collections::HashSet;
use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use lru::LruCache;
use sre_core::{BlobDigest, OrderId};
use sre_da::{Store, StoreError};
use sre_receipt::NodeKey;
use sre_receipt::tlog::{Entry, Note, NoteError, TILE_WIDTH, VerifierKey};
use sre_sqlite::{DatabaseFile, GroupCommit, GroupCommitOptions, OpenError, WriteError};
use tokio::sync::Notify;

use self::snapshot::{Snapshot, read_snapshot};
use crate::schema;
use crate::tile_nodes::TileNodes;

/// Full tiles kept with their inner nodes, 16 KiB each.
const TILES_LIMIT: NonZeroUsize = NonZeroUsize::new(1024).expect("not zero");

/// A transparency log. May be shared between threads, and its file between processes.
pub struct Log {
    database: GroupCommit,
    store: Arc<dyn Store>,
    /// Held while something is signed and kept, so that nothing is kept under a key that was
    /// replaced meanwhile.
    key: RwLock<Arc<NodeKey>>,
    /// Held while a batch is hashed: two tasks of one process would do the same work.
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
    #[error(
        "the log is damaged: {0}; restore it together with every tile, or start a log with another name"
    )]
    Damaged(String),
    /// What a witness answered is not a signature of it.
    #[error("the cosignature is not accepted: {0}")]
    Cosignature(#[from] NoteError),
}

impl Log {
    /// Opens the log at `path` whose tiles are in `store`, making it if need be, and signs its
    /// head.
    ///
    /// # Errors
    /// [`LogError`].
    pub async fn open(
        path: &Path,
        store: Arc<dyn Store>,
        key: Arc<NodeKey>,
    ) -> Result<Self, LogError> {
        let database = GroupCommit::open(
            path,
            schema::MIGRATIONS,
            GroupCommitOptions::new(schema::APPLICATION_ID),
        )?;
        let origin = key.name.to_string();
        let found = database
            .write(move |transaction| schema::name_log(transaction, &origin))
            .await?;
        if found != key.name.as_str() {
            return Err(LogError::Origin {
                found,
                expected: key.name.to_string(),
            });
        }
        let snapshot = RwLock::new(Arc::new(read_snapshot(&database, &key)?));
        let tiles = Mutex::new(LruCache::new(TILES_LIMIT));
        let integrating = tokio::sync::Mutex::new(());
        let key = RwLock::new(key);
        Ok(Self {
            database,
            store,
            key,
            integrating,
            submitted: Notify::new(),
            snapshot,
            tiles,
        })
    }

    /// For a `path` without a log: fails if there was one that was lost, so that a new log would
    /// hide the copy that was saved of it.
    ///
    /// # Errors
    /// [`LogError::Open`], which names the copy.
    pub fn refuse_beside_copy(path: &Path) -> Result<(), LogError> {
        Ok(sre_sqlite::refuse_beside_copy(path)?)
    }

    /// The database file, so that the owner of the process can watch over it.
    #[must_use]
    pub fn database(&self) -> DatabaseFile {
        self.database.file()
    }

    /// Whether an entry could be taken now. Takes none.
    ///
    /// # Errors
    /// [`WriteError`].
    pub async fn probe(&self) -> Result<(), WriteError> {
        self.database.write(|_| Ok(())).await
    }

    /// The key that signs now.
    #[must_use]
    pub fn key(&self) -> Arc<NodeKey> {
        Arc::clone(&self.key.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Signs with another key of the same name from now on, the newest checkpoint first. What was
    /// signed before stays as it is.
    ///
    /// # Errors
    /// [`LogError::Origin`] for a key of another name: nothing has changed.
    pub fn use_key(&self, key: Arc<NodeKey>) -> Result<(), LogError> {
        let mut current = self.key.write().unwrap_or_else(PoisonError::into_inner);
        if key.name != current.name {
            return Err(LogError::Origin {
                found: current.name.to_string(),
                expected: key.name.to_string(),
            });
        }
        let mut snapshot = self
            .snapshot
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        *snapshot = Arc::new(read_snapshot(&self.database, &key)?);
        *current = key;
        Ok(())
    }

    /// Numbers entries. When this returns they survive, and the next batch takes them. An entry
    /// that is known of its order keeps its number; of two receipts for one order the first stays.
    /// Returns the entries that the log has for them, in the order given.
    ///
    /// # Errors
    /// [`LogError`]; nothing was kept.
    pub async fn submit(
        &self,
        submissions: Vec<Submission>,
    ) -> Result<Vec<(u64, Entry)>, LogError> {
        let numbered = self
            .database
            .write(move |transaction| {
                let numbered = submissions
                    .iter()
                    .map(|s| schema::submit(transaction, &s.entry, s.order_id.as_str()));
                numbered.collect::<rusqlite::Result<Vec<_>>>()
            })
            .await?;
        self.submitted.notify_one();
        Ok(numbered)
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

    /// Where the receipt of an order stands.
    ///
    /// # Errors
    /// [`LogError`].
    pub fn receipt_of(&self, order_id: &OrderId) -> Result<Option<(u64, Entry)>, LogError> {
        Ok(schema::receipt_of(
            &*self.database.reader()?,
            order_id.as_str(),
        )?)
    }

    /// The verdicts on an order's receipt, oldest first.
    ///
    /// # Errors
    /// [`LogError`].
    pub fn verdicts_of(&self, order_id: &OrderId) -> Result<Vec<(u64, Entry)>, LogError> {
        Ok(schema::verdicts_of(
            &*self.database.reader()?,
            order_id.as_str(),
        )?)
    }

    /// How many entries were submitted, those that wait included.
    ///
    /// # Errors
    /// [`LogError`].
    pub fn submitted(&self) -> Result<u64, LogError> {
        Ok(schema::count(&*self.database.reader()?)?)
    }

    /// The digests of the full tiles on the way from the entry at `position` to the root, from the
    /// leaves up.
    ///
    /// # Errors
    /// [`LogError`].
    pub fn tiles_over(&self, position: u64) -> Result<Vec<BlobDigest>, LogError> {
        let reader = self.database.reader()?;
        let mut tiles = Vec::new();
        // A tile is full only after all below it are.
        let mut index = position / u64::from(TILE_WIDTH);
        for level in 0.. {
            let Some(digest) = schema::tile(&reader, level, index)? else {
                break;
            };
            tiles.push(digest);
            index /= u64::from(TILE_WIDTH);
        }
        Ok(tiles)
    }

    /// The digests of all blobs that the log needs: receipts, verdicts, full tiles. Garbage
    /// collection keeps them.
    ///
    /// # Errors
    /// [`LogError`]: then nothing must be removed.
    pub fn blobs(&self) -> Result<HashSet<BlobDigest>, LogError> {
        Ok(schema::blobs(&*self.database.reader()?)?)
    }

    /// The entry at `position` and the order it belongs to.
    ///
    /// # Errors
    /// [`LogError`].
    pub fn entry_at(&self, position: u64) -> Result<Option<(String, Entry)>, LogError> {
        Ok(schema::entry_at(&*self.database.reader()?, position)?)
    }
}

impl std::fmt::Debug for Log {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Log")
            .field("key", &self.key())
            .finish_non_exhaustive()
    }
}
