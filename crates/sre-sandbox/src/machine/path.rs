//! Where a path of the guest's leads.
//!
//! Resolution never leaves the virtual root: a path may not climb above the folder it is relative
//! to, and the target of a link, which is never absolute, may climb as far as the virtual root and
//! no further.

use std::borrow::Cow;

use super::file_system::FileSystem;
use super::node::{FileError, NodeId, NodeKind};

/// Longest path a guest may name, and longest target of a link, in bytes. The same as the longest
/// path of a file in a committed tree.
pub(crate) const PATH_LIMIT_BYTES: usize = 1024;

/// Longest part of a path, in bytes.
pub(super) const NAME_LIMIT_BYTES: usize = 255;

/// Symbolic links that are followed for one path; as many as Linux follows.
const LINK_LIMIT: u32 = 40;

/// Where a path leads.
pub(super) enum Place<'a> {
    /// To a folder itself: `.`, `a/..`.
    Folder(NodeId),
    /// To a name in a folder.
    Entry(PlaceEntry<'a>),
}

/// A name in a folder, and what is there.
pub(super) struct PlaceEntry<'a> {
    pub(super) folder: NodeId,
    pub(super) name: Cow<'a, str>,
    /// `None` where nothing has this name.
    pub(super) node: Option<NodeId>,
    /// The path is written as one of a folder: it ends with a slash.
    pub(super) as_folder: bool,
}

impl Place<'_> {
    /// The same place, as the end of a path that is written like this one.
    fn into_end_of<'b>(self, as_folder: bool) -> Place<'b> {
        match self {
            Self::Folder(node) => Place::Folder(node),
            Self::Entry(entry) => Place::Entry(PlaceEntry {
                folder: entry.folder,
                name: Cow::Owned(entry.name.into_owned()),
                node: entry.node,
                as_folder: as_folder || entry.as_folder,
            }),
        }
    }
}

impl FileSystem {
    /// Walks `path` from the folder `base`. A link at its end is followed if `follow` says so or
    /// the path ends with a slash.
    pub(super) fn place<'a>(
        &self,
        base: NodeId,
        path: &'a str,
        follow: bool,
    ) -> Result<Place<'a>, FileError> {
        check(path)?;
        if path.starts_with('/') {
            return Err(FileError::NotPermitted);
        }
        let mut links_left = LINK_LIMIT;
        self.walk(base, Some(base), path, follow, &mut links_left)
    }

    /// `top` is the folder that `..` may not leave; `None` in the target of a link, which only the
    /// virtual root stops. Calls itself once per link, so `links_left` bounds the recursion.
    fn walk<'a>(
        &self,
        start: NodeId,
        top: Option<NodeId>,
        path: &'a str,
        follow: bool,
        links_left: &mut u32,
    ) -> Result<Place<'a>, FileError> {
        let as_folder = path.ends_with('/') || path.ends_with("/.");
        let mut at = start;
        let mut parts = path
            .split('/')
            .filter(|part| !part.is_empty() && *part != ".")
            .peekable();
        while let Some(part) = parts.next() {
            if part == ".." {
                if top == Some(at) {
                    return Err(FileError::NotPermitted);
                }
                at = self.parent(at)?;
                continue;
            }
            if part.len() > NAME_LIMIT_BYTES {
                return Err(FileError::NameTooLong);
            }
            let node = self.entries(at)?.get(part).copied();
            let is_last = parts.peek().is_none();
            if let Some(target) = node.and_then(|node| self.link_target(node))
                && (!is_last || follow || as_folder)
            {
                *links_left = links_left.checked_sub(1).ok_or(FileError::Loop)?;
                let place = self.walk(at, None, target, true, links_left)?;
                if is_last {
                    return Ok(place.into_end_of(as_folder));
                }
                at = self.folder_at(&place)?;
                continue;
            }
            let entry = PlaceEntry {
                folder: at,
                name: Cow::Borrowed(part),
                node,
                as_folder,
            };
            if is_last {
                return Ok(Place::Entry(entry));
            }
            at = self.folder_at(&Place::Entry(entry))?;
        }
        Ok(Place::Folder(at))
    }

    /// The folder that a place on the way must be.
    fn folder_at(&self, place: &Place<'_>) -> Result<NodeId, FileError> {
        let node = match place {
            Place::Folder(node) => return Ok(*node),
            Place::Entry(entry) => entry.node.ok_or(FileError::NotFound)?,
        };
        match self.kind(node)? {
            NodeKind::Directory => Ok(node),
            NodeKind::File | NodeKind::Link => Err(FileError::NotADirectory),
        }
    }
}

/// Refuses what is no path at all.
pub(super) fn check(path: &str) -> Result<(), FileError> {
    if path.is_empty() {
        return Err(FileError::NotFound);
    }
    if path.len() > PATH_LIMIT_BYTES {
        return Err(FileError::NameTooLong);
    }
    if path.contains('\0') {
        return Err(FileError::Invalid);
    }
    Ok(())
}
