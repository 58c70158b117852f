//! Keeps the cache within its limit: callers that may bring programs could otherwise fill the disk with
//! them.
//!
//! An entry's modification time says when it was last of use. When there is too much, the entries
//! that have been of no use for longest go. Several processes may do this at once: each looks at
//! what is there, an entry that another one removed is removed, and one that is removed while
//! another process reads it is read to its end. Between two looks a process counts what it writes itself,
//! so that with n processes the folder may hold n times [`UNSEEN`] more than the limit.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};

/// After writing the limit divided by this, a process looks at the folder again: others write there
/// too.
const UNSEEN: u64 = 64;

/// Times of use are kept to the day, so that loading seldom writes.
const TOUCHED_AFTER: Duration = Duration::from_secs(24 * 3600);

/// What even a small file takes.
const FILE_BYTES: u64 = 4096;

pub(super) struct SizeLimit {
    limit_bytes: u64,
    /// `None` before the first look.
    seen: Mutex<Option<HostResponse>>,
}

struct HostResponse {
    /// What was there, with what this process has written since.
    total_bytes: u64,
    written_bytes: u64,
}

impl SizeLimit {
    pub(super) const fn new(limit_bytes: u64) -> Self {
        Self {
            limit_bytes,
            seen: Mutex::new(None),
        }
    }

    /// Whether an entry of this size can be kept at all.
    pub(super) const fn holds(&self, bytes: u64) -> bool {
        bytes <= self.limit_bytes
    }

    /// Notes that an entry of this size was written into `folder`, and removes others if there is
    /// too much now.
    pub(super) fn note_written(&self, folder: &Path, bytes: u64) {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(seen) = &mut *seen {
            seen.total_bytes += on_disk(bytes);
            seen.written_bytes += on_disk(bytes);
            if seen.total_bytes <= self.limit_bytes
                && seen.written_bytes <= self.limit_bytes / UNSEEN
            {
                return;
            }
        }
        *seen = Some(HostResponse {
            total_bytes: evict(folder, self.limit_bytes),
            written_bytes: 0,
        });
    }
}

/// Notes that the entry at `path` was of use.
pub(super) fn mark_used(path: &Path) {
    let touched = || -> std::io::Result<()> {
        let file = fs::OpenOptions::new().write(true).open(path)?;
        if file
            .metadata()?
            .modified()?
            .elapsed()
            .is_ok_and(|age| age > TOUCHED_AFTER)
        {
            file.set_modified(SystemTime::now())?;
        }
        Ok(())
    };
    if let Err(error) = touched() {
        tracing::debug!(path = %path.display(), %error, "the time of use could not be noted");
    }
}

/// Removes entries until an eighth of the limit is free, if there are more than the limit; returns
/// the bytes of the others.
fn evict(folder: &Path, limit_bytes: u64) -> u64 {
    let mut entries: Vec<_> = fs::read_dir(folder)
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(entry)
        .collect();
    let mut total = entries.iter().map(|(_, bytes, _)| bytes).sum::<u64>();
    if total <= limit_bytes {
        return total;
    }
    entries.sort();
    // The last one is what was just written.
    entries.pop();
    let before = total;
    for (_, bytes, path) in entries {
        if total <= limit_bytes - limit_bytes / 8 {
            break;
        }
        match fs::remove_file(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                tracing::warn!(path = %path.display(), %error, "old compiled code could not be removed");
            }
            _ => total -= bytes,
        }
    }
    tracing::debug!(folder = %folder.display(), removed_bytes = before - total, "old compiled code was removed");
    total
}

/// When an entry was last of use, what it takes, and where it is; `None` for other files.
fn entry(found: fs::DirEntry) -> Option<(SystemTime, u64, PathBuf)> {
    let path = found.path();
    if path
        .extension()
        .is_none_or(|extension| extension != "cwasm")
    {
        return None;
    }
    let metadata = found.metadata().ok()?;
    Some((metadata.modified().ok()?, on_disk(metadata.len()), path))
}

const fn on_disk(bytes: u64) -> u64 {
    bytes.next_multiple_of(FILE_BYTES)
}
