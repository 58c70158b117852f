//! The package as a guest sees it: a read-only tree, built once per skill and shared by all its
//! instances.

use std::collections::BTreeMap;
use std::sync::Arc;

use sre_skill::Skill;

use super::node::NodeId;

/// The package's files. Node 0 is `/skill`; numbers follow the sorted paths, so they are the same
/// on every host.
pub(crate) struct PackageTree {
    nodes: Vec<PackageNode>,
}

pub(super) struct PackageNode {
    pub(super) content: PackageContent,
    /// The folder it is in; the root is its own.
    pub(super) parent: u32,
    pub(super) executable: bool,
}

pub(super) enum PackageContent {
    File(Arc<[u8]>),
    Directory(BTreeMap<Arc<str>, NodeId>),
}

impl PackageTree {
    pub(crate) fn new(skill: &Skill) -> Self {
        let root = PackageNode {
            content: PackageContent::Directory(BTreeMap::new()),
            parent: 0,
            executable: false,
        };
        let mut tree = Self { nodes: vec![root] };
        for file in skill.files() {
            let (parents, name) = file.path.rsplit_once('/').unwrap_or(("", &file.path));
            let mut at = 0;
            for part in parents.split('/').filter(|part| !part.is_empty()) {
                at = tree.entry(at, part, || PackageContent::Directory(BTreeMap::new()));
            }
            let node = tree.entry(at, name, || PackageContent::File(Arc::clone(&file.bytes)));
            tree.nodes[node as usize].executable = file.executable;
        }
        tree
    }

    fn entry(&mut self, folder: u32, name: &str, make: impl FnOnce() -> PackageContent) -> u32 {
        // A package holds far fewer files than a `u32` counts.
        let next = self.nodes.len() as u32;
        let PackageContent::Directory(entries) = &mut self.nodes[folder as usize].content else {
            // A checked package has no path that is both a file and a folder.
            return folder;
        };
        if let Some(&NodeId::Package(node)) = entries.get(name) {
            return node;
        }
        entries.insert(Arc::from(name), NodeId::Package(next));
        self.nodes.push(PackageNode {
            content: make(),
            parent: folder,
            executable: false,
        });
        next
    }

    pub(super) fn node(&self, node: u32) -> &PackageNode {
        &self.nodes[node as usize]
    }
}
