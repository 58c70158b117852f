//! Receipts that are due.

use std::time::Duration;

use sre_journal::{LogSize, ReceiptsDue};

use crate::support::{Storage, accept, finish, id, new_order, open, result};

fn log(entries: u64) -> LogSize {
    LogSize {
        origin: String::from("a log"),
        entries,
    }
}

pub async fn receipts_are_due_in_batches_limited_by_orders_and_by_bytes(storage: &dyn Storage) {
    let (journal, _) = open(storage);
    for id in ["a", "b", "c"] {
        finish(&*journal, new_order(id, "x")).await;
    }
    accept(&*journal, new_order("open", "x")).await;
    let due = async |limit_orders, limit_bytes| {
        let due = journal.due_receipts(limit_orders, limit_bytes).await;
        let due = due.expect("readable");
        let ids: Vec<String> = due.orders.into_iter().map(|order| order.order_id).collect();
        (ids.concat(), due.has_more)
    };
    assert_eq!(due(10, usize::MAX).await, (String::from("abc"), false));
    assert_eq!(due(2, usize::MAX).await, (String::from("ab"), true));
    assert_eq!(
        due(10, 1).await,
        (String::from("a"), true),
        "one that is larger than the limit comes alone"
    );
    let none = journal.due_receipt(&id("open")).await.expect("readable");
    assert!(none.is_none());
}

pub async fn an_issued_receipt_is_counted_once_and_a_failed_one_is_due_later(
    storage: &dyn Storage,
) {
    let (journal, hands) = open(storage);
    let issued = finish(&*journal, new_order("issued", "x")).await;
    let failed = finish(&*journal, new_order("failed", "x")).await;
    for entries in [1, 1] {
        journal
            .receipts_issued(vec![issued], log(entries))
            .await
            .expect("recorded");
    }
    assert_eq!(journal.coverage().await.expect("readable").receipts, 1);
    journal
        .receipt_failed(failed, Duration::from_secs(5), String::from("a failure"))
        .await
        .expect("recorded");
    let count = journal.count_receipts_due().await.expect("readable");
    assert_eq!(
        count,
        ReceiptsDue {
            waiting: 1,
            failing: 1
        }
    );
    let due = async || {
        let due = journal.due_receipts(10, usize::MAX).await;
        due.expect("readable").orders
    };
    assert!(due().await.is_empty());
    hands.pass(Duration::from_secs(5));
    let again = due().await.remove(0);
    assert_eq!((again.sequence, again.attempt), (failed, 1));
    assert_eq!(again.result().expect("readable"), result("failed"));
    // The receipt of an order that has one can be asked for.
    let one = journal.due_receipt(&id("issued")).await.expect("readable");
    assert_eq!(one.map(|order| order.sequence), Some(issued));
}

pub async fn the_recorded_log_size_never_shrinks(storage: &dyn Storage) {
    let (journal, _) = open(storage);
    let mark = async |origin| {
        let mark = journal.log_high_water_mark(origin).await;
        mark.expect("readable")
    };
    assert_eq!(mark("a log").await, 0);
    for (entries, expected) in [(5, 5), (3, 5), (9, 9)] {
        journal
            .record_log_size(log(entries))
            .await
            .expect("recorded");
        assert_eq!(mark("a log").await, expected);
    }
    assert_eq!(mark("another log").await, 0);
}
