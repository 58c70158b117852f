//! Accepting, acquiring, cancelling.

use std::sync::Arc;

use sre_core::{Backend, Digest, ErrorCode, OrderStatus};
use sre_journal::{Accepted, AcquirePolicy, Cancelled, EventKind};

use crate::support::{
    Storage, accept, acquire, acquire_only, ended, ends_with, id, ids, kinds, new_order, open,
    result,
};

pub async fn an_order_is_accepted_once_and_conflicts_with_another_of_its_id(storage: &dyn Storage) {
    let (journal, _) = open(storage);
    accept(&*journal, new_order("order", "first")).await;
    let again = journal
        .accept(new_order("order", "second"), AcquirePolicy::IfNew)
        .await;
    assert!(
        matches!(&again, Ok(Accepted::Open { lease: None, submitter }) if submitter == "first"),
        "{again:?}"
    );
    let mut other = new_order("order", "first");
    other.request = Digest::of(b"something else");
    let conflict = journal.accept(other, AcquirePolicy::Always).await;
    assert!(matches!(conflict, Ok(Accepted::Conflict)), "{conflict:?}");
    assert_eq!(journal.open_orders(), 1);

    let lease = acquire_only(&*journal).await.lease;
    let taken = journal
        .accept(new_order("order", "first"), AcquirePolicy::Always)
        .await;
    assert!(
        matches!(&taken, Ok(Accepted::Open { lease: None, .. })),
        "a living worker has it: {taken:?}"
    );
    journal
        .finish(lease, &result("order"))
        .await
        .expect("recorded");
    let known = journal
        .accept(new_order("order", "first"), AcquirePolicy::Always)
        .await;
    assert!(
        matches!(&known, Ok(Accepted::Finished { result: found, .. }) if **found == result("order")),
        "{known:?}"
    );
    assert_eq!(journal.open_orders(), 0);
}

pub async fn an_order_keeps_what_running_it_needs(storage: &dyn Storage) {
    let (journal, hands) = open(storage);
    let mut order = new_order("order", "x");
    order.trace = Some(String::from("00-1-2-01"));
    order.work = String::from(r#"{"a":1}"#);
    order.input = Arc::from(&br#"{"n":2}"#[..]);
    order.invocation = Some(String::from(r#"{"entry":"main.py"}"#));
    accept(&*journal, order.clone()).await;
    // Another process runs it.
    let other = storage.open(hands.clocks());
    let acquired = acquire_only(&*other).await;
    assert_eq!(acquired.submitter, order.submitter);
    assert_eq!(acquired.skill, order.skill);
    assert_eq!(acquired.request, order.request);
    assert_eq!(acquired.trace, order.trace);
    assert_eq!(acquired.work, order.work);
    assert_eq!(acquired.input, order.input);
    assert_eq!(acquired.invocation, order.invocation);
    assert!(acquired.has_callback);
    assert_eq!(acquired.lease.attempt(), 1);
}

pub async fn submitters_take_turns_and_priorities_count_within_one(storage: &dyn Storage) {
    let (journal, _) = open(storage);
    let with = |id: &str, submitter: &str, priority| {
        let mut order = new_order(id, submitter);
        order.priority = priority;
        order
    };
    for n in 0..50 {
        accept(&*journal, with(&format!("greedy-{n}"), "greedy", 100)).await;
    }
    for (id, priority) in [("low", -1), ("first", 0), ("second", 0), ("high", 7)] {
        accept(&*journal, with(id, "modest", priority)).await;
    }
    accept(&*journal, with("single", "quiet", -100)).await;
    let acquired = acquire(&*journal, 8, "").await;
    assert_eq!(
        ids(&acquired),
        [
            "greedy-0", "high", "single", "greedy-1", "first", "greedy-2", "second", "greedy-3"
        ]
    );
    // The round goes on after the submitter who was last.
    assert_eq!(
        ids(&acquire(&*journal, 2, "greedy").await),
        ["low", "greedy-4"]
    );
    let native = journal.acquire(Backend::Native, 10, "").await;
    assert!(native.expect("readable").is_empty(), "of another backend");
}

pub async fn a_dropped_lease_gives_the_order_back_and_its_attempt_does_not_count(
    storage: &dyn Storage,
) {
    let (journal, _) = open(storage);
    accept(&*journal, new_order("order", "x")).await;
    assert!(journal.has_work(Backend::Wasm).await.expect("readable"));
    drop(acquire_only(&*journal).await);
    assert!(!journal.has_work(Backend::Wasm).await.expect("readable"));
    journal.release().await.expect("released");
    assert!(journal.has_work(Backend::Wasm).await.expect("readable"));
    assert_eq!(acquire_only(&*journal).await.lease.attempt(), 1);
    use EventKind::{Accepted, Returned, Running};
    assert_eq!(
        kinds(&*journal, "order").await,
        [Accepted, Running, Returned, Running]
    );
}

pub async fn an_order_that_waits_is_cancelled_at_once_and_one_that_runs_is_asked(
    storage: &dyn Storage,
) {
    let (journal, _) = open(storage);
    let unknown = journal.cancel(&id("order")).await.expect("readable");
    assert!(matches!(unknown, Cancelled::Unknown), "{unknown:?}");
    let runs = accept(&*journal, new_order("runs", "x")).await.sequence;
    let lease = acquire_only(&*journal).await.lease;
    accept(&*journal, new_order("waits", "x")).await;

    let waits = journal.cancel(&id("waits")).await.expect("cancelled");
    assert!(matches!(waits, Cancelled::Ended(_)), "{waits:?}");
    let result_of = ended(&*journal, "waits").await;
    assert!(
        ends_with(&result_of, OrderStatus::Failed, ErrorCode::Cancelled),
        "{result_of:?}"
    );
    for _ in 0..2 {
        let asked = journal.cancel(&id("runs")).await.expect("asked");
        assert!(
            matches!(asked, Cancelled::Asked { sequence } if sequence == runs),
            "{asked:?}"
        );
    }
    let cancelling = journal.cancelling().await.expect("readable");
    assert_eq!(cancelling.into_iter().collect::<Vec<_>>(), [runs]);
    // The worker may finish it nevertheless.
    journal
        .finish(lease, &result("runs"))
        .await
        .expect("recorded");
    let late = journal.cancel(&id("runs")).await.expect("readable");
    assert!(matches!(late, Cancelled::Finished(_)), "{late:?}");
    use EventKind::{Accepted, Cancelling, Finished, Running};
    assert_eq!(
        kinds(&*journal, "runs").await,
        [Accepted, Running, Cancelling, Finished]
    );
}

pub async fn a_watch_wakes_with_the_result(storage: &dyn Storage) {
    let (journal, _) = open(storage);
    let accepted = journal
        .accept(new_order("order", "x"), AcquirePolicy::IfNew)
        .await;
    let Ok(Accepted::New {
        lease: Some(lease),
        entry,
        mut watch,
    }) = accepted
    else {
        panic!("{accepted:?}")
    };
    let mut late = journal.watch(entry.sequence);
    journal
        .finish(lease, &result("order"))
        .await
        .expect("recorded");
    for watch in [&mut watch, &mut late] {
        let news = watch.changed().await;
        assert!(news.ended);
        let text = news.result.expect("it was this process that ended it");
        assert_eq!(serde_json::from_str(&text).ok(), Some(result("order")));
    }
}
