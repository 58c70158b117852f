//! What a guest left in a folder.

use super::file_system::FileSystem;
use super::node::NodeId;
use super::storage::Content;
use crate::FileNode;
use crate::collect::{Found, FoundNode};

impl FileSystem {
    /// Takes the files and links below `folder` out of it. Content that is as it was given is
    /// neither copied nor hashed.
    pub(crate) fn take_files(&mut self, folder: NodeId) -> Found {
        let mut found = Found::default();
        // No recursion: a guest nests folders as deep as it has entries.
        let mut folders = vec![(folder, String::new())];
        while let Some((folder, prefix)) = folders.pop() {
            let Ok(entries) = self.entries(folder).cloned() else {
                continue;
            };
            for (name, node) in entries {
                let path = format!("{prefix}{name}");
                match self.take(node) {
                    Some(node) => found.add(path, node),
                    None => folders.push((node, format!("{path}/"))),
                }
            }
        }
        found
    }

    /// A file or link; `None` for a folder.
    fn take(&mut self, node: NodeId) -> Option<FoundNode> {
        let node = self.storage.get_mut_for_taking(node)?;
        let executable = node.executable;
        // A file with several names is found several times.
        let is_last = node.links <= 1;
        node.links = node.links.saturating_sub(1);
        match &mut node.content {
            Content::Directory(_) => None,
            Content::Link(target) => Some(FoundNode::Link(target.clone())),
            Content::File(data) => Some(match data.as_given() {
                Some(given) => FoundNode::Given(FileNode::File {
                    bytes: given.bytes.clone(),
                    sha256: given.sha256,
                    executable,
                }),
                None => FoundNode::Written {
                    bytes: if is_last {
                        data.take()
                    } else {
                        data.bytes().to_vec()
                    },
                    executable,
                },
            }),
        }
    }
}
