//! `sre gc` and what must be there for it: nothing is removed where it is not certain what is
//! needed. And what an audit says afterwards.

mod common;

use std::fs;
use std::path::Path;
use std::sync::Arc;

use common::{Home, Ran};
use rusqlite::{Connection, params};
use serde_json::{Value, json};
use sre_core::Digest;
use sre_da::{Blob, LocalStore, LocalStoreOptions, Store as _};
use sre_log::{Log, Submission};
use sre_receipt::KeyFolder;
use sre_receipt::tlog::Entry;

/// A home with an order, its receipt and a bundle.
fn home() -> Home {
    let home = Home::new();
    home.words("key new --name executor.example.org/log")
        .exits(0);
    home.skill("returns_1");
    home.words("run returns_1 --order-id t").exits(0);
    home.words("bundle t --output before.sre-bundle").exits(0);
    home
}

/// Receipt, proof and evidence are what they were.
fn is_whole(home: &Home) {
    home.words("bundle t --output after.sre-bundle").exits(0);
    let read = |name: &str| fs::read(home.path(name)).expect("a bundle");
    assert!(read("before.sre-bundle") == read("after.sre-bundle"));
    assert_eq!(
        home.words("verify t --format json").exits(0).json()["verdict"],
        "matched"
    );
}

fn code(ran: &Ran) -> Value {
    serde_json::from_str::<Value>(&ran.stderr).unwrap_or_else(|error| panic!("{error}: {ran:?}"))["code"].clone()
}

/// Copies a database without open connections.
fn copy(from: &Path, to: &Path) {
    fs::copy(from, to).expect("a copy");
    for end in ["-wal", "-shm"] {
        drop(fs::remove_file(format!("{}{end}", to.display())));
    }
}

#[test]
fn nothing_is_removed_where_journal_or_log_are_missing() {
    let home = home();
    let (journal, log) = (
        home.data().join("journal.sqlite3"),
        home.data().join("log.sqlite3"),
    );
    let (aside, gc) = (
        home.path("aside"),
        "gc --set retention.days=0 --format json",
    );
    for (file, missing) in [(&journal, "journal_missing"), (&log, "log_behind")] {
        fs::rename(file, &aside).expect("moved away");
        assert_eq!(code(&home.words(gc).exits(1)), missing);
        assert!(!file.exists(), "another one was made");
        fs::rename(&aside, file).expect("moved back");
        is_whole(&home);
    }
    // New and empty is as bad as missing, and so is a name that leads nowhere.
    for (file, unknown) in [(&journal, "journal_behind"), (&log, "log_behind")] {
        fs::rename(file, &aside).expect("moved away");
        fs::write(file, "").expect("an empty file");
        assert_eq!(code(&home.words(gc).exits(1)), unknown);
        fs::rename(&aside, file).expect("moved back");
        is_whole(&home);
    }
    // An empty journal alone says nothing about what is needed.
    fs::rename(&log, &aside).expect("moved away");
    fs::rename(&journal, home.path("journal")).expect("moved away");
    fs::write(&journal, "").expect("an empty file");
    assert_eq!(home.words(gc).exits(0).json()["blobs"], 0);
    fs::rename(&aside, &log).expect("moved back");
    fs::rename(home.path("journal"), &journal).expect("moved back");
    is_whole(&home);
    assert_eq!(code(&Home::new().words(gc).exits(1)), "journal_missing");
}

/// Signing with it would be a second history of the same size.
#[test]
fn a_log_that_was_lost_or_put_back_from_an_older_copy_signs_nothing() {
    let home = home();
    let log = home.data().join("log.sqlite3");
    copy(&log, &home.path("older"));
    home.words("run returns_1 --order-id u").exits(0);
    copy(&log, &home.path("newest"));
    let refused = || {
        for line in ["bundle u --output x", "gc", "serve --listen 127.0.0.1:0"] {
            let ran = home.words(&format!("{line} --format json")).exits(1);
            assert_eq!(code(&ran), "log_behind", "{line}");
            assert!(
                ran.stderr.contains("had 2") && ran.stderr.contains("put its newest copy back"),
                "{ran:?}"
            );
        }
        // The result is there nevertheless.
        home.words("run returns_1 --order-id u").exits(0);
    };
    copy(&home.path("older"), &log);
    refused();
    fs::remove_file(&log).expect("removed");
    refused();
    assert!(!log.exists(), "a new one was made");
    copy(&home.path("newest"), &log);
    home.words("bundle u --output u.sre-bundle").exits(0);
    home.words("verify u.sre-bundle --require-proof").exits(0);

    // The way out, where there is no newer copy: another name.
    copy(&home.path("older"), &log);
    fs::rename(&log, home.path("lost")).expect("moved away");
    fs::rename(home.data().join("keys/signing.pem"), home.path("lost.pem")).expect("moved away");
    home.words("key new --name other.example.org/log").exits(0);
    home.words("run returns_1 --order-id v").exits(0);
    home.words("bundle v --output other.sre-bundle").exits(0);
    home.words("verify other.sre-bundle --require-proof")
        .exits(0);
}

