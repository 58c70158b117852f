//! One layer's entries.

use std::io::{self, Read};

use flate2::read::MultiGzDecoder;
use ruzstd::decoding::StreamingDecoder;
use tar::{Archive, Entry, EntryType};

use super::extension::Told;
use super::tree::{Change, Made};
use super::{ENTRIES_LIMIT, ImageError, PATHS_LIMIT_BYTES};

/// How a layer is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Not at all.
    Plain,
    /// With gzip.
    Gzip,
    /// With Zstandard.
    Zstd,
}

impl Format {
    /// Of a media type of the specification or of Docker's; `None` for others, encrypted ones for
    /// instance.
    #[must_use]
    pub fn of(media_type: &str) -> Option<Self> {
        match media_type {
            "application/vnd.oci.image.layer.v1.tar"
            | "application/vnd.docker.image.rootfs.diff.tar" => Some(Self::Plain),
            "application/vnd.oci.image.layer.v1.tar+gzip"
            | "application/vnd.docker.image.rootfs.diff.tar.gzip" => Some(Self::Gzip),
            "application/vnd.oci.image.layer.v1.tar+zstd"
            | "application/vnd.docker.image.rootfs.diff.tar.zstd" => Some(Self::Zstd),
            _ => None,
        }
    }

    /// Decompresses.
    ///
    /// # Errors
    /// What is no such format at its start; the rest is told while it is read.
    pub fn reader<'a>(self, packed: impl Read + 'a) -> io::Result<Box<dyn Read + 'a>> {
        Ok(match self {
            Self::Plain => Box::new(packed),
            Self::Gzip => Box::new(MultiGzDecoder::new(packed)),
            Self::Zstd => {
                let decoder = StreamingDecoder::new(packed);
                Box::new(decoder.map_err(|error| {
                    io::Error::new(io::ErrorKind::InvalidData, error.to_string())
                })?)
            }
        })
    }
}

/// Names that say what of the lower layers is not there any more.
const WHITEOUT: &[u8] = b".wh.";
const OPAQUE: &[u8] = b".wh..wh..opq";

/// Longest path, in bytes.
const PATH_LIMIT_BYTES: usize = 4096;

/// Deepest path.
const DEPTH_LIMIT: usize = 128;

/// Reads a decompressed layer: what it removes, then what it adds. `keep` takes the content of a
/// file and answers with its number.
///
/// # Errors
/// The first entry that may not be in a root folder, by its path.
pub fn read_layer(
    layer: &str,
    unpacked: impl Read,
    entries_before: usize,
    keep: &mut dyn FnMut(&mut dyn Read) -> io::Result<u64>,
) -> Result<Vec<Change>, ImageError> {
    let damaged =
        |error: io::Error| ImageError::document(&format!("the layer {layer}"), error.to_string());
    let mut archive = Archive::new(unpacked);
    let (mut removed, mut added, mut told) = (Vec::new(), Vec::new(), Told::default());
    let mut path_bytes = 0;
    // Raw: the archive's reader would take in names of any length.
    for entry in archive.entries().map_err(damaged)?.raw(true) {
        let mut entry = entry.map_err(damaged)?;
        if entries_before + removed.len() + added.len() >= ENTRIES_LIMIT {
            return Err(ImageError::TooLarge(format!("{ENTRIES_LIMIT} entries")));
        }
        let own_path = entry.path_bytes().into_owned();
        let shown = String::from_utf8_lossy(told.path.as_ref().unwrap_or(&own_path)).into_owned();
        let refused = |why: String| ImageError::Entry {
            layer: layer.to_owned(),
            path: shown.clone(),
            why,
        };
        if told.take(&mut entry).map_err(refused)? {
            continue;
        }
        let told = std::mem::take(&mut told);
        told.check_size(entry.size()).map_err(refused)?;
        path_bytes += own_path.len() + told.bytes();
        if path_bytes > PATHS_LIMIT_BYTES {
            return Err(ImageError::TooLarge(format!(
                "{PATHS_LIMIT_BYTES} bytes of paths in a layer"
            )));
        }
        let path = clean(told.path.as_deref().unwrap_or(&own_path)).map_err(refused)?;
        let (folder, name) = split(&path);
        if name == OPAQUE {
            removed.push(Change::Empty(folder.to_vec()));
        } else if let Some(name) = name.strip_prefix(WHITEOUT) {
            if name.is_empty() || name == b"." || name == b".." {
                return Err(refused(String::from("a whiteout of nothing")));
            }
            removed.push(Change::Remove(join(folder, name)));
        } else if let Some(made) = made(&mut entry, &path, told.link, keep).map_err(refused)? {
            added.push(Change::Make(path, made));
        }
    }
    removed.append(&mut added);
    Ok(removed)
}

