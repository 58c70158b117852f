//! The node's key and the trust file on a real disk.

mod common;

use std::fs;

use common::now;
use jiff::ToSpan as _;
use sre_receipt::{KeyFolder, KeyFolderError, Purpose, Trust, TrustError};

fn folder() -> (tempfile::TempDir, KeyFolder) {
    let root = tempfile::tempdir().expect("a folder");
    let keys = KeyFolder::new(root.path().join("keys"));
    (root, keys)
}

#[test]
fn a_key_is_made_once_kept_and_trusted() {
    let (_root, keys) = folder();
    assert!(keys.load().expect("nothing").is_none());
    let made = keys.load_or_create().expect("a key");
    assert!(
        made.name.as_str().starts_with("sre.local/"),
        "{}",
        made.name
    );
    let again = keys.load_or_create().expect("the key");
    assert_eq!(made.verifier_key(), again.verifier_key());
    assert!(matches!(keys.create(None), Err(KeyFolderError::Exists(_))));
    let trust = keys.trust().expect("a trust file");
    for purpose in [Purpose::Receipt, Purpose::Log, Purpose::Verdict] {
        assert!(
            trust
                .find(made.secret.public().id(), purpose, now())
                .is_ok()
        );
    }
}

#[test]
fn rotation_keeps_the_name_and_what_was_signed_before() {
    let (_root, keys) = folder();
    let start = now();
    keys.create(Some("node.example/log".parse().expect("a name")))
        .expect("a key");
    let end = start + 1.hour();
    let (old, new, ended) = keys.rotate(|| end).expect("a new key");
    assert_eq!(ended, end);
    assert_eq!(
        (old.name.as_str(), new.name.as_str()),
        ("node.example/log", "node.example/log")
    );
    assert_ne!(old.secret.public(), new.secret.public());
    assert_eq!(
        keys.load().expect("a key").expect("a key").verifier_key(),
        new.verifier_key()
    );
    let trust = keys.trust().expect("a trust file");
    let find = |key: &sre_receipt::NodeKey, at| {
        trust
            .find(key.secret.public().id(), Purpose::Receipt, at)
            .map(drop)
    };
    assert_eq!(find(&old, end), Ok(()));
    assert!(matches!(
        find(&old, end + 1.second()),
        Err(TrustError::Time { .. })
    ));
    assert_eq!(find(&new, end), Ok(()));
    assert_eq!(
        find(&new, start),
        Ok(()),
        "it signs the receipts of orders that ended before"
    );
    // The name is the log's: both keys are its, so its history goes on.
    let name = new.name;
    assert_eq!(trust.logs(&name).count(), 2);
    assert!(
        keys.path()
            .join("retired")
            .join(format!("{}.pem", old.secret.public().id()))
            .exists()
    );
}

#[test]
fn a_rotation_that_was_cut_short_is_finished_by_the_next() {
    let (_root, keys) = folder();
    let first = keys
        .create(Some("node.example/log".parse().expect("a name")))
        .expect("a key");
    let before = fs::read(keys.path().join("trust.json")).expect("a trust file");
    keys.rotate(now).expect("a new key");
    // As it was before the last step: both keys are trusted without an end.
    let trust = Trust::parse(&before).expect("a trust file");
    keys.change_trust(|now| {
        now.remove(first.secret.public().id());
        now.add(trust.keys()[0].clone())
            .expect("the first key, without an end");
    })
    .expect("a change");
    let (_, third, end) = keys.rotate(now).expect("a third key");
    let trust = keys.trust().expect("a trust file");
    assert_eq!(trust.keys().len(), 3);
    for key in trust.keys() {
        let is_new = key.public_key == third.secret.public();
        assert_eq!(key.not_after.is_none(), is_new, "{key:?}");
        assert!(key.not_after.is_none_or(|ended| ended <= end), "{key:?}");
    }
}

#[test]
fn two_at_once_take_turns_and_no_key_is_trusted_that_is_lost() {
    let (_root, keys) = folder();
    let made: Vec<_> = std::thread::scope(|scope| {
        let all: Vec<_> = (0..8).map(|_| scope.spawn(|| keys.create(None))).collect();
        all.into_iter()
            .map(|one| one.join().expect("no panic"))
            .collect()
    });
    assert_eq!(made.iter().filter(|made| made.is_ok()).count(), 1);
    assert_eq!(keys.trust().expect("a trust file").keys().len(), 1);

    std::thread::scope(|scope| {
        let all: Vec<_> = (0..8).map(|_| scope.spawn(|| keys.rotate(now))).collect();
        for one in all {
            one.join().expect("no panic").expect("a new key");
        }
    });
    let trust = keys.trust().expect("a trust file");
    let current = keys
        .load()
        .expect("readable")
        .expect("a key")
        .secret
        .public();
    assert_eq!(trust.keys().len(), 9);
    for key in trust.keys() {
        let id = key.public_key.id();
        assert_eq!(key.not_after.is_none(), key.public_key == current, "{id}");
        let is_retired = keys
            .path()
            .join("retired")
            .join(format!("{id}.pem"))
            .exists();
        assert_eq!(is_retired, key.public_key != current, "{id}");
    }
}

