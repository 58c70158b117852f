//! Puts the files that a job gives in their places.

use std::sync::Arc;

use super::file_system::FileSystem;
use super::node::{FileError, NodeId, NodeKind};
use super::path::{self, NAME_LIMIT_BYTES, PATH_LIMIT_BYTES};
use super::storage::{Content, FileData};
use crate::{FileNode, Files};

impl FileSystem {
    /// Puts `files` below the folder `root`, with the time the guest starts at. Content is shared,
    /// not copied.
    ///
    /// # Errors
    /// What is wrong with the files, for people.
    pub(crate) fn give(&mut self, root: NodeId, files: &Files) -> Result<(), String> {
        // Files are sorted: most follow one in the same folder.
        let (mut folder, mut prefix) = (root, "");
        for (path, node) in files {
            check(path)?;
            let (parents, name) = path.rsplit_once('/').unwrap_or(("", path));
            if parents != prefix {
                folder = self
                    .given_folder(root, parents)
                    .map_err(|error| because(path, error))?;
                prefix = parents;
            }
            let (content, executable) = match node {
                FileNode::File {
                    bytes,
                    sha256,
                    executable,
                } => (
                    Content::File(FileData::given(Arc::clone(bytes), *sha256)),
                    *executable,
                ),
                FileNode::Link(target) => {
                    check_target(path, target)?;
                    (Content::Link(Arc::clone(target)), false)
                }
            };
            if self
                .entries(folder)
                .is_ok_and(|entries| entries.contains_key(name))
            {
                return Err(because(path, FileError::Exists));
            }
            let now_ns = self.start_ns();
            self.storage
                .create(folder, name, content, executable, now_ns)
                .map_err(|error| because(path, error))?;
        }
        Ok(())
    }

    fn given_folder(&mut self, root: NodeId, path: &str) -> Result<NodeId, FileError> {
        let mut at = root;
        for part in path.split('/').filter(|part| !part.is_empty()) {
            at = match self.entries(at)?.get(part) {
                Some(&node) if self.kind(node)? == NodeKind::Directory => node,
                Some(_) => return Err(FileError::NotADirectory),
                None => {
                    let now_ns = self.start_ns();
                    self.storage
                        .create(at, part, Content::directory(at), false, now_ns)?
                }
            };
        }
        Ok(at)
    }
}

fn check(path: &str) -> Result<(), String> {
    let is_plain = |part: &str| {
        !part.is_empty() && part != "." && part != ".." && part.len() <= NAME_LIMIT_BYTES
    };
    if path.len() <= PATH_LIMIT_BYTES && !path.contains('\0') && path.split('/').all(is_plain) {
        Ok(())
    } else {
        Err(format!("{path:?} is no path of a file in a tree"))
    }
}

fn check_target(path: &str, target: &str) -> Result<(), String> {
    if path::check(target).is_ok() && !target.starts_with('/') {
        Ok(())
    } else {
        Err(format!(
            "{path}: {target:?} is no target of a link in a tree"
        ))
    }
}

fn because(path: &str, error: FileError) -> String {
    match error {
        FileError::NoSpace => {
            format!("{path}: the files given are larger than files_limit_bytes allows")
        }
        _ => format!("{path}: a file or link stands where a folder must be, or twice in one place"),
    }
}
