//! The local store through its public interface.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use proptest::prelude::*;
use rusqlite::{Connection, params};
use sre_core::BlobDigest;
use sre_da::{
    Blob, BlobSweep as _, FetchError, LocalReader, LocalStore, LocalStoreOptions, Removed, Source,
    Store, StoreError, StoreErrorKind, fetch_result, parse_uri, store_result,
};
use tempfile::TempDir;

const LARGE: usize = 70_000;

fn open(dir: &Path) -> LocalStore {
    LocalStore::open(dir, LocalStoreOptions::default()).unwrap()
}

fn fresh() -> (TempDir, LocalStore) {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    (dir, store)
}

fn large_path(dir: &Path, digest: BlobDigest) -> PathBuf {
    let name = digest.to_string();
    dir.join("large").join(&name[..2]).join(name)
}

async fn put_one(store: &LocalStore, bytes: Vec<u8>) -> BlobDigest {
    let blob = Blob::new(bytes);
    store.put(vec![blob.clone()]).await.unwrap();
    blob.digest()
}

/// The `expected` and `actual` of a mismatch, and its message.
fn mismatch(result: Result<Arc<[u8]>, StoreError>) -> (BlobDigest, BlobDigest, String) {
    let error = result.unwrap_err();
    let message = error.to_string();
    match error {
        StoreError::Mismatch {
            expected, actual, ..
        } => (expected, actual, message),
        other => panic!("{other}"),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn what_is_put_is_got(sizes in prop::collection::vec(0_usize..2000, 0..12), limit in 0_u64..1500, seed: u8) {
        let dir = tempfile::tempdir().unwrap();
        let mut options = LocalStoreOptions::default();
        options.small_limit_bytes = limit;
        let blobs: Vec<_> = sizes.iter().map(|n| Blob::new(vec![seed; *n])).collect();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let store = LocalStore::open(dir.path(), options).unwrap();
            store.put(blobs.clone()).await.unwrap();
            for blob in &blobs {
                assert_eq!(store.get(blob.digest()).await.unwrap(), *blob.bytes());
                assert!(store.exists(blob.digest()).await.unwrap());
            }
            drop(store);
            // Another limit does not hide what is there.
            let store = open(dir.path());
            for blob in &blobs {
                assert_eq!(store.get(blob.digest()).await.unwrap(), *blob.bytes());
            }
        });
    }

    #[test]
    fn uris_are_read_back(bytes: Vec<u8>, junk in ".{0,90}") {
        let digest = BlobDigest::of(&bytes);
        let uri = sre_da::format_uri(digest);
        prop_assert_eq!(&uri, &format!("da:sha256:{digest}"));
        prop_assert_eq!(parse_uri(&uri), Ok(digest));
        prop_assert!(parse_uri(&uri.to_uppercase()).is_err());
        prop_assert!(parse_uri(&junk).is_err());
    }
}

#[tokio::test]
async fn a_result_is_stored_and_fetched_by_uri() {
    let (_dir, store) = fresh();
    let uri = store_result(&store, &b"{}"[..]).await.unwrap();
    assert_eq!(&fetch_result(&store, &uri).await.unwrap()[..], b"{}");
    assert!(matches!(
        fetch_result(&store, "da:md5:00").await,
        Err(FetchError::Uri(_))
    ));
}

#[tokio::test]
async fn a_missing_blob_is_not_found() {
    let (_dir, store) = fresh();
    let digest = BlobDigest::of(b"never stored");
    let error = store.get(digest).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::NotFound);
    assert!(!error.is_retryable() && error.to_string().contains(&digest.to_string()));
    assert!(!store.exists(digest).await.unwrap());
}

#[tokio::test]
async fn a_flipped_byte_of_a_small_blob_is_found_named_and_repaired() {
    let (dir, store) = fresh();
    let digest = put_one(&store, b"abc".to_vec()).await;
    let sql = Connection::open(dir.path().join("small.sqlite3")).unwrap();
    sql.execute(
        "UPDATE blob SET bytes = ?1 WHERE digest = ?2",
        params![b"abd", digest.digest().as_bytes()],
    )
    .unwrap();

    let (expected, actual, message) = mismatch(store.get(digest).await);
    assert_eq!((expected, actual), (digest, BlobDigest::of(b"abd")));
    assert!(
        message.contains(&expected.to_string()) && message.contains(&actual.to_string()),
        "{message}"
    );
    assert!(message.contains("small.sqlite3"), "{message}");

    put_one(&store, b"abc".to_vec()).await;
    assert_eq!(&store.get(digest).await.unwrap()[..], b"abc");
}

