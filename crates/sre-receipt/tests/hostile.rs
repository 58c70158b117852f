//! Every changed byte of a receipt, a proof or a bundle is found, and no bytes do harm.

mod common;

use std::collections::BTreeSet;

use common::{bundle, ended, examiner, node, now, proof, receipt, returned, trusted};
use jiff::ToSpan;
use serde_json::{Value, json};
use sre_core::{Ending, Verdict, canonical_json};
use sre_receipt::tlog::{Checkpoint, Note};
use sre_receipt::{
    Bundle, Envelope, Examination, Examiner, Policy, Purpose, Receipt, SecretKey, Trust,
    VerdictStatement,
};

/// The verdict, which must not be missing: missing means that everything holds.
#[track_caller]
fn verdict(found: &Examination) -> Verdict {
    found
        .flaw
        .as_ref()
        .unwrap_or_else(|| panic!("nothing was found wrong: {:?}", found.checks))
        .verdict
}

/// Every bit of every byte.
fn flips(bytes: &[u8]) -> impl Iterator<Item = (usize, u8, Vec<u8>)> {
    (0..bytes.len()).flat_map(move |at| {
        (0..8).map(move |bit| {
            let mut flipped = bytes.to_vec();
            flipped[at] ^= 1 << bit;
            (at, bit, flipped)
        })
    })
}

#[test]
fn every_flipped_bit_of_a_receipt_is_found() {
    let examiner = examiner();
    let bytes = receipt("t", returned()).envelope().to_canonical();
    assert_eq!(examiner.examine(&bytes, None).flaw, None);
    for (at, bit, flipped) in flips(&bytes) {
        assert_eq!(
            verdict(&examiner.examine(&flipped, None)),
            Verdict::Tampered,
            "bit {bit} of byte {at}"
        );
    }
    for length in 0..bytes.len() {
        assert_eq!(
            verdict(&examiner.examine(&bytes[..length], None)),
            Verdict::Tampered,
            "{length} bytes"
        );
    }
}

#[test]
fn every_flipped_bit_of_a_proof_is_found() {
    let examiner = examiner();
    let receipt = receipt("t", returned());
    let (bytes, proof) = (
        receipt.envelope().to_canonical(),
        proof(&receipt, &node(1)).to_string().into_bytes(),
    );
    assert_eq!(examiner.examine(&bytes, Some(&proof)).flaw, None);
    for (at, bit, flipped) in flips(&proof) {
        // A byte of a name may make it another log's or another key's, which is not known here.
        let verdict = verdict(&examiner.examine(&bytes, Some(&flipped)));
        assert!(
            matches!(verdict, Verdict::Tampered | Verdict::Unanchored),
            "bit {bit} of byte {at}: {verdict}"
        );
    }
}

#[test]
fn every_flipped_bit_of_a_bundle_is_found() {
    let bytes = bundle(&receipt("t", returned())).to_bytes();
    for (at, bit, flipped) in flips(&bytes) {
        assert!(Bundle::parse(&flipped).is_err(), "bit {bit} of byte {at}");
    }
    for length in (0..bytes.len()).step_by(7) {
        assert!(Bundle::parse(&bytes[..length]).is_err(), "{length} bytes");
    }
    assert!(Bundle::parse(&[&bytes[..], &[0; 512]].concat()).is_err());
}

/// An envelope in canonical JSON, changed.
fn changed(change: impl FnOnce(&mut Value)) -> Vec<u8> {
    let bytes = receipt("t", returned()).envelope().to_canonical();
    let mut value = serde_json::from_slice(&bytes).expect("JSON");
    change(&mut value);
    canonical_json::to_vec(&value)
}

