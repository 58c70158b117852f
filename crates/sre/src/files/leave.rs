//! Writes what a skill left into a folder of the caller.
//!
//! The paths come from a skill. They were checked when the tree was made, and are checked again
//! here: nothing is written outside the folder, and nothing through a link that stands in it. A
//! file appears whole, or not at all; of several files, those before a failure stay.

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use sre_core::{ErrorCode, check_path};

use crate::failure::Failure;

/// One change to a folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// A file is there with this content.
    File {
        /// The content.
        bytes: Vec<u8>,
        /// Whether it may be executed.
        executable: bool,
    },
    /// A symbolic link is there.
    Link(String),
    /// Nothing is there.
    Deleted,
}

/// Applies changes to `folder`, making it if need be.
///
/// # Errors
/// When a path is not one of a folder's own files, or the file system refuses; the message names
/// the path.
pub fn apply<'a>(
    folder: &Path,
    changes: impl IntoIterator<Item = (&'a str, Change)>,
) -> Result<(), Failure> {
    fs::create_dir_all(folder).map_err(|error| failed(folder, &error))?;
    for (path, change) in changes {
        let at = folder.join(path);
        check_path(path)
            .map_err(io::Error::other)
            .and_then(|()| apply_one(folder, path, change))
            .map_err(|error| failed(&at, &error))?;
    }
    Ok(())
}

fn apply_one(folder: &Path, path: &str, change: Change) -> io::Result<()> {
    let Some(parent) = make_parents(folder, path, change == Change::Deleted)? else {
        // What is to be deleted stands in a folder that is not there.
        return Ok(());
    };
    let at = folder.join(path);
    match change {
        Change::Deleted => match fs::remove_file(&at) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        },
        Change::File { bytes, executable } => write_file(&parent, &at, &bytes, executable),
        Change::Link(target) => write_link(&parent, &at, &target),
    }
}

/// The folder that holds `path`, made where it is missing; `None` where it is missing and nothing
/// may be made. A link on the way is refused: it could lead out of the folder.
fn make_parents(folder: &Path, path: &str, only_look: bool) -> io::Result<Option<PathBuf>> {
    let mut at = folder.to_path_buf();
    let Some((parents, _)) = path.rsplit_once('/') else {
        return Ok(Some(at));
    };
    for part in parents.split('/') {
        at.push(part);
        match fs::symlink_metadata(&at) {
            Ok(found) if found.is_dir() => {}
            Ok(_) => {
                return Err(io::Error::new(
                    io::ErrorKind::NotADirectory,
                    format!("{} is not a folder", at.display()),
                ));
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound && only_look => return Ok(None),
            Err(error) if error.kind() == io::ErrorKind::NotFound => fs::create_dir(&at)?,
            Err(error) => return Err(error),
        }
    }
    Ok(Some(at))
}

fn write_file(parent: &Path, at: &Path, bytes: &[u8], executable: bool) -> io::Result<()> {
    let mut file = tempfile::Builder::new()
        .prefix(".sre-")
        .tempfile_in(parent)?;
    file.write_all(bytes)?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        // As a program of the caller would make it, within the permissions of a usual umask.
        let mode = if executable { 0o755 } else { 0o644 };
        file.as_file()
            .set_permissions(fs::Permissions::from_mode(mode))?;
    }
    file.persist(at).map_err(|failed| failed.error)?;
    Ok(())
}

#[cfg(unix)]
fn write_link(parent: &Path, at: &Path, target: &str) -> io::Result<()> {
    // Made beside it and renamed, so that what stood there is replaced and never half gone.
    let made = tempfile::Builder::new()
        .prefix(".sre-")
        .make_in(parent, |path| std::os::unix::fs::symlink(target, path))?;
    made.into_temp_path()
        .persist(at)
        .map_err(|failed| failed.error)
}

#[cfg(not(unix))]
fn write_link(_: &Path, _: &Path, _: &str) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

fn failed(at: &Path, error: &io::Error) -> Failure {
    Failure::new(
        ErrorCode::OutputFailed,
        format!("cannot write {}: {error}", at.display()),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(text: &str) -> Change {
        Change::File {
            bytes: text.as_bytes().to_vec(),
            executable: false,
        }
    }

    #[test]
    fn changes_are_applied_and_nothing_leads_out() {
        let root = tempfile::tempdir().expect("a folder");
        let folder = root.path().join("out");
        let outside = root.path().join("outside");
        fs::create_dir(&outside).expect("a folder");
        apply(
            &folder,
            [
                ("a/b.txt", file("1")),
                ("link", Change::Link("a/b.txt".to_owned())),
                ("gone/never.txt", Change::Deleted),
            ],
        )
        .expect("written");
        assert_eq!(
            fs::read(folder.join("link")).expect("through the link"),
            b"1"
        );
        apply(&folder, [("a/b.txt", Change::Deleted), ("link", file("2"))]).expect("written");
        assert!(!folder.join("a/b.txt").exists() && !folder.join("gone").exists());
        assert!(
            fs::symlink_metadata(folder.join("link"))
                .expect("a file")
                .is_file()
        );

        std::os::unix::fs::symlink(&outside, folder.join("door")).expect("a link");
        for path in ["door/x", "../x", "/x", "a/../../x", ""] {
            let error = apply(&folder, [(path, file("3"))]).expect_err(path);
            assert!(error.detail.contains("cannot write"), "{}", error.detail);
        }
        assert_eq!(fs::read_dir(&outside).expect("a folder").count(), 0);
    }
}
