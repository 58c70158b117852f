//! Following the log of another node: does what it says now continue what it said before?

use std::num::NonZeroUsize;
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

use lru::LruCache;
use sre_receipt::tlog::{
    Checkpoint, CheckpointError, Entry, EntryError, Hash, Note, NoteError, TILE_WIDTH, TilePath,
    VerifierKey, verify_consistency, verify_inclusion,
};

use crate::proofs::{self, Tiles};
use crate::source::{LogSource, SourceError};
use crate::tile_nodes::TileNodes;

/// Tiles kept with their inner nodes while a log is read.
const TILES_LIMIT: NonZeroUsize = NonZeroUsize::new(64).expect("not zero");

/// What was found about a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// The checkpoint, signed.
    pub note: Note,
    /// What it says.
    pub checkpoint: Checkpoint,
    /// The size at the last look; 0 at the first.
    pub before: u64,
}

/// What is wrong with a log. The first four are misbehaviour and have evidence: two signed
/// checkpoints that cannot both be true, or the one to which bytes do not belong.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// Two histories of one size.
    #[error("the log has forked: it signed two different trees of {size} entries")]
    Forked {
        /// The size.
        size: u64,
        /// What it said before.
        before: Box<Note>,
        /// What it says now.
        now: Box<Note>,
    },
    /// Less than there was.
    #[error("the log has shrunk: it had {before_size} entries and shows {now_size}")]
    Shrunk {
        /// The size it had.
        before_size: u64,
        /// The size it shows.
        now_size: u64,
        /// What it said before.
        before: Box<Note>,
        /// What it says now.
        now: Box<Note>,
    },
    /// The new tree does not begin with the old one.
    #[error(
        "the log has rewritten its history: its {now_size} entries do not begin with the {before_size} it had"
    )]
    Rewritten {
        /// The size it had.
        before_size: u64,
        /// The size it shows.
        now_size: u64,
        /// What it said before.
        before: Box<Note>,
        /// What it says now.
        now: Box<Note>,
    },
    /// A tile or an entry that does not belong to the signed tree.
    #[error("{what} of the log does not belong to its signed tree")]
    Foreign {
        /// Which.
        what: String,
        /// The tree it signed.
        now: Box<Note>,
    },
    /// It signed a tree and does not answer how that continues the one before.
    #[error("the log does not show how its {size} entries continue those it had: {source}")]
    Unproven {
        /// The size it signed.
        size: u64,
        /// What it signed.
        now: Box<Note>,
        /// What it answered instead.
        source: SourceError,
    },
    /// The checkpoint is malformed, another log's, or not signed by a trusted key.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// It cannot be read.
    #[error(transparent)]
    Source(#[from] SourceError),
}

impl Fault {
    /// Whether the log did what no log may do, rather than not answer.
    #[must_use]
    pub const fn is_misbehaviour(&self) -> bool {
        !matches!(
            self,
            Self::Source(_) | Self::Checkpoint(_) | Self::Unproven { .. }
        )
    }

    /// The signed notes that show it: what the log said before, and what it says now.
    #[must_use]
    pub const fn notes(&self) -> (Option<&Note>, Option<&Note>) {
        match self {
            Self::Forked { before, now, .. }
            | Self::Shrunk { before, now, .. }
            | Self::Rewritten { before, now, .. } => (Some(before), Some(now)),
            Self::Foreign { now, .. } | Self::Unproven { now, .. } => (None, Some(now)),
            Self::Checkpoint(_) | Self::Source(_) => (None, None),
        }
    }
}

/// Looks at a log. `before` is the checkpoint of the last look, which the caller verified then.
///
/// # Errors
/// [`Fault`]; do not trust anything that the log shows. `before` stays the last good checkpoint.
pub async fn look(
    source: &dyn LogSource,
    keys: &[VerifierKey],
    before: Option<&Note>,
) -> Result<Seen, Fault> {
    let note = Note::parse(&source.checkpoint().await?).map_err(CheckpointError::from)?;
    let checkpoint = verify(&note, keys)?;
    let mut seen = Seen {
        note,
        checkpoint,
        before: 0,
    };
    if let Some(old) = before {
        seen.before = continues(source, old, &seen).await?;
    }
    Ok(seen)
}

