//! An OCI image layout as root folder: checked, unpacked once, kept by its digest.
//!
//! | file | holds |
//! |---|---|
//! | `layout` | index, manifest and configuration: which layers |
//! | `blob` | a file of the layout by its digest |
//! | `layer` | one layer's entries |
//! | `extension` | what is told of an entry before it |
//! | `tree` | the layers laid over each other, in memory |
//! | `unpack` | the tree on disk |
//!
//! Format: OCI image specification 1.1 (`image-layout.md`, `layer.md`), also with the media types
//! that Docker writes.
//!
//! Nothing of an image is believed. Blobs are compared with their digests before they are read and
//! layers again after they are decompressed. Names and links are resolved in memory, within the
//! image, and only folders and files that were made here are written to: no path of an image can
//! lead out of its folder. Devices, sockets and what is too large or too much are refused; owners,
//! set-uid bits and attributes are left out, as no jail would honour them.
//!
//! *On disk*: `<folder>/sha256-<manifest>/root`, and beside it the digest of the tree that was
//! written. Both appear at once, by a rename; what a crash leaves are folders that begin with `.`,
//! which the next unpacking may be told from. A tree that has been changed since is refused.

mod blob;
mod extension;
mod layer;
mod layout;
mod tree;
mod unpack;

use std::io;
use std::path::PathBuf;

pub(super) use blob::Hashing;
pub use layer::{Format, read_layer};
pub use layout::{Chosen, Descriptor, Image, parse_index, parse_manifest};
pub use tree::{Change, Made, Node, Tree};
pub use unpack::{is_layout, unpack, unpack_within};

/// Most bytes of an index, manifest or configuration.
pub const DOCUMENT_LIMIT_BYTES: u64 = 4 << 20;

/// Most layers of an image.
pub const LAYERS_LIMIT: usize = 127;

/// Most bytes of all layers together, decompressed.
pub const UNPACKED_LIMIT_BYTES: u64 = 8 << 30;

/// Most entries of all layers together, and most files, folders and links of the whole.
pub const ENTRIES_LIMIT: usize = 500_000;

/// Most bytes of all paths and links together: they are kept in memory until the image is on disk.
/// In the largest images they are some tens of millions.
pub const PATHS_LIMIT_BYTES: usize = 128 << 20;

/// Why an image cannot be a root folder.
#[derive(Debug, thiserror::Error)]
pub enum ImageError {
    /// A part of the layout cannot be read, or the disk cannot be written to.
    #[error("{}: {source}", .path.display())]
    Io {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A document says something else than the specification.
    #[error("{document} is no valid image: {why}")]
    Document {
        /// Which document.
        document: String,
        /// What is wrong.
        why: String,
    },
    /// A blob is not what its digest says.
    #[error("the blob {digest} is not what its name says: {why}; fetch the image again")]
    Tampered {
        /// Its name.
        digest: String,
        /// What differs.
        why: String,
    },
    /// A layer holds what may not be in a root folder.
    #[error("the layer {layer} holds {path:?}, {why}")]
    Entry {
        /// The layer's digest.
        layer: String,
        /// The path within it.
        path: String,
        /// What is wrong with it.
        why: String,
    },
    /// It is larger than any limit.
    #[error("the image has more than {0}")]
    TooLarge(String),
    /// What was unpacked earlier has been changed.
    #[error("{} has been changed since it was unpacked; remove it, and it is unpacked again", .0.display())]
    Changed(PathBuf),
}

impl ImageError {
    fn document(document: &str, why: impl Into<String>) -> Self {
        Self::Document {
            document: document.to_owned(),
            why: why.into(),
        }
    }

    /// For `map_err`: which file it was.
    fn io(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io {
            path: path.into(),
            source,
        }
    }
}
