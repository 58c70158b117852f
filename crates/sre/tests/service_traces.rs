//! Traces: what a real receiver of OTLP over HTTP gets, and what receivers of callbacks are told.

mod common;

use common::Home;
use common::service::{Receiver, Service, eventually, status, until};
use reqwest::Method;
use serde_json::{Value, json};

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const PARENT: &str = "00f067aa0ba902b7";

/// Every span that the collector was sent, each with the resource it came from.
fn spans(collector: &Receiver) -> Vec<Value> {
    let mut spans = Vec::new();
    for request in collector.all() {
        assert_eq!(request.headers["content-type"], "application/json");
        let request: Value = serde_json::from_slice(&request.body).expect("JSON");
        for resource in request["resourceSpans"].as_array().expect("resources") {
            assert_eq!(
                resource["resource"]["attributes"][0]["value"]["stringValue"],
                "test-service"
            );
            for scope in resource["scopeSpans"].as_array().expect("scopes") {
                spans.extend(scope["spans"].as_array().expect("spans").iter().cloned());
            }
        }
    }
    spans
}

fn attribute<'a>(span: &'a Value, name: &str) -> Option<&'a str> {
    let all = span["attributes"].as_array()?;
    all.iter().find(|one| one["key"] == name)?["value"]["stringValue"].as_str()
}

/// The spans of this name within a trace.
fn named(spans: &[Value], trace: &str, name: &str) -> Vec<Value> {
    spans
        .iter()
        .filter(|span| span["traceId"] == trace && span["name"] == name)
        .cloned()
        .collect()
}

fn only(spans: &[Value], trace: &str, name: &str) -> Value {
    let found = named(spans, trace, name);
    assert_eq!(found.len(), 1, "{name}: {found:?}");
    found[0].clone()
}

async fn submit(service: &Service, order: &Value, traceparent: &str) {
    let request = service
        .request(Method::POST, "/v1/orders?wait=60")
        .header("traceparent", traceparent)
        .json(order);
    let answer = request.send().await.expect("an answer");
    assert!(answer.status().is_success(), "{:?}", answer.text().await);
}

#[tokio::test]
#[expect(
    clippy::too_many_lines,
    reason = "one trace, told from its first span to its last"
)]
async fn one_trace_leads_from_the_submitter_to_the_receiver_of_the_callback() {
    let home = Home::new();
    let (collector, receiver) = (
        Receiver::start(|_| status("200 OK")),
        Receiver::acknowledging(),
    );
    let [networks, ports] = receiver.settings();
    let endpoint = format!("telemetry.traces_endpoint={}", collector.url());
    let mut command = home.command();
    command.env(
        "OTEL_EXPORTER_OTLP_HEADERS",
        "authorization=Bearer%20very-secret",
    );
    let service = Service::start_as(
        command,
        &[
            &endpoint,
            &networks,
            &ports,
            "telemetry.service_name=test-service",
        ],
    );
    let skill = service.upload("returns_1").await;
    let order = |id: &str, skill: &str| json!({ "order_id": id, "skill_package": { "digest": skill }, "callback_url": receiver.url() });
    submit(
        &service,
        &order("traced", &skill),
        &format!("00-{TRACE}-{PARENT}-01"),
    )
    .await;
    // A request that asks not to be recorded is not, and its trace is passed on all the same.
    let unsampled = TRACE.replace('4', "5");
    submit(
        &service,
        &order("unsampled", &skill),
        &format!("00-{unsampled}-{PARENT}-00"),
    )
    .await;
    submit(&service, &order("no-trace", &skill), "this is none").await;
    let failing = service.upload("exits_3").await;
    submit(
        &service,
        &order("fails", &failing),
        &format!("00-{}-{PARENT}-01", TRACE.replace('4', "6")),
    )
    .await;
    for id in ["traced", "unsampled", "no-trace", "fails"] {
        service.callback_is(id, "delivered").await;
    }
    let log = service.signal("TERM");
    assert!(!log.contains("very-secret"), "{log}");
    assert!(
        collector
            .all()
            .iter()
            .all(|request| request.headers["authorization"] == "Bearer very-secret")
    );

    let spans = spans(&collector);
    let request = only(&spans, TRACE, "request");
    assert_eq!(
        (
            &request["parentSpanId"],
            &request["kind"],
            &request["flags"]
        ),
        (&json!(PARENT), &json!(2), &json!(0x301))
    );
    assert_eq!(attribute(&request, "http.route"), Some("/v1/orders"));
    assert_eq!(
        attribute(&request, "http.response.status_code"),
        Some("200")
    );
    for (name, parent) in [
        ("order", "request"),
        ("attempt", "order"),
        ("slot", "attempt"),
        ("commit", "attempt"),
        ("verify", "attempt"),
        ("callback", "order"),
    ] {
        let (span, parent) = (only(&spans, TRACE, name), only(&spans, TRACE, parent));
        assert_eq!(span["parentSpanId"], parent["spanId"], "{name}");
        assert_eq!(span["flags"], 0x101, "{name}");
        assert_eq!(span["spanId"].as_str().map(str::len), Some(16));
        let time = |field: &str| {
            span[field]
                .as_str()
                .expect("text")
                .parse::<u64>()
                .expect("a number")
        };
        assert!(
            time("startTimeUnixNano") <= time("endTimeUnixNano"),
            "{span}"
        );
        assert_eq!(span["status"], json!({}), "{name}");
    }
    assert_eq!(
        attribute(&only(&spans, TRACE, "order"), "sre.order_id"),
        Some("traced")
    );
    assert_eq!(
        attribute(&only(&spans, TRACE, "verify"), "sre.verdict"),
        Some("matched")
    );
    assert_eq!(
        only(&spans, &TRACE.replace('4', "6"), "order")["status"],
        json!({ "code": 2, "message": "skill_exited" })
    );
    assert!(
        !spans.iter().any(|span| span["traceId"] == *unsampled),
        "it was not to be recorded"
    );

    let told = |id: &str| {
        let all = receiver.all();
        let is_it = |body: &[u8]| {
            serde_json::from_slice::<Value>(body).is_ok_and(|body| body["order_id"] == id)
        };
        let found = all
            .iter()
            .find(|received| is_it(&received.body))
            .expect("delivered");
        found.headers["traceparent"].clone()
    };
    let span = only(&spans, TRACE, "callback");
    assert_eq!(
        told("traced"),
        format!("00-{TRACE}-{}-01", span["spanId"].as_str().expect("an id"))
    );
    assert!(
        told("unsampled").starts_with(&format!("00-{unsampled}-"))
            && told("unsampled").ends_with("-00")
    );
    // A trace of its own, from the request on.
    let own = told("no-trace")[3..35].to_owned();
    assert_eq!(only(&spans, &own, "request")["parentSpanId"], "");
    only(&spans, &own, "callback");
}