/// Whether what the log says `now` continues what it signed in `old`, which the caller verified;
/// the size it had then.
///
/// # Errors
/// [`Fault`].
pub async fn continues(source: &dyn LogSource, old: &Note, now: &Seen) -> Result<u64, Fault> {
    let (note, now, old_note) = (&now.note, &now.checkpoint, old);
    let old = Checkpoint::parse(old_note.text())?;
    if old.origin != now.origin {
        return Err(CheckpointError::Origin {
            found: now.origin.clone(),
            expected: old.origin,
        }
        .into());
    }
    let both = || (Box::new(old_note.clone()), Box::new(note.clone()));
    let (before_size, now_size) = (old.size, now.size);
    if now_size < before_size {
        let (before, now) = both();
        return Err(Fault::Shrunk {
            before_size,
            now_size,
            before,
            now,
        });
    }
    if now_size == before_size && now.root != old.root {
        let (before, now) = both();
        return Err(Fault::Forked {
            size: now_size,
            before,
            now,
        });
    }
    let unproven = |fault| match fault {
        Fault::Source(source) => Fault::Unproven {
            size: now_size,
            now: Box::new(note.clone()),
            source,
        },
        fault => fault,
    };
    let tiles = Theirs::new(source, note, now_size);
    let path = proofs::consistency(&tiles, before_size, now_size)
        .await
        .map_err(unproven)?;
    if verify_consistency((before_size, &old.root), (now_size, &now.root), &path).is_err() {
        // Are the tiles wrong, or the history? It is the history if the new checkpoint stands for a
        // tree that begins differently. A tile that belongs to no signed tree proves no more than
        // that.
        let shown = proofs::root(&tiles, before_size, now_size)
            .await
            .map_err(unproven)?;
        if verify_consistency((before_size, &shown), (now_size, &now.root), &path).is_err() {
            return Err(tiles.foreign("a tile"));
        }
        let (before, now) = both();
        return Err(Fault::Rewritten {
            before_size,
            now_size,
            before,
            now,
        });
    }
    Ok(before_size)
}

/// Reads the entries from `from` on, and checks that they are those of the signed tree.
///
/// Reads whole bundles, so `visit` may be called with entries before `from` too; it gets each one's
/// number.
///
/// # Errors
/// [`Fault`]; entries that were visited before it were checked.
pub async fn entries(
    source: &dyn LogSource,
    seen: &Seen,
    from: u64,
    visit: impl FnMut(u64, Entry) + Send,
) -> Result<(), Fault> {
    entries_in(source, seen, from..seen.checkpoint.size, visit).await
}

/// As [`entries`], for a part of the log; `visit` may also be called with entries outside the part.
///
/// # Errors
/// [`Fault`]; entries that were visited before it were checked.
pub async fn entries_in(
    source: &dyn LogSource,
    seen: &Seen,
    part: Range<u64>,
    mut visit: impl FnMut(u64, Entry) + Send,
) -> Result<(), Fault> {
    let width = u64::from(TILE_WIDTH);
    let Seen {
        note, checkpoint, ..
    } = seen;
    let mut tiles = Theirs::new(source, note, checkpoint.size);
    for index in part.start / width..part.end.min(checkpoint.size).div_ceil(width) {
        let first = index * width;
        let count = (checkpoint.size - first).min(width) as u16;
        let path = TilePath {
            level: None,
            index,
            width: count,
        };
        let foreign = || Fault::Foreign {
            what: path.to_string(),
            now: Box::new(note.clone()),
        };
        let entries = unpack(&source.tile(path).await?, count).map_err(|_| foreign())?;
        let leaves: Vec<Hash> = entries
            .iter()
            .map(|entry| Hash::leaf(&entry.to_canonical()))
            .collect();
        // The path of the first entry, computed with the bundle's own leaves in place of the tile
        // that the log shows: its siblings cover the whole bundle, so it leads to the root only if
        // every entry is right.
        let leaf = leaves.first().copied().ok_or_else(foreign)?;
        tiles.overlay = Some((index, Arc::new(TileNodes::new(leaves))));
        let proof = proofs::inclusion(&tiles, first, checkpoint.size).await?;
        verify_inclusion(leaf, first, checkpoint.size, &proof, &checkpoint.root)
            .map_err(|_| foreign())?;
        for (entry, number) in entries.into_iter().zip(first..) {
            visit(number, entry);
        }
    }
    Ok(())
}

