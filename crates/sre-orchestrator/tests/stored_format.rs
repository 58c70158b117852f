//! Journals that earlier versions wrote are read by this one.
//!
//! `fixtures/vN` holds a journal of schema version N with one finished and one open order. To add
//! the fixture of a new version, run `SRE_WRITE_FIXTURE=tests/fixtures/v7 cargo test -p
//! sre-orchestrator --test stored_format`.

mod support;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use sre_core::{OrderStatus, Verdict};
use sre_journal::Journal;
use sre_orchestrator::ExecuteError;
use support::{Act, Receiver, house, house_in, order};

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
        let data = Arc::new(tempfile::tempdir().expect("a folder"));
        let copy = data.path().join("journal.sqlite3");
        fs::copy(
            version.expect("an entry").path().join("journal.sqlite3"),
            &copy,
        )
        .expect("a copy");
        let journal = Journal::open(&copy).expect("readable");

        let entry = journal
            .get(&"finished".parse().expect("an id"))
            .expect("readable")
            .expect("there");
        let result = entry.parsed_result().expect("readable").expect("a result");
        assert_eq!(
            (result.status, result.output),
            (OrderStatus::Completed, Some(json!({ "n": 1 })))
        );
        assert_eq!(
            result.verification.map(|found| found.verdict),
            Some(Verdict::Matched)
        );

        // Whoever ended has a receipt coming, whatever version ended it.
        let due = journal.due_receipts(10, usize::MAX).expect("readable");
        assert_eq!(
            due.orders
                .iter()
                .map(|order| &*order.order_id)
                .collect::<Vec<_>>(),
            ["finished"]
        );

        let open = "open".parse().expect("an id");
        assert!(
            journal
                .get(&open)
                .expect("readable")
                .expect("there")
                .result
                .is_none()
        );
        drop(journal);
        // The interrupted order goes on where it is submitted again, and only as what it was.
        let house = house_in(data, &[Act::Print(r#"{"n":1}"#)], Receiver::Acknowledges);
        let mut other = order("open");
        other.max_retries = 1;
        let other = house.acceptance.accept(other).await.expect("an order");
        assert!(matches!(
            house.orchestrator.execute(other).await,
            Err(ExecuteError::Conflict(_))
        ));
        assert_eq!(
            house.run(order("open")).await.status,
            OrderStatus::Completed
        );
        assert_eq!(house.run(order("new")).await.status, OrderStatus::Completed);
        seen += 1;
    }
    assert!(seen >= 6, "no fixture was read");
}

/// One order that ended and one that was interrupted.
async fn write_fixture(folder: &Path) {
    let finished = house(&[
        Act::Print(r#"{"n":1}"#),
        Act::Print(r#"{"n":1}"#),
        Act::Hang,
    ]);
    finished.run(order("finished")).await;
    let open = finished
        .acceptance
        .accept(order("open"))
        .await
        .expect("an order");
    let hanging = finished.orchestrator.execute(open);
    assert!(
        tokio::time::timeout(Duration::from_millis(100), hanging)
            .await
            .is_err()
    );
    // Dropping the last handle empties the log into the file.
    drop(finished.orchestrator);
    fs::create_dir_all(folder).expect("a folder");
    fs::copy(
        finished.data.path().join("journal.sqlite3"),
        folder.join("journal.sqlite3"),
    )
    .expect("a copy");
}
