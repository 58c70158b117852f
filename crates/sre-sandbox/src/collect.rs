//! What a program left in a folder, as a tree: the same rules for every backend.

use std::collections::BTreeMap;
use std::sync::Arc;

use sre_core::{Canonical, Collect, Digest, Tree, TreeEntry, TreeError, check_path};

use crate::{FileNode, Files, LeftFiles};

/// Entries that are left out of a tree and named in the log; of others only the number is told.
const NAMED_LIMIT: usize = 10;

/// What a folder held at the end, as a backend finds it.
#[derive(Debug, Default)]
pub(crate) struct Found {
    entries: BTreeMap<Arc<str>, FoundNode>,
    left_out: Vec<String>,
}

/// A file or link that was found.
#[derive(Debug)]
pub(crate) enum FoundNode {
    /// As it was given: neither copied nor hashed.
    Given(FileNode),
    /// A file with new content, which is hashed if it is collected.
    Written { bytes: Vec<u8>, executable: bool },
    /// A file that was read from elsewhere, as new as it is different from what was given.
    #[cfg_attr(
        all(feature = "wasm", not(all(feature = "native", target_os = "linux"))),
        expect(dead_code, reason = "only jails are read from")
    )]
    Read { bytes: Arc<[u8]>, executable: bool },
    /// A symbolic link.
    Link(Arc<str>),
}

impl Found {
    /// Adds what is at `path`, unless it cannot be part of a tree.
    pub(crate) fn add(&mut self, path: String, node: FoundNode) {
        let problem = match &node {
            FoundNode::Link(target) => link_problem(&path, target),
            FoundNode::Given(_) | FoundNode::Written { .. } | FoundNode::Read { .. } => {
                check_path(&path).err().map(|error| error.to_string())
            }
        };
        match problem {
            Some(problem) => self.leave_out(problem),
            None => drop(self.entries.insert(path.into(), node)),
        }
    }

    /// Notes that something is not part of the tree, and why.
    pub(crate) fn leave_out(&mut self, what: String) {
        self.left_out.push(what);
    }

    /// Lines for the log about what is not part of the tree.
    pub(crate) fn notes(&self, folder: &str) -> String {
        let mut notes = String::new();
        for what in self.left_out.iter().take(NAMED_LIMIT) {
            notes.push_str(&format!("[left out of the files in {folder}: {what}]\n"));
        }
        if let Some(more) = self.left_out.len().checked_sub(NAMED_LIMIT + 1) {
            notes.push_str(&format!(
                "[left out of the files in {folder}: {} more]\n",
                more + 1
            ));
        }
        notes
    }

    /// The tree that is part of the outcome: `given`, with those changes applied that `collect`
    /// selects. What is not selected stays as it was given, unless a selected change takes its
    /// place.
    ///
    /// # Errors
    /// The tree is larger than a tree may be.
    pub(crate) fn into_left(
        self,
        given: &Files,
        collect: &Collect,
    ) -> Result<LeftFiles, TreeError> {
        let mut files = if collect.is_everything() {
            Files::new()
        } else {
            let mut files = given.clone();
            for (path, _) in given {
                if !self.entries.contains_key(path) && collect.matches(path) {
                    files.remove(path);
                }
            }
            files
        };
        for (path, node) in self.entries {
            let node = match node {
                _ if !collect.is_everything() && !collect.matches(&path) => continue,
                FoundNode::Given(node) => node,
                FoundNode::Written { bytes, executable } => {
                    file(&bytes, executable, given.get(&path))
                        .unwrap_or_else(|| FileNode::file(bytes, executable))
                }
                FoundNode::Read { bytes, executable } => file(&bytes, executable, given.get(&path))
                    .unwrap_or_else(|| FileNode::file(bytes, executable)),
                FoundNode::Link(target) => FileNode::Link(target),
            };
            files.put_in_place_of_others(path, node);
        }
        Ok(LeftFiles {
            tree: Canonical::new(tree(&files)?),
            files,
        })
    }
}

