//! Journals that earlier versions wrote are read by this one.
//!
//! `fixtures/v1` holds a journal of schema version 1 with one finished and one open order. To add the fixture of a new
//! version, run `SRE_WRITE_FIXTURE=tests/fixtures/v2 cargo test -p sre-orchestrator --test stored_format`.

mod support;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::json;
use sre_core::{OrderStatus, Verdict};
use sre_orchestrator::{Accepted, Journal};
use support::{Act, house, order};

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures")
}

#[tokio::test]
async fn journals_of_every_version_are_read_and_go_on() {
    if let Some(folder) = std::env::var_os("SRE_WRITE_FIXTURE") {
        write_fixture(Path::new(&folder)).await;
    }
    let mut seen = 0;
    for version in fs::read_dir(fixtures()).expect("the fixtures") {
        let data = tempfile::tempdir().expect("a folder");
        let copy = data.path().join("journal.sqlite3");
        fs::copy(version.expect("an entry").path().join("journal.sqlite3"), &copy).expect("a copy");
        let journal = Journal::open(&copy).expect("readable");

        let entry = journal.get(&"finished".parse().expect("an id")).expect("readable").expect("there");
        let result = entry.result.expect("a result");
        assert_eq!((result.status, result.output), (OrderStatus::Completed, Some(json!({ "n": 1 }))));
        assert_eq!(result.verification.map(|found| found.verdict), Some(Verdict::Matched));

        let open = "open".parse().expect("an id");
        assert!(journal.get(&open).expect("readable").expect("there").result.is_none());
        let other = sre_core::Digest::of(b"another request");
        assert!(matches!(journal.accept(&open, other).await, Ok(Accepted::Conflict)));
        assert!(matches!(journal.accept(&"new".parse().expect("an id"), other).await, Ok(Accepted::New)));
        seen += 1;
    }
    assert!(seen >= 1, "no fixture was read");
}

/// One order that ended and one that was interrupted.
async fn write_fixture(folder: &Path) {
    let finished = house(&[Act::Print(r#"{"n":1}"#), Act::Print(r#"{"n":1}"#), Act::Hang]);
    finished.run(order("finished")).await;
    let open = finished.acceptance.accept(order("open")).await.expect("an order");
    let hanging = finished.orchestrator.execute(open);
    assert!(tokio::time::timeout(Duration::from_millis(100), hanging).await.is_err());
    // Dropping the last handle empties the log into the file.
    drop(finished.orchestrator);
    fs::create_dir_all(folder).expect("a folder");
    fs::copy(finished.data.path().join("journal.sqlite3"), folder.join("journal.sqlite3")).expect("a copy");
}