#[cfg(unix)]
#[test]
fn an_order_is_not_forgotten_before_it_has_its_receipt() {
    use std::os::unix::fs::PermissionsExt;
    let home = home();
    home.skill("exits_3");
    let key = home.data().join("keys/signing.pem");
    let may_sign = |may: bool| {
        let mode = if may { 0o600 } else { 0o644 };
        fs::set_permissions(&key, fs::Permissions::from_mode(mode)).expect("its mode");
    };
    may_sign(false);
    home.words("run returns_1 --order-id late").exits(0);
    let failed = home
        .words("run exits_3 --order-id never --format json")
        .exits(10)
        .json();
    may_sign(true);
    // Of a failure the outcome is read, and this one cannot be.
    let outcome: Digest = failed["commit_result"]["commitment"]["outcome"]
        .as_str()
        .and_then(|digest| digest.parse().ok())
        .expect("a digest");
    let blobs = Connection::open(home.data().join("blobs/small.sqlite3")).expect("the blobs");
    let lost = "DELETE FROM blob WHERE digest = ?1";
    assert_eq!(
        blobs
            .execute(lost, params![outcome.as_bytes()])
            .expect("a deletion"),
        1
    );
    drop(blobs);
    let swept = home
        .words("gc --set retention.days=0 --format json")
        .exits(0)
        .json();
    assert_eq!(
        (&swept["orders"], &swept["without_receipt"]),
        (&json!(2), &json!(1)),
        "{swept}"
    );
    let note = home.words("tlog checkpoint").exits(0).stdout;
    assert_eq!(note.lines().nth(1), Some("2"), "the receipts of t and late");
    assert_eq!(
        code(&home.words("verify late --format json").exits(2)),
        "order_forgotten"
    );
    home.words("verify never").exits(23);
    let told = home.words("gc --set retention.days=0").exits(0).stdout;
    assert!(told.contains("1 order kept: no receipt"), "{told}");
}

#[test]
fn an_audit_after_gc_misses_nothing_and_finds_what_the_log_lost() {
    let home = home();
    home.words("gc --set retention.days=0").exits(0);
    let found = home.words("audit --format json").exits(0).json();
    let is = |found: &Value, name: &str| {
        found[name]
            .as_u64()
            .unwrap_or_else(|| panic!("{name}: {found}"))
    };
    assert_eq!(
        (is(&found, "receipts"), is(&found, "forgotten")),
        (1, 1),
        "{found}"
    );
    assert!(
        home.words("audit")
            .exits(0)
            .stdout
            .contains("1 order, of which only the receipt is kept")
    );

    // A log that is long enough for a full tile.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    let tile = runtime.block_on(async {
        let store = LocalStore::open(&home.data().join("blobs"), LocalStoreOptions::default())
            .expect("a store");
        let (store, key) = (
            Arc::new(store),
            KeyFolder::new(home.data().join("keys"))
                .load()
                .expect("a key"),
        );
        let key = Arc::new(key.expect("a key"));
        let log = Log::open(&home.data().join("log.sqlite3"), store.clone(), key)
            .await
            .expect("a log");
        let blobs: Vec<Blob> = (0..300_u32)
            .map(|n| Blob::new(n.to_le_bytes().to_vec()))
            .collect();
        let submission = |(n, blob): (usize, &Blob)| Submission {
            entry: Entry::receipt(blob.digest().digest().into()),
            order_id: format!("o{n}").parse().expect("an order id"),
        };
        log.submit(blobs.iter().enumerate().map(submission).collect())
            .await
            .expect("numbers");
        store.put(blobs).await.expect("stored");
        log.integrate().await.expect("a checkpoint");
        assert!(
            log.tiles_over(300).expect("an answer").is_empty(),
            "at the right edge"
        );
        let tiles = log.tiles_over(5).expect("an answer");
        assert_eq!(tiles.len(), 1);
        tiles[0]
    });
    let found = home
        .words("audit --sample 1000 --format json")
        .exits(0)
        .json();
    assert_eq!(
        (
            is(&found, "receipts"),
            is(&found, "forgotten"),
            is(&found, "blobs")
        ),
        (301, 301, 302),
        "{found}"
    );
    let blobs = Connection::open(home.data().join("blobs/small.sqlite3")).expect("the blobs");
    blobs
        .execute(
            "DELETE FROM blob WHERE digest = ?1",
            params![tile.digest().as_bytes()],
        )
        .expect("a deletion");
    drop(blobs);
    let found = home
        .words("audit --sample 1000 --format json")
        .exits(23)
        .json();
    assert_eq!(found["lost"][0]["digest"], json!(tile), "{found}");
}
