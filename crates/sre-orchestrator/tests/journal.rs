//! The journal under faults, jumping clocks and many submitters.

mod support;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use futures_util::FutureExt;
use sre_core::{Backend, OrderStatus};
use sre_journal::{
    Accepted, AcquirePolicy, AcquiredOrder, Backoff, Cancelled, DeliveryOutcome, DeliverySlots,
    DeliveryState, Event, EventKind, Journal, JournalError, NewOrder, Retry,
};
use sre_orchestrator::{Submitted, WorkerOptions, Workers};
use support::{Act, House, Receiver, house, house_in, house_over, order, until};
use tempfile::TempDir;

const NOW: i64 = 1_700_000_000_000;

fn folder() -> Arc<TempDir> {
    Arc::new(tempfile::tempdir().expect("a folder"))
}

fn path(data: &TempDir) -> std::path::PathBuf {
    data.path().join("journal.sqlite3")
}

/// A journal whose clock is turned by hand.
fn clocked(path: &Path) -> (Journal, Arc<AtomicI64>) {
    let clock = Arc::new(AtomicI64::new(NOW));
    let hands = Arc::clone(&clock);
    (
        Journal::open_at(path, move || hands.load(Ordering::SeqCst)).expect("a journal"),
        clock,
    )
}

fn new_order(id: &str, submitter: &str, priority: i32) -> NewOrder {
    NewOrder {
        order_id: id.parse().expect("an id"),
        request: sre_core::Digest::of(id.as_bytes()),
        submitter: submitter.to_owned(),
        skill: sre_core::SkillDigest::of(b"a skill"),
        backend: Backend::Wasm,
        priority,
        max_retries: 1,
        verdicts_required: 0,
        queue_time: Some(Duration::from_secs(60)),
        callback_url: Some(String::from("https://example.org/hook")),
        work: String::from("{}"),
        input: Arc::from(&b"{}"[..]),
    }
}

async fn accept(journal: &Journal, id: &str, submitter: &str, priority: i32) {
    let accepted = journal
        .accept(new_order(id, submitter, priority), AcquirePolicy::Never)
        .await;
    assert!(
        matches!(accepted, Ok(Accepted::New { lease: None, .. })),
        "{accepted:?}"
    );
}

async fn claim(journal: &Journal, limit: usize, after: &str) -> Vec<AcquiredOrder> {
    journal
        .acquire(Backend::Wasm, limit, after)
        .await
        .expect("a claim")
}

fn names(claimed: &[AcquiredOrder]) -> Vec<&str> {
    claimed
        .iter()
        .map(|claimed| claimed.lease.order_id().as_str())
        .collect()
}

fn events(journal: &Journal, id: &str) -> Vec<Event> {
    journal
        .events(&id.parse().expect("an id"), 0, 100)
        .expect("readable")
        .expect("known")
}

#[tokio::test]
async fn submitters_take_turns_and_priorities_count_within_one() {
    let data = folder();
    let (journal, _) = clocked(&path(&data));
    for n in 0..50 {
        accept(&journal, &format!("greedy-{n}"), "greedy", 100).await;
    }
    for (id, priority) in [("low", -1), ("first", 0), ("second", 0), ("high", 7)] {
        accept(&journal, id, "modest", priority).await;
    }
    accept(&journal, "single", "quiet", -100).await;
    let claimed = claim(&journal, 8, "").await;
    assert_eq!(
        names(&claimed),
        [
            "greedy-0", "high", "single", "greedy-1", "first", "greedy-2", "second", "greedy-3"
        ]
    );
    // The round goes on behind whoever was last.
    assert_eq!(
        names(&claim(&journal, 2, "greedy").await),
        ["low", "greedy-4"]
    );
}

#[tokio::test]
async fn a_worker_that_lost_its_lease_changes_nothing() {
    let data = folder();
    let house = house(&[Act::Print("1")]);
    let result = house.run(order("donor")).await;
    let (journal, _) = clocked(&path(&data));
    accept(&journal, "taken", "x", 0).await;
    let old = claim(&journal, 1, "").await.remove(0);
    let sequence = old.lease.sequence();
    // Somebody else decides meanwhile: another process that has heard nothing of this one for as
    // long as a lease holds.
    journal.heartbeat().await.expect("renewed");
    let (other, clock) = clocked(&path(&data));
    clock.fetch_add(3_600_000, Ordering::SeqCst);
    let recovered = other
        .recover(Backoff::default(), 0.0)
        .await
        .expect("recovered");
    assert_eq!(
        recovered.holders, 0,
        "a clock that is ahead ends no lease of the living"
    );
    clock.fetch_add(60_000, Ordering::SeqCst);
    let recovered = other
        .recover(Backoff::default(), 0.0)
        .await
        .expect("recovered");
    assert_eq!(
        (recovered.holders, recovered.retried, recovered.ended),
        (1, 1, 0)
    );
    let new = other
        .acquire_one(sequence)
        .await
        .expect("readable")
        .expect("free");
    let mut result = result;
    result.order_id = "taken".parse().expect("an id");
    journal.record_verifying(&old.lease).await.expect("queued");
    assert!(matches!(
        journal.finish(old.lease, &result).await,
        Err(JournalError::LeaseLost(_))
    ));
    assert!(
        other
            .get(&result.order_id)
            .expect("readable")
            .expect("known")
            .result
            .is_none()
    );
    other
        .finish(new.lease, &result)
        .await
        .expect("the last lease decides");
    let kinds: Vec<EventKind> = events(&other, "taken")
        .iter()
        .map(|event| event.kind)
        .collect();
    use EventKind::{Accepted, Finished, Retrying, Running};
    assert_eq!(kinds, [Accepted, Running, Retrying, Running, Finished]);
}

