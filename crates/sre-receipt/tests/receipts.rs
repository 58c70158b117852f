//! What a receipt says, that it says it in one way, and that it does not contradict itself.

mod common;

use common::{bundle, context, ended, examiner, node, proof, receipt, result, returned, timed_out};
use serde_json::{Value, json};
use sre_core::{
    BadOutputReason, Content, Digest, Ending, JsonResult, OrderStatus, Outcome, TrapKind,
    canonical_json,
};
use sre_receipt::{Bundle, Envelope, Receipt, ReceiptError, Statement};

fn outcomes() -> Vec<Outcome> {
    vec![
        returned(),
        ended(Ending::Exited { code: 3 }),
        ended(Ending::Exited { code: -1 }),
        ended(Ending::Trapped {
            trap: TrapKind::StackOverflow,
        }),
        ended(Ending::OutOfFuel),
        ended(Ending::OutOfMemory),
        ended(Ending::OutputLimit),
        Outcome {
            result: Some(JsonResult::Invalid {
                reason: BadOutputReason::NotJson,
            }),
            ..Outcome::ended(Ending::Exited { code: 0 }, Content::of(b"oops"))
        },
    ]
}

fn predicate(receipt: &Receipt) -> Value {
    let statement: Value = serde_json::from_slice(receipt.envelope().payload()).expect("JSON");
    statement["predicate"].clone()
}

#[test]
fn every_ending_has_a_receipt_that_the_published_schema_accepts() {
    let schema: Value = serde_json::from_str(include_str!("../../../docs/schemas/receipt-v1.json"))
        .expect("a schema");
    let schema = jsonschema::validator_for(&schema).expect("a schema");
    let mut receipts: Vec<Receipt> = outcomes()
        .into_iter()
        .map(|outcome| receipt("t", outcome))
        .collect();
    receipts
        .push(Receipt::issue(&timed_out("t"), context(None), &node(1).secret).expect("a receipt"));
    for receipt in receipts {
        let predicate = predicate(&receipt);
        let errors: Vec<String> = schema
            .iter_errors(&predicate)
            .map(|error| error.to_string())
            .collect();
        assert!(errors.is_empty(), "{errors:?} in {predicate}");
        let mut other = predicate.clone();
        other["reported"]["extra"] = Value::Null;
        assert!(!schema.is_valid(&other), "the schema takes anything");

        let bytes = receipt.envelope().to_canonical();
        let read = Receipt::read(Envelope::parse(&bytes).expect("an envelope")).expect("a receipt");
        assert_eq!(read, receipt);
        read.verify_signature().expect("a good signature");
        assert_eq!(read.envelope().digest(), receipt.digest());
        assert_eq!(
            read.digest().digest(),
            Digest::of(&bytes),
            "sha256sum of the file is the receipt's digest"
        );
    }
}

#[test]
fn a_receipt_leads_back_to_what_was_claimed() {
    for outcome in outcomes() {
        let claimed = result("t", outcome).commit_result.expect("a commitment");
        let mut claim = receipt("t", outcome)
            .claim(|digest| format!("da:sha256:{digest}"))
            .expect("a claim");
        // The time of the execution alone is not in the receipt; it is not checked.
        claim.execution_time_ms = claimed.execution_time_ms;
        assert_eq!(claim, claimed);
    }
    let receipt =
        Receipt::issue(&timed_out("t"), context(None), &node(1).secret).expect("a receipt");
    assert_eq!(receipt.claim(|digest| digest.to_string()), None);
}

#[test]
fn an_outcome_that_was_not_committed_gets_no_receipt() {
    let result = result("t", returned());
    for outcome in [None, Some(ended(Ending::OutOfFuel))] {
        assert!(Receipt::issue(&result, context(outcome), &node(1).secret).is_err());
    }
}

/// A receipt whose predicate was changed by the executor himself, with a good signature.
fn signed_with(change: impl FnOnce(&mut Value)) -> Result<Receipt, ReceiptError> {
    let mut statement: Value =
        serde_json::from_slice(receipt("t", returned()).envelope().payload()).expect("JSON");
    change(&mut statement);
    Receipt::read(Envelope::sign(
        canonical_json::to_vec(&statement),
        &node(1).secret,
    ))
}

