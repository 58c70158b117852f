//! Reads a folder of the caller as the files that a skill is given.
//!
//! Plain files with their executable bit, and links that stay inside the folder. Anything else (a
//! device, a link that leads out, a name that is not UTF-8) is an error that names the path: a
//! skill that silently lacks a file is worse than one that does not start.

use std::ffi::OsStr;
use std::fs::{self, File, Metadata};
use std::io::{self, Read};
use std::path::Path;

use sre_core::ErrorCode;

use crate::failure::Failure;

/// Most bytes of a folder that is given to a skill.
pub const FOLDER_LIMIT_BYTES: u64 = 512 << 20;
/// Most files and links of a folder that is given to a skill.
const FOLDER_LIMIT_FILES: usize = 100_000;

/// What stands at one path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WorkFile {
    /// A plain file.
    File {
        /// The content.
        bytes: Vec<u8>,
        /// Whether its owner may execute it.
        executable: bool,
    },
    /// A symbolic link, relative to the folder it stands in.
    Link(String),
}

/// Every file below `folder`, with paths relative to it, sorted by path.
///
/// # Errors
/// When something cannot be read or cannot be given to a skill; the message names the path.
pub fn collect(folder: &Path) -> Result<Vec<(String, WorkFile)>, Failure> {
    let mut found = Vec::new();
    let mut left = FOLDER_LIMIT_BYTES;
    let mut waiting = vec![String::new()];
    while let Some(inside) = waiting.pop() {
        let at = folder.join(&inside);
        let entries = fs::read_dir(&at).map_err(|error| unreadable(&at, &error))?;
        for entry in entries {
            let entry = entry.map_err(|error| unreadable(&at, &error))?;
            let path = joined(&inside, &entry.file_name(), &at)?;
            let seen = fs::symlink_metadata(entry.path())
                .map_err(|error| unreadable(&entry.path(), &error))?;
            if seen.is_dir() {
                waiting.push(path);
                continue;
            }
            if found.len() >= FOLDER_LIMIT_FILES {
                return Err(too_large(folder, &format!("{FOLDER_LIMIT_FILES} files")));
            }
            let file = read(folder, &entry.path(), &path, &seen, &mut left)?;
            found.push((path, file));
        }
    }
    found.sort_by(|(a, _), (b, _)| a.cmp(b));
    Ok(found)
}

fn read(
    folder: &Path,
    at: &Path,
    path: &str,
    seen: &Metadata,
    left: &mut u64,
) -> Result<WorkFile, Failure> {
    if seen.is_symlink() {
        let target = fs::read_link(at).map_err(|error| unreadable(at, &error))?;
        return match target.to_str().filter(|target| stays_inside(path, target)) {
            Some(target) => Ok(WorkFile::Link(target.to_owned())),
            None => Err(refused(
                at,
                &format!(
                    "is a link to {}, which leads out of the folder",
                    target.display()
                ),
            )),
        };
    }
    if !seen.is_file() {
        return Err(refused(
            at,
            "is neither a plain file nor a folder nor a link",
        ));
    }
    let mut bytes = Vec::new();
    File::open(at)
        .and_then(|file| file.take(*left + 1).read_to_end(&mut bytes))
        .map_err(|error| unreadable(at, &error))?;
    *left = left
        .checked_sub(bytes.len() as u64)
        .ok_or_else(|| too_large(folder, &format!("{} MiB", FOLDER_LIMIT_BYTES >> 20)))?;
    Ok(WorkFile::File {
        bytes,
        executable: is_executable(seen),
    })
}

fn joined(inside: &str, name: &OsStr, at: &Path) -> Result<String, Failure> {
    let Some(name) = name.to_str() else {
        return Err(refused(&at.join(name), "has a name that is not UTF-8"));
    };
    Ok(if inside.is_empty() {
        name.to_owned()
    } else {
        format!("{inside}/{name}")
    })
}

/// Whether a link at `path` with this target stays below the folder, whatever else is in it.
fn stays_inside(path: &str, target: &str) -> bool {
    if target.is_empty() || target.starts_with('/') {
        return false;
    }
    let mut depth = path.matches('/').count();
    for part in target.split('/') {
        match part {
            "" | "." => {}
            ".." if depth == 0 => return false,
            ".." => depth -= 1,
            _ => depth += 1,
        }
    }
    true
}

#[cfg(unix)]
fn is_executable(metadata: &Metadata) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    metadata.permissions().mode() & 0o100 != 0
}

#[cfg(not(unix))]
fn is_executable(_: &Metadata) -> bool {
    false
}

fn unreadable(at: &Path, error: &io::Error) -> Failure {
    Failure::new(
        ErrorCode::InputUnreadable,
        format!("{} cannot be read: {error}", at.display()),
    )
}

fn refused(at: &Path, why: &str) -> Failure {
    Failure::new(ErrorCode::InputUnreadable, format!("{} {why}", at.display()))
        .hint("a skill is given plain files, folders, and links that stay inside the folder; move it away or name a smaller folder")
}

fn too_large(folder: &Path, limit: &str) -> Failure {
    Failure::new(
        ErrorCode::InputTooLarge,
        format!("{} has more than {limit}", folder.display()),
    )
    .hint("name a smaller folder")
}

#[cfg(test)]
mod tests {
    use super::stays_inside;

    #[test]
    fn a_link_may_point_anywhere_below_the_folder() {
        for (path, target, inside) in [
            ("a", "b", true),
            ("a/b", "../c", true),
            ("a/b", "../../c", false),
            ("a", "..", false),
            ("a", "/etc/passwd", false),
            ("a/b/c", "./../../d", true),
            ("a", "b/../../c", false),
            ("a", "", false),
        ] {
            assert_eq!(stays_inside(path, target), inside, "{path} -> {target}");
        }
    }
}
