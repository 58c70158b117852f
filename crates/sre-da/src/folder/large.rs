//! Large blobs: one file each. All functions block.

use std::fs::{self, File};
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime};

use sre_core::BlobDigest;

use crate::{Blob, StoreError};
use sre_durable::{Disk, create_folder};
use sre_sqlite::OpenError;

/// A younger file in `tmp/` may belong to a living process that shares the folder.
const LEFTOVER_AGE: Duration = Duration::from_secs(3600);

/// The folders of large blobs.
pub(super) struct Large {
    disk: Arc<dyn Disk>,
    large: PathBuf,
    temporary: PathBuf,
    limit_bytes: u64,
    /// Which of the 256 folders have durable names, as far as this process has seen to it. One that
    /// another process made is not known to be: that process may have died between making it and
    /// making it durable.
    durable_folders: [AtomicBool; 256],
}

/// The folder and the file of a digest below the folder of large blobs.
pub(super) fn place_in(large: &Path, digest: BlobDigest) -> (PathBuf, PathBuf) {
    let name = digest.to_string();
    let folder = large.join(&name[..2]);
    let path = folder.join(name);
    (folder, path)
}

/// The bytes of a large blob's file, not yet checked, if there is one.
pub(super) fn read(
    path: &Path,
    digest: BlobDigest,
    limit_bytes: u64,
) -> Result<Option<Arc<[u8]>>, StoreError> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(StoreError::io("open", path)(error)),
    };
    let size_bytes = file.metadata().map_err(StoreError::io("read", path))?.len();
    let mut bytes =
        Vec::with_capacity(usize::try_from(size_bytes.min(limit_bytes)).unwrap_or_default());
    // One byte more than allowed tells a file that grew from one that just fits.
    let limited = file
        .take(limit_bytes.saturating_add(1))
        .read_to_end(&mut bytes);
    limited.map_err(StoreError::io("read", path))?;
    if bytes.len() as u64 > limit_bytes {
        return Err(StoreError::TooLarge {
            digest,
            size_bytes,
            limit_bytes,
        });
    }
    Ok(Some(bytes.into()))
}

impl Large {
    /// Makes the folders and sweeps what dead processes left in `tmp/`.
    pub(super) fn open(
        dir: &Path,
        disk: Arc<dyn Disk>,
        limit_bytes: u64,
    ) -> Result<Self, OpenError> {
        let (large, temporary) = (dir.join("large"), dir.join("tmp"));
        for folder in [&large, &temporary] {
            create_folder(&*disk, folder).map_err(OpenError::io("create folder", folder))?;
        }
        sweep(&temporary, SystemTime::now());
        Ok(Self {
            disk,
            large,
            temporary,
            limit_bytes,
            durable_folders: [const { AtomicBool::new(false) }; 256],
        })
    }

    /// Writes the blob, or makes sure that it is there, and returns when it is durable.
    pub(super) fn put(&self, blob: &Blob) -> Result<(), StoreError> {
        let (folder, path) = self.place(blob.digest());
        if !self.holds(blob, &path) {
            let written = self.disk.write_temporary(&self.temporary, blob.bytes());
            let written =
                written.map_err(StoreError::io("write a temporary file in", &self.temporary))?;
            // Dying here leaves a file in tmp/; the sweep at a later open removes it.
            self.ensure_folder(blob.digest(), &folder)?;
            self.disk
                .rename(written, &path)
                .map_err(StoreError::io("name the file", &path))?;
        } else {
            self.ensure_folder(blob.digest(), &folder)?;
        }
        // Dying here leaves a whole file whose name may be lost with the power. Nobody was told
        // that it is stored; the next put of the blob finds the file and comes by here again.
        self.disk
            .sync_dir(&folder)
            .map_err(StoreError::io("make durable the folder", &folder))
    }

    /// The bytes of the file, not yet checked, if there is one.
    pub(super) fn get(&self, digest: BlobDigest) -> Result<Option<Arc<[u8]>>, StoreError> {
        read(&self.place(digest).1, digest, self.limit_bytes)
    }

    pub(super) fn exists(&self, digest: BlobDigest) -> Result<bool, StoreError> {
        let (_, path) = self.place(digest);
        match fs::metadata(&path) {
            Ok(metadata) => Ok(metadata.is_file()),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
            Err(error) => Err(StoreError::io("look at", path)(error)),
        }
    }

    /// Removes the files that `keep` does not want. Returns how many and their bytes.
    pub(super) fn retain(
        &self,
        keep: &(dyn Fn(BlobDigest) -> bool + Sync),
    ) -> Result<(u64, u64), StoreError> {
        let (mut blobs, mut bytes) = (0, 0);
        let folders =
            fs::read_dir(&self.large).map_err(StoreError::io("read folder", &self.large))?;
        for folder in folders.flatten().filter(|entry| entry.path().is_dir()) {
            let path = folder.path();
            for file in fs::read_dir(&path)
                .map_err(StoreError::io("read folder", &path))?
                .flatten()
            {
                // What is no digest is not ours.
                let Some(digest) = file.file_name().to_str().and_then(|name| name.parse().ok())
                else {
                    continue;
                };
                if !keep(digest) {
                    bytes += file.metadata().map_or(0, |metadata| metadata.len());
                    fs::remove_file(file.path()).map_err(StoreError::io("remove", file.path()))?;
                    blobs += 1;
                }
            }
        }
        Ok((blobs, bytes))
    }

    /// The folder and the file of a digest.
    pub(super) fn place(&self, digest: BlobDigest) -> (PathBuf, PathBuf) {
        place_in(&self.large, digest)
    }

    /// Whether the file has exactly these bytes. A file that cannot be read is replaced like a
    /// wrong one.
    fn holds(&self, blob: &Blob, path: &Path) -> bool {
        let same_size =
            fs::metadata(path).is_ok_and(|metadata| metadata.len() == blob.bytes().len() as u64);
        same_size && fs::read(path).is_ok_and(|bytes| bytes[..] == blob.bytes()[..])
    }

    fn ensure_folder(&self, digest: BlobDigest, folder: &Path) -> Result<(), StoreError> {
        let durable = &self.durable_folders[usize::from(digest.digest().as_bytes()[0])];
        let made = self
            .disk
            .create_dir(folder)
            .map_err(StoreError::io("create folder", folder))?;
        if made || !durable.load(Ordering::Acquire) {
            durable.store(false, Ordering::Release);
            self.disk
                .sync_dir(&self.large)
                .map_err(StoreError::io("make durable the folder", &self.large))?;
            durable.store(true, Ordering::Release);
        }
        Ok(())
    }
}

/// Removes old leftovers. Failing to is no reason not to open: they only take space.
fn sweep(temporary: &Path, now: SystemTime) {
    let Ok(entries) = fs::read_dir(temporary) else {
        return;
    };
    for entry in entries.flatten() {
        let modified = entry.metadata().and_then(|metadata| metadata.modified());
        let is_old =
            modified.is_ok_and(|time| now.duration_since(time).is_ok_and(|age| age > LEFTOVER_AGE));
        if is_old && entry.file_name().as_encoded_bytes().starts_with(b".put-") {
            match fs::remove_file(entry.path()) {
                Ok(()) => {
                    tracing::info!(path = %entry.path().display(), "removed the leftover of an interrupted write")
                }
                Err(error) => {
                    tracing::warn!(path = %entry.path().display(), %error, "cannot remove a leftover")
                }
            }
        }
    }
}
