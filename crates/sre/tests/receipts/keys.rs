//! Keys and whom to believe.

use std::fs;

use serde_json::Value;

use crate::common::Home;
use crate::{executor, stranger, verify};

#[test]
fn keys_are_made_rotated_trusted_and_untrusted() {
    let (executor, bundle) = executor();
    let stranger = stranger(&executor);
    let old = executor.words("key show --format json").exits(0).json();
    executor.words("key new").exits(2);
    executor.words("key rotate").exits(0);
    let new = executor.words("key show --format json").exits(0).json();
    assert_ne!(old["key"], new["key"]);
    assert_eq!(old["name"], new["name"]);
    // What the old key signed stays good, here and there.
    verify(&executor, &bundle, &[]).exits(0);
    verify(&stranger, &bundle, &[]).exits(0);
    executor.words("run returns_1 --order-id after").exits(0);
    executor
        .words("bundle after --output after.sre-bundle")
        .exits(0);
    let after = executor.path("after.sre-bundle");
    verify(&executor, &after, &[]).exits(0);
    verify(&stranger, &after, &[]).exits(24);
    stranger
        .sre(&["key", "trust", new["verifier_key"].as_str().expect("a key")])
        .exits(0);
    verify(&stranger, &after, &["--require-proof"]).exits(0);
    // And nothing of it when it is believed no longer.
    let id = &old["key"].as_str().expect("an id")[..12];
    stranger.sre(&["key", "untrust", id]).exits(0);
    verify(&stranger, &bundle, &[]).exits(24);
    stranger.sre(&["key", "untrust", id]).exits(2);
    let listed = executor.words("key list --format json").exits(0).json();
    let own: Vec<&Value> = listed["keys"]
        .as_array()
        .expect("keys")
        .iter()
        .map(|key| &key["own"])
        .collect();
    assert_eq!(own, [false, true]);
    let pem = executor.words("key show --pem").exits(0);
    assert!(
        pem.stdout.starts_with("-----BEGIN PUBLIC KEY-----"),
        "{pem:?}"
    );
    for bad in [
        "x",
        "a+00000000+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k",
    ] {
        stranger.sre(&["key", "trust", bad]).exits(2);
    }
    assert!(
        Home::new()
            .words("key show")
            .exits(2)
            .stderr
            .contains("sre key new")
    );
}

#[cfg(unix)]
#[test]
fn an_open_key_signs_nothing_and_the_result_is_still_printed() {
    use std::os::unix::fs::PermissionsExt as _;
    let (executor, _) = executor();
    let key = executor.data().join("keys/signing.pem");
    fs::set_permissions(&key, fs::Permissions::from_mode(0o644)).expect("a mode");
    let ran = executor
        .words("run returns_1 --order-id more --format json")
        .exits(0);
    assert_eq!(ran.json()["status"], "completed");
    assert!(ran.stderr.contains("is open to other users"), "{ran:?}");
    fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).expect("a mode");
    executor
        .words("bundle more --output more.sre-bundle")
        .exits(0);
    verify(
        &executor,
        &executor.path("more.sre-bundle"),
        &["--require-proof"],
    )
    .exits(0);
}
