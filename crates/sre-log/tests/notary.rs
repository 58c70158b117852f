//! Receipts are issued once, however often and by which process they are asked for.

mod common;

use std::sync::Arc;

use common::{ended, key, now, open, result, store};
use sre_core::{Ending, Method, Verdict, VerifyResult};
use sre_da::{Blob, Store as _};
use sre_log::{Finished, Notary, NotaryError};
use sre_receipt::tlog::Entry;
use sre_receipt::{Examiner, Host, Policy, SecretKey, Trust, VerdictStatement};

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn one_order_has_one_receipt_with_one_proof() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = store(folder.path());
    let log = Arc::new(open(folder.path()).await);
    let notary = Notary::new(store.clone(), log.clone(), Host::this("sre"));
    let outcome = ended(Ending::Exited { code: 3 });
    let order = result("t", outcome);
    let missing = notary
        .issue(&order, now())
        .await
        .expect_err("the outcome is not there");
    assert!(
        missing.to_string().contains(&outcome.digest().to_string()),
        "{missing}"
    );
    store
        .put(vec![Blob::new(outcome.to_canonical())])
        .await
        .expect("stored");

    // Eight at once, at different times: one receipt.
    let mut tasks = Vec::new();
    for second in 0..8 {
        let (notary, order) = (notary.clone(), order.clone());
        let at = now() + jiff::SignedDuration::from_secs(second);
        tasks.push(tokio::spawn(async move {
            notary.issue(&order, at).await.expect("a receipt")
        }));
    }
    let mut receipts = Vec::new();
    for task in tasks {
        receipts.push(task.await.expect("no panic"));
    }
    assert!(receipts.iter().all(|receipt| *receipt == receipts[0]));
    assert_eq!(log.submitted().expect("a number"), 1);
    assert_eq!(
        notary.proof(&order.order_id).await.expect("no failure"),
        None,
        "pending"
    );
    log.integrate().await.expect("a checkpoint");
    let proof = notary
        .proof(&order.order_id)
        .await
        .expect("no failure")
        .expect("a proof");
    let mut trust = Trust::default();
    trust.add(key(1).trusted()).expect("a new key");
    let policy = Policy {
        require_proof: true,
        ..Policy::default()
    };
    let bytes = receipts[0].envelope().to_canonical();
    let found = Examiner::new(trust, policy).examine(&bytes, Some(proof.to_string().as_bytes()));
    assert_eq!(found.flaw, None, "{:?}", found.checks);
    // The blob store has it under its digest.
    assert_eq!(
        *store
            .get(receipts[0].digest().into())
            .await
            .expect("the receipt"),
        bytes[..]
    );
    assert!(
        notary
            .receipt(&"other".parse().expect("an order id"))
            .await
            .expect("no failure")
            .is_none()
    );
}

/// As where an id was used twice, once its first order was forgotten.
#[tokio::test]
async fn the_receipt_of_an_order_is_never_given_to_another_of_the_same_id() {
    let folder = tempfile::tempdir().expect("a folder");
    let (store, log) = (store(folder.path()), Arc::new(open(folder.path()).await));
    let notary = Notary::new(store.clone(), log.clone(), Host::this("sre"));
    let outcomes = [
        ended(Ending::Exited { code: 3 }),
        ended(Ending::Exited { code: 4 }),
    ];
    store
        .put(
            outcomes
                .map(|outcome| Blob::new(outcome.to_canonical()))
                .to_vec(),
        )
        .await
        .expect("stored");
    let [first, second] = outcomes.map(|outcome| result("twice", outcome));
    let receipt = notary.issue(&first, now()).await.expect("a receipt");

    let alone = notary.issue(&second, now()).await.expect_err("it has none");
    let finished = |result| Finished {
        result,
        finished_at: now(),
    };
    let many = notary
        .issue_all(vec![finished(&second)])
        .await
        .expect_err("nor in a batch");
    let asked = notary
        .receipt_of(&second)
        .await
        .expect_err("nor when it is asked for");
    for refused in [alone, many, asked] {
        let NotaryError::Taken {
            order_id,
            receipt: stands,
        } = refused
        else {
            panic!("{refused}")
        };
        assert_eq!((order_id.as_str(), stands), ("twice", receipt.digest()));
    }
    // The first order has it, whichever was signed first.
    let later = Finished {
        result: &first,
        finished_at: now() + jiff::SignedDuration::from_secs(1),
    };
    assert!(
        notary
            .issue_all(vec![later])
            .await
            .expect("a receipt")
            .iter()
            .all(|found| *found == receipt)
    );
    assert_eq!(
        notary.receipt_of(&first).await.expect("an answer"),
        Some((0, receipt))
    );
    assert_eq!(log.submitted().expect("a number"), 1);
}

