//! Large blobs: one file each. All functions block.

use std::fs::{self, File};
use std::io::{ErrorKind, Read, Seek as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime};

use sre_core::{BlobDigest, Hasher};
use tempfile::{NamedTempFile, TempPath};

use crate::blob::Blob;
use crate::store_error::StoreError;
use crate::sweep::Removed;
use sre_durable::{Disk, create_folder};
use sre_sqlite::OpenError;

/// A younger file in `tmp/` may belong to a living process that shares the folder.
const LEFTOVER_AGE: Duration = Duration::from_secs(3600);

/// A blob is checked in pieces of this size.
const READ_BYTES: usize = 256 << 10;

/// The folders of large blobs.
pub(super) struct Large {
    disk: Arc<dyn Disk>,
    large: PathBuf,
    temporary: PathBuf,
    limit_bytes: u64,
    /// Which of the 256 folders this process has made durable. A folder that another process made
    /// does not count: that process may have died between making it and syncing its parent.
    durable_folders: [AtomicBool; 256],
}

/// The folder and the file of a digest below the folder of large blobs.
pub(super) fn path_in(large: &Path, digest: BlobDigest) -> (PathBuf, PathBuf) {
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
        let (folder, path) = self.path_of(blob.digest());
        if !self.holds(blob, &path) {
            let written = self.disk.write_temporary(&self.temporary, blob.bytes());
            let written =
                written.map_err(StoreError::io("write a temporary file in", &self.temporary))?;
            return self.place(written, blob.digest());
        }
        self.ensure_folder(blob.digest(), &folder)?;
        self.sync_folder(&folder)
    }

    /// An empty temporary file.
    pub(super) fn create_temporary(&self) -> Result<NamedTempFile, StoreError> {
        self.disk
            .create_temporary(&self.temporary)
            .map_err(StoreError::io("make a temporary file in", &self.temporary))
    }

    /// Writes `bytes` behind what is in a temporary file.
    pub(super) fn append(&self, file: &mut NamedTempFile, bytes: &[u8]) -> Result<(), StoreError> {
        self.disk
            .append(file, bytes)
            .map_err(StoreError::io("write a temporary file in", &self.temporary))
    }

    /// Makes a temporary file the blob with this digest, which its bytes must have. It replaces
    /// what stands there, in case that is wrong.
    pub(super) fn place_file(
        &self,
        file: NamedTempFile,
        digest: BlobDigest,
    ) -> Result<(), StoreError> {
        let written = self.disk.sync_temporary(file);
        let written =
            written.map_err(StoreError::io("write a temporary file in", &self.temporary))?;
        self.place(written, digest)
    }

    fn place(&self, written: TempPath, digest: BlobDigest) -> Result<(), StoreError> {
        let (folder, path) = self.path_of(digest);
        // A process that dies here leaves a file in tmp/; the sweep at a later open removes it.
        self.ensure_folder(digest, &folder)?;
        self.disk
            .rename(written, &path)
            .map_err(StoreError::io("name the file", &path))?;
        self.sync_folder(&folder)
    }

    fn sync_folder(&self, folder: &Path) -> Result<(), StoreError> {
        // A process that dies here leaves a whole file whose name may be lost in a power cut. The
        // put was not acknowledged; the next put of the blob finds the file and syncs the folder
        // again.
        self.disk
            .sync_dir(folder)
            .map_err(StoreError::io("make durable the folder", folder))
    }

    /// The file of a blob with its size in bytes, if there is one, once all of it was checked.
    pub(super) fn open_blob(&self, digest: BlobDigest) -> Result<Option<(File, u64)>, StoreError> {
        let (_, path) = self.path_of(digest);
        let mut file = match File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(StoreError::io("open", path)(error)),
        };
        let (mut hasher, mut size_bytes) = (Hasher::new(), 0);
        let mut piece = vec![0; READ_BYTES];
        loop {
            let count = file
                .read(&mut piece)
                .map_err(StoreError::io("read", &path))?;
            if count == 0 {
                break;
            }
            size_bytes += count as u64;
            if size_bytes > self.limit_bytes {
                return Err(StoreError::TooLarge {
                    digest,
                    size_bytes,
                    limit_bytes: self.limit_bytes,
                });
            }
            hasher.update(&piece[..count]);
        }
        let actual = BlobDigest::from(hasher.finish());
        if actual != digest {
            return Err(StoreError::Mismatch {
                expected: digest,
                actual,
                place: path.display().to_string(),
            });
        }
        // Files never change in place, so what was checked is what this handle reads.
        file.rewind().map_err(StoreError::io("read", &path))?;
        Ok(Some((file, size_bytes)))
    }

    /// The bytes of the file, not yet checked, if there is one.
    pub(super) fn get(&self, digest: BlobDigest) -> Result<Option<Arc<[u8]>>, StoreError> {
        read(&self.path_of(digest).1, digest, self.limit_bytes)
    }

    pub(super) fn exists(&self, digest: BlobDigest) -> Result<bool, StoreError> {
        let (_, path) = self.path_of(digest);
        match fs::metadata(&path) {
            Ok(metadata) => Ok(metadata.is_file()),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
            Err(error) => Err(StoreError::io("look at", path)(error)),
        }
    }

    /// The digests of the files in folder number `folder`, of 256.
    pub(super) fn list(&self, folder: u16) -> Result<Vec<BlobDigest>, StoreError> {
        let path = self.large.join(format!("{folder:02x}"));
        let files = match fs::read_dir(&path) {
            Ok(files) => files,
            // It is made with its first blob.
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(StoreError::io("read folder", path)(error)),
        };
        let mut digests = Vec::new();
        for file in files {
            let file = file.map_err(StoreError::io("read folder", &path))?;
            // A name that is not a digest was not made here.
            let digest: Option<BlobDigest> =
                file.file_name().to_str().and_then(|name| name.parse().ok());
            digests.extend(digest);
        }
        Ok(digests)
    }

    /// Removes the files of these digests.
    pub(super) fn remove(&self, digests: &[BlobDigest]) -> Result<Removed, StoreError> {
        let mut removed = Removed::default();
        for digest in digests {
            let (_, path) = self.path_of(*digest);
            let size_bytes = match fs::metadata(&path) {
                Ok(file) => file.len(),
                Err(error) if error.kind() == ErrorKind::NotFound => continue,
                Err(error) => return Err(StoreError::io("look at", path)(error)),
            };
            fs::remove_file(&path).map_err(StoreError::io("remove", &path))?;
            removed.blobs += 1;
            removed.bytes += size_bytes;
        }
        Ok(removed)
    }

    /// The folder and the file of a digest.
    pub(super) fn path_of(&self, digest: BlobDigest) -> (PathBuf, PathBuf) {
        path_in(&self.large, digest)
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

/// Removes old leftovers. If that fails the store opens nevertheless: they only take space.
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
