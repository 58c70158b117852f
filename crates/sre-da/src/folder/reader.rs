//! A store that is only read: a backup, a medium that cannot be written, another user's folder.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::{Connection, OpenFlags, OptionalExtension, params};
use sre_core::BlobDigest;

use super::LocalStoreOptions;
use super::large::{path_in, read};
use super::small::{APPLICATION_ID, GET};
use crate::store_error::StoreError;
use sre_sqlite::{OpenError, ReadError};

/// Reads the blobs in the folder of a [`LocalStore`](super::LocalStore) and changes nothing there.
/// May be used while others write.
#[derive(Debug)]
pub struct LocalReader {
    path: PathBuf,
    small: Mutex<Connection>,
    large: PathBuf,
    blob_limit_bytes: u64,
}

impl LocalReader {
    /// Opens the store in `dir`.
    ///
    /// # Errors
    /// [`StoreError::Backend`].
    pub fn open(dir: &Path) -> Result<Self, StoreError> {
        let path = dir.join("small.sqlite3");
        let small = connect(&path).map_err(OpenError::sqlite(&path))?;
        let found = small
            .query_row("PRAGMA application_id", [], |row| row.get(0))
            .map_err(OpenError::sqlite(&path))?;
        if found != APPLICATION_ID {
            return Err(OpenError::Foreign {
                path,
                found,
                expected: APPLICATION_ID,
            }
            .into());
        }
        let blob_limit_bytes = LocalStoreOptions::default().blob_limit_bytes;
        Ok(Self {
            path,
            small: Mutex::new(small),
            large: dir.join("large"),
            blob_limit_bytes,
        })
    }

    /// The bytes with this digest, recomputed before they are returned. Blocks.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], [`StoreError::Mismatch`], otherwise what the storage said.
    pub fn get(&self, digest: BlobDigest) -> Result<Arc<[u8]>, StoreError> {
        let (bytes, place) = match self.small(digest)? {
            Some(bytes) => (bytes, self.path.clone()),
            None => {
                let (_, file) = path_in(&self.large, digest);
                (
                    read(&file, digest, self.blob_limit_bytes)?
                        .ok_or(StoreError::NotFound { digest })?,
                    file,
                )
            }
        };
        StoreError::expect_digest(digest, &bytes, || place.display().to_string())?;
        Ok(bytes)
    }

    fn small(&self, digest: BlobDigest) -> Result<Option<Arc<[u8]>>, StoreError> {
        let small = self.small.lock().unwrap_or_else(PoisonError::into_inner);
        let row = || {
            small
                .prepare_cached(GET)?
                .query_row(params![digest.digest().as_bytes()], |row| {
                    Ok(Arc::from(row.get_ref(0)?.as_blob()?))
                })
                .optional()
        };
        row().map_err(|source| {
            let path = self.path.clone();
            ReadError { path, source }.into()
        })
    }
}

/// Opens the file without changing anything. A file without a log is opened as immutable: otherwise
/// SQLite makes a `-shm` beside it, and refuses where it may not. The same is the second attempt
/// for a file with a log in a folder that cannot be written; then what is only in the log is not
/// seen.
fn connect(path: &Path) -> rusqlite::Result<Connection> {
    let is_open = path.with_extension("sqlite3-wal").exists();
    match is_open.then(|| connect_as(path, "mode=ro")) {
        Some(Ok(connection)) => Ok(connection),
        Some(Err(_)) | None => connect_as(path, "mode=ro&immutable=1"),
    }
}

fn connect_as(path: &Path, mode: &str) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY
        | OpenFlags::SQLITE_OPEN_NO_MUTEX
        | OpenFlags::SQLITE_OPEN_URI;
    let connection = Connection::open_with_flags(format!("file:{}?{mode}", escaped(path)), flags)?;
    connection.pragma_update(None, "trusted_schema", false)?;
    // The first look at the file.
    connection.query_row("PRAGMA schema_version", [], |_| Ok(()))?;
    Ok(connection)
}

/// A path for SQLite's URIs.
fn escaped(path: &Path) -> String {
    let mut text = String::new();
    for byte in path.as_os_str().as_encoded_bytes() {
        match byte {
            b'/' | b'.' | b'-' | b'_' | b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' => {
                text.push(char::from(*byte))
            }
            other => text.push_str(&format!("%{other:02X}")),
        }
    }
    text
}
