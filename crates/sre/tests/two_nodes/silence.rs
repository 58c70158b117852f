//! An executor that answers for some of its orders only.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use crate::common::Home;
use crate::common::service::Service;
use crate::proxy::{before, failing};
use crate::{introduce, size_is};

/// Runs orders with these numbers until the log has `size` entries, and returns their receipts'
/// digests, each with that of the commitment.
async fn run(service: &Service, numbers: Range<u64>, size: u64) -> BTreeMap<String, String> {
    let skill = service.upload("returns_1").await;
    let mut all = BTreeMap::new();
    for number in numbers {
        let id = format!("o{number}");
        let order = json!({ "order_id": id, "skill_package": { "digest": skill } });
        let ended: Value = service
            .post("/v1/orders?wait=60", &order)
            .await
            .json()
            .await
            .expect("JSON");
        let shown: Value = service
            .get(&format!("/v1/orders/{id}/receipt?wait=60"))
            .await
            .json()
            .await
            .expect("JSON");
        let text = |value: &Value| value.as_str().expect("a digest").to_owned();
        all.insert(
            text(&shown["digest"]),
            text(&ended["commit_result"]["commitment_hash"]),
        );
    }
    size_is(service, size).await;
    all
}

fn held(ran: &crate::Ran) {
    assert!(
        ran.code == Some(23) && ran.stderr.contains("receipt_withheld"),
        "{ran:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_executor_cannot_change_the_sample_by_failing() {
    const ORDERS: u64 = 40;
    let (executor, verifier) = (Home::new(), Home::new());
    introduce(&executor, &verifier);
    let service = Service::start(&executor, &[]);
    // The skill is known, so that no order is looked at for being its first.
    run(&service, 0..1, 1).await;
    verifier
        .sre(&["watch", "--once", "--executor", &service.base])
        .exits(0);
    let receipts = run(&service, 1..ORDERS + 1, ORDERS + 2).await;
    // The commitment of a sampled order cannot be had, and the next request for its receipt
    // fails.
    let commitments: BTreeMap<String, String> = receipts
        .iter()
        .map(|(receipt, commitment)| (commitment.clone(), receipt.clone()))
        .collect();
    let (sampled, failed) = (
        Arc::new(Mutex::new(BTreeSet::new())),
        Mutex::new(BTreeSet::new()),
    );
    let asked_for = Arc::clone(&sampled);
    let web = before(&service, move |asked| {
        let digest = asked.path.strip_prefix("/v1/blobs/")?;
        if let Some(receipt) = commitments.get(digest) {
            asked_for.lock().expect("a lock").insert(receipt.clone());
            return Some(failing());
        }
        let is_sampled = asked_for.lock().expect("a lock").contains(digest);
        (is_sampled && failed.lock().expect("a lock").insert(digest.to_owned())).then(failing)
    });
    let watch = || {
        verifier.sre(&[
            "watch",
            "--once",
            "--share",
            "0.5",
            "--format",
            "json",
            "--executor",
            &web.address(),
        ])
    };
    held(&watch());
    let first = sampled.lock().expect("a lock").clone();
    assert!(
        !first.is_empty() && first.len() < receipts.len(),
        "a share of {ORDERS}: {}",
        first.len()
    );
    for _ in 0..3 {
        held(&watch());
    }
    // The executor had answered for the receipts long ago; in the end the verdict is what it can
    // be.
    let found = watch().exits(23).json();
    assert_eq!(
        *sampled.lock().expect("a lock"),
        first,
        "another sample was chosen"
    );
    assert_eq!(
        found["verdicts"],
        json!({ "matched": 1, "unavailable": first.len() }),
        "{found}"
    );
    assert_eq!(
        (&found["position"], &found["undetected_share_95"]),
        (&json!(ORDERS + 2), &Value::Null),
        "{found}"
    );
    let coverage: Value = service
        .get("/v1/coverage")
        .await
        .json()
        .await
        .expect("JSON");
    assert_eq!(
        (
            &coverage["inconclusive"],
            &coverage["matched"],
            &coverage["undetected_share_95"]
        ),
        (&json!(first.len()), &json!(1), &Value::Null)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receipt_that_is_never_answered_for_does_not_stop_the_others() {
    let (executor, verifier) = (Home::new(), Home::new());
    introduce(&executor, &verifier);
    let service = Service::start(&executor, &[]);
    let receipts = run(&service, 0..3, 3).await;
    let withheld = format!("/v1/blobs/{}", receipts.keys().next().expect("a receipt"));
    let web = before(&service, move |asked| {
        (asked.path == withheld).then(failing)
    });
    let watch = || {
        verifier.sre(&[
            "watch",
            "--once",
            "--format",
            "json",
            "--executor",
            &web.address(),
        ])
    };
    for _ in 0..4 {
        held(&watch());
    }
    let found = watch().exits(23).json();
    assert_eq!(
        found["verdicts"],
        json!({ "matched": 2, "unavailable": 1 }),
        "{found}"
    );
    assert_eq!(
        (&found["withheld"], &found["position"]),
        (&json!(1), &json!(3)),
        "{found}"
    );
    assert_eq!(
        found["undetected_share_95"],
        Value::Null,
        "a withheld sample is no clean one: {found}"
    );
    let coverage: Value = service
        .get("/v1/coverage")
        .await
        .json()
        .await
        .expect("JSON");
    assert_eq!(coverage["matched"], 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_executor_that_refuses_everything_gets_no_verdict() {
    let (executor, verifier) = (Home::new(), Home::new());
    introduce(&executor, &verifier);
    let service = Service::start(&executor, &[]);
    run(&service, 0..1, 1).await;
    let web = before(&service, |asked| {
        asked
            .path
            .starts_with("/v1/blobs/")
            .then(|| (403, Vec::new()))
    });
    let watch = || verifier.sre(&["watch", "--once", "--executor", &web.address()]);
    for _ in 0..6 {
        let refused = watch().exits(1);
        assert!(
            refused.stderr.contains("--token-file") && refused.stderr.contains("`read`"),
            "{refused:?}"
        );
    }
    let found = verifier
        .sre(&[
            "watch",
            "--once",
            "--format",
            "json",
            "--executor",
            &service.base,
        ])
        .exits(0)
        .json();
    assert_eq!(found["verdicts"], json!({ "matched": 1 }));
}