#[tokio::test]
async fn an_interrupted_attempt_counts_and_a_dropped_one_does_not() {
    let data = folder();
    let (journal, _) = clocked(&path(&data));
    accept(&journal, "order", "x", 0).await;
    // Dropped: given back.
    drop(claim(&journal, 1, "").await);
    let again = claim(&journal, 1, "").await.remove(0);
    assert_eq!(again.lease.attempt(), 1);
    // The holder goes before its lease is given back, as when a process dies.
    drop(journal);
    drop(again);

    let (journal, clock) = clocked(&path(&data));
    let recovered = journal
        .recover(Backoff::default(), 0.0)
        .await
        .expect("recovered");
    assert_eq!(
        (recovered.retried, recovered.ended),
        (1, 0),
        "one retry is allowed"
    );
    assert!(claim(&journal, 1, "").await.is_empty(), "after a pause");
    clock.fetch_add(1_000, Ordering::SeqCst);
    let second = claim(&journal, 1, "").await.remove(0);
    assert_eq!(second.lease.attempt(), 2);
    drop(journal);
    drop(second);

    let (journal, _) = clocked(&path(&data));
    let recovered = journal
        .recover(Backoff::default(), 0.0)
        .await
        .expect("recovered");
    assert_eq!(
        (recovered.retried, recovered.ended),
        (0, 1),
        "and no second one"
    );
    let entry = journal
        .get(&"order".parse().expect("an id"))
        .expect("readable")
        .expect("known");
    let result = entry.parsed_result().expect("readable").expect("ended");
    assert_eq!(
        (result.error_code.as_deref(), result.attempts),
        (Some("interrupted"), 2)
    );
}

#[tokio::test]
async fn a_clock_that_jumps_back_delays_nothing() {
    let data = folder();
    let (journal, clock) = clocked(&path(&data));
    accept(&journal, "retried", "x", 0).await;
    let lease = claim(&journal, 1, "").await.remove(0).lease;
    let retry = Retry {
        pause: Duration::from_secs(5),
        reason: String::from("a failure"),
    };
    journal.retry(lease, retry).await.expect("recorded");
    journal.tick().await.expect("a tick");
    assert!(claim(&journal, 1, "").await.is_empty(), "it is not due");
    clock.fetch_sub(86_400_000, Ordering::SeqCst);
    journal.tick().await.expect("a tick");
    assert_eq!(names(&claim(&journal, 1, "").await), ["retried"]);
}

#[tokio::test]
async fn an_order_that_waits_too_long_ends_and_one_that_runs_does_not() {
    let data = folder();
    let (journal, clock) = clocked(&path(&data));
    accept(&journal, "runs", "x", 0).await;
    let running = claim(&journal, 1, "").await;
    accept(&journal, "waits", "x", 0).await;
    clock.fetch_add(61_000, Ordering::SeqCst);
    assert_eq!(journal.expire(10).await.expect("expired"), 1);
    let entry = journal
        .get(&"waits".parse().expect("an id"))
        .expect("readable")
        .expect("known");
    let result = entry.parsed_result().expect("readable").expect("ended");
    assert_eq!(
        (result.status, result.error_code.as_deref()),
        (OrderStatus::Timeout, Some("queue_timeout"))
    );
    assert_eq!(journal.expire(10).await.expect("expired"), 0);
    assert_eq!(journal.open_orders(), 1);
    drop(running);
    let cancelled = journal
        .cancel(&"runs".parse().expect("an id"))
        .await
        .expect("cancelled");
    assert!(matches!(cancelled, Cancelled::Ended(_)), "{cancelled:?}");
    // Both have callbacks to be delivered, each once.
    assert_eq!(
        journal
            .acquire_callbacks(DeliverySlots::new(10))
            .await
            .expect("callbacks")
            .len(),
        2
    );
    assert!(
        journal
            .acquire_callbacks(DeliverySlots::new(10))
            .await
            .expect("callbacks")
            .is_empty()
    );
}

/// What a write may suffer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    /// It never happened.
    Lost,
    /// It happened, and nobody was told.
    Unreported,
}

