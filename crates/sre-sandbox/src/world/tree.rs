//! The package as a guest sees it: a read-only tree, built once per skill and shared by all its
//! instances.

use std::collections::BTreeMap;
use std::sync::Arc;

use sre_skill::Skill;

/// What a node is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NodeKind {
    File,
    Directory,
}

/// The package's files. Node 0 is the root; numbers follow the sorted paths, so they are the same
/// on every host.
pub(crate) struct PackageTree {
    nodes: Vec<PackageNode>,
}

pub(super) struct PackageNode {
    name: String,
    pub(super) content: PackageContent,
}

pub(super) enum PackageContent {
    File(Arc<[u8]>),
    Directory(BTreeMap<String, usize>),
}

impl PackageTree {
    pub(crate) fn new(skill: &Skill) -> Self {
        let root = PackageNode {
            name: String::new(),
            content: PackageContent::Directory(BTreeMap::new()),
        };
        let mut tree = Self { nodes: vec![root] };
        for file in skill.files() {
            let (parents, name) = file.path.rsplit_once('/').unwrap_or(("", &file.path));
            let mut at = 0;
            for part in parents.split('/').filter(|part| !part.is_empty()) {
                at = tree.entry(at, part, || PackageContent::Directory(BTreeMap::new()));
            }
            tree.entry(at, name, || PackageContent::File(Arc::clone(&file.bytes)));
        }
        tree
    }

    fn entry(
        &mut self,
        directory: usize,
        name: &str,
        make: impl FnOnce() -> PackageContent,
    ) -> usize {
        let next = self.nodes.len();
        let PackageContent::Directory(entries) = &mut self.nodes[directory].content else {
            // A checked package has no path that is both a file and a folder.
            return directory;
        };
        if let Some(&node) = entries.get(name) {
            return node;
        }
        entries.insert(name.to_owned(), next);
        self.nodes.push(PackageNode {
            name: name.to_owned(),
            content: make(),
        });
        next
    }

    pub(super) fn name(&self, node: usize) -> &str {
        &self.nodes[node].name
    }

    pub(super) fn node(&self, node: usize) -> &PackageNode {
        &self.nodes[node]
    }
}
