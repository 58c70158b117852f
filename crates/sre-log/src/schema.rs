//! The tables of a log, and what is read and written in one step.
//!
//! ```text
//! log.sqlite3
//!   log      one row: the log's name, its size and root: the head. Changed only from the head that was read.
//!   entry    what was submitted, numbered without gaps; those from the head's size on wait for the next batch
//!   compact_range   the partial tile of each level
//!   tile     full tiles, by digest in the blob store
//!   cosignature  what witnesses signed, by size
//! ```

use std::collections::{BTreeMap, HashSet};

use rusqlite::{Connection, OptionalExtension as _, Row, Transaction, params};
use sre_core::{BlobDigest, Digest, ReceiptDigest};
use sre_receipt::tlog::{Entry, EntryKind, Hash, NoteSignature};

use crate::compact_range::{CompactRange, FullTile};
use crate::tile_nodes::{TileNodes, to_bytes};

/// "srel", big-endian.
pub(crate) const APPLICATION_ID: i32 = 0x7372_656c;

pub(crate) const MIGRATIONS: &[&str] = &[V1];

/// Receipts are found by their order. An index of their digests, which are random, would write a
/// page of its own for almost every receipt and is needed for verdicts only.
const V1: &str = "
    CREATE TABLE log (
        id     INTEGER PRIMARY KEY CHECK (id = 1),
        origin TEXT NOT NULL,
        size   INTEGER NOT NULL,
        root   BLOB NOT NULL CHECK (length(root) = 32)
    ) STRICT;
    CREATE TABLE entry (
        position INTEGER PRIMARY KEY,
        sha256   BLOB NOT NULL CHECK (length(sha256) = 32),
        kind     TEXT NOT NULL,
        order_id TEXT NOT NULL
    ) STRICT;
    CREATE UNIQUE INDEX receipt_of_order ON entry (order_id) WHERE kind = 'receipt';
    CREATE INDEX verdict_of_order ON entry (order_id) WHERE kind = 'verdict';
    CREATE UNIQUE INDEX verdict_by_digest ON entry (sha256) WHERE kind = 'verdict';
    CREATE TABLE compact_range (
        level  INTEGER PRIMARY KEY,
        hashes BLOB NOT NULL
    ) STRICT;
    CREATE TABLE tile (
        level    INTEGER NOT NULL,
        position INTEGER NOT NULL,
        digest   BLOB NOT NULL CHECK (length(digest) = 32),
        PRIMARY KEY (level, position)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE cosignature (
        size INTEGER NOT NULL,
        line TEXT NOT NULL,
        PRIMARY KEY (size, line)
    ) STRICT, WITHOUT ROWID;
";

/// The head as it is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Head {
    pub(crate) size: u64,
    pub(crate) root: Hash,
}