fn made<R: Read>(
    entry: &mut Entry<'_, R>,
    path: &[u8],
    told_link: Option<Vec<u8>>,
    keep: &mut dyn FnMut(&mut dyn Read) -> io::Result<u64>,
) -> Result<Option<Made>, String> {
    let link = |entry: &Entry<'_, R>| -> Result<Vec<u8>, String> {
        let own = || {
            entry
                .link_name_bytes()
                .map(|target| target.into_owned())
                .unwrap_or_default()
        };
        let target = told_link.unwrap_or_else(own);
        match target.len() {
            0 => Err(String::from("a link to nothing")),
            PATH_LIMIT_BYTES.. => Err(String::from("a link to a path that is too long")),
            _ if target.contains(&0) => Err(String::from("a link to a path with a zero byte")),
            _ => Ok(target),
        }
    };
    match entry.header().entry_type() {
        EntryType::Directory => Ok(Some(Made::Folder)),
        EntryType::Regular | EntryType::Continuous => {
            if path.is_empty() {
                return Err(String::from("a file in the place of the root folder"));
            }
            let mode = entry
                .header()
                .mode()
                .map_err(|error| format!("whose mode cannot be read: {error}"))?;
            let content =
                keep(entry).map_err(|error| format!("which cannot be read to its end: {error}"))?;
            Ok(Some(Made::File {
                content,
                executable: mode & 0o111 != 0,
            }))
        }
        EntryType::Symlink => Ok(Some(Made::Link(link(entry)?))),
        EntryType::Link => Ok(Some(Made::Same(clean(&link(entry)?)?))),
        EntryType::XGlobalHeader => Ok(None),
        // A jail has a /dev of its own.
        EntryType::Char | EntryType::Block if path.starts_with(b"dev/") => Ok(None),
        EntryType::Char | EntryType::Block => Err(String::from("a device: no jail would open it")),
        EntryType::Fifo => Err(String::from("a pipe: nothing could be at its other end")),
        EntryType::GNUSparse => Err(String::from("a file with holes: pack it without")),
        other => Err(format!(
            "an entry of the unknown kind {:?}",
            char::from(other.as_byte())
        )),
    }
}

/// A path without a slash at either end and without `.`; anything that could lead out is refused.
fn clean(path: &[u8]) -> Result<Vec<u8>, String> {
    if path.len() > PATH_LIMIT_BYTES {
        return Err(format!(
            "whose path is longer than {PATH_LIMIT_BYTES} bytes"
        ));
    }
    if path.contains(&0) {
        return Err(String::from("whose path has a zero byte"));
    }
    let mut clean: Vec<&[u8]> = Vec::new();
    for part in path.split(|&byte| byte == b'/') {
        match part {
            b"" | b"." => {}
            b".." => return Err(String::from("whose path leads out of its folder")),
            part if part.len() > 255 => {
                return Err(String::from("whose name is longer than 255 bytes"));
            }
            part => clean.push(part),
        }
    }
    if clean.len() > DEPTH_LIMIT {
        return Err(format!("which is deeper than {DEPTH_LIMIT} folders"));
    }
    Ok(clean.join(&b'/'))
}

/// The folder of a path, empty for the root, and the name in it.
pub(super) fn split(path: &[u8]) -> (&[u8], &[u8]) {
    match path.iter().rposition(|&byte| byte == b'/') {
        Some(at) => (&path[..at], &path[at + 1..]),
        None => (b"", path),
    }
}

/// A name in a folder.
pub(super) fn join(folder: &[u8], name: &[u8]) -> Vec<u8> {
    if folder.is_empty() {
        name.to_vec()
    } else {
        [folder, b"/", name].concat()
    }
}
