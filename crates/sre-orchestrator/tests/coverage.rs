//! What the counts of checked orders say, and what they do not.

mod support;

use std::fs;
use std::path::Path;

use jiff::Timestamp;
use sre_core::{Digest, Verdict};
use sre_journal::{Coverage, Journal, NewVerdict};
use support::{Act, house, order};

fn verdict(key: u8, verdict: Verdict) -> NewVerdict {
    let digest = Digest::of(&[key]);
    NewVerdict {
        sequence: 1,
        key: digest,
        verdict,
        checked_at: Timestamp::now(),
        digest,
    }
}

#[tokio::test]
async fn a_check_that_came_to_nothing_is_counted_until_another_comes_to_something() {
    let house = house(&[Act::Print(r#"{"n":1}"#), Act::Print(r#"{"n":1}"#)]);
    house.run(order("one")).await;
    let journal = Journal::open(&house.data.path().join("journal.sqlite3")).expect("a journal");
    let counts = || {
        let Coverage {
            checked,
            matched,
            disputed,
            inconclusive,
            ..
        } = journal.coverage().expect("counts");
        [checked, matched, disputed, inconclusive]
    };
    for (key, says, expected) in [
        (1, Verdict::Unavailable, [1, 0, 0, 1]),
        (2, Verdict::Unanchored, [1, 0, 0, 1]),
        (1, Verdict::Matched, [1, 1, 0, 0]),
        (2, Verdict::Unverifiable, [1, 1, 0, 0]),
        (2, Verdict::Diverged, [1, 1, 1, 0]),
    ] {
        journal
            .record_verdict(verdict(key, says))
            .await
            .expect("kept");
        assert_eq!(counts(), expected, "after {says}");
    }
}

#[tokio::test]
async fn checks_that_came_to_nothing_before_they_were_counted_are_found() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("journal.sqlite3");
    let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/v5/journal.sqlite3");
    fs::copy(fixture, &path).expect("a copy");
    let database = rusqlite::Connection::open(&path).expect("a database");
    for (sequence, number, says) in [
        (1, 1, "unavailable"),
        (1, 2, "unanchored"),
        (2, 1, "unavailable"),
        (2, 2, "hash_only"),
    ] {
        let values = rusqlite::params![sequence, number, [0_u8; 32], says, 0, 0, [0_u8; 32]];
        database
            .execute(
                "INSERT INTO verdicts VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
                values,
            )
            .expect("a row");
    }
    drop(database);
    assert_eq!(
        Journal::open(&path)
            .expect("readable")
            .coverage()
            .expect("counts")
            .inconclusive,
        1
    );
}

#[test]
fn an_estimate_rests_on_what_matched_and_on_nothing_withheld() {
    let clean = Coverage {
        receipts: 10_000,
        checked: 400,
        matched: 300,
        ..Coverage::default()
    };
    let share = clean.undetected_share(0.95).expect("an estimate");
    assert!((share - 0.009_936).abs() < 1e-5, "{share}");
    for tainted in [
        Coverage {
            inconclusive: 1,
            ..clean
        },
        Coverage {
            disputed: 1,
            ..clean
        },
        Coverage {
            matched: 0,
            ..clean
        },
    ] {
        assert_eq!(tainted.undetected_share(0.95), None, "{tainted:?}");
    }
    let complete = Coverage {
        receipts: 4,
        checked: 4,
        matched: 4,
        ..Coverage::default()
    };
    assert_eq!(complete.undetected_share(0.95), Some(0.0));
}
