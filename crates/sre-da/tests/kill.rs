//! Processes that are killed, and processes that share a folder. The test binary runs itself as the
//! child.
#![cfg(unix)]

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use sre_core::BlobDigest;
use sre_da::{Blob, LocalStore, LocalStoreOptions, Store};

const DIR: &str = "SRE_DA_TEST_DIR";
const NAME: &str = "SRE_DA_TEST_NAME";
const PUTS: &str = "SRE_DA_TEST_PUTS";

/// Generous: a machine may be very busy.
const PATIENCE: Duration = Duration::from_secs(180);

fn open(dir: &Path) -> LocalStore {
    LocalStore::open(dir, LocalStoreOptions::default()).unwrap()
}

/// Not a test by itself: the child. Writes blobs from four tasks and prints each digest once it is
/// acknowledged.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn child() {
    let Ok(dir) = std::env::var(DIR) else { return };
    let (name, puts) = (
        std::env::var(NAME).unwrap(),
        std::env::var(PUTS).unwrap().parse::<u32>().unwrap(),
    );
    let store = Arc::new(open(Path::new(&dir)));
    let tasks = (0..4).map(|task| {
        let (store, name) = (store.clone(), name.clone());
        tokio::spawn(async move {
            for n in 0..puts {
                let mut bytes = format!("{name} {task} {n}").into_bytes();
                if n % 4 == 3 {
                    bytes.resize(70_000, b' ');
                }
                let blobs = vec![
                    Blob::new(bytes),
                    Blob::new(format!("second of {name} {task} {n}").into_bytes()),
                ];
                let lines: String = blobs
                    .iter()
                    .map(|blob| format!("\nACK {}\n", blob.digest()))
                    .collect();
                store.put(blobs).await.unwrap();
                std::io::stdout().write_all(lines.as_bytes()).unwrap();
            }
        })
    });
    for task in tasks.collect::<Vec<_>>() {
        task.await.unwrap();
    }
}

fn start(dir: &Path, name: &str, puts: u32) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["child", "--exact", "--nocapture"])
        .env(DIR, dir)
        .env(NAME, name)
        .env(PUTS, puts.to_string())
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        .spawn()
        .unwrap()
}

/// What the child acknowledges, as it comes; the end of the child is the end of it. Read on a
/// thread of its own, so that the child never waits for us.
fn acknowledged(child: &mut Child) -> Receiver<BlobDigest> {
    let output = BufReader::new(child.stdout.take().unwrap());
    let (sender, receiver) = channel();
    std::thread::spawn(move || {
        let digests = output.lines().map_while(Result::ok);
        for digest in digests.filter_map(|line| line.strip_prefix("ACK ")?.parse().ok()) {
            if sender.send(digest).is_err() {
                return;
            }
        }
    });
    receiver
}

#[tokio::test]
async fn what_was_acknowledged_survives_a_kill() {
    let dir = tempfile::tempdir().unwrap();
    let mut all = Vec::new();
    for round in 0..20 {
        let mut child = start(dir.path(), &format!("round {round}"), u32::MAX);
        let output = acknowledged(&mut child);
        // The moment is a number of acknowledgements, not a time: a slow machine gets as far as a
        // fast one.
        for _ in 0..round * 7 % 41 {
            all.push(output.recv_timeout(PATIENCE).unwrap());
        }
        child.kill().unwrap();
        child.wait().unwrap();
        all.extend(output);
        let store = open(dir.path());
        for digest in &all {
            store
                .get(*digest)
                .await
                .unwrap_or_else(|error| panic!("round {round}: {error}"));
        }
    }
}

#[tokio::test]
async fn two_processes_write_one_folder() {
    let dir = tempfile::tempdir().unwrap();
    let mut children = [start(dir.path(), "one", 40), start(dir.path(), "two", 40)];
    let outputs = children.each_mut().map(acknowledged);
    let store = open(dir.path());
    for (child, output) in children.iter_mut().zip(outputs) {
        assert!(child.wait().unwrap().success());
        let digests: Vec<BlobDigest> = output.into_iter().collect();
        assert_eq!(digests.len(), 4 * 40 * 2);
        for digest in digests {
            store.get(digest).await.unwrap();
        }
    }
}
