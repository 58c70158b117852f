//! What readers see of orders.

use sre_core::SkillDigest;
use sre_journal::{Accepted, AcquirePolicy, EventKind, OrderFilter, OrderState};

use crate::support::{
    Storage, accept, acquire_only, entry, events, finish, id, new_order, open, result,
};

pub async fn an_order_is_shown_with_its_invocation_while_open_and_when_finished(
    storage: &dyn Storage,
) {
    let (journal, _) = open(storage);
    assert!(!journal.is_known(&id("order")).await.expect("readable"));
    let invocation = Some(String::from(r#"{"entry":"main.py"}"#));
    let mut order = new_order("order", "x");
    order.invocation.clone_from(&invocation);
    let accepted = accept(&*journal, order).await;
    let shown = entry(&*journal, "order").await;
    assert_eq!(
        (shown.sequence, shown.state, &shown.invocation, shown.skill),
        (
            accepted.sequence,
            OrderState::Queued,
            &invocation,
            SkillDigest::of(b"a skill")
        )
    );
    assert_eq!(
        (accepted.accepted_at, accepted.invocation),
        (shown.accepted_at, shown.invocation)
    );

    let lease = acquire_only(&*journal).await.lease;
    let running = entry(&*journal, "order").await;
    assert_eq!((running.state, running.attempts), (OrderState::Running, 1));
    assert_eq!(
        journal
            .count_by_state()
            .await
            .expect("readable")
            .get("running"),
        Some(&1)
    );
    journal
        .finish(lease, &result("order"))
        .await
        .expect("recorded");
    let shown = entry(&*journal, "order").await;
    assert_eq!(
        (shown.state, &shown.invocation),
        (OrderState::Finished, &invocation)
    );
    assert_eq!(
        shown.parsed_result().expect("readable"),
        Some(result("order"))
    );
    assert!(journal.is_known(&id("order")).await.expect("readable"));
}

pub async fn lists_are_filtered_and_paged_newest_first(storage: &dyn Storage) {
    let (journal, _) = open(storage);
    for n in 0..4 {
        let submitter = if n % 2 == 0 { "even" } else { "odd" };
        finish(&*journal, new_order(&format!("finished-{n}"), submitter)).await;
    }
    let mut other = new_order("waiting", "even");
    other.skill = SkillDigest::of(b"another skill");
    accept(&*journal, other).await;
    let running = journal
        .accept(new_order("running", "odd"), AcquirePolicy::IfNew)
        .await;
    assert!(matches!(running, Ok(Accepted::New { .. })), "{running:?}");

    let list = async |filter: OrderFilter, limit| {
        let orders = journal.list(&filter, limit).await.expect("readable");
        let ids: Vec<String> = orders.iter().map(|order| order.order_id.clone()).collect();
        (ids.join(" "), orders.last().map(|order| order.sequence))
    };
    let all = OrderFilter::default();
    let (newest, last) = list(all.clone(), 3).await;
    assert_eq!(newest, "running waiting finished-3");
    let rest = OrderFilter {
        before: last,
        ..all.clone()
    };
    assert_eq!(list(rest, 10).await.0, "finished-2 finished-1 finished-0");
    for (status, submitter, expected) in [
        (Some("queued"), None, "waiting"),
        (Some("running"), None, "running"),
        (Some("failed"), Some("odd"), "finished-3 finished-1"),
        (Some("completed"), None, ""),
        (None, Some("even"), "waiting finished-2 finished-0"),
    ] {
        let filter = OrderFilter {
            status: status.map(str::to_owned),
            submitter: submitter.map(str::to_owned),
            ..all.clone()
        };
        assert_eq!(list(filter, 10).await.0, expected);
    }
    let of_skill = OrderFilter {
        skill: Some(SkillDigest::of(b"another skill")),
        ..all
    };
    assert_eq!(list(of_skill, 10).await.0, "waiting");
}

pub async fn events_are_numbered_without_gaps(storage: &dyn Storage) {
    let (journal, _) = open(storage);
    finish(&*journal, new_order("order", "x")).await;
    let all = events(&*journal, "order").await;
    let numbers: Vec<u64> = all.iter().map(|event| event.number).collect();
    assert_eq!(numbers, [1, 2, 3]);
    let last = journal.events(&id("order"), 2, 10).await;
    let last = last.expect("readable").expect("known");
    assert_eq!(last, all[2..]);
    assert_eq!(last[0].kind, EventKind::Finished);
    assert_eq!(last[0].detail.as_deref(), Some("failed"));
    let unknown = journal.events(&id("unknown"), 0, 10).await;
    assert_eq!(unknown.expect("readable"), None);
}
