//! The script of the documentation, as a stranger uses it: on bundles, on what a service shows, and
//! after the executor's key was replaced.

#[path = "../../sre-receipt/tests/independent/environment.rs"]
mod environment;

mod common;

use std::fs;
use std::path::Path;
use std::process::Command;

use common::service::Service;
use common::{Home, Ran, ran};
use serde_json::{Value, json};

/// Runs the script on `receipt` with these keys.
fn script(python: &Path, home: &Home, receipt: &str, keys: &[&str], more: &[&str]) -> Ran {
    let mut command = Command::new(python);
    command
        .arg(common::examples().join("../docs/check_receipt.py"))
        .arg(receipt)
        .args(more);
    command
        .current_dir(home.path(""))
        .args(keys.iter().flat_map(|key| ["--key", key.trim()]));
    ran(command.output().expect("python starts"))
}

/// Unpacks the bundle of an order where the script looks.
fn unpack(home: &Home, order: &str) {
    home.words(&format!("bundle {order} --output {order}.sre-bundle"))
        .exits(0);
    let bundle = home.path(&format!("{order}.sre-bundle"));
    assert!(
        Command::new("tar")
            .arg("-xf")
            .arg(bundle)
            .current_dir(home.path(""))
            .status()
            .expect("tar")
            .success()
    );
}

const BUNDLE: [&str; 4] = ["--proof", "receipt.tlog-proof", "--blobs", "blobs"];

#[test]
fn the_documented_script_checks_the_receipt_of_an_example() {
    let Some(python) = environment::python() else {
        return;
    };
    let home = Home::new();
    let example = common::examples().join("word-count").display().to_string();
    let input = r#"{"text":"to be or not to be"}"#;
    home.sre(&["run", &example, "--input", input, "--order-id", "t"])
        .exits(0);
    unpack(&home, "t");
    let sums = Command::new("sha256sum")
        .args(["--check", "--quiet", "SHA256SUMS"])
        .current_dir(home.path(""))
        .status();
    assert!(sums.expect("sha256sum starts").success());
    let key = home.words("key show").exits(0).stdout;
    let checked = script(python, &home, "receipt.json", &[&key], &BUNDLE).exits(0);
    assert!(
        checked
            .stdout
            .contains("ok: the bytes of the result have their digest"),
        "{checked:?}"
    );
    assert!(
        checked.stdout.ends_with("the receipt holds\n"),
        "{checked:?}"
    );
    home.sre(&[
        "run",
        &example,
        "--input",
        input,
        "--order-id",
        "other",
        "--receipt",
        "other.json",
    ])
    .exits(0);
    let other = script(python, &home, "other.json", &[&key], &BUNDLE);
    assert_eq!(other.code, Some(1), "the proof is of another receipt");

    // An honest receipt stays one when the executor replaces its key: the old one signed it, the
    // new one the log.
    let new = home.words("key rotate").exits(0).stdout;
    unpack(&home, "t");
    script(python, &home, "receipt.json", &[&key, &new], &BUNDLE).exits(0);
    script(python, &home, "receipt.json", &[&key], &BUNDLE).exits(1);
    script(python, &home, "receipt.json", &[&new], &BUNDLE).exits(1);
}

#[test]
fn the_documented_script_says_what_is_wrong_and_never_breaks_down() {
    let Some(python) = environment::python() else {
        return;
    };
    let home = Home::new();
    home.skill("returns_1");
    home.words("run returns_1 --order-id t").exits(0);
    unpack(&home, "t");
    let key = home.words("key show").exits(0).stdout;
    fs::create_dir(home.path("none")).expect("a folder");
    for (name, text) in [
        ("empty", ""),
        ("list", "[]"),
        ("text", "x"),
        ("deep", &*"[".repeat(200_000)),
        ("unsigned", r#"{"receipt":null}"#),
    ] {
        fs::write(home.path(name), text).expect("a file");
    }
    for (receipt, key, more) in [
        ("receipt.json", "x", &[][..]),
        ("receipt.json", "a+b+c", &[]),
        ("receipt.json", "a+00000000+AAAA", &[]),
        ("absent", &key, &[]),
        ("empty", &key, &[]),
        ("list", &key, &[]),
        ("text", &key, &[]),
        ("deep", &key, &[]),
        ("unsigned", &key, &[]),
        ("receipt.json", &key, &["--blobs", "none"]),
        ("receipt.json", &key, &["--proof", "empty"]),
    ] {
        let refused = script(python, &home, receipt, &[key], more).exits(1);
        assert!(
            refused.stderr.starts_with("FAILED: ") && refused.stderr.matches('\n').count() == 1,
            "{refused:?}"
        );
        assert!(!refused.stdout.contains("the receipt holds"), "{refused:?}");
    }
}

#[tokio::test]
async fn the_documented_script_reads_what_a_service_shows() {
    let Some(python) = environment::python() else {
        return;
    };
    let home = Home::new();
    let service = Service::start(&home, &[]);
    let skill = service.upload("returns_1").await;
    let order = json!({ "order_id": "a", "skill_package": { "digest": skill } });
    assert!(
        service
            .post("/v1/orders?wait=60", &order)
            .await
            .status()
            .is_success()
    );
    let shown = service
        .get("/v1/orders/a/receipt?wait=60")
        .await
        .json::<Value>()
        .await
        .expect("JSON");
    assert_eq!(shown["status"], "logged");
    fs::write(home.path("shown.json"), shown.to_string()).expect("a file");
    let key = home.words("key show").exits(0).stdout;
    let checked = script(python, &home, "shown.json", &[&key], &[]).exits(0);
    assert!(
        checked.stdout.ends_with("the receipt holds\n") && checked.stdout.contains("in the log"),
        "{checked:?}"
    );
    service.signal("TERM");
}
