//! A tree of files as a value: what a folder held, without times, owners or folders of its own.
//!
//! Canonical form: a JSON array, sorted by the bytes of `path`, of
//! `{"executable","path","sha256","size"}` for a file and `{"link","path"}` for a symbolic link. A
//! folder exists where something lies in it; an empty folder is not part of a tree.
//!
//! Trees come from callers and from stores, so every constructor checks everything: after that, a
//! tree can be written below any folder and nothing of it lands or leads outside.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize, Serializer, ser::SerializeSeq};

use crate::{BlobDigest, Collect, Content, TreeDigest, canonical_json};

/// Longest path, in bytes.
const PATH_LIMIT_BYTES: usize = 1024;
/// Longest part of a path between slashes, in bytes: what Linux file systems take.
const COMPONENT_LIMIT_BYTES: usize = 255;

/// A file or a link of a [`Tree`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TreeEntry {
    /// A file.
    File {
        /// Its bytes.
        content: Content,
        /// Whether it may be executed.
        executable: bool,
    },
    /// A symbolic link: relative, and it does not lead above the root of the tree.
    Link(String),
}

/// A tree of files by path. Paths are relative, with `/` between their parts, and sorted by bytes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tree {
    entries: BTreeMap<String, TreeEntry>,
}

/// Something that is no tree, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TreeError {
    /// Not JSON of the form above.
    #[error("not a tree: {0}")]
    Syntax(String),
    /// The same value in another spelling: one tree would have two digests.
    #[error("not the canonical form of a tree; entries are sorted by path and canonical JSON")]
    NotCanonical,
    /// A path that cannot be used.
    #[error("path {path:?}: {problem}")]
    Path {
        /// The path, shortened.
        path: String,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// Two entries at one path.
    #[error("path {0:?} is there twice")]
    Duplicate(String),
    /// An entry below something that is not a folder.
    #[error("{path:?} lies below {parent:?}, which is a file or a link")]
    BelowFile {
        /// The path.
        path: String,
        /// What it lies below.
        parent: String,
    },
    /// A link that cannot be used.
    #[error("link {path:?} to {target:?}: {problem}")]
    Link {
        /// Where it is.
        path: String,
        /// Where it leads, shortened.
        target: String,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// More than a reader grants.
    #[error("the tree has {found} {what}; {limit} are allowed")]
    TooLarge {
        /// What there is too much of.
        what: &'static str,
        /// How much there is.
        found: u64,
        /// How much is allowed.
        limit: u64,
    },
}

/// What happened to one path between two trees.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change<'a> {
    /// Which path.
    pub path: &'a str,
    /// What happened.
    pub kind: ChangeKind,
    /// What is there now; what was there where it was deleted.
    pub entry: &'a TreeEntry,
}

/// Kinds of [`Change`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ChangeKind {
    /// It was not there before.
    Added,
    /// It was there with other content, another executable bit or as something else.
    Changed,
    /// It is not there any more.
    Deleted,
}

impl Tree {
    /// Most entries of a tree.
    pub const LIMIT_ENTRIES: usize = 200_000;
    /// Longest canonical form, in bytes.
    pub const LIMIT_BYTES: usize = 64 << 20;

    /// A tree of these entries, in any order.
    ///
    /// # Errors
    /// [`TreeError`] names the first entry that cannot be part of a tree.
    pub fn new(entries: impl IntoIterator<Item = (String, TreeEntry)>) -> Result<Self, TreeError> {
        let mut tree = Self::default();
        for (path, entry) in entries {
            if tree.entries.len() == Self::LIMIT_ENTRIES {
                return Err(TreeError::TooLarge {
                    what: "entries",
                    found: Self::LIMIT_ENTRIES as u64 + 1,
                    limit: Self::LIMIT_ENTRIES as u64,
                });
            }
            check_path(&path)?;
            if let TreeEntry::Link(target) = &entry {
                check_link(&path, target)?;
            }
            if tree.entries.contains_key(&path) {
                return Err(TreeError::Duplicate(path));
            }
            tree.entries.insert(path, entry);
        }
        // Only now are all files known.
        for path in tree.entries.keys() {
            if let Some(parent) = parents(path).find(|parent| tree.entries.contains_key(*parent)) {
                return Err(TreeError::BelowFile {
                    path: path.clone(),
                    parent: parent.to_owned(),
                });
            }
        }
        Ok(tree)
    }