#[tokio::test]
async fn a_flipped_byte_or_a_lost_end_of_a_large_blob_is_found_named_and_repaired() {
    let (dir, store) = fresh();
    let bytes = vec![7; LARGE];
    let digest = put_one(&store, bytes.clone()).await;
    let path = large_path(dir.path(), digest);
    let mut flipped = bytes.clone();
    flipped[LARGE / 2] ^= 1;
    for wrong in [flipped, bytes[..LARGE - 1].to_vec(), Vec::new()] {
        fs::write(&path, &wrong).unwrap();
        let (expected, actual, message) = mismatch(store.get(digest).await);
        assert_eq!((expected, actual), (digest, BlobDigest::of(&wrong)));
        assert!(message.contains(path.to_str().unwrap()), "{message}");
        put_one(&store, bytes.clone()).await;
        assert_eq!(store.get(digest).await.unwrap()[..], bytes);
    }
    fs::remove_file(&path).unwrap();
    assert_eq!(
        store.get(digest).await.unwrap_err().kind(),
        StoreErrorKind::NotFound
    );
    put_one(&store, bytes.clone()).await;
    assert_eq!(store.get(digest).await.unwrap()[..], bytes);
}

/// All files and folders below, with their times of change.
fn listing(dir: &Path) -> Vec<(PathBuf, SystemTime)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).unwrap().map(Result::unwrap) {
        found.push((entry.path(), entry.metadata().unwrap().modified().unwrap()));
        if entry.path().is_dir() {
            found.extend(listing(&entry.path()));
        }
    }
    found.sort();
    found
}

#[tokio::test]
async fn a_reader_sees_what_is_there_and_leaves_no_trace() {
    let folder = tempfile::tempdir().unwrap();
    // A name that a URI would read otherwise.
    let dir = folder.path().join("a ?mode=rw#%41");
    let store = open(&dir);
    let (small, large) = (
        put_one(&store, vec![1; 10]).await,
        put_one(&store, vec![2; LARGE]).await,
    );
    let reader = LocalReader::open(&dir).unwrap();
    assert_eq!(
        (
            reader.get(small).unwrap().len(),
            reader.get(large).unwrap().len()
        ),
        (10, LARGE)
    );
    let later = put_one(&store, vec![3; 20]).await;
    assert_eq!(reader.get(later).unwrap().len(), 20, "while others write");
    drop(reader);
    drop(store);

    let before = listing(folder.path());
    let reader = LocalReader::open(&dir).unwrap();
    assert_eq!(
        (
            reader.get(small).unwrap().len(),
            reader.get(large).unwrap().len()
        ),
        (10, LARGE)
    );
    assert_eq!(
        reader.get(BlobDigest::of(b"another")).unwrap_err().kind(),
        StoreErrorKind::NotFound
    );
    drop(reader);
    assert_eq!(listing(folder.path()), before);

    fs::write(large_path(&dir, large), b"something else").unwrap();
    let connection = Connection::open(dir.join("small.sqlite3")).unwrap();
    connection
        .execute(
            "UPDATE blob SET bytes = x'00' WHERE digest = ?1",
            params![small.digest().as_bytes()],
        )
        .unwrap();
    drop(connection);
    let reader = LocalReader::open(&dir).unwrap();
    for digest in [small, large] {
        assert_eq!(mismatch(reader.get(digest)).0, digest);
    }

    // A folder without a store is not made one.
    let other = tempfile::tempdir().unwrap();
    fs::write(other.path().join("small.sqlite3"), b"").unwrap();
    let before = listing(other.path());
    assert_eq!(
        LocalReader::open(other.path()).unwrap_err().kind(),
        StoreErrorKind::Backend
    );
    assert_eq!(listing(other.path()), before);
}

