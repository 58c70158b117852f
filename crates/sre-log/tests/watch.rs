//! A log that lies is found out, and each lie is called by its name.

mod common;

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use common::{entry, grow, key, open};
use sre_log::watch::{self, Fault};
use sre_log::{Log, LogMemory, LogSource, LookError, SourceError};
use sre_receipt::tlog::{Checkpoint, Note, TilePath};

/// A log whose answers the test changes.
struct Liar<'a> {
    log: &'a Log,
    checkpoint: Option<Vec<u8>>,
    tiles: Mutex<BTreeMap<TilePath, Vec<u8>>>,
    /// A changed tile was asked for.
    served: AtomicBool,
}

impl<'a> Liar<'a> {
    fn about(log: &'a Log) -> Self {
        Self {
            log,
            checkpoint: None,
            tiles: Mutex::default(),
            served: AtomicBool::new(false),
        }
    }

    fn with(log: &'a Log, checkpoint: Vec<u8>) -> Self {
        Self {
            checkpoint: Some(checkpoint),
            ..Self::about(log)
        }
    }
}

#[async_trait]
impl LogSource for Liar<'_> {
    async fn checkpoint(&self) -> Result<Vec<u8>, SourceError> {
        match &self.checkpoint {
            Some(bytes) => Ok(bytes.clone()),
            None => LogSource::checkpoint(self.log).await,
        }
    }

    async fn tile(&self, path: TilePath) -> Result<Vec<u8>, SourceError> {
        let changed = self.tiles.lock().expect("a lock").get(&path).cloned();
        match changed {
            Some(bytes) => {
                self.served.store(true, Ordering::Relaxed);
                Ok(bytes)
            }
            None => self.log.tile(path).await,
        }
    }
}

/// A checkpoint that the log's own key signed and its own code never would.
fn signed(size: u64, root: sre_receipt::tlog::Hash) -> Vec<u8> {
    let checkpoint = Checkpoint {
        origin: key(1).name.clone(),
        size,
        root,
    };
    let mut note = Note::new(checkpoint.to_text()).expect("a note");
    note.sign(key(1).name.clone(), &key(1).secret);
    note.to_string().into_bytes()
}

async fn fault(
    source: &dyn LogSource,
    keys: &[sre_receipt::tlog::VerifierKey],
    before: &Note,
) -> Fault {
    watch::look(source, keys, Some(before))
        .await
        .expect_err("a fault")
}

fn root(log: &Log) -> sre_receipt::tlog::Hash {
    Checkpoint::parse(log.checkpoint().1.text())
        .expect("a checkpoint")
        .root
}

#[tokio::test]
async fn an_honest_log_is_followed_and_read() {
    let folder = tempfile::tempdir().expect("a folder");
    let log = open(folder.path()).await;
    let keys = [log.verifier_key()];
    let mut before = None;
    let (mut from, mut read) = (0, Vec::new());
    for size in [0, 1, 200, 256, 300, 1000] {
        grow(&log, from..size).await;
        let seen = watch::look(&log, &keys, before.as_ref())
            .await
            .expect("an honest log");
        assert_eq!((seen.checkpoint.size, seen.before), (size, from));
        let visit = |number, entry| {
            if number >= from {
                read.push((number, entry));
            }
        };
        watch::entries(&log, &seen, from, visit)
            .await
            .expect("its entries");
        before = Some(seen.note);
        from = size;
    }
    assert_eq!(read, (0..1000).map(|n| (n, entry(n))).collect::<Vec<_>>());
}

#[tokio::test]
async fn every_way_to_rewrite_history_is_found() {
    let (one, two) = (
        tempfile::tempdir().expect("a folder"),
        tempfile::tempdir().expect("a folder"),
    );
    let (honest, other) = (open(one.path()).await, open(two.path()).await);
    let keys = [honest.verifier_key()];
    grow(&honest, 0..300).await;
    let before = honest.checkpoint().1;
    // A second history under the same name and key: an entry left out, or two swapped.
    grow(&other, 1..301).await;
    let found = fault(&other, &keys, &before).await;
    assert!(
        matches!(found, Fault::Forked { size: 300, .. }) && found.is_misbehaviour(),
        "{found}"
    );
    grow(&other, 301..400).await;
    let found = fault(&other, &keys, &before).await;
    assert!(
        matches!(
            found,
            Fault::Rewritten {
                before_size: 300,
                now_size: 399,
                ..
            }
        ),
        "{found}"
    );
    // The evidence is kept, and both halves of it are signed.
    let memory = LogMemory::new(one.path().join("logs"));
    let kept = memory
        .keep_evidence(&key(1).name, &found)
        .expect("a file")
        .expect("evidence");
    let evidence = std::fs::read_to_string(kept).expect("the evidence");
    let (first, second) = evidence
        .split_once("\n\nnode.example")
        .map(|(a, b)| (format!("{a}\n"), format!("node.example{b}")))
        .expect("two");
    for note in [first, second] {
        let note = Note::parse(note.as_bytes()).expect("a note");
        Checkpoint::verify(&note, &keys[0]).expect("signed by the log");
    }
    // Backwards.
    let found = fault(
        &Liar::with(&honest, signed(299, root(&honest))),
        &keys,
        &before,
    )
    .await;
    assert!(
        matches!(
            found,
            Fault::Shrunk {
                before_size: 300,
                now_size: 299,
                ..
            }
        ),
        "{found}"
    );
    // A size it does not have.
    let found = fault(
        &Liar::with(&honest, signed(301, root(&honest))),
        &keys,
        &before,
    )
    .await;
    assert!(
        matches!(
            found,
            Fault::Unproven {
                source: SourceError::Missing(_),
                ..
            }
        ),
        "{found}"
    );
    assert!(!found.is_misbehaviour());
    // Not signed, signed by an unknown key, for another log, nothing at all.
    let unsigned = before.text().to_owned() + "\n";
    for wrong in [
        unsigned.as_bytes(),
        b"",
        before.text().as_bytes(),
        &[0xff; 100],
    ] {
        let found = fault(&Liar::with(&honest, wrong.to_vec()), &keys, &before).await;
        assert!(
            matches!(found, Fault::Checkpoint(_)) && !found.is_misbehaviour(),
            "{found}"
        );
    }
    let stranger = key(9).verifier_key();
    assert!(matches!(
        watch::look(&honest, &[stranger], None).await,
        Err(Fault::Checkpoint(_))
    ));
}

