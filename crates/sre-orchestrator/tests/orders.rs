//! Orders: once, again, interrupted, refused.

mod support;

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use serde_json::{Map, Value, json};
use sre_core::{Backend, OrderStatus, SandboxConfig, Verdict};
use sre_journal::{OrderReader as _, SqliteJournal};
use sre_orchestrator::{
    AcceptErrorKind, ExecuteError, OrderConfig, Schedule, WorkerOptions, Workers,
};
use sre_skill::LocalPaths;
use support::{Act, House, Receiver, house, house_scheduled, order, package, store_in, until};

#[tokio::test]
async fn the_same_order_again_is_answered_from_the_journal() {
    let house = house(&[Act::Print("1")]);
    let first = house.run(order("twice")).await;
    let second = house.run(order("twice")).await;
    assert_eq!(first, second);
    assert_eq!(
        house.script.executions.load(Ordering::SeqCst),
        2,
        "one execution and one replay in all"
    );

    let mut other = order("twice");
    other.input_data = json!({ "text": "something else" });
    let order = house
        .acceptance
        .accept(other)
        .await
        .expect("acceptable by itself");
    assert!(
        matches!(house.orchestrator.execute(order).await, Err(ExecuteError::Conflict(id)) if id.as_str() == "twice")
    );
}

#[tokio::test]
async fn an_interrupted_order_stays_open_and_runs_again() {
    let house = house(&[Act::Hang, Act::Print("1")]);
    let interrupted = house
        .acceptance
        .accept(order("interrupted"))
        .await
        .expect("an order");
    let run = house.orchestrator.execute(interrupted);
    assert!(
        tokio::time::timeout(Duration::from_millis(50), run)
            .await
            .is_err(),
        "still hanging when dropped"
    );
    let entry = house
        .orchestrator
        .journal()
        .get(&"interrupted".parse().expect("an id"))
        .await
        .expect("a journal");
    assert!(entry.expect("an entry").result.is_none());
    assert_eq!(
        house.run(order("interrupted")).await.status,
        OrderStatus::Completed
    );
}

#[tokio::test]
async fn a_backend_that_panics_fails_the_order_and_nothing_else() {
    let house = house(&[Act::Panic, Act::Print("1")]);
    let result = house.run(order("panic")).await;
    assert_eq!(
        (result.status, result.error_code.as_deref()),
        (OrderStatus::Failed, Some("internal"))
    );
    assert_eq!(
        house.run(order("after")).await.status,
        OrderStatus::Completed
    );
}

