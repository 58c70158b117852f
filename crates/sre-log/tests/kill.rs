//! Processes that are killed while they write the log, two at a time: whatever checkpoint any of them ever showed is part
//! of one history. The test binary runs itself as the child.
#![cfg(unix)]

mod common;

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread::JoinHandle;
use std::time::Duration;

use common::{entry, open, submissions};
use sre_receipt::tlog::{Checkpoint, Hash, verify_consistency};

const FOLDER: &str = "SRE_LOG_TEST_FOLDER";
const FIRST: &str = "SRE_LOG_TEST_FIRST";

/// Not a test by itself: the child. Prints what was acknowledged: numbers of entries, and signed checkpoints.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn child() {
    let Ok(folder) = std::env::var(FOLDER) else { return };
    let mut next: u64 = std::env::var(FIRST).expect("a number").parse().expect("a number");
    let log = open(Path::new(&folder)).await;
    loop {
        let numbered = log.submit(submissions(next..next + 5)).await.expect("numbers");
        let mut lines: String = numbered.iter().zip(next..).map(|((at, _), n)| format!("\nENTRY {n} {at}\n")).collect();
        next += 5;
        log.integrate().await.expect("a checkpoint");
        let checkpoint = Checkpoint::parse(log.checkpoint().1.text()).expect("a checkpoint");
        lines += &format!("\nHEAD {} {}\n", checkpoint.size, hex::encode(checkpoint.root.0));
        std::io::stdout().write_all(lines.as_bytes()).expect("a pipe");
    }
}

fn start(folder: &Path, first: u64) -> (Child, JoinHandle<String>) {
    let mut child = Command::new(std::env::current_exe().expect("this program"))
        .args(["child", "--exact", "--nocapture"])
        .env(FOLDER, folder)
        .env(FIRST, first.to_string())
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        .spawn()
        .expect("a child");
    let mut output = child.stdout.take().expect("a pipe");
    let reader = std::thread::spawn(move || {
        let mut text = String::new();
        output.read_to_string(&mut text).expect("text");
        text
    });
    (child, reader)
}

#[tokio::test]
async fn whatever_was_shown_before_a_kill_stays_true() {
    let folder = tempfile::tempdir().expect("a folder");
    // Knuth's linear congruential generator; the same moments in every run, as far as a scheduler allows.
    let mut random = 0x5eed_u64;
    let mut pause = || {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        Duration::from_micros((random >> 33) % 150_000)
    };
    let (mut heads, mut entries) = (BTreeMap::new(), BTreeMap::new());
    for round in 0..12u64 {
        let children = [start(folder.path(), round * 2_000_000), start(folder.path(), round * 2_000_000 + 1_000_000)];
        for (mut child, reader) in children {
            std::thread::sleep(pause());
            child.kill().expect("a kill");
            child.wait().expect("an end");
            let text = reader.join().expect("a reader");
            // The kill may have cut the last line short.
            let (whole, _) = text.rsplit_once('\n').unwrap_or_default();
            for line in whole.lines() {
                match line.split(' ').collect::<Vec<_>>()[..] {
                    ["HEAD", size, root] => {
                        let size: u64 = size.parse().expect("a size");
                        assert_eq!(*heads.entry(size).or_insert(root.to_owned()), root, "two roots of size {size}");
                    }
                    ["ENTRY", number, at] => drop(entries.insert(number.to_owned(), at.to_owned())),
                    _ => {}
                }
            }
        }
    }
    assert!(entries.len() > 50 && heads.len() > 10, "killed too early: {} {}", entries.len(), heads.len());
    let log = open(folder.path()).await;
    log.integrate().await.expect("a checkpoint");
    let now = Checkpoint::parse(log.checkpoint().1.text()).expect("a checkpoint");
    for (size, root) in heads {
        let bytes: Vec<u8> = hex::decode(root).expect("a root");
        let root = Hash(bytes.try_into().expect("32 bytes"));
        let (path, _) = log.consistency(size).await.expect("a path");
        verify_consistency((size, &root), (now.size, &now.root), &path).expect("one history");
    }
    for (number, at) in entries {
        let (number, at): (u64, u64) = (number.parse().expect("a number"), at.parse().expect("a number"));
        let proof = log.prove(at).await.expect("a proof").expect("not pending");
        proof.verify_inclusion(&entry(number).to_canonical()).expect("at its number");
    }
}
