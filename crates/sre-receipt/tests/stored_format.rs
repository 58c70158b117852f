//! What this version writes, later versions read: receipts, keys, trust, checkpoint, proof and
//! bundle, byte for byte.
//!
//! The files in `fixtures/v1` were written by the first version and do not change. Keys and
//! signatures are deterministic, so a version that still writes the format writes these very bytes.
//! A new format gets a new folder, by `cargo test -p sre-receipt --test stored_format --
//! --ignored`, and this one stays.

mod common;

use std::fs;
use std::path::{Path, PathBuf};

use common::{
    bundle, context, ended, examiner, node, now, proof, receipt, returned, timed_out, trusted,
};
use sre_core::Ending;
use sre_receipt::tlog::{Checkpoint, Note, TlogProof, VerifierKey};
use sre_receipt::{
    Bundle, PublicKey, Purpose, Receipt, SecretKey, Trust, TrustedKey, VerdictStatement,
};

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/v1")
}

fn files() -> Vec<(&'static str, Vec<u8>)> {
    let returned = receipt("fixture", returned());
    let exited = receipt("fixture-exited", ended(Ending::Exited { code: 3 }));
    let timeout = Receipt::issue(
        &timed_out("fixture-timeout"),
        context(None),
        &node(1).secret,
    )
    .expect("a receipt");
    let own = common::result("fixture", common::returned())
        .verification
        .expect("a verification");
    let order_id = "fixture".parse().expect("an order id");
    let verdict =
        VerdictStatement::issue(returned.digest(), order_id, &own, now(), &node(2).secret);
    let mut proof = proof(&returned, &node(1));
    proof
        .checkpoint
        .cosign(node(3).name, &node(3).secret, 1_767_225_601);
    let mut trust = Trust::default();
    // The key as it was named when this format was made.
    let key = TrustedKey {
        not_before: Some(now()),
        ..node(1).trusted()
    };
    trust.add(key).expect("a new key");
    trust
        .add(trusted(&node(3), &[Purpose::Witness]))
        .expect("a new key");
    let key = format!("{}\n", node(1).verifier_key());
    vec![
        ("receipt.json", returned.envelope().to_canonical()),
        ("receipt-exited.json", exited.envelope().to_canonical()),
        ("receipt-timeout.json", timeout.envelope().to_canonical()),
        ("verdict.json", verdict.envelope().to_canonical()),
        ("checkpoint", proof.checkpoint.to_string().into_bytes()),
        ("receipt.tlog-proof", proof.to_string().into_bytes()),
        ("bundle.sre-bundle", bundle(&returned).to_bytes()),
        (
            "example-secret.pem",
            node(1).secret.to_pem().as_bytes().to_vec(),
        ),
        ("public.pem", node(1).secret.public().to_pem().into_bytes()),
        ("key.vkey", key.into_bytes()),
        ("trust.json", trust.to_text().into_bytes()),
    ]
}

#[test]
#[ignore = "writes the fixtures of a new format"]
fn write_the_fixtures() {
    fs::create_dir_all(fixtures()).expect("a folder");
    for (name, bytes) in files() {
        let path = fixtures().join(name);
        assert!(
            !path.exists(),
            "{} exists: a format that was written does not change",
            path.display()
        );
        fs::write(path, bytes).expect("a fixture");
    }
}

#[test]
fn the_first_version_is_still_written() {
    for (name, bytes) in files() {
        assert!(
            fs::read(fixtures().join(name)).expect(name) == bytes,
            "{name} would be written in other bytes"
        );
    }
}

#[test]
fn the_first_version_is_still_read() {
    let read = |name: &str| fs::read(fixtures().join(name)).expect(name);
    let text = |name: &str| String::from_utf8(read(name)).expect(name);
    let proof = read("receipt.tlog-proof");
    assert_eq!(
        examiner().examine(&read("receipt.json"), Some(&proof)).flaw,
        None
    );
    for name in ["receipt-exited.json", "receipt-timeout.json"] {
        assert_eq!(examiner().examine(&read(name), None).flaw, None, "{name}");
    }
    let bundle = Bundle::parse(&read("bundle.sre-bundle")).expect("a bundle");
    assert_eq!(
        examiner()
            .examine(&bundle.receipt, bundle.proof.as_deref())
            .flaw,
        None
    );
    let key: VerifierKey = text("key.vkey").trim().parse().expect("a key");
    let note = Note::parse(&read("checkpoint")).expect("a note");
    assert_eq!(
        Checkpoint::verify(&note, &key).expect("a checkpoint").size,
        2
    );
    assert_eq!(TlogProof::parse(&proof).expect("a proof").checkpoint, note);
    let secret = SecretKey::from_pem(&text("example-secret.pem")).expect("a secret key");
    assert_eq!(
        secret.public(),
        PublicKey::from_pem(&text("public.pem")).expect("a public key")
    );
    assert_eq!(
        Trust::parse(&read("trust.json"))
            .expect("a trust file")
            .keys()
            .len(),
        2
    );
    let envelope = sre_receipt::Envelope::parse(&read("verdict.json")).expect("an envelope");
    VerdictStatement::read(envelope)
        .expect("a verdict")
        .verify_signature()
        .expect("a good signature");
}