#[test]
fn an_envelope_has_one_form() {
    let good = receipt("t", returned()).envelope().to_canonical();
    let text = String::from_utf8(good.clone()).expect("text");
    let pretty = serde_json::to_vec_pretty(&serde_json::from_slice::<Value>(&good).expect("JSON"))
        .expect("JSON");
    let nested = [b"[".repeat(100_000), b"]".repeat(100_000)].concat();
    let cases: Vec<(&str, Vec<u8>)> = vec![
        ("empty", Vec::new()),
        ("no text", vec![0xff; 64]),
        ("reformatted", pretty),
        ("a line end", [&good[..], b"\n"].concat()),
        ("deep", nested.clone()),
        (
            "deep within",
            text.replacen(
                "\"payload\":",
                &format!("\"x\":{},\"payload\":", "[".repeat(200)),
                1,
            )
            .into(),
        ),
        ("huge", vec![b' '; 300 << 10]),
        (
            "twice the payload",
            text.replacen('{', "{\"payload\":\"\",", 1).into(),
        ),
        (
            "another payload type",
            changed(|v| v["payloadType"] = json!("application/json")),
        ),
        (
            "two signatures",
            changed(|v| {
                let one = v["signatures"][0].clone();
                v["signatures"].as_array_mut().expect("a list").push(one);
            }),
        ),
        ("no signature", changed(|v| v["signatures"] = json!([]))),
        (
            "another algorithm's length",
            changed(|v| v["signatures"][0]["sig"] = json!("MEUCIQ==")),
        ),
        (
            "no key id",
            changed(|v| {
                drop(
                    v["signatures"][0]
                        .as_object_mut()
                        .expect("an object")
                        .remove("keyid"),
                )
            }),
        ),
        (
            "a certificate",
            changed(|v| v["signatures"][0]["cert"] = json!("x")),
        ),
        (
            "url-safe base64",
            changed(|v| {
                let payload = v["payload"]
                    .as_str()
                    .expect("text")
                    .replace('+', "-")
                    .replace('/', "_");
                v["payload"] = json!(payload.trim_end_matches('=').to_owned() + "-_");
            }),
        ),
        (
            "another key's name",
            changed(|v| v["signatures"][0]["keyid"] = json!(node(2).secret.public().id())),
        ),
        ("no payload", changed(|v| v["payload"] = json!(""))),
        ("a list", b"[]".to_vec()),
    ];
    for (name, bytes) in cases {
        assert_eq!(
            verdict(&examiner().examine(&bytes, None)),
            Verdict::Tampered,
            "{name}"
        );
    }
}

#[test]
fn a_signature_by_another_key_is_found_or_not_trusted() {
    let good = receipt("t", returned());
    // Under this key's name: forged.
    let forged = Envelope::sign(good.envelope().payload().to_vec(), &node(2).secret);
    assert_eq!(
        verdict(&examiner().examine(&forged.to_canonical(), None)),
        Verdict::Tampered
    );
    // Under its own: another node's.
    let foreign = Receipt::issue(
        &common::result("t", returned()),
        common::context(Some(returned())),
        &node(2).secret,
    );
    let found = examiner().examine(&foreign.expect("a receipt").envelope().to_canonical(), None);
    assert_eq!(verdict(&found), Verdict::Unanchored);
    assert!(
        found.claim(|digest| digest.to_string()).is_some(),
        "a replay can still say more"
    );
    // A verdict is no receipt.
    let claim = common::result("t", returned())
        .verification
        .expect("a verification");
    let order_id = "t".parse().expect("an order id");
    let statement =
        VerdictStatement::issue(good.digest(), order_id, &claim, now(), &node(1).secret);
    assert_eq!(
        verdict(&examiner().examine(&statement.envelope().to_canonical(), None)),
        Verdict::Unverifiable
    );
    assert!(VerdictStatement::read(good.envelope().clone()).is_err());
    let read = VerdictStatement::read(statement.envelope().clone()).expect("a verdict");
    assert_eq!(
        (read.receipt(), read.verify_signature()),
        (Some(good.digest()), Ok(()))
    );
}

