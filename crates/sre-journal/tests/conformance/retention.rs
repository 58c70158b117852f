//! Purging, and what the rest needs.

use std::time::Duration;

use sre_core::{BlobDigest, InvocationDigest, SkillDigest};
use sre_journal::{
    Accepted, AcquirePolicy, DeliveryOutcome, GcRoot, Journal, LogSize, Purged, RetentionPolicy,
    WithoutReceipt,
};

use crate::support::{Hands, Storage, accept, finish, id, manifest, new_order, open, result};

const DAY: Duration = Duration::from_secs(86_400);

async fn purge(journal: &dyn Journal, without_receipt: WithoutReceipt) -> Purged {
    let policy = RetentionPolicy {
        age: DAY,
        verdicts_age: 10 * DAY,
    };
    journal
        .purge(policy, without_receipt)
        .await
        .expect("purged")
}

async fn deliver(journal: &dyn Journal, sequence: i64) {
    let callback = journal.acquire_callback(sequence).await;
    let callback = callback.expect("readable").expect("pending");
    journal
        .delivered(&callback, DeliveryOutcome::Delivered)
        .await
        .expect("recorded");
}

async fn issue(journal: &dyn Journal, sequence: i64) {
    let log = LogSize {
        origin: String::from("a log"),
        entries: 1,
    };
    journal
        .receipts_issued(vec![sequence], log)
        .await
        .expect("recorded");
}

fn pass(hands: &Hands, days: u32) {
    hands.pass(days * DAY + Duration::from_secs(1));
}

pub async fn a_purged_order_is_gone_and_its_id_stays_reserved(storage: &dyn Storage) {
    let (journal, hands) = open(storage);
    let sequence = finish(&*journal, new_order("old", "x")).await;
    deliver(&*journal, sequence).await;
    issue(&*journal, sequence).await;
    pass(&hands, 1);
    finish(&*journal, new_order("new", "x")).await;
    assert_eq!(purge(&*journal, WithoutReceipt::Keep).await.orders, 1);

    let old = id("old");
    assert!(journal.get(&old).await.expect("readable").is_none());
    assert_eq!(journal.sequence(&old).await.expect("readable"), None);
    assert_eq!(journal.events(&old, 0, 10).await.expect("readable"), None);
    assert!(journal.is_known(&old).await.expect("readable"));
    assert_eq!(
        journal.purged(&old).await.expect("readable").as_deref(),
        Some("x")
    );
    assert_eq!(journal.purged(&id("new")).await.expect("readable"), None);
    let again = journal
        .accept(new_order("old", "x"), AcquirePolicy::Always)
        .await;
    assert!(matches!(again, Ok(Accepted::Reserved)), "{again:?}");
    assert_eq!(
        journal.coverage().await.expect("readable").receipts,
        1,
        "sums stay"
    );
}

pub async fn an_order_is_kept_while_its_callback_or_receipt_is_due(storage: &dyn Storage) {
    let (journal, hands) = open(storage);
    let pending = finish(&*journal, new_order("pending", "x")).await;
    issue(&*journal, pending).await;
    let unissued = finish(&*journal, new_order("unissued", "x")).await;
    deliver(&*journal, unissued).await;
    let mut awaited = new_order("awaited", "x");
    awaited.verdicts_required = 1;
    let awaited = finish(&*journal, awaited).await;
    issue(&*journal, awaited).await;
    pass(&hands, 2);
    let purged = purge(&*journal, WithoutReceipt::Keep).await;
    assert_eq!((purged.orders, purged.without_receipt), (0, 1));
    let purged = purge(&*journal, WithoutReceipt::Purge).await;
    assert_eq!(
        (purged.orders, purged.without_receipt),
        (1, 0),
        "receipts are not issued here"
    );
    pass(&hands, 9);
    let purged = purge(&*journal, WithoutReceipt::Keep).await;
    assert_eq!((purged.orders, purged.never_final), (1, 1));
    let never_final = &purged.never_final_orders[0];
    assert_eq!(never_final.order_id, "awaited");
    assert!(never_final.callback_dropped && !never_final.finality.is_final);
    deliver(&*journal, pending).await;
    assert_eq!(purge(&*journal, WithoutReceipt::Keep).await.orders, 1);
}

pub async fn roots_are_what_kept_orders_skills_and_uploads_need(storage: &dyn Storage) {
    let (journal, _) = open(storage);
    assert!(!journal.is_used().await.expect("readable"));
    finish(&*journal, new_order("finished", "x")).await;
    let mut open_order = new_order("open", "x");
    open_order.skill = SkillDigest::of(b"of an open order");
    open_order.invocation = Some(String::from("{}"));
    accept(&*journal, open_order).await;
    let uploaded = SkillDigest::of(b"uploaded");
    journal
        .add_skill(uploaded, &manifest("a"), "x")
        .await
        .expect("recorded");
    let blob = BlobDigest::of(b"a blob");
    for submitter in ["x", "y"] {
        journal
            .record_upload(submitter, vec![(blob, 6)])
            .await
            .expect("recorded");
    }
    let (mut results, mut skills, mut blobs) = (Vec::new(), Vec::new(), Vec::new());
    let mut invocations = Vec::new();
    let mut visit = |root| match root {
        GcRoot::Result(result) => results.push(*result),
        GcRoot::Skill(skill) => skills.push(skill),
        GcRoot::Invocation(invocation) => invocations.push(invocation),
        GcRoot::Blob(blob) => blobs.push(blob),
    };
    journal.each_gc_root(&mut visit).await.expect("readable");
    assert_eq!(results, [result("finished")]);
    skills.sort_unstable_by_key(SkillDigest::to_string);
    let mut expected = [SkillDigest::of(b"of an open order"), uploaded];
    expected.sort_unstable_by_key(SkillDigest::to_string);
    assert_eq!(skills, expected);
    assert_eq!(blobs, [blob]);
    assert_eq!(invocations, [InvocationDigest::of(b"{}")]);
    assert!(journal.is_used().await.expect("readable"));
}
