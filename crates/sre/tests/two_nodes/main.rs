//! Two nodes on one machine, each with its own data folder and key: an executor, patched in some of
//! its orders to lie, and a verifier that follows it over HTTP and catches every lie.

#[path = "../common/mod.rs"]
mod common;
mod evidence;
mod liar;
mod outbox;
mod proxy;
mod silence;
#[path = "../web/mod.rs"]
mod web;
mod words;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::{Child, Stdio};

use base64::Engine as _;
use common::service::{Receiver, Service, eventually, until};
use common::{Home, Ran};
use futures_util::{StreamExt as _, stream};
use liar::{enter_dated, enter_forged, run_patched};
use serde_json::{Value, json};

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a folder");
    for entry in fs::read_dir(from).expect("a folder") {
        let path = entry.expect("an entry").path();
        let target = to.join(path.file_name().expect("a name"));
        if path.is_dir() {
            copy(&path, &target);
        } else {
            fs::copy(&path, &target).expect("a copy");
        }
    }
}

/// Each believes the other: the verifier the executor's receipts and log, the executor the
/// verifier's verdicts.
fn introduce(executor: &Home, verifier: &Home) {
    executor
        .words("key new --name executor.example.org/log")
        .exits(0);
    verifier
        .words("key new --name verifier.example.org")
        .exits(0);
    let key = executor.words("key show").exits(0).stdout;
    verifier.sre(&["key", "trust", key.trim()]).exits(0);
    let key = verifier.words("key show").exits(0).stdout;
    executor
        .sre(&["key", "trust", key.trim(), "--for", "verdict"])
        .exits(0);
}

async fn size_is(service: &Service, size: u64) {
    eventually(&format!("{size} entries in the log"), async || {
        let note = service
            .get("/log/checkpoint")
            .await
            .text()
            .await
            .expect("text");
        if note.lines().nth(1) == Some(&size.to_string()) {
            Ok(())
        } else {
            Err(note)
        }
    })
    .await;
}

fn challenges(receiver: &Receiver) -> Vec<Value> {
    receiver
        .all()
        .iter()
        .map(|request| serde_json::from_slice(&request.body).expect("JSON"))
        .collect()
}

/// The call of the guest that contradicts the receipt stands in the challenge, and in the verdict
/// under its signature.
fn names_the_call(challenge: &Value) {
    let base64 = base64::engine::general_purpose::STANDARD;
    let payload = base64
        .decode(
            challenge["signed_verdict"]["payload"]
                .as_str()
                .expect("text"),
        )
        .expect("base64");
    let signed: Value = serde_json::from_slice(&payload).expect("JSON");
    assert_eq!(signed["predicate"]["error"], challenge["error"]);
    let (words, event) = (
        challenge["error"].as_str().expect("words"),
        &challenge["divergence"]["event"],
    );
    let named = match signed["predicate"]["order_id"].as_str() {
        // Without fuel it makes no call.
        Some("alters-limits") => "its end before any call, where its fuel was used up: ",
        Some("alters-skill") => "call 1, wasi_snapshot_preview1.fd_write(1, ",
        _ => "call 2, wasi_snapshot_preview1.fd_write(1, ",
    };
    assert!(
        words.contains(named) && words.contains(event["what"].as_str().expect("what")),
        "{challenge}"
    );
    assert!(event["fuel"].is_u64(), "{challenge}");
}

const ORDERS: [(&str, &str); 7] = [
    ("honest", "echoes"),
    ("honestly-failing", "exits_3"),
    ("alters-output", "echoes"),
    ("alters-input", "echoes"),
    ("alters-skill", "echoes"),
    ("alters-limits", "echoes"),
    ("withholds-input", "echoes"),
];

