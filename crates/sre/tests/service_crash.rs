//! The service is killed at random moments under load, again and again. No acknowledged order is lost, none has two results, every
//! one ends, and every callback arrives, always under one id.
//!
//! `SRE_CRASHES=2000 cargo test -p sre --test service_crash` for a longer run.

mod common;

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use common::Home;
use common::service::{Receiver, Service, until};
use serde_json::{Value, json};

const CRASHES: u64 = 200;
const CLIENTS: usize = 8;

/// SplitMix64 with a fixed seed.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % limit
    }
}

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

/// Submits orders until the service is gone; notes those that were acknowledged.
async fn load(service: &Service, lane: String, skill: &str, url: &str, acknowledged: &Mutex<HashSet<String>>) {
    for number in 0.. {
        let id = format!("{lane}-{number}");
        let request = service.request(reqwest::Method::POST, "/v1/orders").json(&order(&id, skill, url, number));
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

    let crashes = std::env::var("SRE_CRASHES").ok().and_then(|text| text.parse().ok()).unwrap_or(CRASHES);
    let acknowledged = Arc::new(Mutex::new(HashSet::new()));
    let mut random = Random(4);
    for crash in 0..crashes {
        let service = Service::start(&home, &settings);
        let url = receiver.url();
        let clients =
            (0..CLIENTS).map(|client| load(&service, format!("c{crash}-{client}"), &skill, &url, &acknowledged));
        let life = Duration::from_micros(random.below(100_000));
        // Dropping the futures drops the requests under way; their orders may or may not have been accepted.
        drop(tokio::time::timeout(life, futures_util::future::join_all(clients)).await);
        // SIGKILL.
        drop(service);
    }

    let service = Service::start(&home, &settings);
    let ids: Vec<String> = acknowledged.lock().expect("no panic").iter().cloned().collect();
    assert!(ids.len() as u64 > crashes, "too little load: {} orders in {crashes} lives", ids.len());
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
    assert!(interrupted > 0, "no crash hit an attempt; the moments are badly chosen");
    assert!(interrupted < ids.len(), "no order completed");

    let delivered = || -> HashMap<String, HashSet<String>> {
        let mut delivered: HashMap<String, HashSet<String>> = HashMap::new();
        for callback in receiver.all() {
            let body: Value = serde_json::from_slice(&callback.body).expect("JSON");
            let id = body["order_id"].as_str().expect("an id").to_owned();
            delivered.entry(id).or_default().insert(callback.headers["webhook-id"].clone());
        }
        delivered
    };
    until("every callback arrives", || {
        let delivered = delivered();
        ids.iter().all(|id| delivered.contains_key(id))
    })
    .await;
    for (id, message_ids) in delivered() {
        assert_eq!(message_ids.len(), 1, "{id} was called back under several ids");
    }
    // Whatever was told at any time is what the order ended with.
    for callback in receiver.all() {
        let body: Value = serde_json::from_slice(&callback.body).expect("JSON");
        if let Some(result) = results.get(body["order_id"].as_str().expect("an id")) {
            assert_eq!(&body, result);
        }
    }
    println!("{crashes} crashes, {} orders acknowledged, {interrupted} of them interrupted", ids.len());
}
