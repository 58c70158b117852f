//! The files of a package while it is read, whatever it is read from.
//!
//! Every form (folder, tar, zip, JSON object) hands its entries to one [`Tree`], which applies the
//! same rules to all of them: names, duplicates, number and size. It does not know what a
//! `SKILL.md` says.
//!
//! Invariants: every file's path passed [`path::check`]; no two names differ in case only; no file
//! is also a folder; neither limit is ever exceeded, not even in memory.

use std::collections::{BTreeMap, HashMap};
use std::io::Read;
use std::sync::Arc;

use sre_core::Digest;

use crate::SkillErrorKind;
use crate::limits::PackageLimits;
use crate::path::{self, PathProblem};

/// One file of a package.
#[derive(Clone, PartialEq, Eq)]
pub struct SkillFile {
    /// Path with `/` between its parts, relative to the package's root.
    pub path: String,
    /// The content.
    pub bytes: Arc<[u8]>,
    /// Whether the file may be executed.
    pub executable: bool,
    /// SHA-256 of the content.
    pub sha256: Digest,
}

impl SkillFile {
    pub(crate) fn new(path: String, bytes: Arc<[u8]>, executable: bool) -> Self {
        let sha256 = Digest::of(&bytes);
        Self {
            path,
            bytes,
            executable,
            sha256,
        }
    }
}

impl std::fmt::Debug for SkillFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SkillFile")
            .field("path", &self.path)
            .field("size", &self.bytes.len())
            .field("executable", &self.executable)
            .field("sha256", &self.sha256)
            .finish()
    }
}

/// The file at `path` among `files`, which are sorted by path.
pub(crate) fn find<'a>(files: &'a [SkillFile], path: &str) -> Option<&'a SkillFile> {
    files
        .binary_search_by(|file| file.path.as_str().cmp(path))
        .ok()
        .map(|at| &files[at])
}

/// An entry that a package may not have. Paths are shown quoted and escaped.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TreeError {
    #[error("the path {path} {problem}")]
    Path { path: String, problem: PathProblem },
    #[error("{path} is in the package twice; remove one")]
    Duplicate { path: String },
    #[error("{path} and {other} differ in case only; rename one")]
    CaseCollision { path: String, other: String },
    #[error("{path} is a file and a folder at once; rename one")]
    FileAndFolder { path: String },
    #[error("{path} is {what}; a package holds plain files and folders only")]
    Special { path: String, what: &'static str },
    #[error("{path} is one {what} too many: a package has at most {limit}")]
    TooMany {
        path: String,
        what: &'static str,
        limit: usize,
    },
    #[error("{path} brings the package over {limit} bytes unpacked; make it smaller")]
    TooLarge { path: String, limit: u64 },
    #[error("{path} cannot be read: {source}")]
    Unreadable {
        path: String,
        source: std::io::Error,
    },
    #[error("{path} is {found} bytes long but declares {declared}; the archive is damaged")]
    WrongSize {
        path: String,
        declared: u64,
        found: u64,
    },
}

impl TreeError {
    pub(crate) fn special(path: &str, what: &'static str) -> Self {
        Self::Special {
            path: path::shown(path.as_bytes()),
            what,
        }
    }