#[tokio::test(flavor = "multi_thread")]
#[expect(
    clippy::too_many_lines,
    reason = "one story, told from its beginning to its end"
)]
async fn every_lie_of_an_executor_is_caught() {
    let (executor, verifier, forked) = (Home::new(), Home::new(), Home::new());
    introduce(&executor, &verifier);
    let client = Receiver::acknowledging();
    run_patched(&executor, &ORDERS, &client.url()).await;
    copy(&executor.data(), &forked.data());
    enter_forged(&executor, "forged").await;
    let [networks, ports] = client.settings();
    let service = Service::start(&executor, &[&networks, &ports]);
    size_is(&service, 8).await;

    let court = Receiver::acknowledging();
    let (url, port) = (court.url(), court.port.to_string());
    let watch = |base: &str, more: &[&str]| {
        let mut arguments = vec!["watch", "--once", "--format", "json", "--executor", base];
        arguments.extend([
            "--challenge",
            &url,
            "--challenge-network",
            "127.0.0.0/8",
            "--challenge-port",
            &port,
        ]);
        arguments.extend(more);
        verifier.sre(&arguments)
    };
    assert!(
        client.all().is_empty(),
        "the callback came before any verdict"
    );
    // The address of the court is guarded like that of a callback.
    let refused = verifier
        .sre(&[
            "watch",
            "--once",
            "--executor",
            &service.base,
            "--challenge",
            &url,
        ])
        .exits(2);
    assert!(refused.stderr.contains("--challenge"), "{refused:?}");

    let ran = watch(&service.base, &[]).exits(22);
    // One line says what diverged, in words.
    assert_eq!(ran.stderr.matches("diverged").count(), 1, "{ran:?}");
    assert!(
        ran.stderr.contains("alters-output, alters-input") && !ran.stderr.contains("Some("),
        "{ran:?}"
    );
    let found = ran.json();
    assert_eq!(
        found["verdicts"],
        json!({ "matched": 2, "diverged": 4, "unavailable": 1, "tampered": 1 }),
        "{found}"
    );
    // The forged receipt is of an order that the executor does not know.
    assert_eq!(
        (&found["receipts"], &found["undelivered"], &found["refused"]),
        (&json!(8), &json!(1), &json!(0)),
        "{found}"
    );
    assert_eq!(found["undetected_share_95"], Value::Null);
    for (id, _) in ORDERS {
        let said: Value = service
            .get(&format!("/v1/orders/{id}/verdicts"))
            .await
            .json()
            .await
            .expect("JSON");
        let expected = match id {
            "honest" | "honestly-failing" => "matched",
            "withholds-input" => "unavailable",
            _ => "diverged",
        };
        let said: Vec<&str> = said["verdicts"]
            .as_array()
            .expect("verdicts")
            .iter()
            .filter_map(|said| said["verdict"].as_str())
            .collect();
        assert_eq!(said, [expected], "{id}");
    }
    let mut by_verdict = BTreeMap::<String, u32>::new();
    for challenge in challenges(&court) {
        let verdict = challenge["verdict"].as_str().expect("a verdict").to_owned();
        assert_eq!(challenge["kind"], "order");
        assert_eq!(
            challenge["own_receipt"].is_object(),
            verdict == "diverged",
            "{challenge}"
        );
        assert!(challenge["receipt"].is_object(), "{challenge}");
        if verdict == "diverged" {
            names_the_call(&challenge);
        }
        *by_verdict.entry(verdict).or_default() += 1;
    }
    assert_eq!(
        json!(by_verdict),
        json!({ "diverged": 4, "unavailable": 1, "tampered": 1 })
    );
    let coverage: Value = service
        .get("/v1/coverage")
        .await
        .json()
        .await
        .expect("JSON");
    assert_eq!(
        (
            &coverage["checked"],
            &coverage["matched"],
            &coverage["disputed"]
        ),
        (&json!(7), &json!(2), &json!(4))
    );
    assert_eq!(
        (&coverage["inconclusive"], &coverage["undetected_share_95"]),
        (&json!(1), &Value::Null)
    );

    // Who waits for a verdict is told of the dispute, and not before.
    until("the callback of the disputed order", || {
        !client.all().is_empty()
    })
    .await;
    let told: Value = serde_json::from_slice(&client.all()[0].body).expect("JSON");
    let finality =
        json!({ "required": 1, "matched": 0, "disputed": 1, "is_final": false, "final_at": null });
    assert_eq!(
        (&told["order_id"], &told["finality"]),
        (&json!("alters-output"), &finality)
    );

    // Nothing is said twice; the verdicts are in the log now.
    size_is(&service, 15).await;
    let again = watch(&service.base, &[]).exits(22).json();
    assert_eq!(
        (&again["verdicts"], &again["position"]),
        (&found["verdicts"], &json!(15))
    );
    assert_eq!(challenges(&court).len(), 6);
    drop(service);

    another_history(&forked, |base| watch(base, &[]), &court).await;
}

