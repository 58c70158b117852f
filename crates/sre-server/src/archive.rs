//! What an order left as one archive, made while its client reads it.
//!
//! Entries are sorted by path and carry no time and no owner, so that the same files make the same
//! archive. Paths and links come from a tree that was checked when it was made: none leads out of
//! the folder that the archive is unpacked in.

use std::io::{self, Write};
use std::mem;
use std::sync::{Arc, Mutex, PoisonError};

use axum::body::Body;
use bytes::Bytes;
use futures_util::stream;
use sre_service::{BlobReader, Left, LeftFiles};
use tar::EntryType;
use zip::write::{SimpleFileOptions, StreamWriter, ZipWriter};

use crate::streamed::{self, PIECE_BYTES, read_piece};

/// Kinds of archive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ArchiveFormat {
    Tar,
    Zip,
}

impl ArchiveFormat {
    pub(crate) fn media_type(self) -> &'static str {
        match self {
            Self::Tar => "application/x-tar",
            Self::Zip => "application/zip",
        }
    }

    pub(crate) fn extension(self) -> &'static str {
        match self {
            Self::Tar => "tar",
            Self::Zip => "zip",
        }
    }
}

/// The body of an archive of these files.
pub(crate) fn body(files: LeftFiles, format: ArchiveFormat) -> Body {
    let sink = Sink::default();
    let packing = Packing {
        files,
        packer: Some(match format {
            ArchiveFormat::Tar => Packer::Tar(tar::Builder::new(sink.clone())),
            ArchiveFormat::Zip => Packer::Zip(Box::new(ZipWriter::new_stream(sink.clone()))),
        }),
        sink,
        file: None,
    };
    streamed::body(stream::try_unfold(packing, |mut packing| async move {
        let piece = packing.next_piece().await?;
        Ok(piece.map(|piece| (piece, packing)))
    }))
}

/// Bytes of the archive that are not sent yet.
#[derive(Clone, Default)]
struct Sink(Arc<Mutex<Vec<u8>>>);

impl Sink {
    fn take(&self) -> Vec<u8> {
        mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn len(&self) -> usize {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).len()
    }
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        held.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// An archive that is being made.
struct Packing {
    files: LeftFiles,
    /// `None` after the last entry.
    packer: Option<Packer>,
    sink: Sink,
    /// The file that is being read.
    file: Option<OpenFile>,
}

struct OpenFile {
    reader: BlobReader,
    left_bytes: u64,
}

impl Packing {
    /// The next bytes of the archive; `None` after the last.
    async fn next_piece(&mut self) -> io::Result<Option<Bytes>> {
        while self.sink.len() < PIECE_BYTES {
            let Some(packer) = self.packer.take() else {
                break;
            };
            self.packer = match self.file.take() {
                Some(file) => Some(self.pack_piece(packer, file).await?),
                None => self.begin_next(packer).await?,
            };
        }
        let piece = self.sink.take();
        Ok((!piece.is_empty()).then(|| piece.into()))
    }

    /// Reading and compressing take a while: both on a thread that may block.
    async fn pack_piece(&mut self, mut packer: Packer, file: OpenFile) -> io::Result<Packer> {
        let OpenFile {
            reader, left_bytes, ..
        } = file;
        let packed = tokio::task::spawn_blocking(move || {
            let size = reader.size_bytes();
            let (reader, piece) = read_piece(reader, left_bytes)?;
            packer.write(&piece)?;
            let left_bytes = left_bytes - piece.len() as u64;
            if left_bytes == 0 {
                packer.end_file(size)?;
            }
            Ok((packer, OpenFile { reader, left_bytes }))
        });
        let (packer, file) = packed
            .await
            .unwrap_or_else(|error| Err(io::Error::other(error)))?;
        self.file = (file.left_bytes > 0).then_some(file);
        Ok(packer)
    }

    async fn begin_next(&mut self, mut packer: Packer) -> io::Result<Option<Packer>> {
        match self.files.next().await.map_err(io::Error::other)? {
            None => {
                packer.finish()?;
                return Ok(None);
            }
            Some((path, Left::Link(target))) => packer.link(&path, &target)?,
            Some((path, Left::File(file))) => {
                let left_bytes = file.reader.size_bytes();
                packer.begin_file(&path, left_bytes, file.executable)?;
                if left_bytes > 0 {
                    self.file = Some(OpenFile {
                        reader: file.reader,
                        left_bytes,
                    });
                }
            }
        }
        Ok(Some(packer))
    }
}

/// Writes one kind of archive.
enum Packer {
    Tar(tar::Builder<Sink>),
    Zip(Box<ZipWriter<StreamWriter<Sink>>>),
}

impl Packer {
    fn begin_file(&mut self, path: &str, size_bytes: u64, executable: bool) -> io::Result<()> {
        let mode = if executable { 0o755 } else { 0o644 };
        match self {
            Self::Tar(tar) => {
                let mut header = header(EntryType::Regular, mode);
                header.set_size(size_bytes);
                // The bytes follow.
                tar.append_data(&mut header, path, io::empty())
            }
            Self::Zip(zip) => Ok(zip.start_file(path, options(mode))?),
        }
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Self::Tar(tar) => tar.get_mut().write_all(bytes),
            Self::Zip(zip) => zip.write_all(bytes),
        }
    }

    /// Ends a file that is not empty.
    fn end_file(&mut self, size_bytes: u64) -> io::Result<()> {
        match self {
            // Contents fill whole blocks of 512 bytes.
            Self::Tar(tar) => {
                let padding = size_bytes.next_multiple_of(512) - size_bytes;
                tar.get_mut().write_all(&[0; 512][..padding as usize])
            }
            Self::Zip(_) => Ok(()),
        }
    }

    fn link(&mut self, path: &str, target: &str) -> io::Result<()> {
        match self {
            Self::Tar(tar) => {
                let mut header = header(EntryType::Symlink, 0o777);
                header.set_size(0);
                tar.append_link(&mut header, path, target)
            }
            Self::Zip(zip) => Ok(zip.add_symlink(path, target, options(0o777))?),
        }
    }

    fn finish(self) -> io::Result<()> {
        match self {
            Self::Tar(tar) => tar.into_inner().map(drop),
            Self::Zip(zip) => Ok(zip.finish().map(drop)?),
        }
    }
}

fn header(kind: EntryType, mode: u32) -> tar::Header {
    let mut header = tar::Header::new_gnu();
    header.set_entry_type(kind);
    header.set_mode(mode);
    header.set_mtime(0);
    header.set_uid(0);
    header.set_gid(0);
    header
}

fn options(mode: u32) -> SimpleFileOptions {
    // The first moment that the format has, instead of the present one.
    SimpleFileOptions::default()
        .unix_permissions(mode)
        .last_modified_time(zip::DateTime::default())
}