    /// What kind of failure this is; `unreadable` is what a failed read means for the form that is
    /// read.
    pub(crate) fn kind(&self, unreadable: SkillErrorKind) -> SkillErrorKind {
        match self {
            Self::TooMany { .. } | Self::TooLarge { .. } => SkillErrorKind::TooLarge,
            Self::Unreadable { .. } => unreadable,
            Self::WrongSize { .. } => SkillErrorKind::Malformed,
            _ => SkillErrorKind::Refused,
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Node {
    File,
    Folder,
}

/// See the module's documentation.
pub(crate) struct Tree {
    limits: PackageLimits,
    files: BTreeMap<String, SkillFile>,
    /// Every name, folders included, under its folded form.
    names: HashMap<String, (String, Node)>,
    folders: usize,
    left_bytes: u64,
}

impl Tree {
    pub(crate) fn new(limits: &PackageLimits) -> Self {
        Self {
            limits: *limits,
            files: BTreeMap::new(),
            names: HashMap::new(),
            folders: 0,
            left_bytes: limits.unpacked_bytes,
        }
    }

    /// Checks a name. `None` means that the entry is left out (see [`path::IGNORED_NAMES`]).
    pub(crate) fn admit<'a>(&self, raw: &'a [u8]) -> Result<Option<&'a str>, TreeError> {
        let path = path::check(raw).map_err(|problem| TreeError::Path {
            path: path::shown(raw),
            problem,
        })?;
        Ok((!path::is_ignored(path)).then_some(path))
    }

    /// Adds a folder that [`admit`](Self::admit) let in; the same folder may come more than once.
    pub(crate) fn add_folder(&mut self, path: &str) -> Result<(), TreeError> {
        self.add_ancestors(path)?;
        self.add_name(path, Node::Folder)
    }

    /// Adds a file that [`admit`](Self::admit) let in, reading `content` no further than the limit.
    pub(crate) fn add_file(
        &mut self,
        path: &str,
        executable: bool,
        content: impl Read,
    ) -> Result<u64, TreeError> {
        let shown = || path::shown(path.as_bytes());
        if self.files.len() >= self.limits.files {
            return Err(TreeError::TooMany {
                path: shown(),
                what: "file",
                limit: self.limits.files,
            });
        }
        self.add_ancestors(path)?;
        self.add_name(path, Node::File)?;
        let mut bytes = Vec::new();
        content
            .take(self.left_bytes.saturating_add(1))
            .read_to_end(&mut bytes)
            .map_err(|source| TreeError::Unreadable {
                path: shown(),
                source,
            })?;
        let size = bytes.len() as u64;
        self.left_bytes = self
            .left_bytes
            .checked_sub(size)
            .ok_or_else(|| TreeError::TooLarge {
                path: shown(),
                limit: self.limits.unpacked_bytes,
            })?;
        let file = SkillFile::new(path.to_owned(), bytes.into(), executable);
        self.files.insert(path.to_owned(), file);
        Ok(size)
    }

    fn add_ancestors(&mut self, path: &str) -> Result<(), TreeError> {
        for (at, _) in path.match_indices('/') {
            self.add_name(&path[..at], Node::Folder)?;
        }
        Ok(())
    }

    fn add_name(&mut self, path: &str, node: Node) -> Result<(), TreeError> {
        let shown = || path::shown(path.as_bytes());
        let folded = path::fold_case(path);
        if let Some((other, kind)) = self.names.get(&folded) {
            return match (other == path, *kind, node) {
                (false, ..) => Err(TreeError::CaseCollision {
                    path: shown(),
                    other: path::shown(other.as_bytes()),
                }),
                (true, Node::Folder, Node::Folder) => Ok(()),
                (true, Node::File, Node::File) => Err(TreeError::Duplicate { path: shown() }),
                (true, ..) => Err(TreeError::FileAndFolder { path: shown() }),
            };
        }
        if node == Node::Folder {
            let limit = self.limits.files.saturating_mul(4);
            self.folders += 1;
            if self.folders > limit {
                return Err(TreeError::TooMany {
                    path: shown(),
                    what: "folder",
                    limit,
                });
            }
        }
        self.names.insert(folded, (path.to_owned(), node));
        Ok(())
    }

    /// The files, sorted by path.
    pub(crate) fn into_files(self) -> Result<Vec<SkillFile>, TreeError> {
        self.into_files_below(&[]).map(|(files, _)| files)
    }

    /// The files, sorted by path. A single top folder that holds one of the `markers` is stripped
    /// when the root holds none; its name is returned.
    pub(crate) fn into_files_below(
        self,
        markers: &[&str],
    ) -> Result<(Vec<SkillFile>, Option<String>), TreeError> {
        let mut files: Vec<SkillFile> = self.files.into_values().collect();
        let top = top_folder(&files, markers);
        let name = top.map(|length| files[0].path[..length - 1].to_owned());
        if let Some(top) = top {
            for file in &mut files {
                file.path.drain(..top);
            }
        }
        for file in &files {
            // Once more, for what a top folder hid: `t/c:x` was no drive's.
            path::check(file.path.as_bytes())
                .and_then(path::check_length)
                .map_err(|problem| TreeError::Path {
                    path: path::shown(file.path.as_bytes()),
                    problem,
                })?;
        }
        Ok((files, name))
    }
}

/// The length of the one top folder (its `/` included) that wraps a package, if one does.
fn top_folder(files: &[SkillFile], markers: &[&str]) -> Option<usize> {
    if markers.iter().any(|marker| find(files, marker).is_some()) {
        return None;
    }
    let (top, _) = files.first()?.path.split_once('/')?;
    let length = top.len() + 1;
    let wraps = |file: &SkillFile| {
        file.path
            .split_once('/')
            .is_some_and(|(first, _)| first == top)
    };
    let holds = |file: &SkillFile| {
        file.path
            .get(length..)
            .is_some_and(|rest| markers.contains(&rest))
    };
    (files.iter().all(wraps) && files.iter().any(holds)).then_some(length)
}
