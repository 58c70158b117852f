//! The service is killed at random moments under load, again and again. No acknowledged order is
//! lost, none has two results, every one ends, and every callback arrives, always under one id.
//!
//! `SRE_CRASHES=2000 cargo test -p sre --test service_crash` for a longer run.

mod common;

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use common::service::{Receiver, Service, until};
use common::{Home, Random};
use serde_json::{Value, json};

const CRASHES: u64 = 200;
const CLIENTS: usize = 8;
/// The order that a crash hits for certain.
const HIT: &str = "hit";

fn order(id: &str, skill: &str, url: &str, number: u64) -> Value {
    json!({
        "order_id": id,
        "skill_package": { "digest": skill },
        "input_data": { "n": number },
        // Some end with the first crash that hits them, others are tried again.
        "max_retries": if number.is_multiple_of(2) { 10 } else { 0 },
        "callback_url": url,
    })
}

/// An order whose only attempt is under way when this returns, and would be for longer than its
/// time limit.
async fn interrupt(service: &Service, url: &str) {
    let mut order = order(HIT, &service.upload("burns").await, url, 1);
    order["input_data"] = json!({ "n": "x".repeat(80_000) });
    order["sandbox_config"] = json!({ "fuel": 1_000_000_000_000_u64 });
    assert_eq!(service.post("/v1/orders", &order).await.status(), 202);
    service.runs(HIT).await;
}

/// Submits orders until the service is gone; notes those that were acknowledged.
async fn load(
    service: &Service,
    lane: String,
    skill: &str,
    url: &str,
    acknowledged: &Mutex<HashSet<String>>,
) {
    for number in 0.. {
        let id = format!("{lane}-{number}");
        let request = service
            .request(reqwest::Method::POST, "/v1/orders")
            .json(&order(&id, skill, url, number));
        match request.send().await {
            Ok(answer) if answer.status().is_success() => {
                acknowledged.lock().expect("no panic").insert(id);
            }
            Ok(answer) => panic!("{id}: {:?}", answer.text().await),
            Err(_) => return,
        }
        // Enough to have orders in every stage; not so much that the end takes minutes.
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
#[expect(
    clippy::too_many_lines,
    reason = "one story: load, kills, restarts and the count at the end"
)]
async fn nothing_acknowledged_is_lost_or_done_twice() {
    let home = Home::new();
    let receiver = Receiver::acknowledging();
    let [networks, ports] = receiver.settings();
    let settings = [
        &*networks,
        &*ports,
        "workers.backoff_base_seconds=0.01",
        "callbacks.schedule_seconds=[0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1]",
    ];
    let service = Service::start(&home, &settings);
    let skill = service.upload("returns_1").await;
    drop(service);

    let crashes = std::env::var("SRE_CRASHES")
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(CRASHES);
    let acknowledged = Arc::new(Mutex::new(HashSet::new()));
    let mut random = Random(4);
    for crash in 0..crashes {
        let service = Service::start(&home, &settings);
        let url = receiver.url();
        let clients = (0..CLIENTS).map(|client| {
            load(
                &service,
                format!("c{crash}-{client}"),
                &skill,
                &url,
                &acknowledged,
            )
        });
        // A life lasts until so many orders were acknowledged, however long that takes, and a
        // moment more.
        let enough = acknowledged.lock().expect("no panic").len() as u64 + random.below(40);
        let moment = Duration::from_micros(random.below(10_000));
        let life = async {
            until("enough orders", || {
                acknowledged.lock().expect("no panic").len() as u64 >= enough
            })
            .await;
            tokio::time::sleep(moment).await;
        };
        // Dropping the futures drops the requests under way; their orders may or may not have been
        // accepted.
        tokio::select! {
            () = life => {}
            _ = futures_util::future::join_all(clients) => panic!("the service went by itself"),
        }
        // SIGKILL.
        drop(service);
    }
    let service = Service::start(&home, &settings);
    interrupt(&service, &receiver.url()).await;
    acknowledged
        .lock()
        .expect("no panic")
        .insert(String::from(HIT));
    drop(service);

    let service = Service::start(&home, &settings);
    let ids: Vec<String> = acknowledged
        .lock()
        .expect("no panic")
        .iter()
        .cloned()
        .collect();
    let mut results = HashMap::new();
    let mut interrupted = 0;
    for id in &ids {
        let answer = service.get(&format!("/v1/orders/{id}?wait=60")).await;
        assert_eq!(answer.status(), 200, "{id} is lost");
        let result: Value = answer.json().await.expect("JSON");
        match (result["status"].as_str(), result["error_code"].as_str()) {
            (Some("completed"), None) => assert_eq!(result["verification"]["verdict"], "matched"),
            (Some("failed"), Some("interrupted")) => interrupted += 1,
            _ => panic!("{id} did not end as it should: {result}"),
        }
        results.insert(id.clone(), result);
    }
    assert_eq!(results[HIT]["error_code"], "interrupted");
    assert!(interrupted < ids.len(), "no order completed");

    let delivered = || -> HashMap<String, HashSet<String>> {
        let mut delivered: HashMap<String, HashSet<String>> = HashMap::new();
        for callback in receiver.all() {
            let body: Value = serde_json::from_slice(&callback.body).expect("JSON");
            let id = body["order_id"].as_str().expect("an id").to_owned();
            delivered
                .entry(id)
                .or_default()
                .insert(callback.headers["webhook-id"].clone());
        }
        delivered
    };
    until("every callback arrives", || {
        let delivered = delivered();
        ids.iter().all(|id| delivered.contains_key(id))
    })
    .await;
    for (id, message_ids) in delivered() {
        assert_eq!(
            message_ids.len(),
            1,
            "{id} was called back under several ids"
        );
    }
    // Whatever was told at any time is what the order ended with.
    for callback in receiver.all() {
        let body: Value = serde_json::from_slice(&callback.body).expect("JSON");
        if let Some(result) = results.get(body["order_id"].as_str().expect("an id")) {
            assert_eq!(&body, result);
        }
    }
    println!(
        "{crashes} crashes, {} orders acknowledged, {interrupted} of them interrupted",
        ids.len()
    );
}
