//! What was changed, signed falsely or withheld.

use std::fs;
use std::process::Command;
use std::sync::Arc;

use serde_json::json;
use sre_core::{
    BlobDigest, Content, Digest, Ending, OrderStatus, Outcome, Profile, canonical_json,
};
use sre_receipt::{Bundle, Envelope, Host, IssueContext, KeyFolder, Receipt};

use crate::common::Home;
use crate::web::Web;
use crate::{check, executor, read, stranger, verify};

/// An attacker without the executor's key: every byte counts.
#[test]
fn a_bundle_that_was_changed_anywhere_is_tampered() {
    let (executor, bundle) = executor();
    let stranger = stranger(&executor);
    let good = fs::read(&bundle).expect("the bundle");
    let file = stranger.path("changed");
    // Every byte is flipped in the tests of sre-receipt; here some of them go through the front
    // door.
    for at in (0..good.len()).step_by(good.len() / 12) {
        let mut bad = good.clone();
        bad[at] ^= 0x10;
        fs::write(&file, bad).expect("a file");
        let ran = verify(&stranger, &file, &[]);
        assert_eq!(ran.code, Some(22), "byte {at}: {ran:?}");
    }
    // Blobs of another content under a right list of sums, and the receipt of another order with
    // this proof.
    executor
        .words("run returns_1 --order-id other --receipt other.json")
        .exits(0);
    let mut swapped = read(&bundle);
    swapped.receipt = fs::read(executor.path("other.json")).expect("a receipt");
    fs::write(&file, swapped.to_bytes()).expect("a file");
    let found = verify(&stranger, &file, &[]).exits(22).json();
    assert_eq!(check(&found, "inclusion")["status"], "failed", "{found}");
    for garbage in [
        &b""[..],
        b"x",
        b"{}",
        &[0x1f, 0x8b, 8, 0, 0],
        &good[..good.len() - 1],
    ] {
        fs::write(&file, garbage).expect("a file");
        verify(&stranger, &file, &[]).exits(22);
    }
}

/// What a lying executor changes before he signs: outcome and blobs.
fn lie(
    executor: &Home,
    bundle: &Bundle,
    change: impl FnOnce(&mut sre_core::OrderResult, &mut Vec<Vec<u8>>) -> Outcome,
) -> Vec<u8> {
    let stored = executor
        .words("run returns_1 --order-id t --format json")
        .exits(0)
        .json();
    let mut result: sre_core::OrderResult = serde_json::from_value(stored).expect("a result");
    let mut blobs = Vec::new();
    let outcome = change(&mut result, &mut blobs);
    let commit = result.commit_result.as_mut().expect("a commitment");
    commit.commitment.outcome = outcome.digest();
    commit.commitment_hash = commit.commitment.digest();
    commit.result_hash = outcome.output();
    if outcome.output().is_none() {
        // Who lies consistently.
        result.status = OrderStatus::Failed;
        result.error_code = outcome.error_code(None).map(|code| code.to_string());
    }
    blobs.extend([outcome.to_canonical(), commit.commitment.to_canonical()]);
    let key = KeyFolder::new(executor.data().join("keys"))
        .load()
        .expect("a key")
        .expect("a key");
    let context = IssueContext {
        finished_at: jiff::Timestamp::now(),
        outcome: Some(outcome),
        host: Host::this("a liar"),
    };
    let receipt = Receipt::issue(&result, context, &key.secret).expect("a receipt");
    let mut lying = Bundle {
        receipt: receipt.envelope().to_canonical(),
        proof: None,
        blobs: bundle.blobs.clone(),
    };
    for bytes in blobs {
        lying.blobs.insert(BlobDigest::of(&bytes), Arc::from(bytes));
    }
    lying.to_bytes()
}