/// The same executor tells another story.
async fn another_history(forked: &Home, watch: impl Fn(&str) -> Ran, court: &Receiver) {
    enter_forged(forked, "another").await;
    let service = Service::start(forked, &[]);
    let skill = service.upload("returns_1").await;
    for number in 0..9 {
        let order =
            json!({ "order_id": format!("more-{number}"), "skill_package": { "digest": skill } });
        service.post("/v1/orders?wait=60", &order).await;
    }
    size_is(&service, 17).await;
    let caught = watch(&service.base).exits(22);
    assert!(caught.stderr.contains("log_rewritten"), "{caught:?}");
    let all = challenges(court);
    assert_eq!(
        (all.len(), &all[6]["kind"], &all[6]["code"]),
        (7, &json!("log"), &json!("log_rewritten"))
    );
}

#[tokio::test(flavor = "multi_thread")]
#[expect(
    clippy::too_many_lines,
    reason = "one story, told from its beginning to its end"
)]
async fn an_order_that_needs_verdicts_is_final_when_it_has_them() {
    let (executor, first, second, stranger) = (Home::new(), Home::new(), Home::new(), Home::new());
    introduce(&executor, &first);
    let key = executor.words("key show").exits(0).stdout;
    for (home, name) in [
        (&second, "second.example.org"),
        (&stranger, "stranger.example.org"),
    ] {
        home.sre(&["key", "new", "--name", name]).exits(0);
        home.sre(&["key", "trust", key.trim()]).exits(0);
    }
    let client = Receiver::acknowledging();
    let [networks, ports] = client.settings();
    let service = Service::start(&executor, &[&networks, &ports]);
    let skill = service.upload("returns_1").await;
    let mut order =
        json!({ "order_id": "one", "skill_package": { "digest": skill }, "verdicts_required": 2 });
    order["callback_url"] = json!(client.url());
    let refused = service.post("/v1/orders", &order).await;
    assert_eq!(refused.status(), 422, "only one key is trusted");
    let refused = refused.json::<Value>().await.expect("JSON");
    assert_eq!(refused["code"], "verdicts_unavailable");
    assert!(
        refused["detail"]
            .as_str()
            .is_some_and(|detail| detail.contains("believes one key of others")),
        "{refused}"
    );
    let key = second.words("key show").exits(0).stdout;
    executor
        .sre(&["key", "trust", key.trim(), "--for", "verdict"])
        .exits(0);

    let ended: Value = service
        .post("/v1/orders?wait=60", &order)
        .await
        .json()
        .await
        .expect("JSON");
    let finality =
        json!({ "required": 2, "matched": 0, "disputed": 0, "is_final": false, "final_at": null });
    assert_eq!(
        (&ended["status"], &ended["finality"]),
        (&json!("completed"), &finality)
    );
    let plain = json!({ "order_id": "plain", "skill_package": { "digest": skill }, "callback_url": client.url() });
    let plain: Value = service
        .post("/v1/orders?wait=60", &plain)
        .await
        .json()
        .await
        .expect("JSON");
    assert_eq!(plain.get("finality"), None);
    // The callback of the order that needs none is delivered, and the other one held.
    until("the callback of the order that needs no verdicts", || {
        client.all().len() == 1
    })
    .await;
    size_is(&service, 2).await;
    let watch = |home: &Home, code: i32| {
        home.sre(&[
            "watch",
            "--once",
            "--format",
            "json",
            "--executor",
            &service.base,
        ])
        .exits(code)
        .json()
    };
    assert_eq!(
        watch(&stranger, 0)["undelivered"],
        2,
        "a verdict of an untrusted key was taken"
    );
    watch(&first, 0);
    let shown: Value = service
        .get("/v1/orders/one")
        .await
        .json()
        .await
        .expect("JSON");
    assert_eq!(
        (
            &shown["finality"]["matched"],
            &shown["finality"]["is_final"]
        ),
        (&json!(1), &json!(false))
    );
    let page: Value = service.get("/v1/orders").await.json().await.expect("JSON");
    let listed = |page: &Value| -> BTreeMap<String, Value> {
        let orders = page["orders"].as_array().expect("orders").iter();
        orders
            .map(|order| {
                (
                    order["order_id"].as_str().expect("an id").to_owned(),
                    order["is_final"].clone(),
                )
            })
            .collect()
    };
    assert_eq!(
        listed(&page),
        BTreeMap::from([("one".into(), json!(false)), ("plain".into(), Value::Null)])
    );
    let status = executor
        .sre(&["status", "one", "--server", &service.base])
        .exits(0);
    assert!(
        status
            .stderr
            .contains("not final: 1 of 2 matching verdicts"),
        "{status:?}"
    );
    assert_eq!(
        client.all().len(),
        1,
        "the callback came before the order was final"
    );
    watch(&second, 0);
    let shown: Value = service
        .get("/v1/orders/one")
        .await
        .json()
        .await
        .expect("JSON");
    assert_eq!(
        (
            &shown["finality"]["matched"],
            &shown["finality"]["is_final"]
        ),
        (&json!(2), &json!(true))
    );
    until("the callback of the final order", || {
        client.all().len() == 2
    })
    .await;
    let told: Value = serde_json::from_slice(&client.all()[1].body).expect("JSON");
    assert_eq!(
        (&told["order_id"], &told["finality"]["is_final"]),
        (&json!("one"), &json!(true))
    );
    assert_eq!(told, shown);

    // Its own word about its own work counts for nothing.
    let own = executor
        .sre(&[
            "watch",
            "--once",
            "--format",
            "json",
            "--executor",
            &service.base,
        ])
        .exits(0)
        .json();
    assert_eq!(own["undelivered"], 2);
    let coverage: Value = service
        .get("/v1/coverage")
        .await
        .json()
        .await
        .expect("JSON");
    assert_eq!(
        (
            &coverage["receipts"],
            &coverage["checked"],
            &coverage["share_checked"]
        ),
        (&json!(2), &json!(2), &json!(1.0))
    );
    assert_eq!(coverage["undetected_share_95"], 0.0, "all were replayed");
    let metrics = service.get("/metrics").await.text().await.expect("text");
    assert!(metrics.contains("sre_checked_receipts 2"), "{metrics}");
}

