//! Reads and writes packages as `.tar.gz` (POSIX.1-2017 pax, ustar and GNU headers inside RFC 1952
//! gzip).
//!
//! Nothing is unpacked to disk. The decompressed stream ends with an error at a fixed distance
//! beyond the content's limit, so a bomb is never inflated. Written archives depend on the files
//! alone: no times, no owners, fixed order.

use std::io::{self, Read, Write as _};

use flate2::read::MultiGzDecoder;
use flate2::{Compression, GzBuilder};
use tar::{Archive, Builder, Entry, EntryType, Header};

use crate::SkillErrorKind;
use crate::limits::PackageLimits;
use crate::path;
use crate::tree::{SkillFile, Tree, TreeError};

/// An archive that is no package.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TarError {
    #[error("the .tar.gz archive is damaged: {0}")]
    Damaged(io::Error),
    #[error("the .tar.gz archive unpacks to more than {limit} bytes; make the package smaller")]
    TooLong { limit: u64 },
    #[error("the .tar.gz archive goes on after its end; pack it again")]
    Trailing,
    #[error(transparent)]
    Tree(#[from] TreeError),
}

impl TarError {
    pub(crate) fn kind(&self) -> SkillErrorKind {
        match self {
            Self::Damaged(_) | Self::Trailing => SkillErrorKind::Malformed,
            Self::TooLong { .. } => SkillErrorKind::TooLarge,
            Self::Tree(error) => error.kind(SkillErrorKind::Malformed),
        }
    }
}

/// Reads every file of the archive; also returns the name of the top folder, if one was stripped.
pub(crate) fn read(
    packed: &[u8],
    limits: &PackageLimits,
    markers: &[&str],
) -> Result<(Vec<SkillFile>, Option<String>), TarError> {
    let limit = limits.tar_bytes();
    let mut stream = Bounded {
        inner: MultiGzDecoder::new(packed),
        left: limit,
        exceeded: false,
    };
    let result = read_stream(&mut stream, limits, markers);
    match result {
        // The tar reader wraps errors; the flag says for certain that it met the end of what is
        // allowed.
        Err(error) if stream.exceeded && error.kind() == SkillErrorKind::Malformed => {
            Err(TarError::TooLong { limit })
        }
        result => result,
    }
}

fn read_stream(
    stream: &mut impl Read,
    limits: &PackageLimits,
    markers: &[&str],
) -> Result<(Vec<SkillFile>, Option<String>), TarError> {
    let mut tree = Tree::new(limits);
    let mut archive = Archive::new(&mut *stream);
    for entry in archive.entries().map_err(TarError::Damaged)? {
        read_entry(&mut tree, entry.map_err(TarError::Damaged)?)?;
    }
    check_rest(stream)?;
    Ok(tree.into_files_below(markers)?)
}

fn read_entry(tree: &mut Tree, mut entry: Entry<'_, impl Read>) -> Result<(), TarError> {
    let kind = entry.header().entry_type();
    if kind == EntryType::XGlobalHeader {
        return Ok(()); // `git archive` writes the commit's id there
    }
    let raw = entry.path_bytes().into_owned();
    let mut name = path::without_dot(&raw);
    if kind.is_dir() {
        name = name.strip_suffix(b"/").unwrap_or(name);
        if name.is_empty() || name == b"." {
            return Ok(());
        }
    }
    let Some(path) = tree.admit(name)? else {
        return Ok(());
    };
    if kind.is_dir() {
        return Ok(tree.add_folder(path)?);
    }
    if let Some(what) = special(kind) {
        return Err(TreeError::special(path, what).into());
    }
    check_extensions(&mut entry, path)?;
    let executable = entry.header().mode().map_err(TarError::Damaged)? & 0o111 != 0;
    let declared = entry.size();
    let found = tree.add_file(path, executable, &mut entry)?;
    if found != declared {
        return Err(TreeError::WrongSize {
            path: path::shown(path.as_bytes()),
            declared,
            found,
        }
        .into());
    }
    Ok(())
}

/// What an entry is, unless it is a plain file.
fn special(kind: EntryType) -> Option<&'static str> {
    match kind {
        EntryType::Regular => None,
        EntryType::Link => Some("a hard link"),
        EntryType::Symlink => Some("a symbolic link"),
        EntryType::Char | EntryType::Block => Some("a device"),
        EntryType::Fifo => Some("a pipe"),
        EntryType::GNUSparse => Some("a sparse file"),
        _ => Some("an entry of an unusual type"),
    }
}

/// Refuses pax records that make a file sparse, or that give it two names of which every reader
/// takes another.
fn check_extensions(entry: &mut Entry<'_, impl Read>, path: &str) -> Result<(), TarError> {
    let Some(extensions) = entry.pax_extensions().map_err(TarError::Damaged)? else {
        return Ok(());
    };
    let mut names = 0;
    for extension in extensions {
        let extension = extension.map_err(TarError::Damaged)?;
        names += usize::from(extension.key_bytes() == b"path");
        if extension.key_bytes().starts_with(b"GNU.sparse") {
            return Err(TreeError::special(path, "a sparse file").into());
        }
    }
    if names > 1 {
        return Err(TreeError::special(path, "an entry with two names").into());
    }
    Ok(())
}

/// After the end mark only zeros may follow; reading them checks gzip's own checksum.
fn check_rest(stream: &mut impl Read) -> Result<(), TarError> {
    let mut buffer = [0; 8192];
    loop {
        match stream.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(n) if buffer[..n].iter().all(|b| *b == 0) => {}
            Ok(_) => return Err(TarError::Trailing),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(TarError::Damaged(error)),
        }
    }
}

/// A reader that fails, instead of ending, when more than `left` bytes come.
struct Bounded<R> {
    inner: R,
    left: u64,
    exceeded: bool,
}

impl<R: Read> Read for Bounded<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.left == 0 {
            let ended = self.inner.read(&mut [0])? == 0;
            self.exceeded = !ended;
            return if ended {
                Ok(0)
            } else {
                Err(io::Error::other("too long"))
            };
        }
        let most = usize::try_from(self.left).map_or(buffer.len(), |left| left.min(buffer.len()));
        let count = self.inner.read(&mut buffer[..most])?;
        self.left -= count as u64;
        Ok(count)
    }
}

/// Packs `files`, which come in their final order.
pub(crate) fn write<'a>(files: impl IntoIterator<Item = &'a SkillFile>) -> Vec<u8> {
    let pack = || -> io::Result<Vec<u8>> {
        let gzip = GzBuilder::new()
            .mtime(0)
            .operating_system(255)
            .write(Vec::new(), Compression::new(6));
        let mut archive = Builder::new(gzip);
        for file in files {
            let mut header = Header::new_gnu();
            header.set_entry_type(EntryType::Regular);
            header.set_mode(if file.executable { 0o755 } else { 0o644 });
            header.set_size(file.bytes.len() as u64);
            header.set_mtime(0);
            archive.append_data(&mut header, &file.path, &*file.bytes)?;
        }
        let mut gzip = archive.into_inner()?;
        gzip.flush()?;
        gzip.finish()
    };
    pack().expect("writing to memory does not fail and checked paths fit into tar headers")
}