#[tokio::test]
async fn wrong_digests_and_large_blobs_are_refused_before_anything_is_written() {
    let dir = tempfile::tempdir().unwrap();
    let mut options = LocalStoreOptions::default();
    options.blob_limit_bytes = 1_000_000;
    let store = LocalStore::open(dir.path(), options).unwrap();
    let good = Blob::new(&b"good"[..]);
    let claimed = BlobDigest::of(b"something else");
    for size in [10, 500_000] {
        let bad = Blob::with_digest(claimed, vec![0; size]);
        let error = store.put(vec![good.clone(), bad]).await.unwrap_err();
        let actual = BlobDigest::of(&vec![0; size]);
        assert!(
            matches!(error, StoreError::Mismatch { expected, actual: a, .. } if expected == claimed && a == actual)
        );
    }
    let error = store
        .put(vec![good.clone(), Blob::new(vec![0; 1_000_001])])
        .await
        .unwrap_err();
    assert!(matches!(
        error,
        StoreError::TooLarge {
            size_bytes: 1_000_001,
            limit_bytes: 1_000_000,
            ..
        }
    ));
    assert!(!store.exists(good.digest()).await.unwrap());
    store
        .put(vec![
            Blob::with_digest(good.digest(), good.bytes().clone()),
            Blob::new(vec![0; 1_000_000]),
        ])
        .await
        .unwrap();
    assert!(store.exists(good.digest()).await.unwrap());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn concurrent_puts_share_transactions() {
    let (_dir, store) = fresh();
    let store = Arc::new(store);
    let puts = (0..64_u32).map(|n| {
        let store = store.clone();
        tokio::spawn(async move {
            for round in 0..4_u32 {
                put_one(&store, [n.to_le_bytes(), round.to_le_bytes()].concat()).await;
            }
        })
    });
    for put in puts.collect::<Vec<_>>() {
        put.await.unwrap();
    }
    let stats = store.stats();
    assert_eq!(stats.puts, 256);
    assert!(stats.transactions < 128, "{stats:?}");
}

#[tokio::test]
async fn a_repeated_put_is_skipped_until_it_is_forgotten() {
    let (dir, store) = fresh();
    let digest = put_one(&store, b"same".to_vec()).await;
    let transactions = store.stats().transactions;
    put_one(&store, b"same".to_vec()).await;
    assert_eq!(
        (store.stats().transactions, store.stats().skipped_blobs),
        (transactions, 1)
    );

    // As a future deletion would have to: delete, then forget.
    let sql = Connection::open(dir.path().join("small.sqlite3")).unwrap();
    sql.execute("DELETE FROM blob", []).unwrap();
    store.forget(&[digest]);
    put_one(&store, b"same".to_vec()).await;
    assert_eq!(&store.get(digest).await.unwrap()[..], b"same");
}

#[tokio::test]
async fn two_stores_share_a_folder() {
    let (dir, one) = fresh();
    let two = open(dir.path());
    for bytes in [b"from one".to_vec(), vec![1; LARGE]] {
        let digest = put_one(&one, bytes.clone()).await;
        assert_eq!(two.get(digest).await.unwrap()[..], bytes, "visible at once");
        put_one(&two, bytes).await;
    }
    drop(one);
    put_one(&two, b"from two".to_vec()).await;
}

#[tokio::test]
async fn old_leftovers_are_swept_and_young_ones_kept() {
    let (dir, store) = fresh();
    drop(store);
    let (old, young) = (
        dir.path().join("tmp/.put-old"),
        dir.path().join("tmp/.put-young"),
    );
    for path in [&old, &young] {
        fs::write(path, b"half").unwrap();
    }
    let two_hours_ago = SystemTime::now() - std::time::Duration::from_secs(7200);
    fs::File::options()
        .write(true)
        .open(&old)
        .unwrap()
        .set_modified(two_hours_ago)
        .unwrap();
    open(dir.path());
    assert!(!old.exists() && young.exists());
}

#[cfg(unix)]
#[tokio::test]
async fn files_and_folders_are_readable_for_their_user_alone() {
    use std::os::unix::fs::PermissionsExt;
    let parent = tempfile::tempdir().unwrap();
    let dir = parent.path().join("new").join("data");
    let store = open(&dir);
    put_one(&store, b"small".to_vec()).await;
    let digest = put_one(&store, vec![1; LARGE]).await;
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    let large = large_path(&dir, digest);
    for folder in [
        &parent.path().join("new"),
        &dir,
        &dir.join("large"),
        &dir.join("tmp"),
        large.parent().unwrap(),
    ] {
        assert_eq!(mode(folder), 0o700, "{}", folder.display());
    }
    for file in [
        "small.sqlite3",
        "small.sqlite3-wal",
        "small.sqlite3-shm",
        large.to_str().unwrap(),
    ] {
        assert_eq!(mode(&dir.join(file)), 0o600, "{file}");
    }
}

#[test]
fn folders_that_cannot_be_are_named_with_advice() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("file");
    fs::write(&file, b"").unwrap();
    for path in [file.clone(), file.join("below")] {
        let error = LocalStore::open(&path, LocalStoreOptions::default()).unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::Backend);
        assert!(!error.is_retryable());
        let message = error.to_string();
        assert!(
            message.contains(path.to_str().unwrap()) && message.contains("in the way"),
            "{message}"
        );
    }
}

