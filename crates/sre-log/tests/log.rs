//! One log: proofs of every entry at every size, restarts, two processes, damage.

mod common;

use std::sync::Arc;
use std::time::Duration;

use common::{entry, grow, key, open, store, submissions, try_open};
use rusqlite::Connection;
use sre_core::Digest;
use sre_log::{Log, LogError, LogSource as _, Submission};
use sre_receipt::tlog::{Checkpoint, Entry, Hash, Note, TilePath, verify_consistency};

/// The definition of RFC 6962.
fn naive_root(leaves: &[Hash]) -> Hash {
    match leaves {
        [] => Hash::empty(),
        [leaf] => *leaf,
        _ => {
            let (left, right) = leaves.split_at(leaves.len().next_power_of_two() / 2);
            Hash::node(&naive_root(left), &naive_root(right))
        }
    }
}

fn root_of(size: u64) -> Hash {
    naive_root(
        &(0..size)
            .map(|n| Hash::leaf(&entry(n).to_canonical()))
            .collect::<Vec<_>>(),
    )
}

fn checkpoint(log: &Log) -> Checkpoint {
    Checkpoint::verify(&log.checkpoint().1, &log.verifier_key()).expect("a signed checkpoint")
}

#[tokio::test]
async fn every_size_has_the_root_of_rfc_6962_and_every_entry_its_proof() {
    let folder = tempfile::tempdir().expect("a folder");
    let log = open(folder.path()).await;
    assert_eq!(checkpoint(&log).root, Hash::empty());
    // Across the borders of tiles, one by one and in leaps.
    let mut size = 0;
    let mut notes: Vec<Note> = Vec::new();
    for next in [
        1, 2, 3, 5, 8, 100, 255, 256, 257, 300, 511, 512, 513, 1000, 1024,
    ] {
        grow(&log, size..next).await;
        size = next;
        let now = checkpoint(&log);
        assert_eq!((now.size, now.root), (size, root_of(size)), "size {size}");
        for position in (0..size)
            .step_by(if size > 20 { 37 } else { 1 })
            .chain([size - 1])
        {
            let proof = log
                .prove(position)
                .await
                .expect("a proof")
                .expect("not pending");
            let proven = proof
                .verify_inclusion(&entry(position).to_canonical())
                .expect("a good proof");
            assert_eq!(proven, now);
            assert!(
                proof
                    .verify_inclusion(&entry(position + 1).to_canonical())
                    .is_err()
            );
        }
        for before in &notes {
            let before = Checkpoint::parse(before.text()).expect("a checkpoint");
            let path = log
                .consistency(before.size, log.checkpoint().0)
                .await
                .expect("a path")
                .expect("it only grew");
            verify_consistency((before.size, &before.root), (now.size, &now.root), &path)
                .expect("the same history");
        }
        notes.push(log.checkpoint().1);
        assert_eq!(
            log.prove(size).await.expect("no failure"),
            None,
            "what is not there is pending"
        );
    }
}

#[tokio::test]
async fn what_was_submitted_survives_and_the_next_process_integrates_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let log = open(folder.path()).await;
    grow(&log, 0..300).await;
    let note = log.checkpoint().1;
    log.submit(submissions(300..700)).await.expect("numbers");
    drop(log);
    let log = open(folder.path()).await;
    assert_eq!(
        log.checkpoint().1,
        note,
        "the same head has the same signature"
    );
    assert_eq!(log.prove(300).await.expect("no failure"), None);
    assert_eq!(log.integrate().await.expect("a checkpoint"), 700);
    assert_eq!(checkpoint(&log).root, root_of(700));
    assert_eq!(log.integrate().await.expect("nothing to do"), 700);
}

#[tokio::test]
async fn an_entry_keeps_its_number_and_an_order_its_receipt() {
    let folder = tempfile::tempdir().expect("a folder");
    let log = open(folder.path()).await;
    grow(&log, 0..3).await;
    let again = log.submit(submissions(1..4)).await.expect("numbers");
    assert_eq!(
        again.iter().map(|(number, _)| *number).collect::<Vec<_>>(),
        [1, 2, 3]
    );
    let second_receipt = Submission {
        entry: entry(99),
        order_id: "order-1".parse().expect("an order id"),
    };
    assert_eq!(
        log.submit(vec![second_receipt]).await.expect("an answer"),
        [(1, entry(1))]
    );
    let verdict = Entry::verdict(Digest::of(b"verdict").into());
    let order_id = "order-1".parse().expect("an order id");
    let numbered = log
        .submit(vec![Submission {
            entry: verdict,
            order_id,
        }])
        .await
        .expect("a number");
    assert_eq!(numbered, [(4, verdict)]);
    let order_id = "order-1".parse().expect("an order id");
    assert_eq!(
        log.receipt_of(&order_id).expect("an answer"),
        Some((1, entry(1)))
    );
    assert_eq!(
        log.verdicts_of(&order_id).expect("an answer"),
        [(4, verdict)]
    );
    assert_eq!(log.submitted().expect("a number"), 5);
}

