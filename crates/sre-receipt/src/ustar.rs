//! A strict subset of the ustar format (POSIX.1-1988): plain files, fixed metadata, names in
//! ascending order.
//!
//! For a list of names and contents there is exactly one archive. The reader takes name and size
//! from a header, writes the header again and compares all 512 bytes, so links, folders, modes,
//! owners, times and extensions need no rules of their own. Any `tar` unpacks such an archive; one
//! packed by `tar` is refused.

const BLOCK_BYTES: usize = 512;
/// Longest name, in bytes.
const NAME_LIMIT_BYTES: usize = 100;

/// Why bytes are no such archive.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum UstarError {
    #[error("the archive ends in the middle of something")]
    Truncated,
    #[error("the header at byte {0} is not in canonical form")]
    Header(usize),
    #[error(
        "the file at byte {0} does not follow the one before it in order of names, or has the same name"
    )]
    Order(usize),
    #[error("the padding before byte {0} is not empty")]
    Padding(usize),
    #[error("something follows the end of the archive")]
    Trailing,
    #[error("the archive has more than {0} files")]
    TooMany(usize),
}

/// Writes an archive. Names must be ascending, not empty and at most 100 bytes, contents below 8
/// GiB.
pub(crate) fn write<'a>(files: impl IntoIterator<Item = (&'a str, &'a [u8])>) -> Vec<u8> {
    let mut archive = Vec::new();
    for (name, content) in files {
        archive.extend_from_slice(&header(name.as_bytes(), content.len()));
        archive.extend_from_slice(content);
        archive.resize(archive.len().next_multiple_of(BLOCK_BYTES), 0);
    }
    archive.resize(archive.len() + 2 * BLOCK_BYTES, 0);
    archive
}

/// Reads an archive of at most `limit_files` files; contents are not copied.
pub(crate) fn read(archive: &[u8], limit_files: usize) -> Result<Vec<(&str, &[u8])>, UstarError> {
    let mut files: Vec<(&str, &[u8])> = Vec::new();
    let mut at = 0;
    loop {
        let block = archive
            .get(at..at + BLOCK_BYTES)
            .ok_or(UstarError::Truncated)?;
        if block[0] == 0 {
            break;
        }
        let (name, size) = name_and_size(block).ok_or(UstarError::Header(at))?;
        if header(name.as_bytes(), size) != *block {
            return Err(UstarError::Header(at));
        }
        if files.last().is_some_and(|(last, _)| *last >= name) {
            return Err(UstarError::Order(at));
        }
        if files.len() == limit_files {
            return Err(UstarError::TooMany(limit_files));
        }
        let start = at + BLOCK_BYTES;
        let content = archive
            .get(start..)
            .and_then(|rest| rest.get(..size))
            .ok_or(UstarError::Truncated)?;
        at = (start + size).next_multiple_of(BLOCK_BYTES);
        let padding = archive.get(start + size..at).ok_or(UstarError::Truncated)?;
        if padding.iter().any(|byte| *byte != 0) {
            return Err(UstarError::Padding(at));
        }
        files.push((name, content));
    }
    let end = &archive[at..];
    if end.len() < 2 * BLOCK_BYTES {
        return Err(UstarError::Truncated);
    }
    if end.len() > 2 * BLOCK_BYTES || end.iter().any(|byte| *byte != 0) {
        return Err(UstarError::Trailing);
    }
    Ok(files)
}

fn name_and_size(block: &[u8]) -> Option<(&str, usize)> {
    let name = block[..NAME_LIMIT_BYTES].split(|byte| *byte == 0).next()?;
    let octal = std::str::from_utf8(&block[124..135]).ok()?;
    Some((
        std::str::from_utf8(name).ok()?,
        usize::from_str_radix(octal, 8).ok()?,
    ))
}

/// The one header of a file with this name and size.
fn header(name: &[u8], size: usize) -> [u8; BLOCK_BYTES] {
    let mut block = [0; BLOCK_BYTES];
    let mut put = |at: usize, bytes: &[u8]| block[at..at + bytes.len()].copy_from_slice(bytes);
    put(0, &name[..name.len().min(NAME_LIMIT_BYTES)]);
    put(100, b"0000644\0");
    put(108, b"0000000\0");
    put(116, b"0000000\0");
    // Eleven octal digits; what does not fit is cut here and refused by the reader.
    let octal = format!("{size:011o}");
    put(124, &octal.as_bytes()[octal.len() - 11..]);
    put(136, b"00000000000\0");
    put(148, b"        ");
    put(156, b"0");
    put(257, b"ustar\x0000");
    put(329, b"0000000\0");
    put(337, b"0000000\0");
    let sum: u32 = block.iter().map(|byte| u32::from(*byte)).sum();
    block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    block
}