#[test]
fn a_receipt_that_contradicts_itself_is_refused_whichever_key_signed_it() {
    let other = Value::String(Digest::of(b"other").to_string());
    let places: &[&[&str]] = &[
        &["subject", "0", "digest", "sha256"],
        &["subject", "0", "name"],
        &["predicate", "provable", "commitment", "skill"],
        &["predicate", "provable", "commitment", "input"],
        &["predicate", "provable", "commitment", "outcome"],
        &["predicate", "provable", "commitment_hash"],
        &["predicate", "provable", "result_hash"],
        &["predicate", "provable", "outcome", "result", "sha256"],
        &["predicate", "executor", "key"],
    ];
    for place in places {
        let error = signed_with(|statement| {
            let pointer = format!("/{}", place.join("/"));
            *statement.pointer_mut(&pointer).expect("the place") = other.clone();
        });
        let error = error.expect_err("a contradiction");
        assert!(
            error
                .to_string()
                .starts_with("the receipt contradicts itself"),
            "{place:?}: {error}"
        );
    }
    // Skill and input swapped.
    let swapped = signed_with(|statement| {
        let commitment = &mut statement["predicate"]["provable"]["commitment"];
        let (skill, input) = (commitment["skill"].clone(), commitment["input"].clone());
        (commitment["skill"], commitment["input"]) = (input, skill);
    });
    assert!(swapped.is_err());
    // Another key's signature under this key's name.
    let key = Value::String(
        serde_json::to_value(node(2).secret.public())
            .expect("a key")
            .as_str()
            .expect("text")
            .into(),
    );
    assert!(
        signed_with(|statement| statement["predicate"]["executor"]["public_key"] = key).is_err()
    );
    assert!(signed_with(|statement| statement["predicate"]["provable"] = Value::Null).is_err());
    // What is reported of an outcome that is something else.
    let contradictions: [(&str, Value); 4] = [
        ("status", json!("failed")),
        ("error_code", json!("skill_exited")),
        ("verification", Value::Null),
        (
            "verification",
            json!({ "verdict": "diverged", "method": "replay" }),
        ),
    ];
    for (member, value) in contradictions {
        let error = signed_with(|statement| statement["predicate"]["reported"][member] = value);
        let error = error.expect_err(member).to_string();
        assert!(
            error.starts_with("the receipt contradicts itself"),
            "{member}: {error}"
        );
    }
    let mut result = result("t", ended(Ending::Exited { code: 3 }));
    (result.status, result.error_code) = (OrderStatus::Completed, None);
    let context = context(Some(ended(Ending::Exited { code: 3 })));
    assert!(matches!(
        Receipt::issue(&result, context, &node(1).secret),
        Err(ReceiptError::Contradiction(_))
    ));
}

#[test]
fn other_versions_are_told_from_forgeries() {
    for (pointer, value) in [
        ("/predicateType", "urn:sre:receipt:v2"),
        ("/predicateType", "https://slsa.dev/provenance/v1"),
        ("/_type", "https://in-toto.io/Statement/v0.1"),
        ("/predicate/format", "sre.receipt/v2"),
        ("/predicate/provable/commitment/format", "sre.commitment/v2"),
    ] {
        let error = signed_with(|s| *s.pointer_mut(pointer).expect("the place") = value.into())
            .expect_err("unknown");
        assert!(error.is_unknown_version(), "{pointer}: {error}");
    }
    let error =
        signed_with(|s| s["predicate"]["surplus"] = 1.into()).expect_err("a surplus member");
    assert!(!error.is_unknown_version(), "{error}");
    assert!(Statement::<Value>::parse(b"{}", "urn:sre:receipt:v1").is_err());
}

#[test]
fn a_bundle_is_read_back_and_its_receipt_holds() {
    let receipt = receipt("t", returned());
    let bundle = bundle(&receipt);
    let bytes = bundle.to_bytes();
    assert!(Bundle::looks_like(&bytes));
    let read = Bundle::parse(&bytes).expect("a bundle");
    assert_eq!(read, bundle);
    let found = examiner().examine(&read.receipt, read.proof.as_deref());
    assert_eq!(found.flaw, None, "{:?}", found.checks);
    assert_eq!(read.to_bytes(), bytes);
    let pending = Bundle {
        proof: None,
        ..bundle
    };
    assert_eq!(
        Bundle::parse(&pending.to_bytes()).expect("a bundle"),
        pending
    );
    // The same proof twice is one proof.
    assert_eq!(proof(&receipt, &node(1)), proof(&receipt, &node(1)));
}