#[test]
fn a_change_that_could_not_be_read_again_is_refused() {
    let (_root, keys) = folder();
    let key = keys.load_or_create().expect("a key");
    let fill = |count: usize| {
        keys.change_trust(|trust| {
            for number in 0..count {
                let mut other = key.trusted();
                other.name = format!("other-{number}").parse().expect("a name");
                other.purposes = [Purpose::Receipt].into();
                trust.add(other).expect("another name");
            }
        })
    };
    let error = fill(4096).expect_err("too many").to_string();
    assert!(
        error.starts_with("nothing was changed") && error.contains("4096"),
        "{error}"
    );
    assert_eq!(keys.trust().expect("as it was").keys().len(), 1);
    fill(10).expect("a change");
}

#[test]
fn untrusting_removes_a_key_altogether() {
    let (_root, keys) = folder();
    let key = keys.load_or_create().expect("a key");
    let id = key.secret.public().id();
    let removed = keys
        .change_trust(|trust| trust.remove(id))
        .expect("a change");
    assert_eq!(removed.len(), 1);
    assert_eq!(
        keys.trust()
            .expect("a trust file")
            .find(id, Purpose::Receipt, now()),
        Err(TrustError::Unknown(id))
    );
}

#[cfg(unix)]
#[test]
fn files_that_others_can_read_or_write_are_refused() {
    use std::os::unix::fs::PermissionsExt as _;
    let (_root, keys) = folder();
    keys.load_or_create().expect("a key");
    let mode = |name: &str| {
        fs::metadata(keys.path().join(name))
            .expect("a file")
            .permissions()
            .mode()
            & 0o777
    };
    let set = |name: &str, mode| {
        fs::set_permissions(keys.path().join(name), fs::Permissions::from_mode(mode))
            .expect("a mode")
    };
    assert_eq!(
        (mode("signing.pem"), mode("trust.json"), mode("")),
        (0o600, 0o600, 0o700)
    );
    for open in [0o640, 0o604, 0o660] {
        set("signing.pem", open);
        let error = keys.load().expect_err("an open key").to_string();
        assert!(
            error.contains("is open to other users") && error.contains("chmod 600"),
            "{error}"
        );
    }
    set("signing.pem", 0o600);
    set("trust.json", 0o644);
    keys.trust().expect("others may read whom I trust");
    set("trust.json", 0o664);
    assert!(matches!(keys.trust(), Err(KeyFolderError::Open { .. })));
    set("trust.json", 0o600);
    set("", 0o777);
    for refused in [
        keys.load().map(drop),
        keys.trust().map(drop),
        keys.rotate(now).map(drop),
    ] {
        let error = refused
            .expect_err("anybody could put other files there")
            .to_string();
        assert!(
            error.contains("is open to other users") && error.contains("chmod 700"),
            "{error}"
        );
    }
    set("", 0o755);
    keys.load().expect("others may look");
}

#[test]
fn malformed_key_and_trust_files_are_named() {
    let (_root, keys) = folder();
    keys.load_or_create().expect("a key");
    let path = keys.path().join("signing.pem");
    let good = fs::read_to_string(&path).expect("a key file");
    let other = sre_receipt::SecretKey::from_seed(&[9; 32]).to_pem();
    let first = good.lines().next().expect("a line").to_owned();
    for bad in [
        "",
        "x",
        &good[1..],
        &format!("{first}\n{}", *other),
        &good.replace("BEGIN PRIVATE", "BEGIN RSA PRIVATE"),
    ] {
        fs::write(&path, bad).expect("a file");
        assert!(
            matches!(keys.load(), Err(KeyFolderError::Malformed { .. })),
            "{bad:?}"
        );
    }
    fs::write(&path, "x".repeat(5000)).expect("a file");
    assert!(keys.load().is_err());

    let entry = |rest: &str| format!(r#"{{"format":"sre.trust/v1","keys":[{rest}]}}"#);
    let key = r#"{"name":"a","public_key":"Gb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=","purposes":["receipt"]}"#;
    assert_eq!(
        Trust::parse(entry(key).as_bytes())
            .expect("a trust file")
            .keys()
            .len(),
        1
    );
    for bad in [
        String::new(),
        String::from("{}"),
        entry(&format!("{key},{key}")),
        entry(&key.replace("receipt", "everything")),
        entry(&key.replace("GB9", "AAA").replace("Gb9", "AA")),
        entry(&key.replace("\"a\"", "\"a b\"")),
        entry(&key.replace("\"name\"", "\"nome\"")),
        entry(key).replace("v1", "v2"),
        entry(key).replace("\"keys\"", "\"keys\":[],\"keys\""),
    ] {
        assert!(
            matches!(Trust::parse(bad.as_bytes()), Err(TrustError::Malformed(_))),
            "{bad}"
        );
    }
}
