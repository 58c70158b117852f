//! Bodies that take more memory than their size shows, and bodies that are too long for what they
//! are.

mod common;

use common::Home;
use common::service::{Service, object};
use reqwest::{Method, Response};
use serde_json::{Value, json};

/// Memory that the service may have used at its peak besides what it needs anyway, in KiB: far less
/// than one of these bodies takes as a tree, far more than its limit for them all.
const ALLOWED_KIB: u64 = 200 << 10;

async fn post(service: &Service, path: &str, body: String) -> Response {
    let request = service
        .request(Method::POST, path)
        .header("content-type", "application/json");
    request.body(body).send().await.expect("an answer")
}

async fn code(answer: Response) -> (u16, String) {
    let status = answer.status().as_u16();
    (
        status,
        answer.json::<Value>().await.expect("JSON")["code"]
            .as_str()
            .unwrap_or_default()
            .to_owned(),
    )
}

/// The most memory it ever had, in KiB.
fn peak_kib(service: &Service) -> u64 {
    let status =
        std::fs::read_to_string(format!("/proc/{}/status", service.id())).expect("the process");
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))
        .expect("a line");
    line.trim()
        .trim_end_matches(" kB")
        .parse()
        .expect("a number")
}

#[tokio::test]
async fn many_values_in_a_short_body_are_refused_before_they_take_memory() {
    let home = Home::new();
    let service = Service::start(&home, &["server.bodies_limit_bytes=67108864"]);
    service.upload("returns_1").await;
    let before = peak_kib(&service);
    for (item, mebibytes) in [("0,", 20), ("{\"\":0},", 5), ("[0],", 10)] {
        let body = format!("[{}0]", item.repeat((mebibytes << 20) / item.len()));
        for path in ["/v1/orders", "/v1/verify", "/v1/skills"] {
            let refused = code(post(&service, path, body.clone()).await).await;
            assert_eq!(
                refused,
                (413, String::from("body_too_large")),
                "{item} at {path}"
            );
        }
    }
    let used = peak_kib(&service) - before;
    assert!(used < ALLOWED_KIB, "{used} KiB were used");
    // Text is no such thing: a package of the same size, and a padded order.
    let mut package = object("returns_1");
    package["files"]["data.txt"] = json!("x".repeat(8 << 20));
    let answer = post(&service, "/v1/skills", package.to_string()).await;
    assert_eq!(answer.status(), 201, "{answer:?}");
    let order = json!({ "order_id": "large", "skill_package": package });
    let answer = post(
        &service,
        "/v1/orders?wait=60",
        order.to_string() + &" ".repeat(4 << 20),
    )
    .await;
    assert_eq!(answer.json::<Value>().await.expect("JSON")["output"], 1);
    // All memory was given back.
    let answer = post(
        &service,
        "/v1/orders?wait=60",
        order.to_string() + &" ".repeat(30 << 20),
    )
    .await;
    assert_eq!(answer.status(), 200, "{answer:?}");
    service.signal("TERM");
}

#[tokio::test]
async fn a_verdict_is_no_longer_than_an_envelope() {
    let home = Home::new();
    let service = Service::start(&home, &[]);
    let skill = service.upload("returns_1").await;
    let order = json!({ "order_id": "a", "skill_package": { "digest": skill } });
    assert!(
        service
            .post("/v1/orders?wait=60", &order)
            .await
            .status()
            .is_success()
    );
    let send = |body: String| post(&service, "/v1/orders/a/verdicts", body);
    assert_eq!(
        code(send(" ".repeat(300 << 10)).await).await,
        (413, String::from("body_too_large"))
    );
    assert_eq!(
        code(send(String::from("{}")).await).await,
        (422, String::from("verdict_malformed"))
    );
    service.signal("TERM");
}
