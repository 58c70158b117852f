//! Blobs in pieces, through the public interface.

use std::fs;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::Path;

use sre_core::BlobDigest;
use sre_da::{Blob, BlobReader, LocalStore, LocalStoreOptions, Store, StoreErrorKind, WrittenBlob};
use tempfile::TempDir;

const LARGE: usize = 3 << 20;

fn fresh() -> (TempDir, LocalStore) {
    let dir = tempfile::tempdir().unwrap();
    let store = LocalStore::open(dir.path(), LocalStoreOptions::default()).unwrap();
    (dir, store)
}

fn bytes(count: usize) -> Vec<u8> {
    (0..count).map(|n| (n % 251) as u8).collect()
}

async fn write(store: &LocalStore, bytes: &[u8], part: usize) -> WrittenBlob {
    let mut writer = store.writer().await.unwrap();
    for part in bytes.chunks(part) {
        writer.write(part).await.unwrap();
    }
    writer.finish(Some(BlobDigest::of(bytes))).await.unwrap()
}

fn rest(mut reader: BlobReader) -> Vec<u8> {
    let mut bytes = Vec::new();
    reader.read_to_end(&mut bytes).unwrap();
    bytes
}

fn temporary_files(dir: &Path) -> usize {
    fs::read_dir(dir.join("tmp")).unwrap().count()
}

/// The file of a large blob.
fn file_of(dir: &Path, digest: BlobDigest) -> std::path::PathBuf {
    let name = digest.to_string();
    dir.join("large").join(&name[..2]).join(name)
}

#[tokio::test]
async fn a_blob_in_pieces_is_the_blob_that_is_put_whole() {
    let (dir, store) = fresh();
    for count in [0, 1, 64 << 10, (64 << 10) + 1, 1 << 20, LARGE + 17] {
        let bytes = bytes(count);
        let written = write(&store, &bytes, 60_000).await;
        assert_eq!(written.digest, BlobDigest::of(&bytes));
        assert_eq!(written.size_bytes, count as u64);
        assert_eq!(store.get(written.digest).await.unwrap()[..], bytes[..]);
        let reader = store.open(written.digest).await.unwrap();
        assert_eq!(reader.size_bytes(), count as u64);
        assert_eq!(rest(reader), bytes);
        let is_file = file_of(dir.path(), written.digest).exists();
        assert_eq!(is_file, count > 64 << 10, "{count} bytes");
    }
    assert_eq!(temporary_files(dir.path()), 0);
}

#[tokio::test]
async fn a_part_is_read_from_where_it_begins() {
    let (_dir, store) = fresh();
    for count in [1000, LARGE] {
        let bytes = bytes(count);
        let written = write(&store, &bytes, count).await;
        let mut reader = store.open(written.digest).await.unwrap();
        reader.seek(SeekFrom::Start(count as u64 - 10)).unwrap();
        assert_eq!(rest(reader), bytes[count - 10..]);
    }
}

#[tokio::test]
async fn a_blob_that_is_cut_off_leaves_nothing() {
    let (dir, store) = fresh();
    let bytes = bytes(LARGE);
    let mut writer = store.writer().await.unwrap();
    writer.write(&bytes).await.unwrap();
    assert_eq!(temporary_files(dir.path()), 1, "it is being written");
    drop(writer);
    assert_eq!(temporary_files(dir.path()), 0);
    assert!(!store.exists(BlobDigest::of(&bytes)).await.unwrap());
}

#[tokio::test]
async fn bytes_with_another_digest_than_announced_are_not_stored() {
    let (dir, store) = fresh();
    // One that is there already: what comes under its name must be its bytes all the same.
    let known = write(&store, b"known", 5).await.digest;
    for count in [1000, LARGE] {
        let bytes = bytes(count);
        let mut writer = store.writer().await.unwrap();
        writer.write(&bytes).await.unwrap();
        let error = writer.finish(Some(known)).await.unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::Mismatch);
        assert!(error.to_string().contains(&known.to_string()), "{error}");
        assert!(!store.exists(BlobDigest::of(&bytes)).await.unwrap());
    }
    assert_eq!(temporary_files(dir.path()), 0);
}

#[tokio::test]
async fn the_same_blob_may_come_twice_at_once() {
    let (dir, store) = fresh();
    let bytes = bytes(LARGE);
    let (one, two) = tokio::join!(
        write(&store, &bytes, 70_000),
        write(&store, &bytes, 110_000)
    );
    assert_eq!(one, two);
    assert_eq!(rest(store.open(one.digest).await.unwrap()), bytes);
    assert_eq!(temporary_files(dir.path()), 0);
}

#[tokio::test]
async fn a_blob_over_the_limit_is_refused_while_it_comes() {
    let dir = tempfile::tempdir().unwrap();
    let mut options = LocalStoreOptions::default();
    options.blob_limit_bytes = 2 << 20;
    let store = LocalStore::open(dir.path(), options).unwrap();
    let mut writer = store.writer().await.unwrap();
    writer.write(&bytes(2 << 20)).await.unwrap();
    let error = writer.write(b"x").await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::TooLarge);
    assert_eq!(temporary_files(dir.path()), 0);
    assert!(writer.finish(None).await.is_err(), "nothing is left of it");
}

#[tokio::test]
async fn a_damaged_file_is_refused_when_it_is_opened_and_repaired_by_writing_it_again() {
    let (dir, store) = fresh();
    let bytes = bytes(LARGE);
    let digest = write(&store, &bytes, LARGE).await.digest;
    let mut damaged = bytes.clone();
    damaged[LARGE / 2] ^= 1;
    fs::write(file_of(dir.path(), digest), damaged).unwrap();
    let error = store.open(digest).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Mismatch);
    write(&store, &bytes, LARGE).await;
    assert_eq!(rest(store.open(digest).await.unwrap()), bytes);
}

/// A store that can only put whole blobs.
struct Whole(LocalStore);

#[async_trait::async_trait]
impl Store for Whole {
    async fn put(&self, blobs: Vec<Blob>) -> Result<(), sre_da::StoreError> {
        self.0.put(blobs).await
    }
    async fn get(&self, digest: BlobDigest) -> Result<std::sync::Arc<[u8]>, sre_da::StoreError> {
        self.0.get(digest).await
    }
    async fn exists(&self, digest: BlobDigest) -> Result<bool, sre_da::StoreError> {
        self.0.exists(digest).await
    }
}

#[tokio::test]
async fn a_store_of_whole_blobs_takes_and_gives_pieces_too() {
    let (_dir, store) = fresh();
    let store = Whole(store);
    let mut writer = store.writer().await.unwrap();
    for part in [&b"a"[..], b"bc"] {
        writer.write(part).await.unwrap();
    }
    let written = writer.finish(None).await.unwrap();
    assert_eq!(written.digest, BlobDigest::of(b"abc"));
    assert_eq!(rest(store.open(written.digest).await.unwrap()), b"abc");
    let mut writer = store.writer().await.unwrap();
    writer.write(b"other").await.unwrap();
    let error = writer.finish(Some(written.digest)).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Mismatch);
}
