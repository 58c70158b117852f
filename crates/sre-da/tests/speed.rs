//! Figures, not judgements: `cargo test --release -p sre-da --test speed -- --ignored --nocapture`.

use std::sync::Arc;
use std::time::Instant;

use sre_core::BlobDigest;
use sre_da::{Blob, LocalStore, LocalStoreOptions, Store};

fn blob(n: u32) -> Blob {
    let mut bytes = vec![0; 300];
    bytes[..4].copy_from_slice(&n.to_le_bytes());
    Blob::new(bytes)
}

async fn gets(store: Arc<LocalStore>, digests: Arc<Vec<BlobDigest>>, threads: u32, label: &str) {
    let started = Instant::now();
    let tasks = (0..threads).map(|task| {
        let (store, digests) = (store.clone(), digests.clone());
        tokio::spawn(async move {
            for n in 0..50_000_usize {
                store
                    .get(digests[(n * 7919 + task as usize) % digests.len()])
                    .await
                    .unwrap();
            }
        })
    });
    for task in tasks.collect::<Vec<_>>() {
        task.await.unwrap();
    }
    let each = started.elapsed() / 50_000;
    println!("get, {label}, {threads} threads: {each:?} each");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "measures"]
async fn figures() {
    let dir = tempfile::tempdir().unwrap();
    let store = Arc::new(LocalStore::open(dir.path(), LocalStoreOptions::default()).unwrap());
    const PUTS: u32 = 64 * 400;
    let started = Instant::now();
    let tasks = (0..64).map(|task| {
        let store = store.clone();
        tokio::spawn(async move {
            for n in 0..PUTS / 64 {
                let first = (task * (PUTS / 64) + n) * 4;
                store
                    .put((first..first + 4).map(blob).collect())
                    .await
                    .unwrap();
            }
        })
    });
    for task in tasks.collect::<Vec<_>>() {
        task.await.unwrap();
    }
    let rate = f64::from(PUTS) / started.elapsed().as_secs_f64();
    println!(
        "put of 4 blobs of 300 bytes, 64 in flight: {rate:.0} puts/s, {:?}",
        store.stats()
    );

    let digests = Arc::new((0..PUTS * 4).map(|n| blob(n).digest()).collect::<Vec<_>>());
    let few = Arc::new(digests[..100].to_vec());
    for threads in [1, 2] {
        gets(store.clone(), few.clone(), threads, "100 hot blobs").await;
        gets(store.clone(), digests.clone(), threads, "100,000 blobs").await;
    }
    let started = Instant::now();
    for _ in 0..100 {
        let _ = BlobDigest::of(blob(1).bytes());
    }
    println!("two digests of 300 bytes: {:?}", started.elapsed() / 100);
    drop(store);
    let store = Arc::new(LocalStore::open(dir.path(), LocalStoreOptions::default()).unwrap());
    gets(
        store.clone(),
        few,
        1,
        "100 hot blobs, log moved into the file",
    )
    .await;
    gets(store, digests, 1, "100,000 blobs, log moved into the file").await;
}
