//! Every write of an order's life, lost or not reported, after which the process is gone.

use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use sre_core::Backend;
use sre_journal::{
    Accepted, AcquirePolicy, Backoff, DeliveryOutcome, DeliverySlots, DeliveryState, EventKind,
    Journal, Retry,
};

use crate::support::{Hands, Storage, events, id, new_order, result};

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
    Acquire,
    Retry,
    Verifying,
    Finish,
    AcquireCallback,
    Delivered,
}

const WRITES: [Write; 7] = [
    Write::Accept,
    Write::Acquire,
    Write::Retry,
    Write::Verifying,
    Write::Finish,
    Write::AcquireCallback,
    Write::Delivered,
];

/// The next process finishes the order, once, and delivers its callback, unless the first one is
/// known to have done so.
pub async fn no_fault_of_a_write_loses_an_order_or_does_it_twice(storage: &dyn Storage) {
    for fault in [Fault::Lost, Fault::Unreported] {
        for write in WRITES {
            let name = format!("{write:?}-{fault:?}");
            let hands = Hands::new();
            live_until(&*storage.open(hands.clocks()), &name, write, fault).await;

            let journal = storage.open(hands.clocks());
            let deliveries = go_on(&journal, &hands, &name).await;
            let ends = events(&*journal, &name).await;
            let ends = ends
                .iter()
                .filter(|event| event.kind == EventKind::Finished);
            assert_eq!(ends.count(), 1, "{name}");
            let was_recorded = (write, fault) == (Write::Delivered, Fault::Unreported);
            assert_eq!(deliveries, usize::from(!was_recorded), "{name}");
            let delivery = journal.delivery(&id(&name)).await.expect("readable");
            assert_eq!(
                delivery.map(|delivery| delivery.state),
                Some(DeliveryState::Delivered),
                "{name}"
            );
        }
    }
}

/// Leads an order through its life, up to the write that fails.
async fn live_until(journal: &dyn Journal, name: &str, last: Write, fault: Fault) {
    // Polled once, a write is queued; the process that dies afterwards does not learn its outcome.
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
    let mut order = new_order(name, "x");
    order.max_retries = 3;
    step!(Write::Accept, journal.accept(order, AcquirePolicy::Never));
    let mut acquired = step!(Write::Acquire, journal.acquire(Backend::Wasm, 1, ""));
    let lease = acquired.remove(0).lease;
    let sequence = lease.sequence();
    let retry = Retry {
        pause: Duration::ZERO,
        reason: String::from("a failure"),
    };
    step!(Write::Retry, journal.retry(lease, retry));
    let again = journal.acquire_one(sequence).await.expect("readable");
    let lease = again.expect("free").lease;
    step!(Write::Verifying, journal.record_verifying(&lease));
    step!(Write::Finish, journal.finish(lease, &result(name)));
    let callback = step!(Write::AcquireCallback, journal.acquire_callback(sequence));
    let callback = callback.expect("pending");
    step!(
        Write::Delivered,
        journal.delivered(&callback, DeliveryOutcome::Delivered)
    );
}

/// What a worker does after a start, without knowing what happened before; how many callbacks it
/// delivered.
async fn go_on(journal: &Arc<dyn Journal>, hands: &Hands, name: &str) -> usize {
    journal
        .recover(Backoff::default(), 0.0)
        .await
        .expect("recovered");
    // The caller of an acceptance that was not answered submits again.
    let mut order = new_order(name, "x");
    order.max_retries = 3;
    let again = journal.accept(order, AcquirePolicy::Never).await;
    assert!(
        matches!(
            again,
            Ok(Accepted::New { .. } | Accepted::Open { .. } | Accepted::Finished { .. })
        ),
        "{name}: {again:?}"
    );
    hands.pass(Duration::from_secs(30));
    let acquired = journal.acquire(Backend::Wasm, 10, "").await;
    for order in acquired.expect("readable") {
        journal
            .finish(order.lease, &result(name))
            .await
            .expect("recorded");
    }
    let callbacks = journal.acquire_callbacks(DeliverySlots::new(10)).await;
    let callbacks = callbacks.expect("readable");
    for callback in &callbacks {
        journal
            .delivered(callback, DeliveryOutcome::Delivered)
            .await
            .expect("recorded");
    }
    callbacks.len()
}