/// A watcher that is killed.
struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

#[tokio::test(flavor = "multi_thread")]
#[expect(
    clippy::too_many_lines,
    reason = "one story, told from its beginning to its end"
)]
async fn a_killed_watcher_goes_on_where_it_stopped() {
    // Two bundles of the log: what is done with one is remembered before the next.
    const ORDERS: u64 = 300;
    let (executor, verifier) = (Home::new(), Home::new());
    introduce(&executor, &verifier);
    let service = Service::start(&executor, &[]);
    let skill = service.upload("returns_1").await;
    let orders = (0..ORDERS).map(|number| {
        let order =
            json!({ "order_id": format!("o{number}"), "skill_package": { "digest": skill } });
        let service = &service;
        async move { service.post("/v1/orders?wait=60", &order).await }
    });
    stream::iter(orders)
        .buffer_unordered(16)
        .collect::<Vec<_>>()
        .await;
    size_is(&service, ORDERS).await;
    let coverage = async || -> u64 {
        let coverage: Value = service
            .get("/v1/coverage")
            .await
            .json()
            .await
            .expect("JSON");
        coverage["checked"].as_u64().expect("a number")
    };
    let state = || -> u64 {
        let folder = fs::read_dir(verifier.data().join("watch"))
            .ok()
            .and_then(|mut all| all.next()?.ok());
        let text = folder
            .and_then(|folder| fs::read(folder.path().join("state.json")).ok())
            .unwrap_or_default();
        serde_json::from_slice::<Value>(&text)
            .ok()
            .and_then(|state| state["position"].as_u64())
            .unwrap_or(0)
    };
    let outbox = || {
        let folder = fs::read_dir(verifier.data().join("watch"))
            .ok()
            .and_then(|mut all| all.next()?.ok());
        folder.is_some_and(|folder| {
            fs::read_dir(folder.path().join("outbox")).is_ok_and(|all| all.count() > 0)
        })
    };
    let stops: [&dyn Fn() -> bool; 2] = [&|| outbox() || state() > 0, &|| state() > 0];
    for stop in stops {
        let mut command = verifier.command();
        command
            .args(["watch", "--executor", &service.base])
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let _watcher = Killed(command.spawn().expect("sre starts"));
        until("the watcher is on its way", stop).await;
    }
    let found = verifier
        .sre(&[
            "watch",
            "--once",
            "--format",
            "json",
            "--executor",
            &service.base,
        ])
        .exits(0)
        .json();
    assert_eq!(
        (&found["receipts"], &found["verdicts"]),
        (&json!(ORDERS), &json!({ "matched": ORDERS })),
        "{found}"
    );
    assert_eq!(found["undetected_share_95"], 0.0, "all were replayed");
    assert_eq!(coverage().await, ORDERS);
    for number in (0..ORDERS).step_by(7) {
        let said: Value = service
            .get(&format!("/v1/orders/o{number}/verdicts"))
            .await
            .json()
            .await
            .expect("JSON");
        assert_eq!(said["verdicts"].as_array().map(Vec::len), Some(1), "{said}");
    }
    // A share of nothing: of every skill the first, and no more. It is another verifier, who knows
    // nothing yet.
    let other = Home::new();
    let key = executor.words("key show").exits(0).stdout;
    other.sre(&["key", "trust", key.trim()]).exits(0);
    let found = other.sre(&[
        "watch",
        "--once",
        "--share",
        "0",
        "--format",
        "json",
        "--executor",
        &service.base,
    ]);
    let found = found.exits(0).json();
    assert_eq!(
        (&found["receipts"], &found["checked"]),
        (&json!(ORDERS), &json!(1))
    );
    assert_eq!(
        found["undetected_share_95"],
        Value::Null,
        "what was looked at for its skill says nothing about the others"
    );
}

