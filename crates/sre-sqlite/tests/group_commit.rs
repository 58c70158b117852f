//! The writer with group commit, as the journal uses it.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rusqlite::{Connection, ErrorCode};
use sre_sqlite::{GroupCommit, GroupCommitOptions, OpenError, WriteError};
use tempfile::TempDir;
use tokio::sync::Barrier;

const V1: &[&str] = &["CREATE TABLE n (n INTEGER PRIMARY KEY, payload TEXT)"];
const V2: &[&str] = &[
    V1[0],
    "ALTER TABLE n ADD COLUMN extra TEXT; CREATE INDEX i ON n (extra)",
];
const REFERENCES: &[&str] = &["CREATE TABLE p (id INTEGER PRIMARY KEY);
    CREATE TABLE n (n INTEGER PRIMARY KEY, p INTEGER REFERENCES p (id) DEFERRABLE INITIALLY DEFERRED)"];

fn options() -> GroupCommitOptions {
    GroupCommitOptions::new(0x7465_7374)
}

fn open(dir: &TempDir, migrations: &'static [&'static str]) -> Result<GroupCommit, OpenError> {
    GroupCommit::open(&dir.path().join("db"), migrations, options())
}

async fn insert(db: &GroupCommit, n: i64) -> Result<(), WriteError> {
    db.write(move |tx| {
        tx.prepare_cached("INSERT INTO n (n) VALUES (?1)")?
            .execute([n])
            .map(drop)
    })
    .await
}

fn count(db: &GroupCommit) -> i64 {
    db.reader()
        .unwrap()
        .query_row("SELECT count(*) FROM n", [], |row| row.get(0))
        .unwrap()
}

/// Holds the writer up, so that what is written meanwhile becomes one batch; the guard lets it go.
async fn hold(db: &Arc<GroupCommit>) -> std::sync::mpsc::Sender<()> {
    let (release, released) = std::sync::mpsc::channel::<()>();
    let started = Arc::new(Barrier::new(2));
    let (db, there) = (db.clone(), started.clone());
    tokio::spawn(async move {
        let runtime = tokio::runtime::Handle::current();
        db.write(move |_| {
            runtime.block_on(there.wait());
            let _ = released.recv();
            Ok(())
        })
        .await
    });
    started.wait().await;
    release
}