#[tokio::test]
async fn a_replay_that_differs_fails_the_order_with_the_verdict() {
    let house = house(&[Act::Print(r#"{"n":1}"#), Act::Print(r#"{"n":2}"#)]);
    let result = house.run(order("liar")).await;
    assert_eq!(
        (result.status, result.error_code.as_deref()),
        (OrderStatus::Failed, Some("verification_failed"))
    );
    let verification = result.verification.expect("a verification");
    assert_eq!(verification.verdict, Verdict::Diverged);
    assert_eq!(
        result.error_message.as_deref(),
        Some(
            "verification diverged: the returned value's canonical JSON differs from byte 5 on, at /n: committed 1, \
             replayed 2; no call can be named, because the calls of a guest of this backend are not seen"
        )
    );
}

#[tokio::test]
async fn a_hint_of_the_author_does_not_switch_the_replay_off_in_webassembly() {
    for annotations in [
        json!({ "idempotentHint": false }),
        json!({ "openWorldHint": true }),
    ] {
        let house = house(&[Act::Print("1"), Act::Print("2")]);
        let mut package = package();
        package["annotations"] = annotations;
        let config = json!({ "order_id": "hinted", "skill_package": package });
        let result = house
            .run(OrderConfig::from_json(config, LocalPaths::Refused).expect("an order"))
            .await;
        assert_eq!(result.status, OrderStatus::Failed);
        assert_eq!(
            result.verification.map(|v| v.verdict),
            Some(Verdict::Diverged)
        );
    }
}

#[tokio::test]
async fn a_result_survives_the_orchestrator() {
    let House {
        orchestrator,
        acceptance,
        data,
        ..
    } = house(&[Act::Print("1")]);
    let accepted = acceptance.accept(order("durable")).await.expect("an order");
    let result = orchestrator.execute(accepted).await.expect("a result");
    drop(orchestrator);
    let journal = SqliteJournal::open(&data.path().join("journal.sqlite3")).expect("the journal");
    let entry = journal
        .get(&result.order_id)
        .await
        .expect("readable")
        .expect("there");
    assert_eq!(entry.parsed_result().expect("readable"), Some(result));
}

#[tokio::test]
#[expect(
    clippy::too_many_lines,
    reason = "one story, told from its beginning to its end"
)]
async fn every_field_is_checked_before_anything_runs() {
    let with = |members: Value| {
        let mut order = json!({ "order_id": "refused", "skill_package": package() });
        let order = order.as_object_mut().expect("an object");
        order.extend(members.as_object().expect("an object").clone());
        Value::Object(order.clone())
    };
    let many: Map<String, Value> = (0..21).map(|n| (format!("field{n}"), json!(n))).collect();
    let sandbox = |config: Value| with(json!({ "sandbox_config": config }));
    let house = house(&[Act::Print("1")]);
    for (order, message) in [
        (with(json!({ "order_id": "../x" })), "an order id is"),
        (with(json!({ "suprise": 1 })), "unknown field `suprise`"),
        (
            with(json!({ "input_data": [] })),
            "input_data: must be a JSON object",
        ),
        (
            with(json!({ "input_data": many })),
            "input_data: has 21 top-level fields, at most 20",
        ),
        (
            with(json!({ "input_data": { "text": "x".repeat(100_000) } })),
            "bytes as canonical JSON, at most 100000",
        ),
        (with(json!({ "input_data": { "text": 5 } })), "at /text"),
        (
            with(json!({ "timeout_seconds": 0 })),
            "timeout_seconds: must be a number of at least 0.001",
        ),
        (
            with(json!({ "timeout_seconds": -1 })),
            "timeout_seconds: must be a number of at least 0.001",
        ),
        (
            with(json!({ "timeout_seconds": 1e300 })),
            "timeout_seconds: is",
        ),
        (
            with(json!({ "max_retries": 11 })),
            "max_retries: at most 10",
        ),
        (
            with(json!({ "max_retries": -1 })),
            "invalid value: integer `-1`",
        ),
        (
            with(json!({ "callback_url": "ftp://x/" })),
            "callback_url: must be an http or https URL",
        ),
        (
            with(json!({ "callback_url": "http://user:secret@x/" })),
            "callback_url: must not contain credentials",
        ),
        (
            with(json!({ "callback_url": "no url" })),
            "callback_url: relative URL",
        ),
        (
            with(json!({ "skill_package": { "path": "/" } })),
            "skill_package:",
        ),
        (with(json!({ "skill_package": 7 })), "skill_package:"),
        (
            sandbox(json!({ "mem_limit": "2g" })),
            "sandbox_config.mem_limit: is 2147483648, at most 1073741824",
        ),
        (
            sandbox(json!({ "mem_limit": "lots" })),
            "a size is a whole number of bytes",
        ),
        (
            sandbox(json!({ "fuel": 0 })),
            "sandbox_config.fuel: must be above 0",
        ),
        (
            sandbox(json!({ "timeout_seconds": 301 })),
            "sandbox_config.timeout_seconds: is 301, at most 300",
        ),
        (
            sandbox(json!({ "network_disabled": false })),
            "sandbox_config.network_disabled",
        ),
        (
            sandbox(json!({ "backend": "docker" })),
            "the docker backend is not available",
        ),
        (
            sandbox(json!({ "clock_start": "2026-01-01T00:00:00.5Z" })),
            "must be in whole seconds",
        ),
        (
            sandbox(json!({ "clock_start": "1969-12-31T23:59:59Z" })),
            "must lie between 1970 and 2499",
        ),
        (
            sandbox(json!({ "random_seed": "abc" })),
            "64 lower-case hexadecimal digits",
        ),
        (sandbox(json!({ "color": "red" })), "unknown field `color`"),
    ] {
        let refused = match OrderConfig::from_json(order.clone(), LocalPaths::Refused) {
            Err(error) => error.to_string(),
            Ok(config) => {
                let error = house.acceptance.accept(config).await.expect_err(message);
                assert_eq!(error.kind(), AcceptErrorKind::BadInput, "{error}");
                error.to_string()
            }
        };
        assert!(
            refused.contains(message),
            "expected {message:?} in {refused:?}"
        );
    }
    assert_eq!(house.script.executions.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn clock_and_seed_default_to_the_order_and_are_bound_when_given() {
    let house = house(&[Act::Print("1")]);
    let accepted = house
        .acceptance
        .accept(order("seeded"))
        .await
        .expect("an order");
    let profile = accepted.profile();
    assert_eq!(profile.random_seed, accepted.order_id().default_seed());
    assert_eq!(profile.clock_start.subsec_nanosecond(), 0);

    let mut config = order("given");
    let clock_start = Some("2020-02-29T12:00:00Z".parse().expect("a time"));
    config.sandbox_config = Some(SandboxConfig {
        clock_start,
        fuel: Some(7),
        ..SandboxConfig::default()
    });
    let given = house.acceptance.accept(config).await.expect("an order");
    assert_eq!(
        (Some(given.profile().clock_start), given.profile().fuel),
        (clock_start, 7)
    );
}

/// An order that waited is acquired from the journal. The outbox is read only when the courier is
/// woken here, so without being woken it would never deliver.
#[tokio::test(flavor = "multi_thread")]
async fn the_end_of_an_order_that_waited_wakes_the_courier() {
    let data = Arc::new(tempfile::tempdir().expect("a data folder"));
    let journal = SqliteJournal::open(&data.path().join("journal.sqlite3")).expect("a journal");
    let store = Arc::new(store_in(&data));
    let never = Schedule::new(Vec::new()).polling_every(Duration::from_secs(1 << 30));
    let acts = [Act::Hang, Act::Print("1")];
    let house = house_scheduled(data, journal, store, &acts, Receiver::Acknowledges, never);
    let options = WorkerOptions {
        concurrency: HashMap::from([(Backend::Wasm, 1)]),
        ..WorkerOptions::default()
    };
    let workers = Workers::start(Arc::clone(&house.orchestrator), options).await;
    let first = house.acceptance.accept(order("first")).await;
    let first = first.expect("an order");
    workers.submit(first, "x").await.expect("accepted");
    let mut config = order("second");
    config.callback_url = Some("https://example.org/hook".parse().expect("a URL"));
    let second = house.acceptance.accept(config).await.expect("an order");
    workers.submit(second, "x").await.expect("accepted");
    until("the first order runs", || {
        house.script.executions.load(Ordering::SeqCst) > 0
    })
    .await;
    let id = "first".parse().expect("an id");
    workers.cancel(&id).await.expect("cancelled");
    until("the callback of the second", || {
        let lines = house.watch.lines();
        lines.iter().any(|line| line.starts_with("deliver("))
    })
    .await;
    workers.shutdown(Duration::from_secs(5)).await;
}
