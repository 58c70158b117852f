//! The layers laid over each other, in memory.
//!
//! A path of an image may go through links that lower layers have made (`lib/x` where `lib` is a
//! link to `usr/lib`). They are followed here, within the image, where an absolute link begins at
//! the image's root and `..` ends there.

use std::collections::BTreeMap;

use super::layer::{join, split};
use super::{ENTRIES_LIMIT, PATHS_LIMIT_BYTES};

/// What a layer does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// Takes away a path of the lower layers, with everything below it.
    Remove(Vec<u8>),
    /// Takes away everything below a path of the lower layers.
    Empty(Vec<u8>),
    /// Puts something there.
    Make(Vec<u8>, Made),
}

/// What a layer puts somewhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Made {
    /// A folder; one that is there stays with what is in it.
    Folder,
    /// A file: the number of its content, and whether it may be executed.
    File {
        /// As `read_layer`'s `keep` has numbered it.
        content: u64,
        /// Whether it may be executed.
        executable: bool,
    },
    /// A link to a path.
    Link(Vec<u8>),
    /// The file at another path, under one more name.
    Same(Vec<u8>),
}

/// Something in a tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Node {
    /// See [`Made::Folder`].
    Folder,
    /// See [`Made::File`].
    File {
        /// The number of its content.
        content: u64,
        /// Whether it may be executed.
        executable: bool,
    },
    /// See [`Made::Link`].
    Link(Vec<u8>),
}

/// Links that are followed on the way to one path.
const LINKS_LIMIT: usize = 40;

/// An image's files. Every node but the root is in a folder that is a node too.
#[derive(Debug, Clone, Default)]
pub struct Tree {
    nodes: BTreeMap<Vec<u8>, Node>,
    /// Bytes of paths and links that were put into it.
    bytes: usize,
}

impl Tree {
    /// Every path with what is there; a folder comes before what is in it.
    pub fn nodes(&self) -> impl Iterator<Item = (&[u8], &Node)> {
        self.nodes.iter().map(|(path, node)| (&**path, node))
    }

    /// What is at a path, links on the way to it not being followed.
    #[must_use]
    pub fn get(&self, path: &[u8]) -> Option<&Node> {
        self.nodes.get(path)
    }

    /// Lays a layer over what is there.
    ///
    /// # Errors
    /// The path that cannot be, and why.
    pub fn apply(&mut self, changes: Vec<Change>) -> Result<(), (Vec<u8>, String)> {
        for change in changes {
            match change {
                Change::Remove(path) => {
                    let Some(place) = self.place(&path) else {
                        continue;
                    };
                    self.remove_below(&place);
                    self.nodes.remove(&place);
                }
                Change::Empty(path) => {
                    if let Some(place) = self.place(&path) {
                        self.remove_below(&place);
                    }
                }
                Change::Make(path, made) => self.make(&path, made).map_err(|why| (path, why))?,
            }
        }
        Ok(())
    }

    fn make(&mut self, path: &[u8], made: Made) -> Result<(), String> {
        if path.is_empty() {
            return Ok(());
        }
        let (folder, name) = split(path);
        let folder = self.folder(folder)?;
        let place = join(&folder, name);
        let node = match made {
            Made::Folder => {
                if !matches!(self.nodes.get(&place), Some(Node::Folder)) {
                    self.put(place, Node::Folder)?;
                }
                return Ok(());
            }
            Made::File {
                content,
                executable,
            } => Node::File {
                content,
                executable,
            },
            Made::Link(target) => Node::Link(target),
            Made::Same(target) => {
                let found = self.place(&target).and_then(|place| self.nodes.get(&place));
                match found {
                    Some(node @ (Node::File { .. } | Node::Link(_))) => node.clone(),
                    _ => return Err(String::from("another name of a file that is not there")),
                }
            }
        };
        self.remove_below(&place);
        self.put(place, node)
    }

    /// One more node. A deep path brings all the folders on the way to it.
    fn put(&mut self, place: Vec<u8>, node: Node) -> Result<(), String> {
        let link = if let Node::Link(target) = &node {
            target.len()
        } else {
            0
        };
        self.bytes += place.len() + link;
        self.nodes.insert(place, node);
        if self.bytes > PATHS_LIMIT_BYTES || self.nodes.len() > ENTRIES_LIMIT {
            let limits =
                format!("{ENTRIES_LIMIT} files and folders or {PATHS_LIMIT_BYTES} bytes of paths");
            return Err(format!("with which the image has more than {limits}"));
        }
        Ok(())
    }

