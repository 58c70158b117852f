//! Orders of processes that died or fell silent.

use std::time::Duration;

use sre_core::{ErrorCode, OrderStatus};
use sre_journal::{Backoff, EventKind, Journal, JournalErrorKind, Recovered};

use crate::support::{
    Storage, accept, acquire, acquire_only, ended, ends_with, entry, id, kinds, new_order, open,
    result,
};

async fn recover(journal: &dyn Journal) -> Recovered {
    journal
        .recover(Backoff::default(), 0.0)
        .await
        .expect("recovered")
}

pub async fn an_interrupted_attempt_counts(storage: &dyn Storage) {
    let (journal, _) = open(storage);
    accept(&*journal, new_order("order", "x")).await;
    let first = acquire_only(&*journal).await;
    assert_eq!(first.lease.attempt(), 1);
    // The holder goes before its lease, as when a process dies.
    drop(journal);
    drop(first);

    let (journal, hands) = open(storage);
    let recovered = recover(&*journal).await;
    assert_eq!(
        (recovered.retried, recovered.ended),
        (1, 0),
        "one retry is allowed"
    );
    assert!(acquire(&*journal, 1, "").await.is_empty(), "after a pause");
    hands.pass(Duration::from_secs(1));
    let second = acquire_only(&*journal).await;
    assert_eq!(second.lease.attempt(), 2);
    drop(journal);
    drop(second);

    let (journal, _) = open(storage);
    let recovered = recover(&*journal).await;
    assert_eq!(
        (recovered.retried, recovered.ended),
        (0, 1),
        "and no second one"
    );
    let result = ended(&*journal, "order").await;
    assert!(
        ends_with(&result, OrderStatus::Failed, ErrorCode::Interrupted),
        "{result:?}"
    );
    assert_eq!(result.attempts, 2);
}

pub async fn a_worker_that_lost_its_lease_changes_nothing(storage: &dyn Storage) {
    let (journal, hands) = open(storage);
    let sequence = accept(&*journal, new_order("order", "x")).await.sequence;
    let old = acquire_only(&*journal).await.lease;
    journal.heartbeat().await.expect("recorded");
    // Another process has heard nothing of this one for longer than a lease lasts.
    let other = storage.open(hands.clocks());
    recover(&*other).await;
    hands.pass(Duration::from_secs(61));
    let recovered = recover(&*other).await;
    assert_eq!(
        (recovered.holders, recovered.retried, recovered.ended),
        (1, 1, 0)
    );
    let new = other
        .acquire_one(sequence)
        .await
        .expect("readable")
        .expect("free");
    journal.record_verifying(&old).await.expect("queued");
    let refused = journal.finish(old, &result("order")).await;
    assert_eq!(
        refused.map_err(|error| error.kind()),
        Err(JournalErrorKind::LeaseLost)
    );
    assert!(entry(&*other, "order").await.result.is_none());
    other
        .finish(new.lease, &result("order"))
        .await
        .expect("the last lease decides");
    use EventKind::{Accepted, Finished, Retrying, Running};
    assert_eq!(
        kinds(&*other, "order").await,
        [Accepted, Running, Retrying, Running, Finished]
    );
}

pub async fn a_holder_that_is_silent_loses_its_leases_and_a_jump_of_the_clock_ends_no_lease(
    storage: &dyn Storage,
) {
    let (journal, hands) = open(storage);
    accept(&*journal, new_order("order", "x")).await;
    let lease = acquire_only(&*journal).await.lease;
    journal.heartbeat().await.expect("recorded");
    let other = storage.open(hands.clocks());
    hands.jump(3_600_000);
    assert_eq!(recover(&*other).await.holders, 0, "the clock only jumped");
    for _ in 0..5 {
        hands.pass(Duration::from_secs(30));
        journal.heartbeat().await.expect("recorded");
        assert_eq!(recover(&*other).await.holders, 0, "it says that it lives");
    }
    hands.pass(Duration::from_secs(59));
    assert_eq!(recover(&*other).await.holders, 0, "not yet");
    hands.pass(Duration::from_secs(2));
    assert_eq!(recover(&*other).await.holders, 1);
    drop(lease);
}

pub async fn a_dead_holders_cancelled_order_ends_as_cancelled(storage: &dyn Storage) {
    let (journal, _) = open(storage);
    accept(&*journal, new_order("order", "x")).await;
    let acquired = acquire_only(&*journal).await;
    journal.cancel(&id("order")).await.expect("asked");
    drop(journal);
    drop(acquired);
    let (journal, _) = open(storage);
    assert_eq!(recover(&*journal).await.ended, 1);
    let result = ended(&*journal, "order").await;
    assert!(
        ends_with(&result, OrderStatus::Failed, ErrorCode::Cancelled),
        "{result:?}"
    );
}

pub async fn a_deregistered_holder_is_not_found_dead(storage: &dyn Storage) {
    for (deregisters, dead) in [(false, 1), (true, 0)] {
        let (journal, _) = open(storage);
        journal.heartbeat().await.expect("recorded");
        if deregisters {
            journal.deregister().await.expect("recorded");
        }
        drop(journal);
        let (journal, _) = open(storage);
        assert_eq!(recover(&*journal).await.holders, dead);
    }
}
