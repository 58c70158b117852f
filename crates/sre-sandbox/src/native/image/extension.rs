//! What an archive says of its next entry in entries of their own: names and links too long for a
//! header, by GNU tar's way or by pax's (POSIX.1-2001).
//!
//! Their sizes are looked at before they are read, for they are kept in memory.

use std::io::Read;

use tar::{Entry, EntryType, PaxExtensions};

/// Longest name or link of GNU's way, in bytes. A path may not be half as long.
const NAME_LIMIT_BYTES: u64 = 8 << 10;

/// Longest list of pax's, in bytes: times and attributes besides name and link.
const RECORDS_LIMIT_BYTES: u64 = 64 << 10;

/// What is told of the next entry.
#[derive(Default)]
pub struct Told {
    pub path: Option<Vec<u8>>,
    pub link: Option<Vec<u8>>,
    size: Option<u64>,
}

impl Told {
    /// Takes in an entry that is about the next one; `false` if it is one of its own.
    ///
    /// # Errors
    /// Why it cannot be.
    pub fn take<R: Read>(&mut self, entry: &mut Entry<'_, R>) -> Result<bool, String> {
        match entry.header().entry_type() {
            EntryType::GNULongName => {
                let name = read(entry, NAME_LIMIT_BYTES)?;
                once(&mut self.path, name.strip_suffix(b"\0").unwrap_or(&name))?;
            }
            EntryType::GNULongLink => {
                let link = read(entry, NAME_LIMIT_BYTES)?;
                once(&mut self.link, link.strip_suffix(b"\0").unwrap_or(&link))?;
            }
            EntryType::XHeader => self.take_records(&read(entry, RECORDS_LIMIT_BYTES)?)?,
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// How many bytes of path and link.
    pub fn bytes(&self) -> usize {
        [&self.path, &self.link]
            .into_iter()
            .flatten()
            .map(Vec::len)
            .sum()
    }

    fn take_records(&mut self, records: &[u8]) -> Result<(), String> {
        for record in PaxExtensions::new(records) {
            let record = record.map_err(|error| format!("a list that cannot be read: {error}"))?;
            match record.key_bytes() {
                b"path" => once(&mut self.path, record.value_bytes())?,
                b"linkpath" => once(&mut self.link, record.value_bytes())?,
                b"size" => {
                    let size = record.value().ok().and_then(|size| size.parse().ok());
                    self.size = Some(size.ok_or("a list with a size that is no number")?);
                }
                key if key.starts_with(b"GNU.sparse.") => {
                    return Err(String::from("a list of a file with holes: pack it without"));
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Checks that the entry is as long as was told. What is longer than its header can say is
    /// longer than any limit.
    ///
    /// # Errors
    /// What differs.
    pub fn check_size(&self, header_bytes: u64) -> Result<(), String> {
        match self.size {
            Some(told) if told != header_bytes => Err(format!(
                "whose size is {header_bytes} bytes in one place and {told} in another"
            )),
            _ => Ok(()),
        }
    }
}

fn read<R: Read>(entry: &mut Entry<'_, R>, limit_bytes: u64) -> Result<Vec<u8>, String> {
    if entry.size() > limit_bytes {
        return Err(format!(
            "{} bytes about the next entry; {limit_bytes} are allowed",
            entry.size()
        ));
    }
    let mut bytes = Vec::new();
    let read = entry.take(limit_bytes).read_to_end(&mut bytes);
    read.map_err(|error| format!("which cannot be read to its end: {error}"))?;
    Ok(bytes)
}

fn once(place: &mut Option<Vec<u8>>, value: &[u8]) -> Result<(), String> {
    match place.replace(value.to_vec()) {
        None => Ok(()),
        Some(_) => Err(String::from("a name that is told twice")),
    }
}