/// The writes of an order's life, in their order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Write {
    Accept,
    Claim,
    Verifying,
    Retry,
    Finish,
    ClaimCallback,
    Delivered,
}

/// Every write of an order's life × {lost, stored but reported as failed}, after which the process
/// is gone. The next one finishes the order, once, and delivers its callback.
#[tokio::test(flavor = "multi_thread")]
async fn no_fault_of_a_write_loses_an_order_or_does_it_twice() {
    use Write::{Accept, Claim, ClaimCallback, Delivered, Finish, Retry, Verifying};
    for fault in [Fault::Lost, Fault::Unreported] {
        for write in [
            Accept,
            Claim,
            Verifying,
            Retry,
            Finish,
            ClaimCallback,
            Delivered,
        ] {
            let data = folder();
            live_until(&data, write, fault).await;
            let House {
                orchestrator,
                acceptance,
                watch,
                ..
            } = house_in(
                Arc::clone(&data),
                &[Act::Print("1")],
                Receiver::Acknowledges,
            );
            let workers = Workers::start(Arc::clone(&orchestrator), WorkerOptions::default()).await;
            let mut config = order("order");
            config.max_retries = 3;
            config.callback_url = Some("https://example.org/hook".parse().expect("a URL"));
            if write == Accept {
                // Nobody was told that it was accepted, so it is sent again.
                let again = acceptance.accept(config).await.expect("an order");
                let answer = workers.submit(again, "x").await.expect("accepted");
                let expected = matches!(
                    (fault, &answer),
                    (Fault::Lost, Submitted::Accepted { .. }) | (Fault::Unreported, _)
                );
                assert!(expected, "{fault:?}: {answer:?}");
            }
            let id = "order".parse().expect("an id");
            until(&format!("the delivery after {write:?} {fault:?}"), || {
                let delivery = orchestrator.journal().delivery(&id).expect("readable");
                delivery.is_some_and(|delivery| delivery.state == DeliveryState::Delivered)
            })
            .await;
            let entry = orchestrator
                .journal()
                .get(&id)
                .expect("readable")
                .expect("known");
            let result = entry.parsed_result().expect("readable").expect("ended");
            assert_eq!(result.status, OrderStatus::Completed, "{write:?} {fault:?}");
            let ends = events(orchestrator.journal(), "order")
                .iter()
                .filter(|e| e.kind == EventKind::Finished)
                .count();
            assert_eq!(ends, 1, "{write:?} {fault:?}");
            let deliveries = watch
                .lines()
                .iter()
                .filter(|line| line.starts_with("deliver("))
                .count();
            let is_known_to_be_delivered = (write, fault) == (Delivered, Fault::Unreported);
            assert_eq!(
                deliveries,
                usize::from(!is_known_to_be_delivered),
                "{write:?} {fault:?}"
            );
            workers.shutdown(Duration::from_secs(5)).await;
        }
    }
}

/// Leads an order through its life by hand, up to the write that fails.
async fn live_until(data: &Arc<TempDir>, last: Write, fault: Fault) {
    let journal = Journal::open(&path(data)).expect("a journal");
    let house = house_over(
        Arc::clone(data),
        journal,
        &[Act::Print("1")],
        Receiver::Acknowledges,
    );
    let journal = house.orchestrator.journal();
    // Polled once: the write is queued and done, and its answer is not waited for.
    macro_rules! step {
        ($write:expr, $operation:expr) => {
            if last != $write {
                $operation.await.expect("the journal works")
            } else {
                if fault == Fault::Unreported {
                    drop($operation.now_or_never());
                }
                return;
            }
        };
    }
    let mut config = order("order");
    config.max_retries = 3;
    config.callback_url = Some("https://example.org/hook".parse().expect("a URL"));
    let accepted = house.acceptance.accept(config).await.expect("an order");
    house
        .orchestrator
        .skills()
        .put(accepted.skill())
        .await
        .expect("stored");
    let record = accepted.record("x");
    step!(Write::Accept, journal.accept(record, AcquirePolicy::Never));
    let lease = step!(Write::Claim, journal.acquire(Backend::Wasm, 1, ""))
        .remove(0)
        .lease;
    let sequence = lease.sequence();
    let retry = Retry {
        pause: Duration::ZERO,
        reason: String::from("a failure"),
    };
    step!(Write::Retry, journal.retry(lease, retry));
    let lease = journal
        .acquire_one(sequence)
        .await
        .expect("readable")
        .expect("free")
        .lease;
    step!(Write::Verifying, journal.record_verifying(&lease));
    let donor = support::house(&[Act::Print("1")]);
    let result = donor.run(order("order")).await;
    step!(Write::Finish, journal.finish(lease, &result));
    let outgoing =
        step!(Write::ClaimCallback, journal.acquire_callback(sequence)).expect("a callback");
    step!(
        Write::Delivered,
        journal.delivered(&outgoing, DeliveryOutcome::Delivered)
    );
}