/// The file that was given, if it has this content.
fn file(bytes: &[u8], executable: bool, given: Option<&FileNode>) -> Option<FileNode> {
    match given {
        Some(FileNode::File {
            bytes: before,
            sha256,
            ..
        }) if **before == *bytes => Some(FileNode::File {
            bytes: Arc::clone(before),
            sha256: *sha256,
            executable,
        }),
        _ => None,
    }
}

/// Why a link cannot be part of a tree.
fn link_problem(path: &str, target: &str) -> Option<String> {
    let link = TreeEntry::Link(target.to_owned());
    Tree::new([(path.to_owned(), link)])
        .err()
        .map(|error| error.to_string())
}

/// The value of a tree of files.
pub(crate) fn tree(files: &Files) -> Result<Tree, TreeError> {
    Tree::new(files.iter().map(|(path, node)| {
        let entry = match node {
            FileNode::File {
                bytes,
                sha256,
                executable,
            } => TreeEntry::File {
                content: content(bytes, *sha256),
                executable: *executable,
            },
            FileNode::Link(target) => TreeEntry::Link(target.as_ref().to_owned()),
        };
        (path.as_ref().to_owned(), entry)
    }))
}

fn content(bytes: &[u8], sha256: Digest) -> sre_core::Content {
    sre_core::Content {
        sha256: sha256.into(),
        size: bytes.len() as u64,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(text: &str) -> FileNode {
        FileNode::file(text.as_bytes(), false)
    }

    fn written(text: &str) -> FoundNode {
        FoundNode::Written {
            bytes: text.as_bytes().to_vec(),
            executable: false,
        }
    }

    fn collect(patterns: &[&str]) -> Collect {
        let patterns: Vec<String> = patterns.iter().map(|&text| text.to_owned()).collect();
        Collect::try_from(patterns).expect("patterns")
    }

    /// The same as [`Tree::with_collected`] says, which a verifier may ask.
    #[test]
    fn only_selected_changes_are_applied() {
        let given: Files = [
            ("a", file("1")),
            ("b/x", file("2")),
            ("b/y", file("3")),
            ("c", file("4")),
        ]
        .into_iter()
        .collect();
        for patterns in [
            vec!["**"],
            vec!["a/*"],
            vec!["b"],
            vec!["c"],
            vec!["b", "c", "new"],
            vec!["none"],
            vec!["a/*", "b/*"],
        ] {
            let mut found = Found::default();
            // `a` has become a folder, `b` a file, `c` is gone.
            found.add(String::from("a/n"), written("5"));
            found.add(String::from("b"), written("6"));
            found.add(String::from("new"), written("7"));
            let mut later = Files::new();
            later.insert("a/n", file("5"));
            later.insert("b", file("6"));
            later.insert("new", file("7"));
            let collect = collect(&patterns);
            let left = found.into_left(&given, &collect).expect("a tree");
            let expected = tree(&given)
                .expect("a tree")
                .with_collected(&tree(&later).expect("a tree"), &collect);
            assert_eq!(*left.tree, expected, "{patterns:?}");
        }
    }

    #[test]
    fn links_out_of_the_folder_are_left_out_and_named() {
        let mut found = Found::default();
        found.add(String::from("in/up"), FoundNode::Link("../a".into()));
        found.add(String::from("out"), FoundNode::Link("../skill/x".into()));
        found.add("n".repeat(1025), written(""));
        for number in 0..12 {
            found.leave_out(format!("socket {number}"));
        }
        let notes = found.notes("/workspace");
        assert!(notes.contains("above the root"), "{notes}");
        assert!(notes.ends_with("/workspace: 4 more]\n"), "{notes}");
        let left = found
            .into_left(&Files::new(), &Collect::default())
            .expect("a tree");
        assert_eq!(left.files.len(), 1);
    }
}
