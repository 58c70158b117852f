//! `sre verify` detects a changed order, with the right verdict.

mod common;

use common::Home;
use rusqlite::{Connection, params};
use serde_json::{Value, json};
use sre_core::{BlobDigest, Commitment, Verdict};

/// A data folder with one completed order, `t`, of a skill that returns 1.
fn home() -> Home {
    let home = Home::new();
    home.skill("returns_1");
    home.words("run returns_1 --order-id t").exits(0);
    home
}

/// `sre verify` gives this verdict, its exit code, and a check that says why.
#[track_caller]
fn expect(home: &Home, verdict: Verdict, failed_check: &str) {
    let ran = home
        .words("verify t --format json")
        .exits(i32::from(verdict.exit_code()));
    let found = ran.json();
    assert_eq!(found["verdict"], verdict.as_str(), "{found}");
    let checks = found["checks"].as_array().expect("checks");
    let failed: Vec<_> = checks
        .iter()
        .filter(|check| check["status"] == "failed")
        .collect();
    assert_eq!(failed.len(), 1, "{found}");
    assert_eq!(failed[0]["name"], failed_check, "{found}");
    let human = home.words("verify t").exits(i32::from(verdict.exit_code()));
    let name = failed_check.replace('_', " ");
    assert!(
        human.stdout.contains(&format!("✗ {name}: ")) && human.stdout.contains(verdict.as_str()),
        "{human:?}"
    );
}

fn blobs(home: &Home) -> Connection {
    Connection::open(home.data().join("blobs/small.sqlite3")).expect("the small blobs")
}

fn digest(value: &Value) -> BlobDigest {
    value.as_str().expect("a digest").parse().expect("a digest")
}

/// The result of order `t` as the journal holds it, changed by `change`.
fn change_result(home: &Home, change: impl FnOnce(&mut Value)) {
    let journal = Connection::open(home.data().join("journal.sqlite3")).expect("the journal");
    let text: String = journal
        .query_row(
            "SELECT result FROM orders JOIN results USING (sequence) WHERE order_id = 't'",
            [],
            |row| row.get(0),
        )
        .expect("a result");
    let mut result: Value = serde_json::from_str(&text).expect("JSON");
    change(&mut result);
    let changed = journal.execute(
        "UPDATE results SET result = ?1 WHERE sequence = (SELECT sequence FROM orders WHERE order_id = 't')",
        [result.to_string()],
    );
    assert_eq!(changed.expect("an update"), 1);
}

fn result(home: &Home) -> Value {
    // The same order again prints what is stored.
    home.words("run returns_1 --order-id t --format json")
        .exits(0)
        .json()
}

#[test]
fn an_untouched_order_matches() {
    let home = home();
    let found = home.words("verify t --format json").exits(0).json();
    assert_eq!(found["verdict"], "matched");
    assert!(
        found["checks"]
            .as_array()
            .expect("checks")
            .iter()
            .all(|check| check["status"] == "passed")
    );
}

#[test]
fn every_tampered_blob_is_found() {
    for check in ["skill", "input", "profile", "runtime", "outcome"] {
        let home = home();
        let address = digest(&result(&home)["commit_result"]["commitment"][check]);
        let set = "UPDATE blob SET bytes = CAST(bytes || x'20' AS BLOB) WHERE digest = ?1";
        assert_eq!(
            blobs(&home)
                .execute(set, params![address.digest().as_bytes()])
                .expect("an update"),
            1
        );
        expect(&home, Verdict::Tampered, check);
    }
    for (field, check) in [("commitment_hash", "commitment"), ("result_hash", "output")] {
        let home = home();
        let address = digest(&result(&home)["commit_result"][field]);
        let set = "UPDATE blob SET bytes = x'30' WHERE digest = ?1";
        assert_eq!(
            blobs(&home)
                .execute(set, params![address.digest().as_bytes()])
                .expect("an update"),
            1
        );
        expect(&home, Verdict::Tampered, check);
    }
}

#[test]
fn a_tampered_program_is_found() {
    let home = home();
    let set = "UPDATE blob SET bytes = CAST(replace(CAST(bytes AS TEXT), '\"1\"', '\"2\"') AS BLOB)
               WHERE instr(CAST(bytes AS TEXT), 'Returns 1.') > 0";
    assert_eq!(blobs(&home).execute(set, []).expect("an update"), 1);
    expect(&home, Verdict::Tampered, "skill");
}