#[tokio::test]
async fn an_order_that_outlives_a_process_stays_one_trace() {
    let home = Home::new();
    let collector = Receiver::start(|_| status("200 OK"));
    let endpoint = format!("telemetry.traces_endpoint={}", collector.url());
    let settings = [
        &*endpoint,
        "telemetry.service_name=test-service",
        "workers.backoff_base_seconds=0.01",
    ];
    let service = Service::start(&home, &settings);
    let skill = service.upload("burns").await;
    let order = json!({
        "order_id": "long", "skill_package": { "digest": skill }, "max_retries": 3,
        "input_data": { "n": "x".repeat(100) }, "sandbox_config": { "fuel": 1_000_000_000_000_u64 },
    });
    let request = service
        .request(Method::POST, "/v1/orders")
        .header("traceparent", format!("00-{TRACE}-{PARENT}-01"));
    assert_eq!(
        request
            .json(&order)
            .send()
            .await
            .expect("an answer")
            .status(),
        202
    );
    service.runs("long").await;
    until("the request's span", || {
        !named(&spans(&collector), TRACE, "request").is_empty()
    })
    .await;
    // SIGKILL.
    drop(service);
    let service = Service::start(&home, &settings);
    assert_eq!(service.ended("long").await["attempts"], 2);
    drop(service.signal("TERM"));
    let spans = spans(&collector);
    let (request, order) = (only(&spans, TRACE, "request"), only(&spans, TRACE, "order"));
    assert_eq!(order["parentSpanId"], request["spanId"]);
    let attempt = only(&spans, TRACE, "attempt");
    assert_eq!(
        (attribute(&attempt, "sre.attempt"), &attempt["parentSpanId"]),
        (Some("2"), &order["spanId"])
    );
}

#[tokio::test]
async fn a_collector_that_refuses_does_not_affect_orders() {
    let home = Home::new();
    let collector = Receiver::start(|_| status("400 Bad Request"));
    let endpoint = format!("telemetry.traces_endpoint={}", collector.url());
    let service = Service::start(&home, &[&endpoint]);
    let skill = service.upload("returns_1").await;
    let mut orders = 0;
    eventually("spans of two batches", async || {
        orders += 1;
        let order =
            json!({ "skill_package": { "digest": skill }, "order_id": format!("o{orders}") });
        submit(&service, &order, "").await;
        if collector.all().len() < 2 {
            Err(orders)
        } else {
            Ok(())
        }
    })
    .await;
    let log = service.signal("TERM");
    assert_eq!(
        log.matches("the collector takes no traces").count(),
        1,
        "{log}"
    );

    for setting in [
        "telemetry.traces_endpoint=ftp://x/",
        "telemetry.sample_ratio=2",
    ] {
        let refused = home
            .sre(&[
                "serve",
                "--listen",
                "127.0.0.1:0",
                "--set",
                &endpoint,
                "--set",
                setting,
            ])
            .exits(2);
        assert!(refused.stderr.contains("telemetry"), "{refused:?}");
    }
}