    /// The place of a folder, made if it is not there. A file in its way gives way, as a layer says
    /// it is a folder.
    fn folder(&mut self, path: &[u8]) -> Result<Vec<u8>, String> {
        let place = self
            .resolve(path)
            .ok_or("which lies behind links that lead nowhere")?;
        let mut end = 0;
        while end < place.len() {
            end = place[end + 1..]
                .iter()
                .position(|&byte| byte == b'/')
                .map_or(place.len(), |at| end + 1 + at);
            let part = &place[..end];
            if !matches!(self.nodes.get(part), Some(Node::Folder)) {
                self.put(part.to_vec(), Node::Folder)?;
            }
        }
        Ok(place)
    }

    /// Where a path is, links in its folders being followed and one at its end not.
    fn place(&self, path: &[u8]) -> Option<Vec<u8>> {
        let (folder, name) = split(path);
        Some(join(&self.resolve(folder)?, name))
    }

    /// Where a folder is, all links being followed; `None` if they have no end.
    fn resolve(&self, path: &[u8]) -> Option<Vec<u8>> {
        let mut left: Vec<Vec<u8>> = parts(path);
        let (mut place, mut links) = (Vec::new(), 0);
        while let Some(part) = left.pop() {
            match &*part {
                b".." => place = split(&place).0.to_vec(),
                _ => {
                    let next = join(&place, &part);
                    match self.nodes.get(&next) {
                        Some(Node::Link(target)) => {
                            links += 1;
                            if links > LINKS_LIMIT {
                                return None;
                            }
                            if target.starts_with(b"/") {
                                place.clear();
                            }
                            left.extend(parts(target));
                        }
                        _ => place = next,
                    }
                }
            }
        }
        Some(place)
    }

    fn remove_below(&mut self, place: &[u8]) {
        let prefix = if place.is_empty() {
            Vec::new()
        } else {
            [place, b"/"].concat()
        };
        let doomed: Vec<Vec<u8>> = self
            .nodes
            .range(prefix.clone()..)
            .map(|(path, _)| path)
            .take_while(|path| path.starts_with(&prefix))
            .cloned()
            .collect();
        for path in doomed {
            self.nodes.remove(&path);
        }
    }
}

/// The parts of a path, the last first.
fn parts(path: &[u8]) -> Vec<Vec<u8>> {
    let parts = path
        .split(|&byte| byte == b'/')
        .filter(|part| !part.is_empty() && part != b".");
    parts.rev().map(<[u8]>::to_vec).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(content: u64) -> Made {
        Made::File {
            content,
            executable: false,
        }
    }

    fn make(path: &str, made: Made) -> Change {
        Change::Make(path.into(), made)
    }

    fn shown(tree: &Tree) -> Vec<String> {
        let show = |(path, node): (&[u8], &Node)| match node {
            Node::Folder => format!("{}/", String::from_utf8_lossy(path)),
            Node::File { content, .. } => format!("{} {content}", String::from_utf8_lossy(path)),
            Node::Link(to) => format!(
                "{} -> {}",
                String::from_utf8_lossy(path),
                String::from_utf8_lossy(to)
            ),
        };
        tree.nodes().map(show).collect()
    }

    #[test]
    fn upper_layers_replace_remove_and_empty() {
        let mut tree = Tree::default();
        let lower = vec![
            make("a/b", file(1)),
            make("a/c/d", file(2)),
            make("e", file(3)),
            make("f/g", file(4)),
        ];
        tree.apply(lower).expect("a tree");
        let upper = vec![
            Change::Remove(b"e".to_vec()),
            Change::Remove(b"not/there".to_vec()),
            Change::Empty(b"a".to_vec()),
            make("a/new", file(5)),
            make("f", file(6)),
        ];
        tree.apply(upper).expect("a tree");
        assert_eq!(shown(&tree), ["a/", "a/new 5", "f 6"]);
        tree.apply(vec![
            make("f/h", file(7)),
            make("hard", Made::Same(b"a/new".to_vec())),
        ])
        .expect("a tree");
        assert_eq!(shown(&tree), ["a/", "a/new 5", "f/", "f/h 7", "hard 5"]);
    }

    #[test]
    fn links_are_followed_within_the_image_only() {
        let mut tree = Tree::default();
        let links = vec![
            make("lib", Made::Link(b"/usr/lib".to_vec())),
            make("out", Made::Link(b"../../../../etc".to_vec())),
            make("loop", Made::Link(b"loop".to_vec())),
            make("lib/x", file(1)),
            make("out/passwd", file(2)),
        ];
        tree.apply(links).expect("a tree");
        let expected = [
            "etc/",
            "etc/passwd 2",
            "lib -> /usr/lib",
            "loop -> loop",
            "out -> ../../../../etc",
            "usr/",
            "usr/lib/",
            "usr/lib/x 1",
        ];
        assert_eq!(shown(&tree), expected);
        assert!(tree.apply(vec![make("loop/x", file(3))]).is_err());
        assert!(
            tree.apply(vec![make("y", Made::Same(b"usr".to_vec()))])
                .is_err(),
            "a second name of a folder"
        );
    }
}