/// A number of the tree as SQLite has it. A log of 2⁶³ entries does not fit on any disk.
fn number(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

fn read_number(row: &Row<'_>, column: usize) -> rusqlite::Result<u64> {
    let value: i64 = row.get(column)?;
    u64::try_from(value).map_err(|_| rusqlite::Error::IntegralValueOutOfRange(column, value))
}

/// Names the log, if it has no name yet, and returns the name it has.
pub(crate) fn name_log(transaction: &Transaction<'_>, origin: &str) -> rusqlite::Result<String> {
    let empty = Hash::empty();
    transaction.execute(
        "INSERT OR IGNORE INTO log VALUES (1, ?1, 0, ?2)",
        params![origin, empty.0],
    )?;
    transaction.query_row("SELECT origin FROM log", [], |row| row.get(0))
}

/// The head.
pub(crate) fn head(connection: &Connection) -> rusqlite::Result<Head> {
    connection
        .prepare_cached("SELECT size, root FROM log")?
        .query_row([], |row| {
            Ok(Head {
                size: read_number(row, 0)?,
                root: Hash(row.get(1)?),
            })
        })
}

/// The head and the range that belongs to it; `None` when they do not fit.
pub(crate) fn read_head(connection: &Connection) -> rusqlite::Result<(Head, Option<CompactRange>)> {
    let transaction = connection.unchecked_transaction()?;
    let head = head(&transaction)?;
    let mut query =
        transaction.prepare_cached("SELECT level, hashes FROM compact_range ORDER BY level")?;
    let rows = query.query_map([], |row| {
        Ok((read_number(row, 0)?, row.get::<_, Vec<u8>>(1)?))
    })?;
    let mut levels = Vec::new();
    for row in rows {
        let (level, bytes) = row?;
        let (chunks, rest) = bytes.as_chunks::<32>();
        if level != levels.len() as u64 || !rest.is_empty() {
            return Ok((head, None));
        }
        levels.push(chunks.iter().copied().map(Hash).collect());
    }
    let range = CompactRange::new(head.size, levels).filter(|range| range.root() == head.root);
    Ok((head, range))
}

/// Replaces the head `old` by that of `range`. `false`, and nothing changed, when the head is
/// another by now.
pub(crate) fn replace_head(
    transaction: &Transaction<'_>,
    old: Head,
    range: &CompactRange,
    root: Hash,
    full: &[(FullTile, BlobDigest)],
) -> rusqlite::Result<bool> {
    let changed = transaction
        .prepare_cached("UPDATE log SET size = ?1, root = ?2 WHERE size = ?3 AND root = ?4")?
        .execute(params![
            number(range.size()),
            root.0,
            number(old.size),
            old.root.0
        ])?;
    if changed != 1 {
        return Ok(false);
    }
    for (tile, digest) in full {
        transaction
            .prepare_cached("INSERT INTO tile VALUES (?1, ?2, ?3)")?
            .execute(params![
                tile.level,
                number(tile.index),
                digest.digest().as_bytes()
            ])?;
    }
    for (level, hashes) in range.levels().iter().enumerate() {
        transaction
            .prepare_cached("INSERT OR REPLACE INTO compact_range VALUES (?1, ?2)")?
            .execute(params![level as i64, to_bytes(hashes)])?;
    }
    Ok(true)
}

/// The digests of everything in the store that the log stands for: full tiles, receipts and
/// verdicts.
pub(crate) fn blobs(connection: &Connection) -> rusqlite::Result<HashSet<BlobDigest>> {
    let mut query =
        connection.prepare_cached("SELECT digest FROM tile UNION ALL SELECT sha256 FROM entry")?;
    let rows = query.query_map([], |row| {
        Ok(BlobDigest::from(Digest::from_bytes(row.get(0)?)))
    })?;
    rows.collect()
}

/// Numbers an entry, unless it is a verdict that is known or a receipt of an order that has one.
/// Returns the entry that the log has for it.
pub(crate) fn submit(
    transaction: &Transaction<'_>,
    entry: &Entry,
    order_id: &str,
) -> rusqlite::Result<(u64, Entry)> {
    let kind = entry.kind.as_str();
    let digest = entry.sha256.digest();
    let position = transaction
        .prepare_cached(
            "INSERT INTO entry VALUES ((SELECT coalesce(max(position) + 1, 0) FROM entry), ?1, ?2, ?3)
             ON CONFLICT DO NOTHING RETURNING position",
        )?
        .query_row(params![digest.as_bytes(), kind, order_id], |row| read_number(row, 0))
        .optional()?;
    if let Some(position) = position {
        return Ok((position, *entry));
    }
    match entry.kind {
        EntryKind::Receipt => {
            receipt_of(transaction, order_id)?.ok_or(rusqlite::Error::QueryReturnedNoRows)
        }
        EntryKind::Verdict => transaction
            .prepare_cached(
                "SELECT position, sha256, kind FROM entry WHERE sha256 = ?1 AND kind = 'verdict'",
            )?
            .query_row([digest.as_bytes()], read_entry),
    }
}

/// Up to `limit` entries from `position` on, without gaps.
pub(crate) fn entries(
    connection: &Connection,
    position: u64,
    limit: u32,
) -> rusqlite::Result<Vec<Entry>> {
    let mut query = connection.prepare_cached(
        "SELECT position, sha256, kind FROM entry WHERE position >= ?1 ORDER BY position LIMIT ?2",
    )?;
    let rows = query.query_map(params![number(position), limit], read_entry)?;
    let mut entries = Vec::new();
    for row in rows {
        let (found, entry) = row?;
        if found != position + entries.len() as u64 {
            break;
        }
        entries.push(entry);
    }
    Ok(entries)
}

/// Where the receipt of an order stands.
pub(crate) fn receipt_of(
    connection: &Connection,
    order_id: &str,
) -> rusqlite::Result<Option<(u64, Entry)>> {
    connection
        .prepare_cached(
            "SELECT position, sha256, kind FROM entry WHERE order_id = ?1 AND kind = 'receipt'",
        )?
        .query_row([order_id], read_entry)
        .optional()
}

/// The verdicts on an order's receipt.
pub(crate) fn verdicts_of(
    connection: &Connection,
    order_id: &str,
) -> rusqlite::Result<Vec<(u64, Entry)>> {
    let mut query = connection.prepare_cached(
        "SELECT position, sha256, kind FROM entry WHERE order_id = ?1 AND kind = 'verdict' ORDER BY position",
    )?;
    query.query_map([order_id], read_entry)?.collect()
}

/// How many entries were submitted.
pub(crate) fn count(connection: &Connection) -> rusqlite::Result<u64> {
    connection.query_row(
        "SELECT coalesce(max(position) + 1, 0) FROM entry",
        [],
        |row| read_number(row, 0),
    )
}

/// The entry at `position` and its order.
pub(crate) fn entry_at(
    connection: &Connection,
    position: u64,
) -> rusqlite::Result<Option<(String, Entry)>> {
    connection
        .prepare_cached("SELECT position, sha256, kind, order_id FROM entry WHERE position = ?1")?
        .query_row([number(position)], |row| {
            Ok((row.get(3)?, read_entry(row)?.1))
        })
        .optional()
}

/// An entry from the columns position, sha256 and kind.
fn read_entry(row: &Row<'_>) -> rusqlite::Result<(u64, Entry)> {
    let kind = match row.get_ref(2)?.as_str()? {
        "receipt" => EntryKind::Receipt,
        "verdict" => EntryKind::Verdict,
        _ => return Err(rusqlite::Error::InvalidQuery),
    };
    let sha256 = ReceiptDigest::from(Digest::from_bytes(row.get(1)?));
    Ok((read_number(row, 0)?, Entry { kind, sha256 }))
}

/// The digest of a full tile.
pub(crate) fn tile(
    connection: &Connection,
    level: u8,
    index: u64,
) -> rusqlite::Result<Option<BlobDigest>> {
    connection
        .prepare_cached("SELECT digest FROM tile WHERE level = ?1 AND position = ?2")?
        .query_row(params![level, number(index)], |row| {
            Ok(Digest::from_bytes(row.get(0)?).into())
        })
        .optional()
}

/// Keeps what witnesses signed of the head of this size: of each witness one line, the latest.
pub(crate) fn add_cosignatures(
    transaction: &Transaction<'_>,
    size: u64,
    lines: &[NoteSignature],
) -> rusqlite::Result<()> {
    let known: Vec<String> = transaction
        .prepare_cached("SELECT line FROM cosignature WHERE size = ?1")?
        .query_map([number(size)], |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    for line in lines {
        let earlier = known
            .iter()
            .filter(|known| NoteSignature::parse(known).is_some_and(|known| is_same(&known, line)));
        for earlier in earlier {
            transaction
                .prepare_cached("DELETE FROM cosignature WHERE size = ?1 AND line = ?2")?
                .execute(params![number(size), earlier])?;
        }
        transaction
            .prepare_cached("INSERT OR IGNORE INTO cosignature VALUES (?1, ?2)")?
            .execute(params![number(size), line.to_string()])?;
    }
    Ok(())
}

/// Whether two lines are the same witness's.
fn is_same(one: &NoteSignature, other: &NoteSignature) -> bool {
    one.name == other.name && one.id == other.id
}

/// Lines that are looked at for the best cosigned size.
const COSIGNATURES_LIMIT: u32 = 256;

/// What witnesses signed of heads not smaller than `least`, the newest of them: by size, of each
/// witness one line.
pub(crate) fn cosigned(
    connection: &Connection,
    least: u64,
) -> rusqlite::Result<BTreeMap<u64, Vec<NoteSignature>>> {
    let mut query = connection.prepare_cached(
        "SELECT size, line FROM cosignature WHERE size >= ?1 ORDER BY size DESC, line LIMIT ?2",
    )?;
    let rows = query.query_map(params![number(least), COSIGNATURES_LIMIT], |row| {
        Ok((read_number(row, 0)?, row.get::<_, String>(1)?))
    })?;
    let mut sizes = BTreeMap::<u64, Vec<NoteSignature>>::new();
    for row in rows {
        let (size, line) = row?;
        let Some(line) = NoteSignature::parse(&line) else {
            continue;
        };
        sizes.entry(size).or_default().push(line);
    }
    Ok(sizes)
}

/// The inner nodes of a partial tile.
pub(crate) fn partial(range: &CompactRange, level: u8) -> Option<TileNodes> {
    let hashes = range
        .levels()
        .get(usize::from(level))
        .filter(|hashes| !hashes.is_empty())?;
    Some(TileNodes::new(hashes.clone()))
}
