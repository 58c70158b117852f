//! A process that has no file descriptor left for a moment. Alone in its file: the limit is the
//! process's.
#![cfg(target_os = "linux")]

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::Duration;

use sre_sqlite::{GroupCommit, GroupCommitOptions};

const MIGRATIONS: &[&str] = &["CREATE TABLE n (n INTEGER PRIMARY KEY, payload TEXT)"];

/// Takes this process its file descriptors, and gives them back. A process of its own does that,
/// started while there are some; `prlimit` is a program of util-linux.
struct Limit(Child, BufReader<ChildStdout>);

impl Limit {
    fn start() -> Self {
        let limits = fs::read_to_string("/proc/self/limits").unwrap();
        let usual = limits
            .lines()
            .find(|line| line.starts_with("Max open files"))
            .unwrap();
        let usual = usual.split_whitespace().nth(3).unwrap();
        let set = format!("prlimit --pid {} --nofile", std::process::id());
        let script =
            format!("read go && {set}=0: && echo taken && read go && {set}={usual}: && echo given");
        let mut child = Command::new("sh");
        child
            .args(["-c", &script])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        let mut child = child.spawn().unwrap();
        let answers = BufReader::new(child.stdout.take().unwrap());
        Self(child, answers)
    }

    fn is_now(&mut self, what: &str) {
        self.0.stdin.as_mut().unwrap().write_all(b"go\n").unwrap();
        let mut answer = String::new();
        self.1.read_line(&mut answer).unwrap();
        assert_eq!(answer.trim(), what);
    }
}

impl Drop for Limit {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        self.0.wait().unwrap();
    }
}

/// 40 MB, less than makes the writer do the work itself.
async fn write(db: &GroupCommit, from: i64) {
    for n in from..from + 200 {
        let insert = "INSERT INTO n (n, payload) VALUES (?1, hex(zeroblob(100000)))";
        db.write(move |tx| tx.execute(insert, [n])).await.unwrap();
    }
}

fn length(path: &Path) -> u64 {
    fs::metadata(path).map_or(0, |file| file.len())
}

/// The thread that moves the write-ahead log into the file needs a connection of its own.
#[tokio::test]
async fn the_log_is_moved_again_after_no_connection_could_be_opened_for_it() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("db");
    let db = GroupCommit::open(&path, MIGRATIONS, GroupCommitOptions::new(0x7465_7374)).unwrap();
    // Whatever the first transaction opens is open before.
    db.write(|tx| tx.execute("INSERT INTO n (n) VALUES (0)", []))
        .await
        .unwrap();
    let mut limit = Limit::start();
    limit.is_now("taken");
    let refused = fs::File::open("/dev/null");
    write(&db, 1).await;
    limit.is_now("given");
    assert!(refused.is_err(), "the limit is the test");
    let before = length(&path);
    assert!(
        before < 1_000_000,
        "{before} bytes were moved without a connection"
    );
    let moves = async {
        for round in 1.. {
            db.write(move |tx| tx.execute("INSERT INTO n (n) VALUES (?1)", [10_000 + round]))
                .await
                .unwrap();
            if length(&path) > 30_000_000 {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), moves)
        .await
        .expect("another thread is tried");
}
