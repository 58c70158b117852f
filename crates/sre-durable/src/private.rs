//! Files and folders of one user that are written whole: keys, tokens, what a process must remember
//! beside its journal.
//!
//! Files have mode 0600, folders 0700. A file appears whole or not at all, under the steps of
//! [`Disk`], and is durable when the call returns. A process that dies before that leaves at most a
//! temporary file, which is never read. Calls block.
//!
//! Reading is left to the callers, and so is what to do about permissions that were changed since.

use std::io;
use std::path::Path;

use tempfile::TempPath;

use crate::disk::{Disk, OsDisk, create_folder, folder_of};

/// Makes a folder and its missing parents. What exists is left as it is.
///
/// # Errors
/// As `mkdir(2)` and `fsync(2)`; `NotADirectory` when something else is in the way.
pub fn private_folder(path: &Path) -> io::Result<()> {
    create_folder(&OsDisk, path)
}

/// Writes a file in a folder that exists, in the place of what has that name.
///
/// # Errors
/// As `open(2)`, `write(2)`, `rename(2)` and `fsync(2)`. The file has either the old content or
/// the new one.
pub fn replace_file(path: &Path, bytes: &[u8]) -> io::Result<()> {
    place(path, bytes, |file| OsDisk.rename(file, path))
}

/// Writes a file in a folder that exists, unless the name is taken: `false`, and what has it stays.
/// Of two that come at once, one makes it.
///
/// # Errors
/// As [`replace_file`].
pub fn create_file(path: &Path, bytes: &[u8]) -> io::Result<bool> {
    place(path, bytes, |file| match file.persist_noclobber(path) {
        Ok(()) => Ok(true),
        Err(failed) if failed.error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
        Err(failed) => Err(failed.error),
    })
}

fn place<T>(
    path: &Path,
    bytes: &[u8],
    give_name: impl FnOnce(TempPath) -> io::Result<T>,
) -> io::Result<T> {
    let folder = folder_of(path);
    let placed = give_name(OsDisk.write_temporary(folder, bytes)?)?;
    OsDisk.sync_dir(folder)?;
    Ok(placed)
}
