//! A fault table for durable writes: every step × {fails before it took effect, fails after it}.
//!
//! Whatever step fails, the put says so, nothing wrong can be read, and the next put succeeds.

use std::fs;
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use sre_da::{Blob, LocalStore, LocalStoreOptions, Store, StoreError, StoreErrorKind, WrittenBlob};
use sre_durable::{Disk, OsDisk};
use tempfile::{NamedTempFile, TempPath};

#[derive(Debug, Clone, Copy, PartialEq)]
enum When {
    Before,
    After,
}

/// A disk on which the n-th step from now fails once.
#[derive(Default)]
struct Faulty {
    steps: AtomicUsize,
    fault: Mutex<Option<(usize, When)>>,
}

impl Faulty {
    fn arm(&self, step: usize, when: When) {
        *self.fault.lock().unwrap() = Some((self.steps.load(Ordering::SeqCst) + step, when));
    }

    fn step<T>(&self, run: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
        let step = self.steps.fetch_add(1, Ordering::SeqCst);
        let fault = self
            .fault
            .lock()
            .unwrap()
            .filter(|(at, _)| *at == step)
            .map(|(_, when)| when);
        let result = if fault == Some(When::Before) {
            None
        } else {
            Some(run())
        };
        match (fault, result) {
            (None, Some(result)) => result,
            _ => Err(io::ErrorKind::StorageFull.into()),
        }
    }
}

impl Disk for Faulty {
    fn create_dir(&self, path: &Path) -> io::Result<bool> {
        self.step(|| OsDisk.create_dir(path))
    }
    fn create_temporary(&self, folder: &Path) -> io::Result<NamedTempFile> {
        self.step(|| OsDisk.create_temporary(folder))
    }
    fn append(&self, file: &mut NamedTempFile, bytes: &[u8]) -> io::Result<()> {
        self.step(|| OsDisk.append(file, bytes))
    }
    fn sync_temporary(&self, file: NamedTempFile) -> io::Result<TempPath> {
        self.step(|| OsDisk.sync_temporary(file))
    }
    fn rename(&self, from: TempPath, to: &Path) -> io::Result<()> {
        self.step(|| OsDisk.rename(from, to))
    }
    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        self.step(|| OsDisk.sync_dir(path))
    }
}

fn large() -> Blob {
    Blob::new(vec![9; 70_000])
}

async fn put(disk: &Arc<Faulty>, dir: &Path, fault: Option<(usize, When)>) -> usize {
    let store = LocalStore::open_on(disk.clone(), dir, LocalStoreOptions::default()).unwrap();
    let before = disk.steps.load(Ordering::SeqCst);
    if let Some((step, when)) = fault {
        disk.arm(step, when);
        let error = store
            .put(vec![large(), Blob::new(&b"small"[..])])
            .await
            .unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::Io);
        assert!(
            error.is_retryable() && error.to_string().contains("free some space"),
            "{error}"
        );
        if let Err(error) = store.get(large().digest()).await {
            assert_eq!(
                error.kind(),
                StoreErrorKind::NotFound,
                "nothing half is visible"
            );
        }
    }
    store.put(vec![large()]).await.unwrap();
    assert_eq!(store.get(large().digest()).await.unwrap(), *large().bytes());
    assert_eq!(
        fs::read_dir(dir.join("tmp")).unwrap().count(),
        0,
        "no leftovers"
    );
    disk.steps.load(Ordering::SeqCst) - before
}

#[tokio::test]
async fn every_step_of_a_put_may_fail() {
    let dir = tempfile::tempdir().unwrap();
    let steps = put(&Arc::default(), dir.path(), None).await;
    assert_eq!(
        steps, 7,
        "temporary file, its bytes, sync, folder, its name, rename, sync"
    );
    for step in 0..steps {
        for when in [When::Before, When::After] {
            let dir = tempfile::tempdir().unwrap();
            let disk = Arc::default();
            put(&disk, dir.path(), Some((step, when))).await;
            let again = LocalStore::open(dir.path(), LocalStoreOptions::default()).unwrap();
            assert_eq!(
                again.get(large().digest()).await.unwrap(),
                *large().bytes(),
                "{step} {when:?}"
            );
        }
    }
}

/// Writes two and a half pieces of a mebibyte.
async fn stream(store: &LocalStore) -> Result<WrittenBlob, StoreError> {
    let mut writer = store.writer().await?;
    for part in PIECES.chunks(100_000) {
        writer.write(part).await?;
    }
    writer.finish(None).await
}

