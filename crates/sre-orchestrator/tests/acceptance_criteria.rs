//! AC-01 to AC-05 of the specification, by name.

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::json;
use sre_core::{CommitStatus, OrderStatus, Verdict};
use sre_orchestrator::OrderConfig;
use sre_skill::LocalPaths;
use support::{Act, Receiver, house, house_with, order, package, until};

/// The module can be used by itself: its parts are put together here without the binary, the
/// service or a real sandbox, and take an order from its JSON to its result in the journal.
#[tokio::test]
async fn ac_01_the_orchestrator_can_be_imported_by_itself() {
    let house = house(&[Act::Print("{}")]);
    let config = json!({ "order_id": "alone", "skill_package": package() });
    let result = house
        .run(OrderConfig::from_json(config, LocalPaths::Refused).expect("an order"))
        .await;
    assert_eq!(
        (result.status, result.output),
        (OrderStatus::Completed, Some(json!({})))
    );
    let kept = house
        .orchestrator
        .journal()
        .get(&result.order_id)
        .await
        .expect("a journal")
        .expect("an entry");
    assert_eq!(
        kept.parsed_result()
            .expect("readable")
            .map(|kept| kept.status),
        Some(OrderStatus::Completed)
    );
}

#[tokio::test]
async fn ac_02_an_order_goes_through_commit_verify_and_callback_in_this_order() {
    let house = house(&[Act::Print(r#"{"answer":42}"#)]);
    let mut config = order("chain");
    config.callback_url = Some("http://receiver.example/hook".parse().expect("a URL"));
    let result = house.run(config).await;

    let commitment = result.commit_result.expect("a commitment").commitment_hash;
    let expected = [
        String::from("commit_result(chain)"),
        format!("verify_result({commitment})"),
        String::from("deliver(http://receiver.example/hook, completed)"),
    ];
    assert_eq!(house.watch.lines(), expected);
    assert_eq!(
        house.script.executions.load(Ordering::SeqCst),
        2,
        "executed once and replayed once"
    );
}

#[tokio::test]
async fn ac_03_the_configuration_is_read_with_its_defaults_and_obeyed() {
    let config = json!({ "order_id": "defaults", "skill_package": package() });
    let config = OrderConfig::from_json(config, LocalPaths::Refused).expect("an order");
    assert_eq!(config.timeout_seconds, 300.0);
    assert_eq!((config.max_retries, config.retry_on_timeout), (0, false));
    assert!(config.callback_url.is_none() && config.sandbox_config.is_none());
    assert_eq!(config.input_data, json!({}));

    // Retries: two failures that may pass, then success.
    let stumbling = house(&[Act::Unavailable, Act::Unavailable, Act::Print("1")]);
    let mut config = order("retries");
    config.max_retries = 2;
    let result = stumbling.run(config).await;
    assert_eq!(
        (result.status, result.attempts),
        (OrderStatus::Completed, 3)
    );
    // One retry too few.
    let stumbling = house(&[Act::Unavailable, Act::Unavailable, Act::Print("1")]);
    let mut config = order("too-few");
    config.max_retries = 1;
    let result = stumbling.run(config).await;
    assert_eq!((result.status, result.attempts), (OrderStatus::Failed, 2));
    assert_eq!(result.error_code.as_deref(), Some("sandbox_unavailable"));

    // Timeout: the guest is stopped, and not tried again unless the order asks for it.
    let hanging = house(&[Act::Hang]);
    let mut config = order("timeout");
    config.timeout_seconds = 0.05;
    config.max_retries = 3;
    let result = hanging.run(config).await;
    assert_eq!((result.status, result.attempts), (OrderStatus::Timeout, 1));
    assert_eq!(result.error_code.as_deref(), Some("timeout"));
    until("the guest is stopped", || {
        hanging.script.stopped.load(Ordering::SeqCst) > 0
    })
    .await;
    let slow_once = house(&[Act::TimeOut, Act::Print("1")]);
    let mut config = order("timeout-retried");
    config.max_retries = 1;
    config.retry_on_timeout = true;
    let result = slow_once.run(config).await;
    assert_eq!(
        (result.status, result.attempts),
        (OrderStatus::Completed, 2)
    );
}

#[tokio::test]
async fn ac_04_the_result_tells_everything_about_the_execution() {
    let house = house(&[Act::Print(r#"{ "b": 1.0, "a": [] }"#)]);
    let result = house.run(order("complete")).await;
    assert_eq!(result.order_id.as_str(), "complete");
    assert_eq!(
        (result.status, result.attempts),
        (OrderStatus::Completed, 1)
    );
    assert_eq!(result.output, Some(json!({ "a": [], "b": 1.0 })));
    assert_eq!(
        (result.error_message.as_ref(), result.error_code.as_ref()),
        (None, None)
    );
    assert_eq!(result.logs, "a log line\n");
    let commit = result.commit_result.as_ref().expect("a commitment");
    let hash = commit.result_hash.expect("a result");
    // SHA-256 of {"a":[],"b":1}, computed elsewhere.
    assert_eq!(
        hash.to_string(),
        "1c8f8816506a8ccbc55140d8a7bb70214a8942c7030fc0fc2914cec675cd1c15"
    );
    assert_eq!(
        commit.result_uri.as_deref(),
        Some(&*format!("da:sha256:{hash}"))
    );
    assert_eq!(commit.status, CommitStatus::Success);
    let verification = result.verification.as_ref().expect("a verification");
    assert_eq!(
        (verification.is_valid, verification.verdict),
        (true, Verdict::Matched)
    );
    assert_eq!(
        verification.actual_hash.as_deref(),
        Some(&*verification.expected_hash)
    );

    let fields = serde_json::to_value(&result).expect("JSON");
    for name in [
        "order_id",
        "status",
        "commit_result",
        "verification",
        "execution_time_ms",
        "error_message",
        "output",
        "attempts",
        "logs",
        "error_code",
    ] {
        assert!(fields.get(name).is_some(), "{name}");
    }
    let stored = house
        .orchestrator
        .journal()
        .get(&result.order_id)
        .await
        .expect("a journal")
        .expect("an entry");
    assert_eq!(stored.parsed_result().expect("readable"), Some(result));
}

#[tokio::test]
async fn ac_05_failures_reach_the_callbacks_and_change_nothing_when_those_break() {
    for receiver in [Receiver::Acknowledges, Receiver::Refuses, Receiver::Panics] {
        let house = house_with(&[Act::Exit(3)], receiver);
        let calls = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&calls);
        house
            .orchestrator
            .register_failure_callback(|_| panic!("a listener breaks"));
        house.orchestrator.register_failure_callback(move |result| {
            assert_eq!(result.error_code.as_deref(), Some("skill_exited"));
            counted.fetch_add(1, Ordering::SeqCst);
        });
        let mut config = order("failing");
        config.callback_url = Some("http://receiver.example/".parse().expect("a URL"));
        let result = house.run(config).await;
        assert_eq!(result.status, OrderStatus::Failed);
        assert_eq!(
            result.error_message.as_deref(),
            Some("the skill exited with code 3")
        );
        // A failure of the skill is committed and replayed like a success.
        assert_eq!(
            result.verification.map(|v| v.verdict),
            Some(Verdict::Matched)
        );
        assert_eq!(calls.load(Ordering::SeqCst), 1);
        assert_eq!(
            house.watch.lines().last().map(String::as_str),
            Some("deliver(http://receiver.example/, failed)")
        );

        house.orchestrator.clear_failure_callbacks();
        house.run(order("failing-again")).await;
        assert_eq!(calls.load(Ordering::SeqCst), 1);
    }
}
