//! Reads a package from a folder of the local file system.
//!
//! Links are refused, not followed (only the folder's own path may be one). A file that is
//! exchanged between the look at it and the opening is noticed on Unix and refused. Hard links look
//! like plain files here and are read as such. Elsewhere than on Unix files have no executable bit,
//! so a package with executables gets another digest there: pack it as an archive instead.

use std::fs::{self, File, Metadata};
use std::io;
use std::path::Path;

use crate::SkillErrorKind;
use crate::limits::{PATH_LIMIT_BYTES, PackageLimits};
use crate::path::PathProblem;
use crate::tree::{SkillFile, Tree, TreeError};

/// A folder that is no package.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub(crate) struct FolderError(#[from] TreeError);

impl FolderError {
    pub(crate) fn kind(&self) -> SkillErrorKind {
        self.0.kind(SkillErrorKind::Unreadable)
    }
}

/// Reads every file below `root`.
pub(crate) fn read(root: &Path, limits: &PackageLimits) -> Result<Vec<SkillFile>, FolderError> {
    let mut tree = Tree::new(limits);
    let mut waiting = vec![String::new()];
    while let Some(folder) = waiting.pop() {
        let at = root.join(&folder);
        let unreadable = |source| TreeError::Unreadable {
            path: format!("{:?}", at.display().to_string()),
            source,
        };
        for entry in fs::read_dir(&at).map_err(unreadable)? {
            let entry = entry.map_err(unreadable)?;
            if let Some(subfolder) = read_entry(&mut tree, &folder, &entry)? {
                waiting.push(subfolder);
            }
        }
    }
    Ok(tree.into_files()?)
}

/// Reads one entry; a folder is returned for a later round.
fn read_entry(
    tree: &mut Tree,
    folder: &str,
    entry: &fs::DirEntry,
) -> Result<Option<String>, TreeError> {
    let name = entry.file_name();
    let mut raw = folder.as_bytes().to_vec();
    if !folder.is_empty() {
        raw.push(b'/');
    }
    raw.extend_from_slice(name.as_encoded_bytes());
    let Some(path) = tree.admit(&raw)? else {
        return Ok(None);
    };
    if path.len() > PATH_LIMIT_BYTES {
        return Err(TreeError::Path {
            path: crate::path::shown(&raw),
            problem: PathProblem::TooLong,
        });
    }
    let unreadable = |source| TreeError::Unreadable {
        path: crate::path::shown(path.as_bytes()),
        source,
    };
    let seen = fs::symlink_metadata(entry.path()).map_err(unreadable)?;
    if seen.is_dir() {
        tree.add_folder(path)?;
        return Ok(Some(path.to_owned()));
    }
    if seen.is_symlink() {
        return Err(TreeError::special(path, "a symbolic link"));
    }
    if !seen.is_file() {
        return Err(TreeError::special(path, "a device, pipe or socket"));
    }
    let file = File::open(entry.path()).map_err(unreadable)?;
    if !is_same(&seen, &file.metadata().map_err(unreadable)?) {
        return Err(unreadable(io::Error::other(
            "it was exchanged while it was read",
        )));
    }
    tree.add_file(path, is_executable(&seen), file)?;
    Ok(None)
}

#[cfg(unix)]
fn is_executable(metadata: &Metadata) -> bool {
    use std::os::unix::fs::PermissionsExt;
    metadata.permissions().mode() & 0o111 != 0
}

#[cfg(not(unix))]
fn is_executable(_: &Metadata) -> bool {
    false
}

#[cfg(unix)]
fn is_same(seen: &Metadata, opened: &Metadata) -> bool {
    use std::os::unix::fs::MetadataExt;
    opened.is_file() && seen.dev() == opened.dev() && seen.ino() == opened.ino()
}

#[cfg(not(unix))]
fn is_same(_: &Metadata, opened: &Metadata) -> bool {
    opened.is_file()
}