#[test]
fn keys_of_small_order_sign_nothing() {
    // The neutral element: with it, R = neutral and s = 0 "signs" anything.
    let mut neutral = [0; 32];
    neutral[0] = 1;
    assert!(sre_receipt::PublicKey::from_bytes(&neutral).is_err());
    assert!(sre_receipt::PublicKey::from_bytes(&[0; 32]).is_err());
}

#[test]
fn a_key_has_one_spelling() {
    // y and y + p are one coordinate; with y below 19 both fit into the 255 bits.
    for y in 0..19 {
        for sign in [0x7f, 0xff] {
            let mut bytes = [0xff; 32];
            (bytes[0], bytes[31]) = (0xed + y, sign);
            assert!(
                sre_receipt::PublicKey::from_bytes(&bytes).is_err(),
                "{bytes:x?}"
            );
        }
    }
}

#[test]
fn a_proof_of_another_receipt_does_not_hold() {
    let (one, other) = (receipt("one", returned()), receipt("other", returned()));
    let foreign = proof(&other, &node(1)).to_string().into_bytes();
    assert_eq!(
        verdict(&examiner().examine(&one.envelope().to_canonical(), Some(&foreign))),
        Verdict::Tampered
    );
}

#[test]
fn trust_is_for_a_purpose_and_a_time() {
    let receipt = receipt("t", ended(Ending::Exited { code: 3 }));
    let bytes = receipt.envelope().to_canonical();
    let proof = proof(&receipt, &node(1)).to_string().into_bytes();
    let examine = |keys: &[sre_receipt::TrustedKey], policy| {
        let mut trust = Trust::default();
        for key in keys {
            trust.add(key.clone()).expect("a new key");
        }
        // What is written is read back.
        let trust = Trust::parse(trust.to_text().as_bytes()).expect("a trust file");
        Examiner::new(trust, policy)
            .examine(&bytes, Some(&proof))
            .flaw
            .map(|flaw| (flaw.verdict, flaw.message))
    };
    let all = trusted(&node(1), &[Purpose::Receipt, Purpose::Log]);
    let unanchored = |answer: Option<(Verdict, String)>, why: &str| {
        let (verdict, message) = answer.expect("a flaw");
        assert!(
            verdict == Verdict::Unanchored && message.contains(why),
            "{message}"
        );
    };
    assert_eq!(examine(std::slice::from_ref(&all), Policy::default()), None);
    unanchored(examine(&[], Policy::default()), "is not trusted here");
    unanchored(
        examine(&[trusted(&node(1), &[Purpose::Log])], Policy::default()),
        "for this purpose (receipt)",
    );
    unanchored(
        examine(&[trusted(&node(1), &[Purpose::Receipt])], Policy::default()),
        "the log node1.example/log",
    );
    // Rotated out before, or in after.
    let ended = sre_receipt::TrustedKey {
        not_after: Some(now() - 1.second()),
        ..all.clone()
    };
    unanchored(
        examine(&[ended], Policy::default()),
        "until 2025-12-31T23:59:59Z",
    );
    let later = sre_receipt::TrustedKey {
        not_before: Some(now() + 1.second()),
        ..all.clone()
    };
    unanchored(
        examine(&[later], Policy::default()),
        "from 2026-01-01T00:00:01Z",
    );
    let exactly = sre_receipt::TrustedKey {
        not_before: Some(now()),
        not_after: Some(now()),
        ..all.clone()
    };
    assert_eq!(examine(&[exactly], Policy::default()), None);
    // The right key under another name keeps another log.
    let renamed = sre_receipt::TrustedKey {
        name: "other.example/log".parse().expect("a name"),
        ..all
    };
    unanchored(
        examine(&[renamed], Policy::default()),
        "the log node1.example/log is not trusted",
    );
}

