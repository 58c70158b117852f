//! Receipts between two people: an executor, and a stranger with a data folder and a key of his
//! own.

mod audit;
#[path = "../common/mod.rs"]
mod common;
mod keys;
mod lies;
mod log;
#[path = "../web/mod.rs"]
mod web;

use std::fs;
use std::path::PathBuf;

use common::{Home, Ran, ran};
use serde_json::{Value, json};
use sre_receipt::{Bundle, Envelope, Receipt};

/// An executor with one completed order, `t`, of a skill that returns 1, and its bundle.
fn executor() -> (Home, PathBuf) {
    let home = Home::new();
    home.skill("returns_1");
    home.words("run returns_1 --order-id t --receipt receipt.json")
        .exits(0);
    home.words("bundle t --output t.sre-bundle").exits(0);
    let bundle = home.path("t.sre-bundle");
    (home, bundle)
}

/// A stranger who trusts the executor's key.
fn stranger(executor: &Home) -> Home {
    let stranger = Home::new();
    let key = executor.words("key show").exits(0).stdout;
    stranger.sre(&["key", "trust", key.trim()]).exits(0);
    stranger
}

fn verify(home: &Home, file: &std::path::Path, more: &[&str]) -> Ran {
    let mut command = home.command();
    ran(command
        .arg("verify")
        .arg(file)
        .args(["--format", "json"])
        .args(more)
        .output()
        .expect("sre starts"))
}

fn read(bundle: &std::path::Path) -> Bundle {
    Bundle::parse(&fs::read(bundle).expect("the bundle")).expect("a bundle")
}

fn check<'a>(found: &'a Value, name: &str) -> &'a Value {
    let checks = found["checks"].as_array().expect("checks");
    checks
        .iter()
        .find(|check| check["name"] == name)
        .unwrap_or_else(|| panic!("no check {name}: {found}"))
}

#[test]
fn a_bundle_verifies_on_a_machine_that_never_saw_the_executor() {
    let (executor, bundle) = executor();
    let stranger_home = Home::new();
    let found = verify(&stranger_home, &bundle, &[]).exits(24).json();
    assert_eq!(
        (&found["verdict"], &found["is_valid"]),
        (&json!("unanchored"), &json!(false))
    );
    assert_eq!(
        check(&found, "replay")["status"],
        "passed",
        "what can be checked is checked: {found}"
    );
    assert!(
        !stranger_home.data().exists(),
        "verifying a bundle makes no data folder"
    );

    let stranger = stranger(&executor);
    let found = verify(&stranger, &bundle, &["--require-proof"])
        .exits(0)
        .json();
    assert_eq!(found["verdict"], "matched");
    for name in [
        "receipt",
        "statement",
        "signature",
        "key",
        "inclusion",
        "log",
        "commitment",
        "skill",
        "replay",
    ] {
        assert_eq!(check(&found, name)["status"], "passed", "{name}: {found}");
    }
    assert!(!stranger.data().join("journal.sqlite3").exists());
    let human = stranger
        .sre(&["verify".as_ref(), bundle.as_os_str()])
        .exits(0);
    assert!(
        human.stdout.contains("✓ inclusion") && human.stdout.contains("matched"),
        "{human:?}"
    );
    // A good receipt of another order is good, too: which one it is must be said.
    assert!(
        human.stdout.contains("  order       t\n") && found["order_id"] == "t",
        "{human:?} {found}"
    );
    assert_eq!(
        found["receipt"],
        json!(sre_core::ReceiptDigest::of(&read(&bundle).receipt))
    );
    // Not what was never promised.
    assert_eq!(
        verify(&stranger, &bundle, &["--witnesses", "1"])
            .exits(24)
            .json()["verdict"],
        "unanchored"
    );
}

#[test]
fn a_failure_of_the_skill_is_proven_like_a_success() {
    let home = Home::new();
    let failures = [
        ("exits_3", "skill_exited"),
        ("recurses", "skill_trapped"),
        ("loops", "out_of_fuel"),
        ("allocates", "out_of_memory"),
        ("prints_text", "bad_output"),
        ("prints_nothing", "bad_output"),
    ];
    for (skill, code) in failures {
        home.skill(skill);
        home.words(&format!(
            "run {skill} --order-id {skill} --fuel 1000000 --receipt {skill}.json"
        ))
        .exits(10);
        let bytes = fs::read(home.path(&format!("{skill}.json"))).expect("a receipt");
        let receipt =
            Receipt::read(Envelope::parse(&bytes).expect("an envelope")).expect("a receipt");
        let provable = receipt.predicate().provable.as_ref().expect("a commitment");
        assert_eq!(
            provable.outcome.error_code(None).map(|code| code.as_str()),
            Some(code)
        );
        home.words(&format!("bundle {skill} --output {skill}.sre-bundle"))
            .exits(0);
        let found = verify(
            &stranger(&home),
            &home.path(&format!("{skill}.sre-bundle")),
            &[],
        )
        .exits(0)
        .json();
        assert_eq!(
            (&found["verdict"], &found["order_id"]),
            (&json!("matched"), &json!(skill)),
            "{found}"
        );
    }
    let found = home.words("audit --format json").exits(0).json();
    assert_eq!(
        (&found["receipts"], &found["lost"]),
        (&json!(failures.len()), &json!([])),
        "{found}"
    );
}

#[test]
fn an_order_that_committed_nothing_has_a_receipt_that_proves_nothing() {
    let home = Home::new();
    home.skill("sleeps");
    home.words("run sleeps --order-id t --receipt receipt.json")
        .exits(11);
    let found = verify(&home, &home.path("receipt.json"), &[])
        .exits(25)
        .json();
    assert!(
        found["error"]
            .as_str()
            .is_some_and(|error| error.contains("before anything was committed")),
        "{found}"
    );
}

#[test]
fn the_same_order_again_has_the_same_receipt() {
    let (home, _) = executor();
    home.words("run returns_1 --order-id t --receipt again.json")
        .exits(0);
    let read = |name| fs::read(home.path(name)).expect("a receipt");
    assert_eq!(read("again.json"), read("receipt.json"));
    home.words("run returns_1 --order-id other --receipt other.json")
        .exits(0);
    assert_ne!(read("other.json"), read("receipt.json"));
}