#[test]
fn a_missing_blob_is_unavailable() {
    let home = home();
    let address = digest(&result(&home)["commit_result"]["commitment"]["input"]);
    let deleted = blobs(&home).execute(
        "DELETE FROM blob WHERE digest = ?1",
        params![address.digest().as_bytes()],
    );
    assert_eq!(deleted.expect("a deletion"), 1);
    expect(&home, Verdict::Unavailable, "input");
}

#[test]
fn a_tampered_commitment_is_found() {
    let home = home();
    change_result(&home, |result| {
        result["commit_result"]["commitment"]["outcome"] = json!("00".repeat(32))
    });
    expect(&home, Verdict::Tampered, "commitment");
    let home = self::home();
    change_result(&home, |result| {
        result["commit_result"]["commitment_uri"] =
            json!("da:sha256:".to_owned() + &"00".repeat(32))
    });
    expect(&home, Verdict::Tampered, "commitment");
    let home = self::home();
    change_result(&home, |result| {
        result["commit_result"]["result_hash"] = json!("00".repeat(32))
    });
    expect(&home, Verdict::Tampered, "output");
    let home = self::home();
    change_result(&home, |result| {
        result["commit_result"]["status"] = json!("failed")
    });
    expect(&home, Verdict::Tampered, "output");
}

#[test]
fn an_altered_report_is_found() {
    for output in [json!(2), json!("1"), Value::Null] {
        let home = home();
        change_result(&home, |result| result["output"] = output);
        expect(&home, Verdict::Tampered, "reported_output");
    }
}

#[test]
fn a_null_value_is_not_a_missing_report() {
    let home = Home::new();
    home.skill("returns_null");
    home.words("run returns_null --order-id t").exits(0);
    home.words("verify t").exits(0);
}

#[test]
fn a_swapped_skill_diverges_or_is_tampered() {
    let home = home();
    home.skill("returns_2");
    let other = home
        .words("run returns_2 --order-id other --format json")
        .exits(0)
        .json();
    let other = other["commit_result"]["commitment"]["skill"].clone();

    // Only the skill: the commitment's digest tells.
    change_result(&home, |result| {
        result["commit_result"]["commitment"]["skill"] = other.clone()
    });
    expect(&home, Verdict::Tampered, "commitment");

    // Everything that can be recomputed is recomputed, so that every digest holds: the replay
    // tells.
    change_result(&home, |result| {
        let claim = &mut result["commit_result"];
        let commitment: Commitment =
            serde_json::from_value(claim["commitment"].clone()).expect("a commitment");
        let (bytes, address) = (commitment.to_canonical(), commitment.digest());
        blobs(&home)
            .execute(
                "INSERT INTO blob (digest, bytes) VALUES (?1, ?2)",
                params![address.digest().as_bytes(), bytes],
            )
            .expect("an insertion");
        claim["commitment_hash"] = json!(address);
        claim["commitment_uri"] = json!(format!("da:sha256:{address}"));
    });
    expect(&home, Verdict::Diverged, "replay");
}

/// An author cannot switch checking off: in WebAssembly every run is replayed.
#[test]
fn a_hint_of_the_author_does_not_keep_a_run_from_being_replayed() {
    let home = Home::new();
    let hints = "annotations:\n  idempotentHint: false\n  openWorldHint: true\n";
    home.skill_with("returns_1", hints);
    home.words("run returns_1 --order-id t").exits(0);
    let found = home.words("verify t --format json").exits(0).json();
    assert_eq!(found["verdict"], "matched");
    assert_eq!(found["method"], "replay");
}

#[test]
fn an_order_that_committed_nothing_is_unverifiable() {
    let home = Home::new();
    home.skill("sleeps");
    home.words("run sleeps --order-id t").exits(11);
    let ran = home.words("verify t").exits(25);
    assert!(
        ran.stdout.is_empty()
            && ran
                .stderr
                .contains("order t ended as timeout before anything was committed"),
        "{ran:?}"
    );
}

#[test]
fn an_unknown_order_makes_no_data_folder() {
    let home = Home::new();
    let ran = home.words("verify t").exits(2);
    assert!(
        ran.stdout.is_empty() && ran.stderr.contains("no order t"),
        "{ran:?}"
    );
    assert!(!home.data().exists());
    home.skill("returns_1");
    home.words("run returns_1 --order-id other").exits(0);
    let problem = home.words("verify t --format json").exits(2);
    let problem: Value = serde_json::from_str(&problem.stderr).expect("a problem");
    assert_eq!(problem["code"], "order_unknown");
}

#[test]
fn a_damaged_journal_entry_is_named() {
    let home = home();
    change_result(&home, |result| result["status"] = json!("splendid"));
    let ran = home.words("verify t").exits(1);
    assert!(ran.stderr.contains("order t is damaged"), "{ran:?}");
}