#[test]
fn witnesses_are_counted_only_if_they_are_trusted_and_told_apart() {
    let receipt = receipt("t", returned());
    let bytes = receipt.envelope().to_canonical();
    let seconds = u64::try_from(now().as_second()).expect("after 1970");
    let examine = |cosigners: &[u8], trusted_witnesses: &[u8], required| {
        let mut proof = proof(&receipt, &node(1));
        for seed in cosigners {
            proof
                .checkpoint
                .cosign(node(*seed).name, &node(*seed).secret, seconds);
        }
        let mut trust = Trust::default();
        trust
            .add(trusted(&node(1), &[Purpose::Receipt, Purpose::Log]))
            .expect("a new key");
        for seed in trusted_witnesses {
            trust
                .add(trusted(&node(*seed), &[Purpose::Witness]))
                .expect("a new key");
        }
        let policy = Policy {
            witnesses_required: required,
            ..Policy::default()
        };
        Examiner::new(trust, policy)
            .examine(&bytes, Some(proof.to_string().as_bytes()))
            .flaw
            .map(|flaw| flaw.verdict)
    };
    assert_eq!(examine(&[2, 3], &[2, 3], 2), None);
    assert_eq!(
        examine(&[2, 2], &[2, 3], 2),
        Some(Verdict::Unanchored),
        "one witness twice is one witness"
    );
    assert_eq!(
        examine(&[2, 4], &[2, 3], 2),
        Some(Verdict::Unanchored),
        "a stranger is no witness"
    );
    assert_eq!(examine(&[], &[2], 1), Some(Verdict::Unanchored));
    assert_eq!(examine(&[], &[], 0), None);

    // A witness that lies: its line carries another time than it signed.
    let mut lying = proof(&receipt, &node(1));
    lying
        .checkpoint
        .cosign(node(2).name, &node(2).secret, seconds);
    let line = lying.checkpoint.signatures()[1].clone();
    let mut bytes_of_line = line.bytes.clone();
    bytes_of_line[7] ^= 1;
    let mut forged = proof(&receipt, &node(1));
    forged.checkpoint.merge(&[sre_receipt::tlog::NoteSignature {
        bytes: bytes_of_line,
        ..line
    }]);
    let mut trust = Trust::default();
    trust
        .add(trusted(&node(1), &[Purpose::Receipt, Purpose::Log]))
        .expect("a new key");
    trust
        .add(trusted(&node(2), &[Purpose::Witness]))
        .expect("a new key");
    let found = Examiner::new(trust, Policy::default())
        .examine(&bytes, Some(forged.to_string().as_bytes()));
    assert_eq!(verdict(&found), Verdict::Tampered);
}

#[test]
fn a_witness_that_came_after_the_end_of_the_logs_key_does_not_count() {
    // A thief of the key can sign an old receipt and a new log with it.
    let receipt = receipt("t", returned());
    let mut log = trusted(&node(1), &[Purpose::Receipt, Purpose::Log]);
    log.not_after = Some(now() + 1.hour());
    let mut trust = Trust::default();
    trust.add(log).expect("a new key");
    trust
        .add(trusted(&node(2), &[Purpose::Witness]))
        .expect("a new key");
    let policy = Policy {
        witnesses_required: 1,
        require_proof: true,
    };
    let examiner = Examiner::new(trust, policy);
    for (at, expected) in [
        (now() + 1.hour(), None),
        (now() + 1.hour() + 1.second(), Some(Verdict::Unanchored)),
    ] {
        let mut proof = proof(&receipt, &node(1));
        let seconds = u64::try_from(at.as_second()).expect("after 1970");
        proof
            .checkpoint
            .cosign(node(2).name, &node(2).secret, seconds);
        let found = examiner.examine(
            &receipt.envelope().to_canonical(),
            Some(proof.to_string().as_bytes()),
        );
        assert_eq!(
            found.flaw.map(|flaw| flaw.verdict),
            expected,
            "cosigned at {at}"
        );
    }
}