/// Two writers on one file, as two processes have it: each size has one root, and nothing is lost.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_writers_never_sign_two_histories() {
    let folder = tempfile::tempdir().expect("a folder");
    let writers = [
        Arc::new(open(folder.path()).await),
        Arc::new(open(folder.path()).await),
    ];
    let mut tasks = Vec::new();
    for (which, log) in writers.iter().enumerate() {
        let log = Arc::clone(log);
        tasks.push(tokio::spawn(async move {
            let mut notes = Vec::new();
            for round in 0..60u64 {
                let first = (which as u64 * 1000 + round) * 7;
                log.submit(submissions(first..first + 7))
                    .await
                    .expect("numbers");
                log.integrate().await.expect("a checkpoint");
                notes.push(log.checkpoint().1.to_string());
            }
            notes
        }));
    }
    let mut roots = std::collections::BTreeMap::new();
    for task in tasks {
        for note in task.await.expect("no panic") {
            let note = Note::parse(note.as_bytes()).expect("a note");
            let seen = Checkpoint::parse(note.text()).expect("a checkpoint");
            assert_eq!(
                *roots.entry(seen.size).or_insert(seen.root),
                seen.root,
                "size {} has two roots",
                seen.size
            );
        }
    }
    let log = open(folder.path()).await;
    log.integrate().await.expect("a checkpoint");
    let now = checkpoint(&log);
    assert_eq!(now.size, 2 * 60 * 7);
    for (size, root) in roots {
        let path = log
            .consistency(size, log.checkpoint().0)
            .await
            .expect("a path")
            .expect("it only grew");
        verify_consistency((size, &root), (now.size, &now.root), &path).expect("one history");
    }
}

#[tokio::test]
async fn tiles_are_served_as_the_specification_has_them() {
    let folder = tempfile::tempdir().expect("a folder");
    let log = open(folder.path()).await;
    grow(&log, 0..600).await;
    let get = |text: &str| {
        let path: TilePath = text.parse().expect("a name");
        let log = &log;
        async move { log.tile(path).await }
    };
    assert_eq!(get("tile/0/000").await.expect("a tile").len(), 256 * 32);
    assert_eq!(get("tile/0/002.p/88").await.expect("a tile").len(), 88 * 32);
    // Partial tiles of every size there was a checkpoint of, and of others.
    assert_eq!(
        get("tile/0/001.p/5").await.expect("a tile"),
        get("tile/0/001").await.expect("a tile")[..160]
    );
    assert_eq!(get("tile/1/000.p/2").await.expect("a tile").len(), 64);
    let bundle = get("tile/entries/002.p/88").await.expect("a bundle");
    let first = entry(512).to_canonical();
    assert_eq!(bundle[..2], (first.len() as u16).to_be_bytes());
    assert_eq!(bundle[2..2 + first.len()], first);
    for missing in [
        "tile/0/002",
        "tile/0/002.p/89",
        "tile/0/003.p/1",
        "tile/1/000.p/3",
        "tile/2/000.p/1",
        "tile/63/000.p/1",
    ] {
        assert!(get(missing).await.is_err(), "{missing}");
    }
    assert!(
        get("tile/entries/x999/x999/x999/x999/x999/999")
            .await
            .is_err()
    );
}

#[tokio::test]
async fn a_log_keeps_its_name_and_may_change_its_key() {
    let folder = tempfile::tempdir().expect("a folder");
    let log = open(folder.path()).await;
    grow(&log, 0..10).await;
    let before = log.checkpoint().1;
    drop(log);
    let rotated = try_open(folder.path(), 2)
        .await
        .expect("the same log under a new key");
    assert_eq!(rotated.checkpoint().1.text(), before.text());
    assert_ne!(rotated.checkpoint().1, before);
    drop(rotated);
    let mut other = sre_receipt::NodeKey {
        name: "other.example/log".parse().expect("a name"),
        secret: sre_receipt::SecretKey::from_seed(&[1; 32]),
    };
    let opened = Log::open(
        &folder.path().join("log.sqlite3"),
        store(folder.path()),
        Arc::new(other),
    )
    .await;
    assert!(matches!(opened, Err(LogError::Origin { .. })));
    other = sre_receipt::NodeKey {
        name: key(1).name.clone(),
        secret: sre_receipt::SecretKey::from_seed(&[1; 32]),
    };
    Log::open(
        &folder.path().join("log.sqlite3"),
        store(folder.path()),
        Arc::new(other),
    )
    .await
    .expect("its own name");
}

