//! Receipts are read by programs of others: securesystemslib and in-toto-attestation, and the
//! script of the documentation, which uses nothing but Python's library and `cryptography`.

#[path = "independent/environment.rs"]
mod environment;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use environment::python;

fn tests() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests")
}

fn fixture(name: &str) -> PathBuf {
    tests().join("fixtures/v1").join(name)
}

/// A copy of a fixture, changed.
fn changed(folder: &Path, name: &str, from: &str, to: &str) -> PathBuf {
    let text = fs::read_to_string(fixture(name)).expect("a fixture");
    assert!(text.contains(from), "{name} has {from}");
    let path = folder.join(format!(
        "{}-{name}",
        fs::read_dir(folder).expect("a folder").count()
    ));
    fs::write(&path, text.replacen(from, to, 1)).expect("a file");
    path
}

fn said(ran: &Output) -> String {
    format!(
        "{}{}",
        String::from_utf8_lossy(&ran.stdout),
        String::from_utf8_lossy(&ran.stderr)
    )
}

#[test]
fn the_libraries_of_in_toto_accept_our_receipts_and_no_others() {
    let Some(python) = python() else { return };
    let folder = tempfile::tempdir().expect("a folder");
    let mut command = Command::new(python);
    command
        .arg(tests().join("independent/in_toto.py"))
        .arg(fixture("public.pem"));
    command
        .args(
            [
                "receipt.json",
                "receipt-exited.json",
                "receipt-timeout.json",
            ]
            .map(fixture),
        )
        .arg("--");
    // Another node's key, another payload, another type.
    command.arg(fixture("verdict.json"));
    command.arg(changed(
        folder.path(),
        "receipt.json",
        "\"payload\":\"eyJf",
        "\"payload\":\"eyJg",
    ));
    command.arg(changed(
        folder.path(),
        "receipt.json",
        "vnd.in-toto+json",
        "vnd.other+json",
    ));
    let ran = command.output().expect("python starts");
    assert!(
        ran.status.success() && said(&ran).contains("checked"),
        "{}",
        said(&ran)
    );
}

#[test]
fn the_script_of_the_documentation_checks_a_receipt_and_its_proof() {
    let Some(python) = python() else { return };
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/check_receipt.py");
    let key = fs::read_to_string(fixture("key.vkey")).expect("a key");
    let check = |receipt: &Path, proof: &Path, key: &str| {
        let mut command = Command::new(python);
        command
            .arg(&script)
            .arg(receipt)
            .arg("--proof")
            .arg(proof)
            .args(["--key", key.trim()]);
        command.output().expect("python starts")
    };
    let (receipt, proof) = (fixture("receipt.json"), fixture("receipt.tlog-proof"));
    let good = check(&receipt, &proof, &key);
    assert!(
        good.status.success() && said(&good).ends_with("the receipt holds\n"),
        "{}",
        said(&good)
    );

    let folder = tempfile::tempdir().expect("a folder");
    let other_root = fs::read_to_string(&proof).expect("a proof");
    let root = other_root
        .split("\n\n")
        .nth(1)
        .and_then(|note| note.lines().nth(2))
        .expect("a root")
        .to_owned();
    let other_root = changed(
        folder.path(),
        "receipt.tlog-proof",
        &root,
        &root.to_lowercase(),
    );
    for (what, ran) in [
        (
            "another receipt",
            check(&fixture("receipt-exited.json"), &proof, &key),
        ),
        (
            "another payload",
            check(
                &changed(folder.path(), "receipt.json", "eyJf", "eyJg"),
                &proof,
                &key,
            ),
        ),
        (
            "another place",
            check(
                &receipt,
                &changed(folder.path(), "receipt.tlog-proof", "index 1", "index 0"),
                &key,
            ),
        ),
        ("another root", check(&receipt, &other_root, &key)),
        ("another key", check(&fixture("verdict.json"), &proof, &key)),
        (
            "another name",
            check(&receipt, &proof, &key.replace("node1", "node2")),
        ),
    ] {
        assert!(!ran.status.success(), "{what}: {}", said(&ran));
    }
}
