//! A copy of a database that is open, made through the connection: the file may have no name any more.

use std::fs::File;
use std::path::Path;

use rusqlite::Connection;
use tempfile::TempPath;

use super::OpenError;
use crate::{Disk, OsDisk};

/// Makes the file `to`; it appears whole or not at all.
pub(super) fn save(connection: &Connection, to: &Path) -> Result<(), OpenError> {
    let folder = to.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let io = |action| OpenError::io(action, to);
    if to.exists() {
        return Err(io("make")(std::io::ErrorKind::AlreadyExists.into()));
    }
    // SQLite takes an empty file for one that it may fill, and leaves its mode as it is.
    let temporary: TempPath = OsDisk.write_temporary(folder, &[]).map_err(io("make"))?;
    fill(connection, &temporary).map_err(OpenError::sqlite(to))?;
    File::open(&temporary).and_then(|file| file.sync_all()).map_err(io("write"))?;
    OsDisk.rename(temporary, to).map_err(io("make"))?;
    OsDisk.sync_dir(folder).map_err(io("keep"))
}

fn fill(connection: &Connection, file: &Path) -> rusqlite::Result<()> {
    // `VACUUM INTO` reads this database and writes another one, for which it must be allowed to write at all.
    connection.pragma_update(None, "query_only", false)?;
    let name = file.to_str().ok_or_else(|| rusqlite::Error::InvalidPath(file.to_path_buf()));
    let filled = name.and_then(|name| connection.execute("VACUUM INTO ?1", [name]).map(drop));
    connection.pragma_update(None, "query_only", true)?;
    filled
}