    /// Reads the canonical form. Any other spelling is refused, so that one tree has one digest.
    ///
    /// # Errors
    /// [`TreeError`].
    pub fn parse(bytes: &[u8]) -> Result<Self, TreeError> {
        if bytes.len() > Self::LIMIT_BYTES {
            return Err(TreeError::TooLarge {
                what: "bytes",
                found: bytes.len() as u64,
                limit: Self::LIMIT_BYTES as u64,
            });
        }
        let entries: Vec<WireEntry<'_>> =
            serde_json::from_slice(bytes).map_err(|error| TreeError::Syntax(error.to_string()))?;
        let entries: Result<Vec<_>, _> = entries.into_iter().map(WireEntry::into_entry).collect();
        let tree = Self::new(entries?)?;
        if tree.to_canonical() == bytes {
            Ok(tree)
        } else {
            Err(TreeError::NotCanonical)
        }
    }

    /// The canonical JSON that is stored and digested.
    #[must_use]
    pub fn to_canonical(&self) -> Vec<u8> {
        canonical_json::to_vec(self)
    }

    /// The tree's digest.
    #[must_use]
    pub fn digest(&self) -> TreeDigest {
        TreeDigest::of(&self.to_canonical())
    }

    /// What lies at `path`.
    #[must_use]
    pub fn get(&self, path: &str) -> Option<&TreeEntry> {
        self.entries.get(path)
    }

    /// All entries, sorted by path.
    #[must_use]
    pub fn entries(&self) -> impl ExactSizeIterator<Item = (&str, &TreeEntry)> {
        self.entries
            .iter()
            .map(|(path, entry)| (path.as_str(), entry))
    }

    /// Number of files and links.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether nothing is in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Bytes of all files together.
    #[must_use]
    pub fn total_bytes(&self) -> u64 {
        self.contents()
            .fold(0, |sum, content| sum.saturating_add(content.size))
    }

    /// The content of every file; the same content several times where several files have it.
    pub fn contents(&self) -> impl Iterator<Item = Content> {
        self.entries.values().filter_map(|entry| match entry {
            TreeEntry::File { content, .. } => Some(*content),
            TreeEntry::Link(_) => None,
        })
    }

    /// Addresses of all contents.
    pub fn blobs(&self) -> impl Iterator<Item = BlobDigest> {
        self.contents().map(|content| content.sha256)
    }

    /// What happened between this tree and `later`, sorted by path.
    #[must_use]
    pub fn changes<'a>(&'a self, later: &'a Self) -> Vec<Change<'a>> {
        let now = later.entries.iter().filter_map(|(path, entry)| {
            let kind = match self.entries.get(path) {
                None => ChangeKind::Added,
                Some(before) if before != entry => ChangeKind::Changed,
                Some(_) => return None,
            };
            Some(Change { path, kind, entry })
        });
        let gone = self.entries.iter().filter_map(|(path, entry)| {
            let kind = ChangeKind::Deleted;
            (!later.entries.contains_key(path)).then_some(Change { path, kind, entry })
        });
        let mut changes: Vec<_> = now.chain(gone).collect();
        changes.sort_unstable_by_key(|change| change.path);
        changes
    }

    /// This tree with those changes towards `later` that `collect` selects. What is not selected
    /// stays as it was, unless a selected change takes its place: a file where a folder was, or a
    /// folder where a file was.
    #[must_use]
    pub fn with_collected(&self, later: &Self, collect: &Collect) -> Self {
        if collect.is_everything() {
            return later.clone();
        }
        let mut entries = self.entries.clone();
        let selected: Vec<_> = self
            .changes(later)
            .into_iter()
            .filter(|change| collect.matches(change.path))
            .collect();
        for change in &selected {
            match change.kind {
                ChangeKind::Deleted => drop(entries.remove(change.path)),
                ChangeKind::Added | ChangeKind::Changed => {
                    parents(change.path).for_each(|parent| drop(entries.remove(parent)));
                    remove_below(&mut entries, change.path);
                    entries.insert(change.path.to_owned(), change.entry.clone());
                }
            }
        }
        Self { entries }
    }
}

/// Removes everything below the folder `path`.
fn remove_below(entries: &mut BTreeMap<String, TreeEntry>, path: &str) {
    let first = format!("{path}/");
    let below: Vec<String> = entries
        .range(first.clone()..)
        .map(|(path, _)| path)
        .take_while(|path| path.starts_with(&first))
        .cloned()
        .collect();
    for path in below {
        entries.remove(&path);
    }
}