#[test]
fn databases_of_others_of_the_future_and_of_bad_disks_are_refused() {
    let refusal = |prepare: &dyn Fn(&Path)| {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("small.sqlite3");
        prepare(&path);
        let before = fs::read(&path).ok();
        let message = LocalStore::open(dir.path(), LocalStoreOptions::default())
            .unwrap_err()
            .to_string();
        assert!(message.contains(path.to_str().unwrap()), "{message}");
        assert_eq!(fs::read(&path).ok(), before, "left as it was");
        message
    };
    let newer = refusal(&|path| {
        open(path.parent().unwrap());
        Connection::open(path)
            .unwrap()
            .pragma_update(None, "user_version", 99)
            .unwrap();
    });
    assert!(
        newer.contains("schema version 99") && newer.contains("up to 1"),
        "{newer}"
    );
    let foreign = refusal(&|path| {
        Connection::open(path)
            .unwrap()
            .execute_batch("CREATE TABLE t (x)")
            .unwrap()
    });
    assert!(foreign.contains("another program"), "{foreign}");
    let corrupt = refusal(&|path| fs::write(path, [b'x'; 8192]).unwrap());
    assert!(corrupt.contains("damaged"), "{corrupt}");
    let folder = refusal(&|path| fs::create_dir(path).unwrap());
    assert!(folder.contains("cannot create"), "{folder}");
}

/// Says that it has these bytes under every digest but one.
struct Liar(BlobDigest);

#[async_trait::async_trait]
impl Source for Liar {
    async fn fetch(&self, digest: BlobDigest) -> Result<Option<Arc<[u8]>>, StoreError> {
        Ok((digest != self.0).then(|| b"bytes".as_slice().into()))
    }

    fn place(&self) -> String {
        String::from("a liar")
    }
}

#[tokio::test]
async fn a_source_is_a_store_that_gives_what_was_asked_for_and_takes_nothing() {
    let (absent, present) = (BlobDigest::of(b"absent"), BlobDigest::of(b"bytes"));
    let store: &dyn Store = &Liar(absent);
    assert_eq!(&*store.get(present).await.unwrap(), b"bytes");
    assert!(
        matches!(store.get(absent).await, Err(StoreError::NotFound { digest }) if digest == absent)
    );
    let (expected, actual, message) = mismatch(store.get(BlobDigest::of(b"other")).await);
    assert_eq!((expected, actual), (BlobDigest::of(b"other"), present));
    assert!(message.contains("a liar"), "{message}");
    assert_eq!(
        (
            store.exists(present).await.unwrap(),
            store.exists(absent).await.unwrap()
        ),
        (true, false)
    );
    store.put(Vec::new()).await.unwrap();
    assert!(
        store
            .put(vec![Blob::new(b"bytes".as_slice())])
            .await
            .is_err()
    );
}

#[tokio::test]
async fn garbage_collection_lists_every_blob_and_removes_what_is_not_kept() {
    let dir = tempfile::tempdir().unwrap();
    let mut options = LocalStoreOptions::default();
    options.small_limit_bytes = 100;
    let store = LocalStore::open(dir.path(), options).unwrap();
    let blobs: Vec<Blob> = (0..1200_usize)
        .map(|n| Blob::new(n.to_string().into_bytes()))
        .chain((0..40_u8).map(|n| Blob::new(vec![n; 101])))
        .collect();
    store.put(blobs.clone()).await.unwrap();

    let (mut listed, mut from) = (Vec::new(), None);
    loop {
        let page = store.list(from.as_deref()).await.unwrap();
        listed.extend(page.digests);
        from = page.next;
        if from.is_none() {
            break;
        }
    }
    let mut all: Vec<BlobDigest> = blobs.iter().map(Blob::digest).collect();
    all.sort_unstable_by_key(ToString::to_string);
    listed.sort_unstable_by_key(ToString::to_string);
    assert_eq!(listed, all);

    let kept = [&blobs[7], &blobs[1203]].map(Blob::digest);
    let removed = sre_da::retain(&store, &|digest| kept.contains(&digest))
        .await
        .unwrap();
    let bytes: usize = blobs.iter().map(|blob| blob.bytes().len()).sum();
    let kept_bytes = blobs[7].bytes().len() + 101;
    assert_eq!(
        (removed.blobs, removed.bytes),
        (1238, (bytes - kept_bytes) as u64)
    );
    for blob in &blobs {
        let is_kept = kept.contains(&blob.digest());
        assert_eq!(store.exists(blob.digest()).await.unwrap(), is_kept);
    }
    // What was removed is not taken for durable any more.
    store.put(blobs.clone()).await.unwrap();
    for blob in &blobs {
        assert_eq!(store.get(blob.digest()).await.unwrap(), *blob.bytes());
    }
    assert_eq!(
        store.remove(&[BlobDigest::of(b"unknown")]).await.unwrap(),
        Removed::default()
    );
}
