//! What the documentation says about formats that others read and write: verdicts, and the trust
//! file.

mod common;

use std::fs;
use std::path::Path;

use common::node;
use serde_json::Value;
use sre_core::{Digest, Method, ReceiptDigest, Verdict, VerifyResult};
use sre_receipt::{Envelope, Purpose, Trust, VerdictStatement};

fn page(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../docs")
        .join(name);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn predicate(verdict: &VerdictStatement) -> Value {
    let statement: Value = serde_json::from_slice(verdict.envelope().payload()).expect("JSON");
    assert_eq!(statement["predicateType"], "urn:sre:verdict:v1");
    assert_eq!(statement["subject"][0]["name"], "receipt");
    statement["predicate"].clone()
}

#[test]
fn every_verdict_is_one_that_the_published_schema_accepts() {
    let schema: Value = serde_json::from_str(&page("schemas/verdict-v1.json")).expect("a schema");
    let schema = jsonschema::validator_for(&schema).expect("a schema");
    let hash = Digest::of(b"a result").to_string();
    let found = |verdict, expected_hash: &str, actual_hash, error: Option<String>| VerifyResult {
        is_valid: error.is_none(),
        verdict,
        method: if error.is_none() {
            Method::Replay
        } else {
            Method::Hash
        },
        expected_hash: expected_hash.to_owned(),
        actual_hash,
        error,
        checks: Vec::new(),
        divergence: None,
    };
    let wrong = || Some("ü".repeat(100_000));
    let mut verdicts: Vec<VerdictStatement> = [
        found(Verdict::Matched, &hash, Some(hash.clone()), None),
        found(Verdict::HashOnly, &hash, Some(hash.clone()), None),
        found(
            Verdict::Diverged,
            &hash,
            Some(Digest::of(b"another").to_string()),
            wrong(),
        ),
        found(Verdict::Tampered, "", None, wrong()),
        found(Verdict::Unavailable, &hash, None, wrong()),
        found(Verdict::Unanchored, &hash, None, wrong()),
        found(Verdict::Unverifiable, "", None, wrong()),
    ]
    .iter()
    .map(|found| {
        let order = "t".parse().expect("an order id");
        VerdictStatement::issue(
            ReceiptDigest::of(b"a receipt"),
            order,
            found,
            jiff::Timestamp::now(),
            &node(1).secret,
        )
    })
    .collect();
    let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/v1/verdict.json");
    let envelope = Envelope::parse(&fs::read(fixture).expect("a fixture")).expect("an envelope");
    verdicts.push(VerdictStatement::read(envelope).expect("a verdict"));
    for verdict in verdicts {
        let predicate = predicate(&verdict);
        let errors: Vec<String> = schema
            .iter_errors(&predicate)
            .map(|error| error.to_string())
            .collect();
        assert!(errors.is_empty(), "{errors:?} in {predicate}");
        let members = predicate.as_object().expect("an object");
        for name in members.keys() {
            let mut lacking = members.clone();
            lacking.remove(name);
            assert!(
                !schema.is_valid(&Value::Object(lacking)),
                "the schema does without {name}"
            );
        }
        let mut other = predicate.clone();
        other["extra"] = Value::Null;
        assert!(!schema.is_valid(&other), "the schema takes anything");
    }
}

#[test]
fn the_documented_trust_file_is_one() {
    let page = page("reference/receipt-formats.md");
    let example = page
        .split("```json\n")
        .skip(1)
        .filter_map(|rest| rest.split("```").next());
    let example = example
        .into_iter()
        .find(|text| text.contains("sre.trust/v1"))
        .expect("an example");
    let trust = Trust::parse(example.as_bytes()).expect("a trust file");
    assert_eq!(trust.keys().len(), 2);
    let [executor, witness] = trust.keys() else {
        panic!("two keys")
    };
    assert!(executor.purposes.contains(&Purpose::Receipt) && executor.not_after.is_some());
    assert!(witness.purposes.contains(&Purpose::Witness) && witness.not_before.is_none());
    // Every purpose and member stands on the page.
    for word in [
        "`receipt`",
        "`log`",
        "`verdict`",
        "`witness`",
        "`not_before`",
        "`not_after`",
        "`public_key`",
    ] {
        assert!(page.contains(word), "{word}");
    }
}