/// Writes all jobs as one batch and returns their answers.
async fn in_one_batch<F>(db: &Arc<GroupCommit>, jobs: Vec<F>) -> Vec<Result<usize, WriteError>>
where
    F: FnOnce(&rusqlite::Transaction<'_>) -> rusqlite::Result<usize> + Send + 'static,
{
    let release = hold(db).await;
    let before = db.stats();
    let mut writes: Vec<_> = jobs
        .into_iter()
        .map(|job| Box::pin(db.write(job)))
        .collect();
    for write in &mut writes {
        // Polled once, a write is queued.
        tokio::select! { biased; _ = write => panic!("answered while held"), () = std::future::ready(()) => {} }
    }
    drop(release);
    let mut answers = Vec::new();
    for write in writes {
        answers.push(write.await);
    }
    let after = db.stats();
    // The held job's own transaction, and one for all of these.
    assert_eq!(
        after.transactions + after.failed_transactions
            - before.transactions
            - before.failed_transactions,
        2
    );
    answers
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failing_and_a_panicking_job_do_not_harm_their_neighbours() {
    let dir = tempfile::tempdir().unwrap();
    let db = Arc::new(open(&dir, V1).unwrap());
    let jobs = (0..20_i64).map(|n| {
        move |tx: &rusqlite::Transaction<'_>| {
            tx.execute("INSERT INTO n (n) VALUES (?1)", [n])?;
            assert_ne!(n, 3, "a bug");
            // Fails after it has written something.
            let again = if n % 5 == 2 { n } else { n + 100 };
            tx.execute("INSERT INTO n (n) VALUES (?1)", [again])
        }
    });
    for (n, answer) in in_one_batch(&db, jobs.collect())
        .await
        .into_iter()
        .enumerate()
    {
        match (n, answer) {
            (3, Err(WriteError::Panicked { message })) => assert!(message.contains("a bug")),
            (2 | 7 | 12 | 17, Err(error @ WriteError::Job { .. })) => {
                assert!(!error.is_retryable())
            }
            (3 | 2 | 7 | 12 | 17, other) => panic!("{n}: {other:?}"),
            (_, answer) => assert_eq!(answer.unwrap(), 1),
        }
    }
    assert_eq!(count(&db), 2 * 15);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refused_commit_fails_each_of_its_jobs_and_no_later_one() {
    let dir = tempfile::tempdir().unwrap();
    let db = Arc::new(open(&dir, REFERENCES).unwrap());
    // The only error that a test can make the commit itself return: a deferred constraint.
    let jobs = (0..5_i64).map(|n| {
        move |tx: &rusqlite::Transaction<'_>| {
            tx.execute(
                "INSERT INTO n (n, p) VALUES (?1, ?2)",
                (n, (n == 2).then_some(77)),
            )
        }
    });
    for answer in in_one_batch(&db, jobs.collect()).await {
        assert!(
            matches!(answer, Err(WriteError::Commit { .. })),
            "{answer:?}"
        );
    }
    assert_eq!(count(&db), 0);
    insert(&db, 1).await.unwrap();
    assert_eq!((count(&db), db.stats().failed_transactions), (1, 1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_is_reported_with_advice_and_passes() {
    let dir = tempfile::tempdir().unwrap();
    let db = Arc::new(open(&dir, V1).unwrap());
    let limit_pages = |pages: i64| {
        db.write(move |tx| {
            tx.query_row(&format!("PRAGMA max_page_count = {pages}"), [], |row| {
                row.get::<_, i64>(0)
            })
        })
    };
    limit_pages(10).await.unwrap();
    let big = |n: i64| {
        move |tx: &rusqlite::Transaction<'_>| {
            tx.execute(
                "INSERT INTO n (n, payload) VALUES (?1, ?2)",
                (n, "x".repeat(60_000)),
            )
        }
    };
    let error = db.write(big(1)).await.unwrap_err();
    assert!(
        error.is_retryable() && error.to_string().contains("free some space"),
        "{error}"
    );
    for answer in in_one_batch(&db, (1..4).map(big).collect()).await {
        assert!(answer.is_err());
    }
    assert_eq!(count(&db), 0);
    limit_pages(1_000_000).await.unwrap();
    for answer in in_one_batch(&db, (1..4).map(big).collect()).await {
        answer.unwrap();
    }
    assert_eq!(count(&db), 3);
}

#[tokio::test]
async fn a_locked_database_is_busy_and_passes() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("db");
    let mut options = options();
    options.busy_timeout = Duration::from_millis(20);
    let db = GroupCommit::open(&path, V1, options).unwrap();
    let other = Connection::open(&path).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let error = insert(&db, 1).await.unwrap_err();
    assert!(error.is_retryable(), "{error}");
    let WriteError::Commit { source, .. } = error else {
        panic!("{error}")
    };
    assert_eq!(source.sqlite_error_code(), Some(ErrorCode::DatabaseBusy));
    other.execute_batch("COMMIT").unwrap();
    insert(&db, 1).await.unwrap();
}

#[tokio::test]
async fn migrations_are_applied_once_and_newer_files_refused() {
    let dir = tempfile::tempdir().unwrap();
    let db = open(&dir, V1).unwrap();
    insert(&db, 1).await.unwrap();
    drop(db);
    for _ in 0..2 {
        let db = open(&dir, V2).unwrap();
        assert_eq!(count(&db), 1);
        db.reader()
            .unwrap()
            .query_row("SELECT extra FROM n", [], |_| Ok(()))
            .unwrap();
    }
    let error = open(&dir, V1).unwrap_err();
    assert!(
        matches!(
            error,
            OpenError::NewerSchema {
                found: 2,
                supported: 1,
                ..
            }
        ),
        "{error}"
    );
    assert!(
        error.to_string().contains("version 2") && error.to_string().contains("up to 1"),
        "{error}"
    );
}

#[test]
fn many_openers_at_once_agree() {
    let dir = tempfile::tempdir().unwrap();
    std::thread::scope(|scope| {
        let openers: Vec<_> = (0..8)
            .map(|_| scope.spawn(|| open(&dir, V2).map(drop)))
            .collect();
        for opener in openers {
            opener.join().unwrap().unwrap();
        }
    });
}

#[tokio::test]
async fn readers_cannot_write_and_a_forgotten_transaction_is_not_lent_on() {
    let dir = tempfile::tempdir().unwrap();
    let db = open(&dir, V1).unwrap();
    let reader = db.reader().unwrap();
    assert!(reader.execute("INSERT INTO n (n) VALUES (1)", []).is_err());
    reader
        .execute_batch("BEGIN; SELECT count(*) FROM n")
        .unwrap();
    drop(reader);
    insert(&db, 1).await.unwrap();
    assert_eq!(count(&db), 1);
}

#[tokio::test]
async fn closing_commits_what_is_queued_and_leaves_one_file() {
    let dir = tempfile::tempdir().unwrap();
    let db = open(&dir, V1).unwrap();
    count(&db);
    let mut writes = Box::pin(async { tokio::join!(insert(&db, 1), insert(&db, 2)) });
    // Queue both, wait for neither.
    tokio::select! { biased; _ = &mut writes => {}, () = std::future::ready(()) => {} }
    drop(writes);
    drop(db);
    let names: Vec<_> = std::fs::read_dir(dir.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    assert_eq!(names, ["db"]);
    assert_eq!(count(&open(&dir, V1).unwrap()), 2);
}

#[test]
fn a_missing_folder_is_named() {
    let error = GroupCommit::open(Path::new("/nonexistent/folder/db"), V1, options()).unwrap_err();
    assert!(
        error.to_string().contains("/nonexistent/folder/db"),
        "{error}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_log_is_moved_into_the_file_while_writes_go_on_and_does_not_grow_without_end() {
    const MEBIBYTE: u64 = 1 << 20;
    let dir = tempfile::tempdir().unwrap();
    let db = Arc::new(open(&dir, V1).unwrap());
    let length = |name: &str| std::fs::metadata(dir.path().join(name)).map_or(0, |file| file.len());
    let write = |lane: i64| {
        let db = Arc::clone(&db);
        async move {
            for n in 0..250 {
                let insert = "INSERT INTO n (n, payload) VALUES (?1, hex(zeroblob(100000)))";
                db.write(move |tx| tx.execute(insert, [lane * 1000 + n]))
                    .await
                    .unwrap();
            }
        }
    };
    // 200 MB, from four who never pause.
    tokio::join!(write(1), write(2), write(3), write(4));
    // At 64 MiB the writer waits; its last transaction came on top.
    assert!(
        length("db-wal") < 80 * MEBIBYTE,
        "a log of {} MiB",
        length("db-wal") / MEBIBYTE
    );
    assert!(
        length("db") > 100 * MEBIBYTE,
        "only {} MiB were moved",
        length("db") / MEBIBYTE
    );
    assert_eq!(count(&db), 1000);
    drop(db);
    assert!(
        !dir.path().join("db-wal").exists(),
        "the last to close tidies up"
    );
}