#[test]
fn a_proof_can_be_demanded() {
    let mut trust = Trust::default();
    trust
        .add(trusted(&node(1), &[Purpose::Receipt, Purpose::Log]))
        .expect("a new key");
    let policy = Policy {
        require_proof: true,
        ..Policy::default()
    };
    let bytes = receipt("t", returned()).envelope().to_canonical();
    assert_eq!(
        verdict(&Examiner::new(trust, policy).examine(&bytes, None)),
        Verdict::Unanchored
    );
}

#[test]
fn a_signature_over_one_thing_is_none_over_another() {
    // What a key signs as a note begins with a name and a line end; as a statement with "DSSEv1 ".
    for name in [
        "DSSEv1 28 application",
        "cosignature/v1",
        "a b",
        "a+b",
        "a\nb",
        "",
    ] {
        assert!(
            name.parse::<sre_receipt::tlog::KeyName>().is_err(),
            "{name:?}"
        );
    }
    let receipt = receipt("t", returned());
    let note = proof(&receipt, &node(1)).checkpoint;
    let signature = sre_receipt::Signature::from_bytes(
        note.signatures()[0].bytes[..].try_into().expect("64 bytes"),
    );
    let payload = note.text().as_bytes();
    assert!(node(1).secret.public().verify(payload, &signature).is_ok());
    let mut value: Value =
        serde_json::from_slice(&receipt.envelope().to_canonical()).expect("JSON");
    value["signatures"][0]["sig"] = serde_json::to_value(signature).expect("a signature");
    assert_eq!(
        verdict(&examiner().examine(&canonical_json::to_vec(&value), None)),
        Verdict::Tampered
    );
    assert!(
        Checkpoint::verify(
            &Note::parse(note.to_string().as_bytes()).expect("a note"),
            &node(1).verifier_key()
        )
        .is_ok()
    );
}

#[test]
fn hostile_archives_are_refused() {
    let good = bundle(&receipt("t", returned()));
    let names: BTreeSet<String> = good
        .blobs
        .keys()
        .map(|digest| format!("blobs/{digest}"))
        .collect();
    let first = names.first().expect("a blob").clone();
    let bytes = good.to_bytes();
    let rename = |to: &str| {
        let mut other = bytes.clone();
        let at = other
            .windows(first.len())
            .position(|window| window == first.as_bytes())
            .expect("the name");
        // The header of the first blob follows the list of sums; the name stands in the list first.
        let header = other[at + first.len()..]
            .windows(first.len())
            .position(|w| w == first.as_bytes())
            .expect("a header");
        let at = at + first.len() + header;
        assert_eq!(at % 512, 0, "a header");
        other[at..at + 100].fill(0);
        other[at..at + to.len()].copy_from_slice(to.as_bytes());
        let block = &mut other[at..at + 512];
        block[148..156].fill(b' ');
        let sum: u32 = block.iter().map(|byte| u32::from(*byte)).sum();
        block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        other
    };
    let second = names.iter().nth(1).expect("a second blob").clone();
    for name in [
        "../../etc/passwd",
        "blobs/../receipt.json",
        "/etc/passwd",
        "blobs/",
        "readme",
        &second,
        "receipt.json",
    ] {
        let error = Bundle::parse(&rename(name)).expect_err(name);
        assert!(!error.to_string().is_empty());
    }
    // A size beyond the end, and one that overflows.
    for size in ["77777777777", "00000000001"] {
        let mut other = bytes.clone();
        other[124..135].copy_from_slice(size.as_bytes());
        assert!(Bundle::parse(&other).is_err(), "{size}");
    }
    // Nothing expands: a compressed file is no bundle, and the limit is on what is read.
    assert!(Bundle::parse(&[0x1f, 0x8b, 8, 0]).is_err());
    assert!(Bundle::parse(&[]).is_err());
    assert!(Bundle::parse(&[0; 1024]).is_err());
}

#[test]
fn a_secret_key_is_never_printed() {
    let key = SecretKey::from_seed(&[7; 32]);
    assert!(!format!("{key:?}").contains("0707"));
}