impl Serialize for Tree {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut list = serializer.serialize_seq(Some(self.entries.len()))?;
        for (path, entry) in &self.entries {
            list.serialize_element(&WireEntry::from_entry(path, entry))?;
        }
        list.end()
    }
}

/// An entry as JSON has it: one struct for both kinds, so that an error names the member that is
/// wrong.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct WireEntry<'a> {
    path: Cow<'a, str>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    size: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    executable: Option<bool>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sha256: Option<BlobDigest>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    link: Option<Cow<'a, str>>,
}

impl<'a> WireEntry<'a> {
    fn from_entry(path: &'a str, entry: &'a TreeEntry) -> Self {
        let (content, executable, link) = match entry {
            TreeEntry::File {
                content,
                executable,
            } => (Some(content), Some(*executable), None),
            TreeEntry::Link(target) => (None, None, Some(target.into())),
        };
        Self {
            path: path.into(),
            size: content.map(|content| content.size),
            executable,
            sha256: content.map(|content| content.sha256),
            link,
        }
    }

    fn into_entry(self) -> Result<(String, TreeEntry), TreeError> {
        let entry = match (self.size, self.executable, self.sha256, self.link) {
            (Some(size), Some(executable), Some(sha256), None) => TreeEntry::File {
                content: Content { sha256, size },
                executable,
            },
            (None, None, None, Some(target)) => TreeEntry::Link(target.into_owned()),
            _ => {
                let path = shortened(&self.path);
                return Err(TreeError::Syntax(format!(
                    "{path:?} has neither `size`, `executable` and `sha256` nor `link` alone"
                )));
            }
        };
        Ok((self.path.into_owned(), entry))
    }
}

/// The folders that `path` lies in, the nearest last, without the root.
fn parents(path: &str) -> impl Iterator<Item = &str> {
    path.match_indices('/').map(|(at, _)| &path[..at])
}

/// Checks that `path` can be the path of an entry: relative, no empty part, no `.` or `..`, no
/// NUL, at most 1,024 bytes and at most 255 bytes between slashes.
///
/// # Errors
/// [`TreeError::Path`].
pub fn check_path(path: &str) -> Result<(), TreeError> {
    let problem = if path.is_empty() {
        "it is empty"
    } else if path.len() > PATH_LIMIT_BYTES {
        "it is longer than 1024 bytes"
    } else if path.starts_with('/') {
        "it is absolute; paths are relative"
    } else if path.contains('\0') {
        "it contains NUL"
    } else if path.split('/').any(|part| part == ".." || part == ".") {
        "it has a part `.` or `..`"
    } else if path.split('/').any(str::is_empty) {
        "it has an empty part"
    } else if path
        .split('/')
        .any(|part| part.len() > COMPONENT_LIMIT_BYTES)
    {
        "it has a part of more than 255 bytes"
    } else {
        return Ok(());
    };
    Err(TreeError::Path {
        path: shortened(path),
        problem,
    })
}

/// Checks that a link at `path` stays below the root. It may go up only at its beginning: the
/// folders above a link are real ones, so there the number of steps tells where it arrives. A `..`
/// behind another part might follow a second link and step out of what that leads to.
fn check_link(path: &str, target: &str) -> Result<(), TreeError> {
    let depth = path.matches('/').count();
    let parts = || target.split('/').filter(|part| !matches!(*part, "" | "."));
    let steps_up = parts().take_while(|part| *part == "..").count();
    let problem = if target.is_empty() {
        "it is empty"
    } else if target.len() > PATH_LIMIT_BYTES {
        "it is longer than 1024 bytes"
    } else if target.contains('\0') {
        "it contains NUL"
    } else if target.starts_with('/') {
        "it is absolute; links are relative"
    } else if steps_up > depth {
        "it leads above the root of the tree"
    } else if parts().skip(steps_up).any(|part| part == "..") {
        "it has `..` behind another part"
    } else {
        return Ok(());
    };
    Err(TreeError::Link {
        path: shortened(path),
        target: shortened(target),
        problem,
    })
}

/// A path for an error message.
fn shortened(path: &str) -> String {
    const SHOWN_CHARS: usize = 80;
    match path.char_indices().nth(SHOWN_CHARS) {
        Some((end, _)) => format!("{}…", &path[..end]),
        None => path.to_owned(),
    }
}
