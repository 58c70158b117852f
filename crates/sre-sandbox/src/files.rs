//! A tree of files: what a job finds in a writable folder, and what it leaves there.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;

use sre_core::{BlobDigest, Canonical, Digest, Tree, TreeEntry, TreeError};

use crate::collect;

/// A file or a symbolic link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FileNode {
    /// A regular file.
    File {
        /// Its content, shared: a run that leaves it alone does not copy it.
        bytes: Arc<[u8]>,
        /// SHA-256 of `bytes`, so that a run that leaves it alone does not hash it either.
        sha256: Digest,
        /// Whether it may be executed.
        executable: bool,
    },
    /// A symbolic link with its target, as it was written.
    Link(Arc<str>),
}

impl FileNode {
    /// A file with this content, which is hashed.
    #[must_use]
    pub fn file(bytes: impl Into<Arc<[u8]>>, executable: bool) -> Self {
        let bytes = bytes.into();
        Self::File {
            sha256: Digest::of(&bytes),
            bytes,
            executable,
        }
    }

    /// Content in bytes; a link has none.
    #[must_use]
    pub fn size(&self) -> u64 {
        match self {
            Self::File { bytes, .. } => bytes.len() as u64,
            Self::Link(_) => 0,
        }
    }
}

/// Files and links by path, sorted by the path's bytes. Folders are implied by the paths below
/// them; an empty folder is not part of a tree.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Files(BTreeMap<Arc<str>, FileNode>);

impl Files {
    /// A tree without files.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Puts `node` at `path`, which is relative to the tree's folder, and returns what was there.
    /// The path is not checked here: a job whose paths are no paths of a tree is refused when it
    /// is run.
    pub fn insert(&mut self, path: impl Into<Arc<str>>, node: FileNode) -> Option<FileNode> {
        self.0.insert(path.into(), node)
    }

    /// The files of `tree`, whose contents `bytes` knows by their digests. The digests are believed:
    /// the store has checked them.
    ///
    /// # Errors
    /// The digest of which there are no bytes.
    pub fn from_tree(
        tree: &Tree,
        mut bytes: impl FnMut(BlobDigest) -> Option<Arc<[u8]>>,
    ) -> Result<Self, BlobDigest> {
        tree.entries()
            .map(|(path, entry)| {
                let node = match entry {
                    TreeEntry::File {
                        content,
                        executable,
                    } => FileNode::File {
                        bytes: bytes(content.sha256).ok_or(content.sha256)?,
                        sha256: content.sha256.digest(),
                        executable: *executable,
                    },
                    TreeEntry::Link(target) => FileNode::Link(target.as_str().into()),
                };
                Ok((path, node))
            })
            .collect()
    }

    /// The same as a value without the bytes.
    ///
    /// # Errors
    /// [`TreeError`]: these are no files of a tree.
    pub fn to_tree(&self) -> Result<Tree, TreeError> {
        collect::tree(self)
    }

    /// Puts `node` at `path`, which takes the place of a file where `path` needs a folder, and of a
    /// folder where it needs a file.
    pub(crate) fn put_in_place_of_others(&mut self, path: Arc<str>, node: FileNode) {
        for (at, _) in path.match_indices('/') {
            self.0.remove(&path[..at]);
        }
        let first = format!("{path}/");
        let below: Vec<_> = self
            .0
            .range::<str, _>((Bound::Excluded(first.as_str()), Bound::Unbounded))
            .map(|(below, _)| below)
            .take_while(|below| below.starts_with(&first))
            .cloned()
            .collect();
        for below in below {
            self.0.remove(&below);
        }
        self.0.insert(path, node);
    }

    /// Takes away what is at `path`.
    pub fn remove(&mut self, path: &str) -> Option<FileNode> {
        self.0.remove(path)
    }

    /// What is at `path`.
    #[must_use]
    pub fn get(&self, path: &str) -> Option<&FileNode> {
        self.0.get(path)
    }

    /// All of them, sorted by path.
    #[must_use]
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&Arc<str>, &FileNode)> {
        self.0.iter()
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Content of all files, in bytes.
    #[must_use]
    pub fn total_bytes(&self) -> u64 {
        self.0.values().map(FileNode::size).sum()
    }
}

impl<P: Into<Arc<str>>> FromIterator<(P, FileNode)> for Files {
    fn from_iter<I: IntoIterator<Item = (P, FileNode)>>(entries: I) -> Self {
        Self(
            entries
                .into_iter()
                .map(|(path, node)| (path.into(), node))
                .collect(),
        )
    }
}

impl<'a> IntoIterator for &'a Files {
    type Item = (&'a Arc<str>, &'a FileNode);
    type IntoIter = std::collections::btree_map::Iter<'a, Arc<str>, FileNode>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.iter()
    }
}

/// What a program left in a folder.
#[derive(Debug, Clone, PartialEq)]
pub struct LeftFiles {
    /// The files, with their bytes. Those the program left alone are the ones that were given.
    pub files: Files,
    /// The tree, as the outcome names it.
    pub tree: Canonical<Tree>,
}