/// More than are signed in one go.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_batch_is_issued_whole_and_in_order_or_not_at_all() {
    let folder = tempfile::tempdir().expect("a folder");
    let (store, log) = (store(folder.path()), Arc::new(open(folder.path()).await));
    let notary = Notary::new(store.clone(), log.clone(), Host::this("sre"));
    let known = ended(Ending::Exited { code: 3 });
    store
        .put(vec![Blob::new(known.to_canonical())])
        .await
        .expect("stored");
    let mut orders: Vec<_> = (0..200).map(|n| result(&format!("t{n}"), known)).collect();
    orders.push(result("lost", ended(Ending::OutOfFuel)));
    let all = orders
        .iter()
        .map(|result| Finished {
            result,
            finished_at: now(),
        })
        .collect();
    notary
        .issue_all(all)
        .await
        .expect_err("the outcome of the last one is not there");
    assert_eq!(log.submitted().expect("a number"), 0);

    let all = orders[..200]
        .iter()
        .map(|result| Finished {
            result,
            finished_at: now(),
        })
        .collect();
    let receipts = notary.issue_all(all).await.expect("receipts");
    for (number, (order, receipt)) in orders.iter().zip(&receipts).enumerate() {
        assert_eq!(receipt.predicate().order_id, order.order_id);
        let stands = log.receipt_of(&order.order_id).expect("an answer");
        assert_eq!(
            stands,
            Some((number as u64, Entry::receipt(receipt.digest())))
        );
        assert!(
            store
                .exists(receipt.digest().into())
                .await
                .expect("an answer")
        );
    }
    assert_eq!(receipts.len(), 200);
}

#[tokio::test]
async fn verdicts_are_kept_beside_the_order_and_in_the_log() {
    let folder = tempfile::tempdir().expect("a folder");
    let (store, log) = (store(folder.path()), Arc::new(open(folder.path()).await));
    let notary = Notary::new(store.clone(), log.clone(), Host::this("sre"));
    let outcome = ended(Ending::OutOfFuel);
    store
        .put(vec![Blob::new(outcome.to_canonical())])
        .await
        .expect("stored");
    let order = result("t", outcome);
    let receipt = notary.issue(&order, now()).await.expect("a receipt");
    let found = VerifyResult {
        is_valid: true,
        verdict: Verdict::Matched,
        method: Method::Replay,
        expected_hash: outcome.digest().to_string(),
        actual_hash: Some(outcome.digest().to_string()),
        error: None,
        checks: Vec::new(),
        divergence: None,
    };
    let by = |seed| {
        VerdictStatement::issue(
            receipt.digest(),
            order.order_id.clone(),
            &found,
            now(),
            &SecretKey::from_seed(&[seed; 32]),
        )
    };
    assert_eq!(notary.keep_verdict(&by(7)).await.expect("a number"), 1);
    assert_eq!(notary.keep_verdict(&by(8)).await.expect("a number"), 2);
    assert_eq!(
        notary.keep_verdict(&by(7)).await.expect("a number"),
        1,
        "the same verdict again"
    );
    assert_eq!(
        notary.verdicts(&order.order_id).await.expect("verdicts"),
        [by(7), by(8)]
    );
    log.integrate().await.expect("a checkpoint");
    let proof = log.prove(2).await.expect("no failure").expect("a proof");
    let entry = Entry::verdict(by(8).envelope().digest());
    proof
        .verify_inclusion(&entry.to_canonical())
        .expect("in the log");
}
