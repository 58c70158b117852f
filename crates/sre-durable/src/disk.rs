//! The file-system steps a durable write is made of.
//!
//! A file appears whole or not at all:
//! ```text
//! mkdir  large/ab                      0700
//! fsync  large/                        the folder entry survives
//! open   tmp/.put-XXXXXX  O_EXCL       0600
//! write, fsync                         the bytes survive
//! rename tmp/.put-XXXXXX large/ab/…    the name appears, whole
//! fsync  large/ab/                     the name survives
//! ```
//! The steps are a trait, so that a test can let each of them fail before or after it took effect.
//!
//! This module does not decide names, limits or what a crash leaves to repair; its callers do. For
//! single files there are [`replace_file`](crate::replace_file) and
//! [`create_file`](crate::create_file).

use std::fs::{DirBuilder, File};
use std::io::{self, ErrorKind, Write};
use std::path::Path;

use tempfile::{NamedTempFile, TempPath};

/// What a store needs from a file system to write durably. Calls block; they are made on threads
/// that may.
pub trait Disk: Send + Sync + 'static {
    /// Makes one folder with mode 0700. `false` when something of that name is there already.
    ///
    /// # Errors
    /// As `mkdir(2)`, except that an existing name is not an error.
    fn create_dir(&self, path: &Path) -> io::Result<bool>;

    /// Makes a new, empty file with mode 0600 and a random name in `folder`. It is removed when it
    /// is dropped.
    ///
    /// # Errors
    /// As `open(2)`.
    fn create_temporary(&self, folder: &Path) -> io::Result<NamedTempFile>;

    /// Writes `bytes` behind what is in the temporary file.
    ///
    /// # Errors
    /// As `write(2)`; some of the bytes may be written.
    fn append(&self, file: &mut NamedTempFile, bytes: &[u8]) -> io::Result<()>;

    /// Makes the bytes of the temporary file durable and closes it. The file is removed when the
    /// returned path is dropped.
    ///
    /// # Errors
    /// As `fsync(2)`; the file is removed.
    fn sync_temporary(&self, file: NamedTempFile) -> io::Result<TempPath>;

    /// A new temporary file in `folder` with these bytes, durable.
    ///
    /// # Errors
    /// As [`Disk::create_temporary`], [`Disk::append`] and [`Disk::sync_temporary`].
    fn write_temporary(&self, folder: &Path, bytes: &[u8]) -> io::Result<TempPath> {
        let mut file = self.create_temporary(folder)?;
        self.append(&mut file, bytes)?;
        self.sync_temporary(file)
    }

    /// Gives the temporary file its name, atomically replacing what has that name.
    ///
    /// # Errors
    /// As `rename(2)`.
    fn rename(&self, from: TempPath, to: &Path) -> io::Result<()>;

    /// Makes the names in a folder durable.
    ///
    /// # Errors
    /// As `fsync(2)`.
    fn sync_dir(&self, path: &Path) -> io::Result<()>;
}

/// The operating system's file system.
#[derive(Debug, Clone, Copy, Default)]
pub struct OsDisk;

impl Disk for OsDisk {
    fn create_dir(&self, path: &Path) -> io::Result<bool> {
        let mut builder = DirBuilder::new();
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        match builder.create(path) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(false),
            Err(error) => Err(error),
        }
    }

    fn create_temporary(&self, folder: &Path) -> io::Result<NamedTempFile> {
        // tempfile opens with O_EXCL and mode 0600.
        tempfile::Builder::new()
            .prefix(".put-")
            .rand_bytes(12)
            .tempfile_in(folder)
    }

    fn append(&self, file: &mut NamedTempFile, bytes: &[u8]) -> io::Result<()> {
        file.write_all(bytes)
    }

    fn sync_temporary(&self, file: NamedTempFile) -> io::Result<TempPath> {
        file.as_file().sync_all()?;
        Ok(file.into_temp_path())
    }

    fn rename(&self, from: TempPath, to: &Path) -> io::Result<()> {
        from.persist(to).map_err(|failed| failed.error)
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        // Windows cannot open a folder as a file and makes renames durable with the file itself.
        if cfg!(unix) {
            File::open(path)?.sync_all()
        } else {
            Ok(())
        }
    }
}

/// Makes a folder and its missing parents, mode 0700 each, durable when this returns. What exists
/// is left as it is.
///
/// # Errors
/// As [`Disk::create_dir`] and [`Disk::sync_dir`]; `NotADirectory` when a file is in the way.
pub fn create_folder(disk: &dyn Disk, path: &Path) -> io::Result<()> {
    if path.is_dir() {
        return Ok(());
    }
    let parent = folder_of(path);
    create_folder(disk, parent)?;
    if !disk.create_dir(path)? && !path.is_dir() {
        return Err(ErrorKind::NotADirectory.into());
    }
    disk.sync_dir(parent)
}

/// The folder that `path` lies in; for a bare name, the working directory.
#[must_use]
pub fn folder_of(path: &Path) -> &Path {
    path.parent()
        .filter(|parent| !parent.as_os_str().is_empty())
        .unwrap_or(Path::new("."))
}
