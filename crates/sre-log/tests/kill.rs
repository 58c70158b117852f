//! Processes that are killed while they write the log, two at a time: whatever checkpoint any of
//! them ever showed is part of one history. The test binary runs itself as the child.
#![cfg(unix)]

mod common;

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use common::{entry, open, submissions};
use sre_receipt::tlog::{Checkpoint, Hash, verify_consistency};

const FOLDER: &str = "SRE_LOG_TEST_FOLDER";
const FIRST: &str = "SRE_LOG_TEST_FIRST";

/// Generous: a machine may be very busy.
const PATIENCE: Duration = Duration::from_secs(180);

/// Not a test by itself: the child. Prints what was acknowledged: numbers of entries, and signed
/// checkpoints.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn child() {
    let Ok(folder) = std::env::var(FOLDER) else {
        return;
    };
    let mut next: u64 = std::env::var(FIRST)
        .expect("a number")
        .parse()
        .expect("a number");
    let log = open(Path::new(&folder)).await;
    loop {
        let numbered = log
            .submit(submissions(next..next + 5))
            .await
            .expect("numbers");
        let mut lines: String = numbered
            .iter()
            .zip(next..)
            .map(|((at, _), n)| format!("\nENTRY {n} {at}\n"))
            .collect();
        next += 5;
        log.integrate().await.expect("a checkpoint");
        let checkpoint = Checkpoint::parse(log.checkpoint().1.text()).expect("a checkpoint");
        lines += &format!(
            "\nHEAD {} {}\n",
            checkpoint.size,
            hex::encode(checkpoint.root.0)
        );
        std::io::stdout()
            .write_all(lines.as_bytes())
            .expect("a pipe");
    }
}

/// The child, and the lines that it prints, as they come.
fn start(folder: &Path, first: u64) -> (Child, Receiver<String>) {
    let mut child = Command::new(std::env::current_exe().expect("this program"))
        .args(["child", "--exact", "--nocapture"])
        .env(FOLDER, folder)
        .env(FIRST, first.to_string())
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        .spawn()
        .expect("a child");
    let mut output = BufReader::new(child.stdout.take().expect("a pipe"));
    let (sender, lines) = channel();
    // Ends with the child, which never waits for us. The kill may cut the last line short.
    std::thread::spawn(move || {
        let mut line = String::new();
        while output.read_line(&mut line).is_ok() && line.ends_with('\n') {
            drop(sender.send(std::mem::take(&mut line)));
        }
    });
    (child, lines)
}

#[tokio::test]
async fn whatever_was_shown_before_a_kill_stays_true() {
    let folder = tempfile::tempdir().expect("a folder");
    let (mut heads, mut entries) = (BTreeMap::new(), BTreeMap::new());
    for round in 0..12u64 {
        let children = [
            start(folder.path(), round * 2_000_000),
            start(folder.path(), round * 2_000_000 + 1_000_000),
        ];
        for (mut child, output) in children {
            // The moment is a number of lines, not a time: a slow machine gets as far as a fast
            // one.
            let enough = (round * 31 % 97) as usize;
            let mut lines: Vec<String> = (0..enough)
                .map(|_| output.recv_timeout(PATIENCE).expect("a child that goes on"))
                .collect();
            child.kill().expect("a kill");
            child.wait().expect("an end");
            lines.extend(output);
            for line in lines {
                match line.trim_end().split(' ').collect::<Vec<_>>()[..] {
                    ["HEAD", size, root] => {
                        let size: u64 = size.parse().expect("a size");
                        assert_eq!(
                            *heads.entry(size).or_insert(root.to_owned()),
                            root,
                            "two roots of size {size}"
                        );
                    }
                    ["ENTRY", number, at] => drop(entries.insert(number.to_owned(), at.to_owned())),
                    _ => {}
                }
            }
        }
    }
    let log = open(folder.path()).await;
    log.integrate().await.expect("a checkpoint");
    let now = Checkpoint::parse(log.checkpoint().1.text()).expect("a checkpoint");
    for (size, root) in heads {
        let bytes: Vec<u8> = hex::decode(root).expect("a root");
        let root = Hash(bytes.try_into().expect("32 bytes"));
        let path = log
            .consistency(size, log.checkpoint().0)
            .await
            .expect("a path")
            .expect("it only grew");
        verify_consistency((size, &root), (now.size, &now.root), &path).expect("one history");
    }
    for (number, at) in entries {
        let (number, at): (u64, u64) = (
            number.parse().expect("a number"),
            at.parse().expect("a number"),
        );
        let proof = log.prove(at).await.expect("a proof").expect("not pending");
        proof
            .verify_inclusion(&entry(number).to_canonical())
            .expect("at its number");
    }
}
