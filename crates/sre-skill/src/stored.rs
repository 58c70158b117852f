//! Matches the files of a stored skill with its manifest.
//!
//! Both come from a store that may lie, so nothing of either is believed: paths obey the rules of
//! [`path`] and of [`tree`](crate::tree), and every byte is hashed again.

use std::collections::BTreeMap;
use std::sync::Arc;

use sre_core::{Digest, FileEntry};

use crate::limits::PackageLimits;
use crate::skill::SIDECAR;
use crate::tree::{SkillFile, Tree, TreeError};
use crate::{SkillErrorKind, path};

/// A manifest and files that do not belong together.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StoredError {
    #[error(
        "the manifest's files are not sorted by path at {path}; it was not written by this program"
    )]
    Unsorted { path: String },
    #[error("the manifest names {path}, which no package may have")]
    NotAllowed { path: String },
    #[error("the manifest names {path}, which is missing; fetch it again")]
    Missing { path: String },
    #[error("{path} is not in the manifest; leave it out")]
    Extra { path: String },
    #[error("{path} is {found} bytes long, the manifest says {expected}; fetch it again")]
    Size {
        path: String,
        expected: u64,
        found: u64,
    },
    #[error("{path} has the SHA-256 {found}, the manifest says {expected}; fetch it again")]
    Sha256 {
        path: String,
        expected: Digest,
        found: Digest,
    },
    #[error(transparent)]
    Tree(#[from] TreeError),
}

impl StoredError {
    pub(crate) fn kind(&self) -> SkillErrorKind {
        match self {
            Self::Tree(error) => error.kind(SkillErrorKind::Malformed),
            Self::Unsorted { .. } | Self::NotAllowed { .. } => SkillErrorKind::Refused,
            _ => SkillErrorKind::Mismatch,
        }
    }
}

/// The files, in the manifest's order.
pub(crate) fn match_files(
    entries: &[FileEntry],
    mut files: BTreeMap<String, Arc<[u8]>>,
) -> Result<Vec<SkillFile>, StoredError> {
    // The tree checks the names only; it gets no content.
    let mut names = Tree::new(&PackageLimits {
        files: usize::MAX,
        unpacked_bytes: 0,
    });
    let mut matched: Vec<SkillFile> = Vec::with_capacity(entries.len());
    for entry in entries {
        let shown = path::shown(entry.path.as_bytes());
        if names.admit(entry.path.as_bytes())?.is_none() || entry.path == SIDECAR {
            return Err(StoredError::NotAllowed { path: shown });
        }
        names.add_file(&entry.path, false, std::io::empty())?;
        if matched.last().is_some_and(|last| last.path >= entry.path) {
            return Err(StoredError::Unsorted { path: shown });
        }
        let Some(bytes) = files.remove(&entry.path) else {
            return Err(StoredError::Missing { path: shown });
        };
        let found = bytes.len() as u64;
        if found != entry.size {
            return Err(StoredError::Size {
                path: shown,
                expected: entry.size,
                found,
            });
        }
        let file = SkillFile::new(entry.path.clone(), bytes, entry.executable);
        if file.sha256 != entry.sha256 {
            return Err(StoredError::Sha256 {
                path: shown,
                expected: entry.sha256,
                found: file.sha256,
            });
        }
        matched.push(file);
    }
    names.into_files()?;
    match files.into_keys().next() {
        None => Ok(matched),
        Some(extra) => Err(StoredError::Extra {
            path: path::shown(extra.as_bytes()),
        }),
    }
}
