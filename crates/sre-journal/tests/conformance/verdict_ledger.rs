//! Verdicts of others.

use jiff::Timestamp;
use sre_core::{Digest, Verdict};
use sre_journal::{Coverage, DeliverySlots, Finality, Journal, NewVerdict, VerdictStanding};

use crate::support::{Storage, entry, finish, id, new_order, open};

async fn say(journal: &dyn Journal, sequence: i64, key: u8, verdict: Verdict) -> VerdictStanding {
    let digest = Digest::of(&[key]);
    let standing = journal.standing(sequence, digest, verdict).await;
    let new = NewVerdict {
        sequence,
        key: digest,
        verdict,
        checked_at: Timestamp::UNIX_EPOCH,
        digest,
    };
    let recorded = journal.record_verdict(new).await.expect("recorded");
    assert_eq!(standing.expect("readable"), recorded);
    recorded
}

async fn callbacks(journal: &dyn Journal) -> Vec<String> {
    let callbacks = journal.acquire_callbacks(DeliverySlots::new(10)).await;
    let callbacks = callbacks.expect("callbacks");
    callbacks
        .into_iter()
        .map(|callback| callback.body)
        .collect()
}

pub async fn an_inconclusive_check_counts_until_another_decides(storage: &dyn Storage) {
    let (journal, _) = open(storage);
    let sequence = finish(&*journal, new_order("order", "x")).await;
    for (key, says, expected) in [
        (1, Verdict::Unavailable, [1, 0, 0, 1]),
        (2, Verdict::Unanchored, [1, 0, 0, 1]),
        (1, Verdict::Matched, [1, 1, 0, 0]),
        (2, Verdict::Unverifiable, [1, 1, 0, 0]),
        (2, Verdict::Diverged, [1, 1, 1, 0]),
    ] {
        assert_eq!(
            say(&*journal, sequence, key, says).await,
            VerdictStanding::New
        );
        let Coverage {
            checked,
            matched,
            disputed,
            inconclusive,
            ..
        } = journal.coverage().await.expect("readable");
        assert_eq!(
            [checked, matched, disputed, inconclusive],
            expected,
            "after {says}"
        );
    }
    let verdicts = journal.verdicts(&id("order")).await.expect("readable");
    assert_eq!(verdicts.len(), 5);
    assert_eq!(verdicts[0].verdict, "unavailable");
}

pub async fn an_order_is_final_with_enough_keys_and_its_callback_waits_for_that(
    storage: &dyn Storage,
) {
    let (journal, _) = open(storage);
    let mut order = new_order("order", "x");
    order.verdicts_required = 2;
    let sequence = finish(&*journal, order).await;
    let held = journal.acquire_callback(sequence).await;
    assert!(held.expect("readable").is_none(), "it waits for verdicts");
    for key in [1, 1] {
        say(&*journal, sequence, key, Verdict::Matched).await;
    }
    assert!(
        callbacks(&*journal).await.is_empty(),
        "one key twice is one key"
    );
    let finality = entry(&*journal, "order").await.finality;
    let finality = finality.expect("it needs verdicts");
    assert_eq!((finality.matched, finality.is_final), (1, false));

    say(&*journal, sequence, 2, Verdict::Matched).await;
    let bodies = callbacks(&*journal).await;
    let body: serde_json::Value = serde_json::from_str(&bodies[0]).expect("JSON");
    let shown: Finality = serde_json::from_value(body["finality"].clone()).expect("finality");
    assert!(shown.is_final && shown.final_at.is_some());
    // What comes later is shown and changes no end.
    say(&*journal, sequence, 2, Verdict::Diverged).await;
    let finality = entry(&*journal, "order").await.finality;
    let finality = finality.expect("it needs verdicts");
    assert_eq!(
        (finality.matched, finality.disputed, finality.is_final),
        (1, 1, true)
    );
}

pub async fn a_dispute_makes_a_held_callback_due(storage: &dyn Storage) {
    let (journal, _) = open(storage);
    let mut order = new_order("order", "x");
    order.verdicts_required = 2;
    let sequence = finish(&*journal, order).await;
    say(&*journal, sequence, 1, Verdict::HashOnly).await;
    assert!(callbacks(&*journal).await.is_empty());
    say(&*journal, sequence, 1, Verdict::Tampered).await;
    assert_eq!(callbacks(&*journal).await.len(), 1);
}

pub async fn a_key_is_heard_a_limited_number_of_times(storage: &dyn Storage) {
    let (journal, _) = open(storage);
    let sequence = finish(&*journal, new_order("order", "x")).await;
    assert_eq!(
        say(&*journal, sequence, 1, Verdict::Matched).await,
        VerdictStanding::New
    );
    assert_eq!(
        say(&*journal, sequence, 1, Verdict::Matched).await,
        VerdictStanding::Known
    );
    let alternating = [Verdict::Diverged, Verdict::Matched].into_iter().cycle();
    let mut kept = 1;
    for verdict in alternating.take(100) {
        match say(&*journal, sequence, 1, verdict).await {
            VerdictStanding::New => kept += 1,
            VerdictStanding::TooMany => break,
            VerdictStanding::Known => panic!("it says something else"),
        }
    }
    assert_eq!(kept, 8);
    let verdicts = journal.verdicts(&id("order")).await.expect("readable");
    assert_eq!(verdicts.len(), 8);
    assert_eq!(
        say(&*journal, sequence, 2, Verdict::Matched).await,
        VerdictStanding::New,
        "another key"
    );
}
