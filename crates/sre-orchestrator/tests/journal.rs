//! The journal's writes under faults, with everything that works on it.
//!
//! What the journal does by itself is judged by its own tests (`sre-journal`, `tests/conformance`).

mod support;

use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use sre_core::{Backend, OrderStatus};
use sre_journal::{AcquirePolicy, DeliveryOutcome, DeliveryState, EventKind, Retry, SqliteJournal};
use sre_orchestrator::{Submitted, WorkerOptions, Workers};
use support::{Act, House, Receiver, house_in, house_over, now, order, until};
use tempfile::TempDir;

fn folder() -> Arc<TempDir> {
    Arc::new(tempfile::tempdir().expect("a folder"))
}

fn open(data: &TempDir) -> SqliteJournal {
    SqliteJournal::open(&data.path().join("journal.sqlite3")).expect("a journal")
}

/// What a write may suffer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    /// It never happened.
    Lost,
    /// It happened, and the caller was not told.
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
                // The submitter was not told that it was accepted, so it is sent again.
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
                let delivery = now(orchestrator.journal().delivery(&id)).expect("readable");
                delivery.is_some_and(|delivery| delivery.state == DeliveryState::Delivered)
            })
            .await;
            let entry = orchestrator
                .journal()
                .get(&id)
                .await
                .expect("readable")
                .expect("known");
            let result = entry.parsed_result().expect("readable").expect("ended");
            assert_eq!(result.status, OrderStatus::Completed, "{write:?} {fault:?}");
            let events = orchestrator.journal().events(&id, 0, 100).await;
            let events = events.expect("readable").expect("known");
            let ends = events
                .iter()
                .filter(|event| event.kind == EventKind::Finished)
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
    let journal = open(data);
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