/// Whatever is changed in the file: the log refuses to sign, or its proofs do not hold. It never
/// vouches for it.
#[tokio::test]
async fn a_damaged_log_signs_nothing() {
    for damage in [
        "UPDATE log SET root = zeroblob(32)",
        "UPDATE log SET size = size - 1",
        "UPDATE log SET size = size + 1",
        "UPDATE compact_range SET hashes = zeroblob(length(hashes)) WHERE level = 0",
        "UPDATE compact_range SET hashes = substr(hashes, 33) WHERE level = 0",
        "DELETE FROM compact_range WHERE level = 1",
        "INSERT INTO compact_range VALUES (2, zeroblob(32))",
    ] {
        let folder = tempfile::tempdir().expect("a folder");
        grow(&open(folder.path()).await, 0..300).await;
        let file = Connection::open(folder.path().join("log.sqlite3")).expect("the file");
        assert_eq!(file.execute(damage, []).expect("a change"), 1, "{damage}");
        drop(file);
        let error = try_open(folder.path(), 1).await.expect_err(damage);
        assert!(matches!(error, LogError::Damaged(_)), "{damage}: {error}");
    }
}

/// Every step that can fail, fails once: before it and after it took effect. The next attempt
/// repairs it.
#[tokio::test]
async fn a_batch_that_was_cut_short_anywhere_is_repeated() {
    let folder = tempfile::tempdir().expect("a folder");
    let log = open(folder.path()).await;
    log.submit(submissions(0..600)).await.expect("numbers");
    let before = log.checkpoint().1;
    // The head cannot be replaced: tiles are in the store, and no head names them.
    let file = Connection::open(folder.path().join("log.sqlite3")).expect("the file");
    file.execute_batch(
        "CREATE TRIGGER refuse BEFORE UPDATE ON log BEGIN SELECT RAISE(ABORT, 'refused'); END",
    )
    .expect("a trigger");
    assert!(log.integrate().await.is_err());
    assert_eq!(log.checkpoint().1, before, "nothing was signed");
    // A name of a tile cannot be written: nothing of the transaction is kept.
    file.execute_batch(
        "DROP TRIGGER refuse; CREATE TRIGGER refuse BEFORE INSERT ON tile BEGIN SELECT RAISE(ABORT, 'refused'); END",
    )
    .expect("a trigger");
    assert!(log.integrate().await.is_err());
    assert_eq!(log.checkpoint().1, before, "nothing was signed");
    assert_eq!(
        file.query_row("SELECT size FROM log", [], |row| row.get::<_, i64>(0))
            .expect("a size"),
        0
    );
    file.execute_batch("DROP TRIGGER refuse")
        .expect("no trigger");
    assert_eq!(log.integrate().await.expect("a checkpoint"), 600);
    assert_eq!(checkpoint(&log).root, root_of(600));
    // Committed and not signed: the process died. Another signs the very same.
    let note = log.checkpoint().1;
    drop(log);
    assert_eq!(open(folder.path()).await.checkpoint().1, note);
}

#[tokio::test]
async fn a_lost_tile_is_a_failure_and_no_wrong_proof() {
    let folder = tempfile::tempdir().expect("a folder");
    grow(&open(folder.path()).await, 0..300).await;
    let blobs = Connection::open(folder.path().join("blobs/small.sqlite3")).expect("the blobs");
    assert_eq!(
        blobs
            .execute("UPDATE blob SET bytes = zeroblob(length(bytes))", [])
            .expect("a change"),
        1
    );
    drop(blobs);
    let log = open(folder.path()).await;
    assert!(matches!(log.prove(5).await, Err(LogError::Store(_))));
    // The right edge needs no tile of the store.
    grow(&log, 300..301).await;
}

#[tokio::test]
async fn cosignatures_are_kept_and_go_into_proofs() {
    let folder = tempfile::tempdir().expect("a folder");
    let log = open(folder.path()).await;
    grow(&log, 0..10).await;
    let witness = sre_receipt::SecretKey::from_seed(&[5; 32]);
    let name: sre_receipt::tlog::KeyName = "witness.example/w".parse().expect("a name");
    let key = sre_receipt::tlog::VerifierKey::witness(name.clone(), witness.public());
    let mut note = log.checkpoint().1;
    assert!(
        log.add_cosignature(&note, &key).await.is_err(),
        "no witness cosigned it"
    );
    note.cosign(name, &witness, 1_767_225_600);
    log.add_cosignature(&note, &key).await.expect("kept");
    grow(&log, 10..20).await;
    // An entry of before is proven with the cosigned checkpoint, a later one with the newest.
    let proof = log.prove(3).await.expect("a proof").expect("not pending");
    assert_eq!(
        proof
            .verify_inclusion(&entry(3).to_canonical())
            .expect("a good proof")
            .size,
        10
    );
    assert_eq!(proof.checkpoint.signed_by(&key), Ok(Some(1_767_225_600)));
    Checkpoint::verify(&proof.checkpoint, &log.verifier_key()).expect("signed by the log too");
    let proof = log.prove(15).await.expect("a proof").expect("not pending");
    assert_eq!(
        proof
            .verify_inclusion(&entry(15).to_canonical())
            .expect("a good proof")
            .size,
        20
    );
}

