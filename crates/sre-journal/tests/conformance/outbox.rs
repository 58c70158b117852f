//! Callbacks.

use std::time::Duration;

use sre_journal::{DeliveryOutcome, DeliverySlots, DeliveryState, Journal, Outgoing};

use crate::support::{Storage, finish, id, new_order, open, result};

async fn due(journal: &dyn Journal) -> Vec<Outgoing> {
    journal
        .acquire_callbacks(DeliverySlots::new(100))
        .await
        .expect("callbacks")
}

fn ids(callbacks: &[Outgoing]) -> Vec<&str> {
    callbacks
        .iter()
        .map(|callback| &*callback.order_id)
        .collect()
}

pub async fn each_callback_is_delivered_once_and_submitters_take_turns(storage: &dyn Storage) {
    let (journal, _) = open(storage);
    for n in 0..3 {
        finish(&*journal, new_order(&format!("a{n}"), "a")).await;
    }
    finish(&*journal, new_order("b0", "b")).await;
    let mut silent = new_order("c0", "c");
    silent.callback_url = None;
    finish(&*journal, silent).await;
    assert_eq!(journal.pending_callbacks().await.expect("readable"), 4);
    let callbacks = due(&*journal).await;
    assert_eq!(ids(&callbacks), ["a0", "b0", "a1", "a2"]);
    assert!(due(&*journal).await.is_empty(), "each once");

    let first = &callbacks[0];
    assert_eq!(serde_json::from_str(&first.body).ok(), Some(result("a0")));
    assert_eq!(
        (first.host.as_str(), first.attempt),
        ("https://example.org", 1)
    );
    journal
        .delivered(first, DeliveryOutcome::Delivered)
        .await
        .expect("recorded");
    let delivery = journal.delivery(&id("a0")).await;
    let delivery = delivery.expect("readable").expect("it has one");
    assert_eq!(
        (delivery.state, delivery.attempts, delivery.next_attempt_at),
        (DeliveryState::Delivered, 1, None)
    );
    let none = journal.delivery(&id("c0")).await.expect("readable");
    assert_eq!(none, None);
    assert_eq!(journal.pending_callbacks().await.expect("readable"), 3);
}

pub async fn a_delivery_under_an_old_token_records_nothing(storage: &dyn Storage) {
    let (journal, _) = open(storage);
    let sequence = finish(&*journal, new_order("order", "x")).await;
    let old = journal.acquire_callback(sequence).await;
    let old = old.expect("readable").expect("pending");
    let none = journal.acquire_callback(sequence).await;
    assert!(none.expect("readable").is_none(), "it is being delivered");
    // Asked for again while it is being delivered.
    let again = journal.redeliver(&id("order")).await;
    assert_eq!(
        again.expect("recorded").map(|delivery| delivery.state),
        Some(DeliveryState::Pending)
    );
    let gone = DeliveryOutcome::Refused(String::from("410"));
    journal.delivered(&old, gone).await.expect("recorded");
    let new = due(&*journal).await;
    assert_eq!(ids(&new), ["order"]);
    assert_eq!(new[0].message_id, old.message_id, "it is the same message");
}

pub async fn a_callback_that_failed_is_due_after_its_pause(storage: &dyn Storage) {
    let (journal, hands) = open(storage);
    finish(&*journal, new_order("order", "x")).await;
    let first = due(&*journal).await.remove(0);
    let later = DeliveryOutcome::Later {
        pause_ms: 5000,
        error: String::from("503"),
    };
    journal.delivered(&first, later).await.expect("recorded");
    let delivery = journal.delivery(&id("order")).await;
    let delivery = delivery.expect("readable").expect("it has one");
    assert_eq!(delivery.last_error.as_deref(), Some("503"));
    assert!(due(&*journal).await.is_empty());
    hands.pass(Duration::from_secs(5));
    let second = due(&*journal).await.remove(0);
    assert_eq!(second.attempt, 2);
    let given_up = DeliveryOutcome::GivenUp(String::from("503"));
    journal
        .delivered(&second, given_up)
        .await
        .expect("recorded");
    hands.pass(Duration::from_secs(500));
    assert!(due(&*journal).await.is_empty());
}
