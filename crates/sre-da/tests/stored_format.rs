//! What earlier versions stored must stay readable. `fixtures/v1` was written by the ignored test
//! below, at schema version 1; it is never written again.

use std::fs;
use std::path::{Path, PathBuf};

use sre_da::{Blob, LocalStore, LocalStoreOptions, Store};

fn fixture() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/v1")
}

fn options() -> LocalStoreOptions {
    let mut options = LocalStoreOptions::default();
    // Keeps the fixture small.
    options.small_limit_bytes = 100;
    options
}

fn blobs() -> Vec<Blob> {
    [&b""[..], b"{\"words\":3}", &[0xff; 100], &[b'L'; 101]]
        .map(Blob::new)
        .into()
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target)
        } else {
            fs::copy(entry.path(), &target).map(drop).unwrap()
        }
    }
}

#[tokio::test]
async fn version_1_is_read_and_written_on() {
    let dir = tempfile::tempdir().unwrap();
    copy(&fixture(), dir.path());
    let store = LocalStore::open(dir.path(), options()).unwrap();
    for blob in blobs() {
        assert_eq!(store.get(blob.digest()).await.unwrap(), *blob.bytes());
    }
    store
        .put([blobs(), vec![Blob::new(&b"new"[..])]].concat())
        .await
        .unwrap();
}

#[tokio::test]
#[ignore = "writes the fixture, once per stored format"]
async fn write_the_fixture() {
    assert!(!fixture().exists(), "a fixture is never overwritten");
    let store = LocalStore::open(&fixture(), options()).unwrap();
    store.put(blobs()).await.unwrap();
    drop(store);
    // Empty, and git would not keep it anyway.
    fs::remove_dir(fixture().join("tmp")).unwrap();
}