#[tokio::test]
async fn tiles_and_entries_that_do_not_belong_to_the_tree_are_found() {
    let folder = tempfile::tempdir().expect("a folder");
    let log = open(folder.path()).await;
    let keys = [log.verifier_key()];
    grow(&log, 0..300).await;
    let before = log.checkpoint().1;
    grow(&log, 300..700).await;
    let seen = watch::look(&log, &keys, Some(&before))
        .await
        .expect("an honest log");
    let mut served = 0;
    for path in ["tile/0/001", "tile/0/002.p/188", "tile/1/000.p/2"] {
        let path: TilePath = path.parse().expect("a name");
        let good = log.tile(path).await.expect("a tile");
        let mut flipped = good.clone();
        flipped[4] ^= 1;
        for bad in [
            flipped,
            good[..good.len() - 1].to_vec(),
            Vec::new(),
            [&good[..], &good].concat(),
        ] {
            let liar = Liar::about(&log);
            liar.tiles.lock().expect("a lock").insert(path, bad);
            match watch::look(&liar, &keys, Some(&before)).await {
                Ok(_) => assert!(
                    !liar.served.load(Ordering::Relaxed),
                    "{path} was read and believed"
                ),
                Err(fault) => assert!(matches!(fault, Fault::Foreign { .. }), "{path}: {fault}"),
            }
            served += u32::from(liar.served.load(Ordering::Relaxed));
        }
    }
    assert!(served >= 8, "the proof needs at least two of the tiles");
    for index in [0, 1, 2] {
        let width = if index == 2 { 188 } else { 256 };
        let path = TilePath {
            level: None,
            index,
            width,
        };
        let good = log.tile(path).await.expect("a bundle");
        // An entry replaced by another good one; one left out; one more; cut; nothing.
        let length = 2 + entry(0).to_canonical().len();
        let replaced = [&good[..length], &good[..length], &good[2 * length..]].concat();
        let omitted = good[length..].to_vec();
        for bad in [
            replaced,
            omitted,
            [&good[..], &good[..length]].concat(),
            good[..good.len() - 1].to_vec(),
            Vec::new(),
        ] {
            let liar = Liar::about(&log);
            liar.tiles.lock().expect("a lock").insert(path, bad);
            let mut visited = 0;
            let fault = watch::entries(&liar, &seen, 0, |_, _| visited += 1)
                .await
                .expect_err("a fault");
            assert!(matches!(fault, Fault::Foreign { .. }), "{path}: {fault}");
            assert_eq!(
                visited,
                index * 256,
                "nothing of a wrong bundle is passed on"
            );
        }
    }
}

#[tokio::test]
async fn the_memory_keeps_the_last_checkpoint_of_each_log() {
    let folder = tempfile::tempdir().expect("a folder");
    let log = open(folder.path()).await;
    grow(&log, 0..3).await;
    let memory = LogMemory::new(folder.path().join("logs"));
    let name = key(1).name.clone();
    assert_eq!(memory.last(&name).expect("nothing"), None);
    memory
        .look(&name, &log, &[log.verifier_key()])
        .await
        .expect("an honest log");
    assert_eq!(
        memory.last(&name).expect("a note"),
        Some(log.checkpoint().1)
    );
    assert_eq!(
        memory
            .last(&"../../etc".parse().expect("a name"))
            .expect("nothing"),
        None
    );
    let file = walk(&folder.path().join("logs"));
    std::fs::write(&file, "x").expect("a file");
    assert!(memory.last(&name).is_err());
}

