//! Waiting, and clocks that are set.

use std::time::Duration;

use sre_core::{ErrorCode, OrderStatus};
use sre_journal::{DeliverySlots, Retry};

use crate::support::{
    Storage, accept, acquire, acquire_only, ended, ends_with, ids, new_order, open,
};

const DAY_MS: i64 = 86_400_000;

pub async fn an_order_that_waits_too_long_ends_and_one_that_runs_does_not(storage: &dyn Storage) {
    let (journal, hands) = open(storage);
    accept(&*journal, new_order("runs", "x")).await;
    let running = acquire_only(&*journal).await;
    accept(&*journal, new_order("waits", "x")).await;
    hands.pass(Duration::from_secs(60));
    assert_eq!(journal.expire(10).await.expect("expired"), 0, "not yet");
    hands.pass(Duration::from_secs(1));
    assert_eq!(journal.expire(10).await.expect("expired"), 1);
    let result = ended(&*journal, "waits").await;
    assert!(
        ends_with(&result, OrderStatus::Timeout, ErrorCode::QueueTimeout),
        "{result:?}"
    );
    assert_eq!(result.execution_time_ms, 61_000);
    assert_eq!(journal.expire(10).await.expect("expired"), 0);
    assert_eq!(journal.open_orders(), 1);
    let callbacks = journal.acquire_callbacks(DeliverySlots::new(10)).await;
    assert_eq!(callbacks.expect("callbacks").len(), 1);
    drop(running);
}

pub async fn a_wall_clock_that_jumps_ahead_ends_no_waiting_order(storage: &dyn Storage) {
    let (journal, hands) = open(storage);
    accept(&*journal, new_order("order", "x")).await;
    hands.pass(Duration::from_secs(1));
    hands.jump(DAY_MS);
    journal.tick().await.expect("a tick");
    assert_eq!(journal.expire(10).await.expect("expired"), 0);
    let acquired = acquire_only(&*journal).await;
    assert_eq!(acquired.queued_ms, 1000);
    assert_eq!(
        journal.since_accepted(&acquired.lease),
        Duration::from_secs(1)
    );
}

pub async fn a_wall_clock_that_jumps_back_keeps_no_order_waiting(storage: &dyn Storage) {
    let (journal, hands) = open(storage);
    accept(&*journal, new_order("order", "x")).await;
    hands.jump(-DAY_MS);
    hands.pass(Duration::from_secs(61));
    assert_eq!(journal.expire(10).await.expect("expired"), 1);
}

pub async fn a_wall_clock_that_jumps_back_delays_no_retry(storage: &dyn Storage) {
    let (journal, hands) = open(storage);
    accept(&*journal, new_order("order", "x")).await;
    let lease = acquire_only(&*journal).await.lease;
    let retry = Retry {
        pause: Duration::from_secs(5),
        reason: String::from("a failure"),
    };
    journal.retry(lease, retry).await.expect("recorded");
    journal.tick().await.expect("a tick");
    assert!(acquire(&*journal, 1, "").await.is_empty(), "it is not due");
    hands.jump(-DAY_MS);
    journal.tick().await.expect("a tick");
    assert_eq!(ids(&acquire(&*journal, 1, "").await), ["order"]);
}