#[test]
#[expect(
    clippy::too_many_lines,
    reason = "one story, told from its beginning to its end"
)]
fn a_replay_detects_an_executor_that_signs_a_false_outcome() {
    let (executor, bundle) = executor();
    let (stranger, good) = (stranger(&executor), read(&bundle));
    let truth = |bundle: &Bundle| {
        Receipt::read(Envelope::parse(&bundle.receipt).expect("an envelope")).expect("a receipt")
    };
    let outcome = truth(&good)
        .predicate()
        .provable
        .as_ref()
        .expect("a commitment")
        .outcome;
    let judge = |bytes: Vec<u8>| {
        let file = stranger.path("lie");
        fs::write(&file, bytes).expect("a file");
        let ran = verify(&stranger, &file, &[]);
        let found = ran.json();
        // What diverged names the guest's doing that contradicts the receipt, for people and for
        // programs.
        let event = &found["divergence"]["event"];
        assert_eq!(event.is_object(), found["verdict"] == "diverged", "{found}");
        let human = stranger.sre(&["verify", "lie"]).stdout;
        assert!(
            event["what"]
                .as_str()
                .is_none_or(|what| human.contains(what)),
            "{event} {human}"
        );
        (
            ran.code,
            found["verdict"].as_str().expect("a verdict").to_owned(),
            found["error"].to_string(),
        )
    };
    // The output.
    let two = canonical_json::to_vec(&json!(2));
    let lied = lie(&executor, &good, |_, blobs| {
        blobs.push(two.clone());
        Outcome::returned(sre_core::OutputDigest::of(&two))
    });
    let (code, verdict, error) = judge(lied);
    assert!(
        code == Some(21) && verdict == "diverged" && error.contains("byte 0"),
        "{code:?} {verdict} {error}"
    );
    assert!(
        error.contains(
            "call 1, wasi_snapshot_preview1.fd_write(1, 1 byte): byte 0 of standard output"
        ),
        "{error}"
    );
    // A failure that was none.
    let (code, verdict, _) = judge(lie(&executor, &good, |_, blobs| {
        blobs.push(b"1".to_vec());
        Outcome::ended(Ending::Exited { code: 3 }, Content::of(b"1"))
    }));
    assert_eq!((code, &*verdict), (Some(21), "diverged"));
    // The input: of a skill that returns it the outcome would differ; of this one only what is
    // there can tell.
    let (code, verdict, _) = judge(lie(&executor, &good, |result, _| {
        let commit = result.commit_result.as_mut().expect("a commitment");
        commit.commitment.input = Digest::of(b"an input that is not stored").into();
        outcome
    }));
    assert_eq!((code, &*verdict), (Some(23), "unavailable"));
    // The skill, by one that returns 2.
    executor.skill("returns_2");
    executor.words("run returns_2 --order-id two").exits(0);
    executor
        .words("bundle two --output two.sre-bundle")
        .exits(0);
    let other = read(&executor.path("two.sre-bundle"));
    let other_skill = truth(&other)
        .predicate()
        .provable
        .as_ref()
        .expect("a commitment")
        .commitment
        .skill;
    let (code, verdict, _) = judge(lie(&executor, &good, |result, blobs| {
        result
            .commit_result
            .as_mut()
            .expect("a commitment")
            .commitment
            .skill = other_skill;
        blobs.extend(other.blobs.values().map(|bytes| bytes.to_vec()));
        outcome
    }));
    assert_eq!((code, &*verdict), (Some(21), "diverged"));
    // The limits: more than the stranger grants is not run.
    let (code, verdict, error) = judge(lie(&executor, &good, |result, blobs| {
        let commitment = &mut result
            .commit_result
            .as_mut()
            .expect("a commitment")
            .commitment;
        let bytes = good.blobs[&commitment.profile.into()].to_vec();
        let profile = Profile {
            fuel: 1 << 53,
            ..serde_json::from_slice(&bytes).expect("a profile")
        };
        let bytes = canonical_json::to_vec(&profile);
        commitment.profile = Digest::of(&bytes).into();
        blobs.push(bytes);
        outcome
    }));
    assert!(
        code == Some(25) && verdict == "unverifiable" && error.contains("grants"),
        "{code:?} {verdict} {error}"
    );
    // With next to no fuel nothing returns.
    let (code, verdict, _) = judge(lie(&executor, &good, |result, blobs| {
        let commitment = &mut result
            .commit_result
            .as_mut()
            .expect("a commitment")
            .commitment;
        let bytes = good.blobs[&commitment.profile.into()].to_vec();
        let profile = Profile {
            fuel: 1,
            ..serde_json::from_slice(&bytes).expect("a profile")
        };
        let bytes = canonical_json::to_vec(&profile);
        commitment.profile = Digest::of(&bytes).into();
        blobs.push(bytes);
        outcome
    }));
    assert_eq!((code, &*verdict), (Some(21), "diverged"));
}