/// A log that shows an old checkpoint, and that only after another process has looked or plainly
/// has to wait.
struct Slow<'a> {
    log: &'a Log,
    checkpoint: Vec<u8>,
    is_asked: tokio::sync::Notify,
    other_is_done: tokio::sync::Notify,
}

#[async_trait]
impl LogSource for Slow<'_> {
    async fn checkpoint(&self) -> Result<Vec<u8>, SourceError> {
        self.is_asked.notify_one();
        drop(tokio::time::timeout(Duration::from_millis(300), self.other_is_done.notified()).await);
        Ok(self.checkpoint.clone())
    }

    async fn tile(&self, path: TilePath) -> Result<Vec<u8>, SourceError> {
        self.log.tile(path).await
    }
}

#[tokio::test]
async fn what_is_remembered_of_a_log_never_goes_back() {
    let folder = tempfile::tempdir().expect("a folder");
    let log = open(folder.path()).await;
    let (keys, name) = ([log.verifier_key()], key(1).name.clone());
    grow(&log, 0..300).await;
    let checkpoint = log.checkpoint().1.to_string().into_bytes();
    let slow = Slow {
        log: &log,
        checkpoint,
        is_asked: Default::default(),
        other_is_done: Default::default(),
    };
    grow(&log, 300..500).await;
    let memory = LogMemory::new(folder.path().join("logs"));
    let first = memory.look(&name, &slow, &keys);
    let second = async {
        slow.is_asked.notified().await;
        let seen = memory.look(&name, &log, &keys).await;
        slow.other_is_done.notify_one();
        seen
    };
    let (first, second) = tokio::join!(first, second);
    assert_eq!(
        (
            first.expect("300").checkpoint.size,
            second.expect("500").checkpoint.size
        ),
        (300, 500)
    );
    assert_eq!(
        memory.last(&name).expect("a note"),
        Some(log.checkpoint().1)
    );
}

#[tokio::test]
async fn a_tree_that_was_signed_and_not_shown_cannot_be_taken_back() {
    let (one, two) = (
        tempfile::tempdir().expect("a folder"),
        tempfile::tempdir().expect("a folder"),
    );
    let (log, other) = (open(one.path()).await, open(two.path()).await);
    let (keys, name) = ([log.verifier_key()], key(1).name.clone());
    let memory = LogMemory::new(one.path().join("logs"));
    grow(&log, 0..300).await;
    memory
        .look(&name, &log, &keys)
        .await
        .expect("an honest log");
    // Another continuation of the same 300 is signed, and none of its tiles can be had.
    grow(&other, 0..300).await;
    grow(&other, 1000..1200).await;
    let signed = Liar::with(&log, other.checkpoint().1.to_string().into_bytes());
    let refused = memory
        .look(&name, &signed, &keys)
        .await
        .expect_err("no proof");
    assert!(
        matches!(refused, LookError::Fault(Fault::Unproven { size: 500, .. })),
        "{refused}"
    );
    let kept = memory.last(&name).expect("a note").expect("a note");
    assert_eq!(
        Checkpoint::parse(kept.text()).expect("a checkpoint").size,
        300
    );
    // The first history goes on as if nothing had been signed.
    grow(&log, 300..600).await;
    let caught = memory.look(&name, &log, &keys).await.expect_err("a fork");
    let LookError::Fault(caught) = caught else {
        panic!("{caught}")
    };
    assert!(
        matches!(
            caught,
            Fault::Rewritten {
                before_size: 500,
                now_size: 600,
                ..
            }
        ),
        "{caught}"
    );
    let (before, now) = caught.notes();
    assert_eq!(
        (before, now),
        (Some(&other.checkpoint().1), Some(&log.checkpoint().1))
    );
    // The signed tree itself, shown at last, is what that history must be.
    grow(&other, 1200..1300).await;
    memory
        .look(&name, &other, &keys)
        .await
        .expect("the tree that was signed goes on");
}

#[tokio::test]
async fn what_does_not_belong_to_the_tree_is_kept_with_the_tree() {
    let folder = tempfile::tempdir().expect("a folder");
    let log = open(folder.path()).await;
    grow(&log, 0..300).await;
    let seen = watch::look(&log, &[log.verifier_key()], None)
        .await
        .expect("an honest log");
    let path = TilePath {
        level: None,
        index: 0,
        width: 256,
    };
    let liar = Liar::about(&log);
    liar.tiles
        .lock()
        .expect("a lock")
        .insert(path, b"no entries".to_vec());
    let fault = watch::entries(&liar, &seen, 0, |_, _| {})
        .await
        .expect_err("a fault");
    let memory = LogMemory::new(folder.path().join("logs"));
    let kept = memory
        .keep_evidence(&key(1).name, &fault)
        .expect("a file")
        .expect("evidence");
    assert_eq!(
        std::fs::read_to_string(kept).expect("a note"),
        seen.note.to_string()
    );
}

fn walk(folder: &std::path::Path) -> std::path::PathBuf {
    let mut entries = std::fs::read_dir(folder).expect("a folder");
    entries
        .next()
        .expect("an entry")
        .expect("an entry")
        .path()
        .join("checkpoint")
}
