//! What is lost, and what must be kept.

use std::fs;
use std::path::PathBuf;

use rusqlite::{Connection, params};
use serde_json::json;
use sre_receipt::{Envelope, Receipt};

use crate::common::Home;
use crate::{executor, read};

#[test]
fn an_audit_finds_what_is_lost_and_whose_it_was() {
    let (executor, bundle) = executor();
    executor.skill("returns_2");
    executor.words("run returns_2 --order-id two").exits(0);
    let found = executor.words("audit --format json").exits(0).json();
    assert_eq!(
        (&found["receipts"], &found["lost"]),
        (&json!(2), &json!([]))
    );
    let receipt = Receipt::read(Envelope::parse(&read(&bundle).receipt).expect("an envelope"))
        .expect("a receipt");
    let commitment = &receipt
        .predicate()
        .provable
        .as_ref()
        .expect("a commitment")
        .commitment;
    let blobs = Connection::open(executor.data().join("blobs/small.sqlite3")).expect("the blobs");
    let profile = commitment.profile.digest();
    blobs
        .execute(
            "DELETE FROM blob WHERE digest = ?1",
            params![profile.as_bytes()],
        )
        .expect("a deletion");
    let found = executor.words("audit --format json").exits(23).json();
    assert_eq!(found["lost"][0]["digest"], json!(profile));
    assert_eq!(found["lost"][0]["orders"], json!(["t"]));
    let ran = executor
        .words("bundle t --output again.sre-bundle")
        .exits(1);
    assert!(
        ran.stderr.contains("sre audit") && !executor.path("again.sre-bundle").exists(),
        "{ran:?}"
    );
    let outcome = commitment.outcome.digest();
    blobs
        .execute(
            "UPDATE blob SET bytes = x'00' WHERE digest = ?1",
            params![outcome.as_bytes()],
        )
        .expect("a change");
    let human = executor.words("audit").exits(22);
    assert!(human.stdout.contains("digest mismatch"), "{human:?}");
    assert!(
        Home::new()
            .words("audit")
            .exits(2)
            .stderr
            .contains("no receipts")
    );
}

/// Removing blobs must not take what a kept order is replayed with, nor what the log stands for.
#[test]
fn what_is_kept_can_be_verified_after_blobs_were_removed() {
    let home = Home::new();
    let skill = crate::common::examples()
        .join("ab-test")
        .display()
        .to_string();
    let input = crate::common::examples()
        .join("cases/ab-test/chance.input.json")
        .display()
        .to_string();
    home.sre(&["run", &skill, "--input-file", &input, "--order-id", "kept"])
        .exits(0);
    home.words("bundle kept --output before.sre-bundle")
        .exits(0);
    // The interpreter is the only blob of megabytes.
    let interpreters = || {
        let sizes = walk(&home.data().join("blobs/large"))
            .into_iter()
            .map(|path| fs::metadata(path).expect("a blob").len());
        sizes.filter(|bytes| *bytes > 8_000_000).count()
    };
    assert_eq!(
        interpreters(),
        1,
        "an interpreter is stored with the evidence"
    );
    home.words("gc --format json").exits(0);
    assert_eq!(
        interpreters(),
        1,
        "and stays as long as an order that ran in it"
    );
    assert_eq!(
        home.words("verify kept --format json").exits(0).json()["verdict"],
        "matched"
    );
    home.words("bundle kept --output after.sre-bundle").exits(0);
    let bundle = |name: &str| fs::read(home.path(name)).expect("a bundle");
    assert_eq!(
        bundle("before.sre-bundle"),
        bundle("after.sre-bundle"),
        "receipt, proof and evidence are all there"
    );
}

/// All files below a folder.
fn walk(folder: &std::path::Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            files.extend(walk(&path))
        } else {
            files.push(path)
        }
    }
    files
}