/// Entries of a bundle, each after its length in two bytes.
fn unpack(mut bytes: &[u8], count: u16) -> Result<Vec<Entry>, EntryError> {
    let mut entries = Vec::new();
    while let Some((length, rest)) = bytes.split_first_chunk::<2>() {
        let length = usize::from(u16::from_be_bytes(*length));
        let (entry, rest) = rest.split_at_checked(length).ok_or(EntryError)?;
        entries.push(Entry::parse(entry)?);
        bytes = rest;
    }
    if bytes.is_empty() && entries.len() == usize::from(count) {
        Ok(entries)
    } else {
        Err(EntryError)
    }
}

/// The checkpoint, if one of the keys signed it.
fn verify(note: &Note, keys: &[VerifierKey]) -> Result<Checkpoint, CheckpointError> {
    let mut refused = CheckpointError::Note(NoteError::NoTrustedSignature);
    for key in keys {
        match Checkpoint::verify(note, key) {
            Ok(checkpoint) => return Ok(checkpoint),
            Err(error) => refused = error,
        }
    }
    Err(refused)
}

/// The tiles of a log that is not believed. Each is read once, so that two questions get one
/// answer.
struct Theirs<'a> {
    source: &'a dyn LogSource,
    /// What was signed.
    note: &'a Note,
    /// A tile of leaves that was made from entries and not read.
    overlay: Option<(u64, Arc<TileNodes>)>,
    size: u64,
    read: Mutex<LruCache<TilePath, Arc<TileNodes>>>,
}

impl<'a> Theirs<'a> {
    fn new(source: &'a dyn LogSource, note: &'a Note, size: u64) -> Self {
        Self {
            source,
            note,
            overlay: None,
            size,
            read: Mutex::new(LruCache::new(TILES_LIMIT)),
        }
    }

    fn foreign(&self, what: impl Into<String>) -> Fault {
        Fault::Foreign {
            what: what.into(),
            now: Box::new(self.note.clone()),
        }
    }
}

impl Tiles for Theirs<'_> {
    type Error = Fault;

    async fn tile(&self, level: u8, index: u64, width: u16) -> Result<Arc<TileNodes>, Fault> {
        if let Some((_, nodes)) = self
            .overlay
            .as_ref()
            .filter(|(at, _)| level == 0 && *at == index)
        {
            return Ok(Arc::clone(nodes));
        }
        debug_assert!(u64::from(width) <= self.size);
        let path = TilePath {
            level: Some(level),
            index,
            width,
        };
        let lock = || self.read.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = lock().get(&path) {
            return Ok(Arc::clone(known));
        }
        let bytes = self.source.tile(path).await?;
        let nodes = TileNodes::from_bytes(&bytes, width).map(Arc::new);
        let nodes = nodes.ok_or_else(|| self.foreign(path.to_string()))?;
        lock().put(path, Arc::clone(&nodes));
        Ok(nodes)
    }

    fn incomplete(&self, level: u8, index: u64) -> Fault {
        self.foreign(format!("tile {index} of level {level}"))
    }
}
