//! A copy of an open database, made through the connection, because the file may not have a name
//! any more.
//!
//! The copy lies beside the database's path. As long as it is there, no database is opened at that
//! path: an empty one would look as if it had never held anything.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use rusqlite::Connection;
use tempfile::TempPath;

use crate::error::OpenError;
use sre_durable::{Disk, OsDisk, folder_of};

/// The end of the names of copies.
const END: &str = ".sqlite3";

/// A new name beside `path`.
pub(super) fn name_beside(path: &Path) -> PathBuf {
    let now_ms = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |time| time.as_millis());
    path.with_file_name(format!(
        "{}{}-{now_ms}{END}",
        beginning(path),
        std::process::id()
    ))
}

/// Refuses to open a database beside a copy of one, for callers that do not open it after all.
///
/// # Errors
/// [`OpenError::Saved`].
pub fn refuse_beside_copy(path: &Path) -> Result<(), OpenError> {
    // A folder that cannot be read is reported when the database is opened.
    let Ok(entries) = fs::read_dir(folder_of(path)) else {
        return Ok(());
    };
    let beginning = beginning(path);
    let is_copy = |name: &str| name.starts_with(&beginning) && name.ends_with(END);
    let copy = entries
        .flatten()
        .find(|entry| entry.file_name().to_str().is_some_and(is_copy));
    copy.map_or(Ok(()), |copy| {
        Err(OpenError::Saved {
            copy: copy.path(),
            path: path.to_path_buf(),
        })
    })
}

fn beginning(path: &Path) -> String {
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    format!("{stem}-saved-")
}

/// Writes the copy `to`, which appears whole or not at all.
pub(super) fn save(connection: &Connection, to: &Path) -> Result<(), OpenError> {
    let folder = folder_of(to);
    let io = |action| OpenError::io(action, to);
    if to.exists() {
        return Err(io("make")(std::io::ErrorKind::AlreadyExists.into()));
    }
    // SQLite takes an empty file for one that it may fill, and leaves its mode as it is.
    let temporary: TempPath = OsDisk.write_temporary(folder, &[]).map_err(io("make"))?;
    fill(connection, &temporary).map_err(OpenError::sqlite(to))?;
    File::open(&temporary)
        .and_then(|file| file.sync_all())
        .map_err(io("write"))?;
    OsDisk.rename(temporary, to).map_err(io("make"))?;
    OsDisk.sync_dir(folder).map_err(io("keep"))
}

fn fill(connection: &Connection, file: &Path) -> rusqlite::Result<()> {
    // `VACUUM INTO` reads this database and writes another one, for which it must be allowed to
    // write at all.
    connection.pragma_update(None, "query_only", false)?;
    let name = file
        .to_str()
        .ok_or_else(|| rusqlite::Error::InvalidPath(file.to_path_buf()));
    let filled = name.and_then(|name| connection.execute("VACUUM INTO ?1", [name]).map(drop));
    connection.pragma_update(None, "query_only", true)?;
    filled
}