/// What another process numbered and did not live to integrate, and what it has integrated.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_serves_what_others_did_with_the_log() {
    let folder = tempfile::tempdir().expect("a folder");
    let (served, other) = (
        Arc::new(open(folder.path()).await),
        open(folder.path()).await,
    );
    let running = Arc::clone(&served);
    let runs = tokio::spawn(async move { running.run(Duration::from_millis(10)).await });
    let serves = |size: u64| {
        let served = Arc::clone(&served);
        let looks = async move {
            while served.checkpoint().0 != size {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(60), looks)
    };
    other.submit(submissions(0..3)).await.expect("numbers");
    serves(3).await.expect("entries of a process that died");
    // Another process integrates them: nothing was submitted to the one that serves.
    for size in 4..7 {
        grow(&other, size - 1..size).await;
        serves(size)
            .await
            .expect("a head that another process made");
    }
    // A head that goes back is damage.
    runs.abort();
    drop(other);
    let database = Connection::open(folder.path().join("log.sqlite3")).expect("the log");
    database
        .execute("UPDATE log SET size = 5", [])
        .expect("a change");
    drop(database);
    let error = served.integrate().await.expect_err("its head has shrunk");
    assert!(matches!(error, LogError::Damaged(_)), "{error}");
}

#[tokio::test]
async fn a_proof_leads_to_the_checkpoint_with_most_witnesses_each_of_them_once() {
    let folder = tempfile::tempdir().expect("a folder");
    let (log, other) = (open(folder.path()).await, open(folder.path()).await);
    let name = |n: u8| -> sre_receipt::tlog::KeyName {
        format!("witness.example/w{n}").parse().expect("a name")
    };
    let secret = |n: u8| sre_receipt::SecretKey::from_seed(&[n; 32]);
    let key = |n: u8| sre_receipt::tlog::VerifierKey::witness(name(n), secret(n).public());
    let cosign = async |log: &Log, n: u8, at: u64| {
        let mut note = log.checkpoint().1;
        note.cosign(name(n), &secret(n), at);
        log.add_cosignature(&note, &key(n)).await.expect("kept");
    };
    let witnesses = async |log: &Log, position: u64| {
        let proof = log
            .prove(position)
            .await
            .expect("a proof")
            .expect("not pending");
        let size = proof
            .verify_inclusion(&entry(position).to_canonical())
            .expect("a good proof")
            .size;
        let signed = (1..=9)
            .filter(|n| matches!(proof.checkpoint.signed_by(&key(*n)), Ok(Some(_))))
            .count();
        (size, signed, proof.checkpoint.signatures().len())
    };
    grow(&log, 0..10).await;
    cosign(&log, 1, 1).await;
    cosign(&log, 2, 1).await;
    grow(&log, 10..20).await;
    // The same witness again and again on an idle log, more often than a note has lines.
    for at in 1..100 {
        cosign(&log, 3, at).await;
    }
    cosign(&log, 1, 100).await;
    let database = Connection::open(folder.path().join("log.sqlite3")).expect("the log");
    let lines = |size: u64| -> i64 {
        let sql = "SELECT count(*) FROM cosignature WHERE size = ?1";
        database
            .query_row(sql, [size as i64], |row| row.get(0))
            .expect("a number")
    };
    assert_eq!((lines(10), lines(20)), (2, 2), "one of each witness");
    assert_eq!(
        witnesses(&log, 3).await,
        (20, 2, 3),
        "of two with as many the newer one"
    );
    grow(&log, 20..30).await;
    cosign(&log, 4, 1).await;
    assert_eq!(witnesses(&log, 3).await, (20, 2, 3));
    assert_eq!(witnesses(&log, 25).await, (30, 1, 2));
    // What another process had cosigned, of a size that this one has not read.
    grow(&other, 30..40).await;
    for n in 1..=5 {
        cosign(&other, n, 1).await;
    }
    assert_eq!(witnesses(&log, 3).await, (40, 5, 6));
}
