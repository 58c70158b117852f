//! A file of the layout by its digest.

use std::fs::File;
use std::io::{self, Read, Seek};
use std::path::Path;

use sha2::{Digest as _, Sha256};
use sre_core::Digest;

use super::layout::Descriptor;
use super::{DOCUMENT_LIMIT_BYTES, ImageError};

/// The digest that a text names; SHA-256 is the one that is known.
pub fn parse_digest(document: &str, text: &str) -> Result<Digest, ImageError> {
    let digits = text
        .strip_prefix("sha256:")
        .and_then(|digits| digits.parse().ok());
    digits.ok_or_else(|| ImageError::document(document, format!("{text:?} is no SHA-256 digest")))
}

/// A small document, compared with its digest.
pub fn document(layout: &Path, descriptor: &Descriptor) -> Result<Vec<u8>, ImageError> {
    if descriptor.size > DOCUMENT_LIMIT_BYTES {
        return Err(ImageError::TooLarge(format!(
            "{DOCUMENT_LIMIT_BYTES} bytes in {}",
            descriptor.digest
        )));
    }
    let (file, path) = open(layout, descriptor)?;
    let mut bytes = Vec::new();
    file.take(descriptor.size)
        .read_to_end(&mut bytes)
        .map_err(ImageError::io(path))?;
    Ok(bytes)
}

/// A blob, compared with its digest and at its start again.
pub fn open(
    layout: &Path,
    descriptor: &Descriptor,
) -> Result<(File, std::path::PathBuf), ImageError> {
    let expected = parse_digest("the manifest", &descriptor.digest)?;
    let path = layout.join("blobs/sha256").join(expected.to_string());
    let tampered = |why: String| ImageError::Tampered {
        digest: descriptor.digest.clone(),
        why,
    };
    let mut file = File::open(&path).map_err(ImageError::io(&path))?;
    let metadata = file.metadata().map_err(ImageError::io(&path))?;
    if !metadata.is_file() || metadata.len() != descriptor.size {
        return Err(tampered(format!(
            "it has {} bytes instead of {}",
            metadata.len(),
            descriptor.size
        )));
    }
    let mut hashing = Hashing::new((&mut file).take(descriptor.size));
    io::copy(&mut hashing, &mut io::sink()).map_err(ImageError::io(&path))?;
    let found = hashing.digest();
    if found != expected {
        return Err(tampered(format!("its digest is sha256:{found}")));
    }
    file.rewind().map_err(ImageError::io(&path))?;
    Ok((file, path))
}

/// Takes the digest of what is read through it.
pub struct Hashing<R> {
    inner: R,
    hash: Sha256,
    count: u64,
}

impl<R> Hashing<R> {
    pub fn new(inner: R) -> Self {
        Self {
            inner,
            hash: Sha256::new(),
            count: 0,
        }
    }

    /// How many bytes were read.
    pub const fn count(&self) -> u64 {
        self.count
    }

    /// The digest of everything that was read.
    pub fn digest(self) -> Digest {
        Digest::from_bytes(self.hash.finalize().into())
    }
}

impl<R: Read> Read for Hashing<R> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        let length = self.inner.read(bytes)?;
        self.hash.update(&bytes[..length]);
        self.count += length as u64;
        Ok(length)
    }
}
