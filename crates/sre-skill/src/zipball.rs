//! Reads packages from `.zip` archives (PKWARE APPNOTE 6.3).
//!
//! Nothing is unpacked to disk. Entries are read from the central directory, and only where the
//! local headers say the same, so that two readers cannot see two packages. Encrypted entries and
//! compression methods other than "stored" and "deflated" are refused.

use std::io::Cursor;

use zip::read::{ZipFileEntry, ZipReadOptions};
use zip::{System, ZipArchive};

use crate::SkillErrorKind;
use crate::limits::PackageLimits;
use crate::path;
use crate::tree::{SkillFile, Tree, TreeError};

/// An archive that is no package.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ZipError {
    #[error("the .zip archive is damaged: {0}")]
    Damaged(zip::result::ZipError),
    #[error("{path} cannot be read from the .zip archive: {source}")]
    Entry {
        path: String,
        source: zip::result::ZipError,
    },
    #[error("{path} is encrypted; pack it without a password")]
    Encrypted { path: String },
    #[error(transparent)]
    Tree(#[from] TreeError),
}

impl ZipError {
    pub(crate) fn kind(&self) -> SkillErrorKind {
        match self {
            Self::Damaged(_) | Self::Entry { .. } => SkillErrorKind::Malformed,
            Self::Encrypted { .. } => SkillErrorKind::Refused,
            Self::Tree(error) => error.kind(SkillErrorKind::Malformed),
        }
    }
}

/// Reads every file of the archive; also returns the name of the top folder, if one was stripped.
pub(crate) fn read(
    packed: &[u8],
    limits: &PackageLimits,
    markers: &[&str],
) -> Result<(Vec<SkillFile>, Option<String>), ZipError> {
    let mut archive = ZipArchive::new(Cursor::new(packed)).map_err(ZipError::Damaged)?;
    if archive.has_duplicate_names() {
        let path = path::shown(&duplicate_name(packed, archive.central_directory_start()));
        return Err(TreeError::Duplicate { path }.into());
    }
    let mut tree = Tree::new(limits);
    for index in 0..archive.len() {
        read_entry(&mut tree, &mut archive, index)?;
    }
    Ok(tree.into_files_below(markers)?)
}

fn read_entry(
    tree: &mut Tree,
    archive: &mut ZipArchive<Cursor<&[u8]>>,
    index: usize,
) -> Result<(), ZipError> {
    let entry = archive.by_index_data(index).map_err(ZipError::Damaged)?;
    let raw = entry.name_raw().to_vec();
    let is_folder = raw.ends_with(b"/");
    let name = path::without_dot(raw.strip_suffix(b"/").unwrap_or(&raw));
    let Some(path) = tree.admit(name)? else {
        return Ok(());
    };
    if entry.encrypted() {
        return Err(ZipError::Encrypted {
            path: path::shown(name),
        });
    }
    let mode = unix_mode(&entry);
    if let Some(what) = special(mode, is_folder) {
        return Err(TreeError::special(path, what).into());
    }
    let (compressed, declared) = (entry.compressed_size(), entry.size());
    if is_folder {
        if compressed.max(declared) > 0 {
            return Err(TreeError::special(path, "a folder with content").into());
        }
        return Ok(tree.add_folder(path)?);
    }
    let options = ZipReadOptions::new().enforce_header_consistency(true);
    let mut content = archive
        .by_index_with_options(index, options)
        .map_err(|source| ZipError::Entry {
            path: path::shown(name),
            source,
        })?;
    let found = tree.add_file(path, mode & 0o111 != 0, &mut content)?;
    if found != declared {
        return Err(TreeError::WrongSize {
            path: path::shown(name),
            declared,
            found,
        }
        .into());
    }
    Ok(())
}

/// The Unix mode; 0 where the archive was made by a system without.
fn unix_mode(entry: &ZipFileEntry<'_>) -> u32 {
    if matches!(entry.system(), System::Unix) {
        entry.external_attributes() >> 16
    } else {
        0
    }
}

/// What an entry is, unless it is a plain file or a folder that is named as one. The type is that
/// of `stat.st_mode`.
fn special(mode: u32, is_folder: bool) -> Option<&'static str> {
    match (mode & 0o170_000, is_folder) {
        (0, _) | (0o100_000, false) | (0o040_000, true) => None,
        (0o120_000, _) => Some("a symbolic link"),
        (0o020_000 | 0o060_000, _) => Some("a device"),
        (0o010_000, _) => Some("a pipe"),
        _ => Some("an entry of an unusual type"),
    }
}

/// The first name that the central directory holds twice, for the message; the reader itself keeps
/// only one of them.
fn duplicate_name(packed: &[u8], start: u64) -> Vec<u8> {
    let mut seen = std::collections::HashSet::new();
    let mut at = usize::try_from(start).unwrap_or(usize::MAX);
    while let Some(header) = at.checked_add(46).and_then(|end| packed.get(at..end)) {
        let field =
            |offset: usize| usize::from(u16::from_le_bytes([header[offset], header[offset + 1]]));
        if &header[..4] != b"PK\x01\x02" {
            break;
        }
        let Some(name) = packed.get(at + 46..at + 46 + field(28)) else {
            break;
        };
        if !seen.insert(name) {
            return name.to_vec();
        }
        at += 46 + field(28) + field(30) + field(32);
    }
    b"an entry".to_vec()
}