/// The signer dates a receipt, so the holder of an old key could go on signing in its
/// time. The watcher knows what the log had and when.
#[tokio::test(flavor = "multi_thread")]
async fn a_receipt_with_an_impossible_date_is_reported() {
    let (executor, verifier) = (Home::new(), Home::new());
    executor
        .words("key new --name executor.example.org/log")
        .exits(0);
    let key = executor.words("key show").exits(0).stdout;
    verifier.sre(&["key", "trust", key.trim()]).exits(0);
    let service = Service::start(&executor, &[]);
    let skill = service.upload("returns_1").await;
    for id in ["honest", "another"] {
        service
            .post(
                "/v1/orders?wait=60",
                &json!({ "order_id": id, "skill_package": { "digest": skill } }),
            )
            .await;
    }
    size_is(&service, 2).await;
    let watch = |service: &Service| {
        verifier
            .sre(&[
                "watch",
                "--once",
                "--format",
                "json",
                "--executor",
                &service.base,
            ])
            .exits(0)
    };
    let first = watch(&service);
    // The executor does not trust this verifier, which is said once and not for every order.
    assert_eq!(
        (&first.json()["undelivered"], &first.json()["misdated"]),
        (&json!(2), &json!(0))
    );
    assert_eq!(
        first.stderr.matches("is not trusted here").count(),
        1,
        "{first:?}"
    );
    drop(service);

    let now = jiff::Timestamp::now();
    for (id, hours) in [("back", -2), ("ahead", 2)] {
        enter_dated(&executor, id, now + jiff::SignedDuration::from_hours(hours)).await;
    }
    let service = Service::start(&executor, &[]);
    size_is(&service, 4).await;
    let second = watch(&service);
    assert_eq!(
        (&second.json()["receipts"], &second.json()["misdated"]),
        (&json!(4), &json!(2)),
        "{second:?}"
    );
    for why in ["the log did not have it at", "which is yet to come"] {
        assert_eq!(second.stderr.matches(why).count(), 1, "{why}: {second:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receipt_without_an_end_is_unavailable_and_does_not_stop_the_others() {
    let (executor, verifier) = (Home::new(), Home::new());
    introduce(&executor, &verifier);
    let service = Service::start(&executor, &[]);
    let skill = service.upload("returns_1").await;
    service
        .post(
            "/v1/orders?wait=60",
            &json!({ "order_id": "one", "skill_package": { "digest": skill } }),
        )
        .await;
    size_is(&service, 1).await;
    let mut log = BTreeMap::new();
    for path in [
        "/log/checkpoint",
        "/log/tile/0/000.p/1",
        "/log/tile/entries/000.p/1",
    ] {
        log.insert(
            path,
            service
                .get(path)
                .await
                .bytes()
                .await
                .expect("bytes")
                .to_vec(),
        );
    }
    let endless = web::Web::start(move |path| {
        if path.starts_with("/v1/blobs/") {
            Some(vec![b'{'; 1 << 20])
        } else {
            log.get(path).cloned()
        }
    });
    let found = verifier.sre(&[
        "watch",
        "--once",
        "--format",
        "json",
        "--executor",
        &endless.address(),
    ]);
    let found = found.exits(23).json();
    assert_eq!(
        (&found["verdicts"], &found["position"]),
        (&json!({ "unavailable": 1 }), &json!(1))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_running_watcher_takes_the_keys_that_replace_others() {
    let (executor, verifier) = (Home::new(), Home::new());
    introduce(&executor, &verifier);
    let service = Service::start(&executor, &[]);
    let skill = service.upload("returns_1").await;
    let mut command = verifier.command();
    command
        .args(["watch", "--period", "0.2", "--executor", &service.base])
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let _watcher = Killed(command.spawn().expect("sre starts"));
    let judged = async |id: &str| {
        service
            .post(
                "/v1/orders?wait=60",
                &json!({ "order_id": id, "skill_package": { "digest": skill } }),
            )
            .await;
        service
            .shows(&format!("/v1/orders/{id}/verdicts"), |said| {
                said["verdicts"][0]["verdict"] == "matched"
            })
            .await;
    };
    judged("before").await;
    for (one, other, purposes) in [
        (&executor, &verifier, "receipt,log"),
        (&verifier, &executor, "verdict"),
    ] {
        one.words("key rotate").exits(0);
        let key = one.words("key show").exits(0).stdout;
        other
            .sre(&["key", "trust", key.trim(), "--for", purposes])
            .exits(0);
    }
    judged("after").await;
}