/// What is done to the right bytes.
type Lie = fn(Vec<u8>) -> Option<Vec<u8>>;

#[test]
fn what_a_receipt_lacks_is_fetched_and_never_believed() {
    let (executor, bundle) = executor();
    let (stranger, good) = (stranger(&executor), read(&bundle));
    let receipt = executor.path("receipt.json");
    let data = executor.data().display().to_string();
    assert_eq!(
        verify(&stranger, &receipt, &[]).exits(23).json()["verdict"],
        "unavailable"
    );
    assert_eq!(
        verify(&stranger, &receipt, &["--from", &data])
            .exits(0)
            .json()["verdict"],
        "matched"
    );
    // A folder of files, as a bundle unpacked by tar is one.
    let unpacked = stranger.path("unpacked");
    fs::create_dir(&unpacked).expect("a folder");
    let tar = Command::new("tar")
        .arg("-xf")
        .arg(&bundle)
        .arg("-C")
        .arg(&unpacked)
        .status()
        .expect("tar starts");
    assert!(tar.success());
    let folder = unpacked.display().to_string();
    assert_eq!(
        verify(&stranger, &receipt, &["--from", &folder])
            .exits(0)
            .json()["verdict"],
        "matched"
    );

    // A service.
    let blobs = good.blobs.clone();
    let honest = Web::start(move |path| {
        let digest = path
            .strip_prefix("/store/v1/blobs/")?
            .parse::<BlobDigest>()
            .ok()?;
        blobs.get(&digest).map(|bytes| bytes.to_vec())
    });
    let from = format!("{}/store", honest.address());
    assert_eq!(
        verify(&stranger, &receipt, &["--from", &from])
            .exits(0)
            .json()["verdict"],
        "matched"
    );
    // Services that lie: other bytes, cut short, without an end, nothing.
    let lies: [Lie; 4] = [
        |_| Some(b"other bytes".to_vec()),
        |bytes| Some(bytes[..bytes.len() / 2].to_vec()),
        |bytes| Some([bytes, vec![b' '; 70 << 20]].concat()),
        |_| None,
    ];
    for (number, lie) in lies.into_iter().enumerate() {
        let blobs = good.blobs.clone();
        let liar = Web::start(move |path| {
            let digest = path
                .strip_prefix("/v1/blobs/")?
                .parse::<BlobDigest>()
                .ok()?;
            lie(blobs.get(&digest)?.to_vec())
        });
        let address = liar.address();
        let found = verify(&stranger, &receipt, &["--from", &address])
            .exits(23)
            .json();
        assert_eq!(found["verdict"], "unavailable", "liar {number}: {found}");
        // The next one that is asked has it.
        let found = verify(&stranger, &receipt, &["--from", &address, "--from", &data])
            .exits(0)
            .json();
        assert_eq!(found["verdict"], "matched", "liar {number}: {found}");
    }
    let nowhere = verify(&stranger, &receipt, &["--from", "nowhere"]).exits(2);
    assert!(
        nowhere
            .stderr
            .contains("neither an http(s) address nor a folder"),
        "{nowhere:?}"
    );
}
