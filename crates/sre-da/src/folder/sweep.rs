//! Garbage collection of a folder: small blobs first, then each folder of large ones.

use std::sync::Arc;

use async_trait::async_trait;
use sre_core::BlobDigest;

use super::blocking::blocking;
use super::store::LocalStore;
use crate::store_error::StoreError;
use crate::sweep::{BlobPage, BlobSweep, Removed};

/// Folders of large blobs.
const FOLDERS: u16 = 256;

/// Where a page begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Cursor {
    /// Behind this row of the database.
    Small(i64),
    /// With this folder.
    Large(u16),
}

impl Cursor {
    /// A cursor that this store did not make begins at the start, which only costs time.
    fn parse(text: &str) -> Self {
        let parsed = text.split_once(':').and_then(|(kind, number)| match kind {
            "small" => number.parse().ok().map(Self::Small),
            "large" => number.parse().ok().map(Self::Large),
            _ => None,
        });
        parsed.unwrap_or(Self::Small(0))
    }
}

impl std::fmt::Display for Cursor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Small(row) => write!(f, "small:{row}"),
            Self::Large(folder) => write!(f, "large:{folder}"),
        }
    }
}

#[async_trait]
impl BlobSweep for LocalStore {
    async fn list(&self, from: Option<&str>) -> Result<BlobPage, StoreError> {
        let (digests, next) = match from.map_or(Cursor::Small(0), Cursor::parse) {
            Cursor::Small(after) => {
                let (digests, last) = self.small.list(after)?;
                (digests, last.map_or(Cursor::Large(0), Cursor::Small))
            }
            Cursor::Large(folder) if folder < FOLDERS => {
                let large = Arc::clone(&self.large);
                let digests = blocking(move || large.list(folder)).await?;
                (digests, Cursor::Large(folder + 1))
            }
            Cursor::Large(_) => return Ok(BlobPage::default()),
        };
        Ok(BlobPage {
            digests,
            next: Some(next.to_string()),
        })
    }

    async fn remove(&self, digests: &[BlobDigest]) -> Result<Removed, StoreError> {
        // Before the bytes go: a put that begins now writes again.
        self.known.forget(digests);
        let small = self.small.remove(digests.to_vec()).await?;
        let (large, all) = (Arc::clone(&self.large), digests.to_vec());
        let files = blocking(move || large.remove(&all)).await?;
        // And again, for a put that has found a blob there meanwhile.
        self.known.forget(digests);
        Ok(Removed {
            blobs: small.blobs + files.blobs,
            bytes: small.bytes + files.bytes,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_is_read_as_it_is_written() {
        for cursor in [
            Cursor::Small(0),
            Cursor::Small(i64::MAX),
            Cursor::Large(255),
        ] {
            assert_eq!(Cursor::parse(&cursor.to_string()), cursor);
        }
        assert_eq!(Cursor::parse("nonsense"), Cursor::Small(0));
    }
}