static PIECES: [u8; 5 << 19] = [7; 5 << 19];

#[tokio::test]
async fn every_step_of_a_streamed_blob_may_fail() {
    let dir = tempfile::tempdir().unwrap();
    let disk = Arc::new(Faulty::default());
    let store = LocalStore::open_on(disk.clone(), dir.path(), LocalStoreOptions::default());
    let opened = disk.steps.load(Ordering::SeqCst);
    let written = stream(&store.unwrap()).await.unwrap();
    let steps = disk.steps.load(Ordering::SeqCst) - opened;
    assert_eq!(steps, 9, "as for a put, and two more pieces");
    for step in 0..steps {
        for when in [When::Before, When::After] {
            let dir = tempfile::tempdir().unwrap();
            let disk = Arc::new(Faulty::default());
            let options = LocalStoreOptions::default();
            let store = LocalStore::open_on(disk.clone(), dir.path(), options).unwrap();
            disk.arm(step, when);
            let error = stream(&store).await.unwrap_err();
            assert!(
                error.is_retryable() && error.to_string().contains("free some space"),
                "{error}"
            );
            let left = fs::read_dir(dir.path().join("tmp")).unwrap().count();
            assert_eq!(left, 0, "step {step} {when:?} left a file");
            match store.open(written.digest).await {
                Ok(blob) => assert_eq!(blob.size_bytes(), written.size_bytes, "whole"),
                Err(error) => assert_eq!(error.kind(), StoreErrorKind::NotFound),
            }
            assert_eq!(stream(&store).await.unwrap(), written);
            assert_eq!(store.get(written.digest).await.unwrap()[..], PIECES[..]);
        }
    }
}

#[tokio::test]
async fn every_step_of_opening_may_fail() {
    for step in 0..20 {
        for when in [When::Before, When::After] {
            let parent = tempfile::tempdir().unwrap();
            let dir = parent.path().join("a/b");
            let disk = Arc::new(Faulty::default());
            disk.arm(step, when);
            if LocalStore::open_on(disk.clone(), &dir, LocalStoreOptions::default()).is_ok() {
                // Past the last step, or the one that may fail unheard.
                assert!(step >= 9, "step {step} {when:?} went unnoticed");
            }
            put(&Arc::default(), &dir, None).await;
        }
    }
}

#[tokio::test]
async fn a_file_in_the_way_of_a_folder_is_named_and_passes() {
    let dir = tempfile::tempdir().unwrap();
    let store = LocalStore::open(dir.path(), LocalStoreOptions::default()).unwrap();
    let folder = dir
        .path()
        .join("large")
        .join(&large().digest().to_string()[..2]);
    fs::write(&folder, b"in the way").unwrap();
    for error in [
        store.put(vec![large()]).await.unwrap_err(),
        store.get(large().digest()).await.unwrap_err(),
    ] {
        assert!(
            error.to_string().contains(folder.to_str().unwrap()),
            "{error}"
        );
        assert!(error.to_string().contains("in the way"), "{error}");
    }
    fs::remove_file(&folder).unwrap();
    store.put(vec![large()]).await.unwrap();
    fs::remove_dir_all(&folder).unwrap();
    store.forget(&[large().digest()]);
    store.put(vec![large()]).await.unwrap();
    assert!(store.get(large().digest()).await.is_ok());
}

#[tokio::test]
async fn a_small_blob_fails_while_the_database_is_locked_and_passes() {
    let dir = tempfile::tempdir().unwrap();
    let mut options = LocalStoreOptions::default();
    options.busy_timeout = Duration::from_millis(20);
    let store = LocalStore::open(dir.path(), options).unwrap();
    let other = rusqlite::Connection::open(dir.path().join("small.sqlite3")).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let blob = Blob::new(&b"small"[..]);
    let error = store.put(vec![blob.clone(), large()]).await.unwrap_err();
    assert!(
        error.kind() == StoreErrorKind::Backend && error.is_retryable(),
        "{error}"
    );
    assert!(error.to_string().contains("small.sqlite3"), "{error}");
    other.execute_batch("COMMIT").unwrap();
    store.put(vec![blob.clone()]).await.unwrap();
    assert!(store.get(blob.digest()).await.is_ok());
}
