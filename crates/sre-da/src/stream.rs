//! Blobs in pieces, so that a large one is never in memory as a whole.

use std::fs::File;
use std::io::{self, Cursor, Read, Seek, SeekFrom};
use std::sync::Arc;

use async_trait::async_trait;
use sre_core::BlobDigest;

use crate::store_error::StoreError;

/// A blob that is being written. It is hashed as it comes, and nothing of it can be read before it
/// is finished. Dropping it removes what was written.
#[async_trait]
pub trait BlobWriter: Send {
    /// Takes the next bytes.
    ///
    /// # Errors
    /// [`StoreError::LimitExceeded`], otherwise what the storage said. After an error nothing more
    /// can be written.
    async fn write(&mut self, bytes: &[u8]) -> Result<(), StoreError>;

    /// Ends the blob, and returns when it is durable.
    ///
    /// # Errors
    /// [`StoreError::Mismatch`] when the bytes have another digest than `expected`, otherwise what
    /// the storage said. After an error nothing of it is stored.
    async fn finish(
        self: Box<Self>,
        expected: Option<BlobDigest>,
    ) -> Result<WrittenBlob, StoreError>;
}

/// A blob that was written in pieces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WrittenBlob {
    /// Its address.
    pub digest: BlobDigest,
    /// Its size in bytes.
    pub size_bytes: u64,
}

/// Refuses bytes that have another digest than was announced.
pub(crate) fn expect(expected: Option<BlobDigest>, actual: BlobDigest) -> Result<(), StoreError> {
    match expected {
        Some(expected) if expected != actual => Err(StoreError::Mismatch {
            expected,
            actual,
            place: String::from("the blob to be stored"),
        }),
        _ => Ok(()),
    }
}

/// The bytes of a blob, which were checked when it was opened. Reading blocks.
#[derive(Debug)]
pub struct BlobReader {
    place: Place,
    size_bytes: u64,
}

#[derive(Debug)]
enum Place {
    Memory(Cursor<Arc<[u8]>>),
    File(File),
}

impl BlobReader {
    /// A reader of bytes in memory.
    #[must_use]
    pub fn new(bytes: Arc<[u8]>) -> Self {
        Self {
            size_bytes: bytes.len() as u64,
            place: Place::Memory(Cursor::new(bytes)),
        }
    }

    /// A reader of a file with so many bytes, from where it stands.
    #[cfg(feature = "folder")]
    pub(crate) fn of_file(file: File, size_bytes: u64) -> Self {
        Self {
            place: Place::File(file),
            size_bytes,
        }
    }

    /// How many bytes there are.
    #[must_use]
    pub fn size_bytes(&self) -> u64 {
        self.size_bytes
    }
}

impl Read for BlobReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match &mut self.place {
            Place::Memory(bytes) => bytes.read(buffer),
            Place::File(file) => file.read(buffer),
        }
    }
}

impl Seek for BlobReader {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        match &mut self.place {
            Place::Memory(bytes) => bytes.seek(to),
            Place::File(file) => file.seek(to),
        }
    }
}
