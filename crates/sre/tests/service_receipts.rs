//! Every order that ends in the service has one receipt in one log, whatever happens, and a
//! stranger can check it.

mod common;

use std::collections::{HashMap, HashSet};
use std::fs;
use std::time::Duration;

use common::Home;
use common::service::{Service, eventually, object, until};
use reqwest::Method;
use serde_json::{Value, json};
use sre_receipt::tlog::TlogProof;

fn order(id: &str, skill: &str) -> Value {
    json!({ "order_id": id, "skill_package": { "digest": skill } })
}

async fn receipt(service: &Service, id: &str) -> Value {
    let answer = service
        .get(&format!("/v1/orders/{id}/receipt?wait=60"))
        .await;
    assert_eq!(answer.status(), 200, "{id}");
    answer.json().await.expect("JSON")
}

/// What the receipt says, out of its envelope.
fn predicate(shown: &Value) -> Value {
    use base64::Engine as _;
    let payload = shown["receipt"]["payload"].as_str().expect("a payload");
    let payload = base64::engine::general_purpose::STANDARD
        .decode(payload)
        .expect("base64");
    serde_json::from_slice::<Value>(&payload).expect("JSON")["predicate"].clone()
}

#[tokio::test]
#[expect(
    clippy::too_many_lines,
    reason = "one story, told from its beginning to its end"
)]
async fn every_order_that_ends_has_a_receipt_that_a_stranger_can_check() {
    let home = Home::new();
    home.words("key new --name executor.example.org/log")
        .exits(0);
    let service = Service::start(&home, &[]);
    let good = service.upload("returns_1").await;
    service
        .post("/v1/orders?wait=60", &order("good", &good))
        .await;
    let failing = json!({ "order_id": "failing", "skill_package": object("exits_3") });
    service.post("/v1/orders?wait=60", &failing).await;
    let mut late = json!({ "order_id": "late", "skill_package": object("loops") });
    late["sandbox_config"] = json!({ "timeout_seconds": 0.05, "fuel": 1_000_000_000_000_u64 });
    service.post("/v1/orders?wait=60", &late).await;
    let mut open = json!({ "order_id": "open", "skill_package": object("loops") });
    open["sandbox_config"] = json!({ "timeout_seconds": 200, "fuel": 1_000_000_000_000_u64 });
    service.post("/v1/orders", &open).await;
    assert_eq!(service.get("/v1/orders/open/receipt").await.status(), 404);
    let cancelled = service
        .post("/v1/orders/open/cancel?wait=60", &json!({}))
        .await;
    assert!(
        cancelled.status().is_success(),
        "{:?}",
        cancelled.text().await
    );

    let mut positions = HashSet::new();
    for (id, status, is_provable) in [
        ("good", "completed", true),
        ("failing", "failed", true),
        ("late", "timeout", false),
        ("open", "failed", false),
    ] {
        let shown = receipt(&service, id).await;
        assert_eq!(
            (shown["status"].as_str(), shown["order_id"].as_str()),
            (Some("logged"), Some(id)),
            "{shown}"
        );
        let said = predicate(&shown);
        assert_eq!(said["reported"]["status"], status, "{said}");
        assert_eq!(said["provable"].is_object(), is_provable, "{said}");
        let proof = TlogProof::parse(shown["proof"].as_str().expect("a proof").as_bytes())
            .expect("a proof");
        assert_eq!(Some(proof.index), shown["position"].as_u64());
        assert!(positions.insert(proof.index), "two orders at one place");
        // The same bytes lie under their digest.
        let blob = service
            .get(&format!(
                "/v1/blobs/{}",
                shown["digest"].as_str().expect("a digest")
            ))
            .await;
        assert_eq!(blob.json::<Value>().await.expect("JSON"), shown["receipt"]);
    }

    // A third party that has the key and the address and nothing more.
    let stranger = Home::new();
    let key = home.words("key show --format json").exits(0).json();
    stranger
        .sre(&["key", "trust", key["verifier_key"].as_str().expect("a key")])
        .exits(0);
    for (id, code) in [("good", 0), ("failing", 0), ("late", 25)] {
        let file = stranger.path(id);
        fs::write(&file, receipt(&service, id).await.to_string()).expect("a file");
        let file = file.to_str().expect("UTF-8");
        stranger
            .sre(&["verify", file, "--require-proof", "--from", &service.base])
            .exits(code);
    }
    stranger
        .sre(&[
            "bundle",
            "good",
            "--from",
            &service.base,
            "--output",
            "good.sre-bundle",
        ])
        .exits(0);
    stranger
        .sre(&[
            "bundle",
            "unknown",
            "--from",
            &service.base,
            "--output",
            "x",
        ])
        .exits(1);
    let log = format!("{}/log", service.base);
    let checked = stranger
        .sre(&["tlog", "check", "--entries", "--format", "json", &log])
        .exits(0)
        .json();
    assert_eq!(
        (
            checked["size"].as_u64(),
            checked["entries_checked"].as_u64()
        ),
        (Some(4), Some(4))
    );
    let text = service.signal("TERM");
    assert!(!text.contains("WARN") && !text.contains("ERROR"), "{text}");
    stranger
        .words("verify good.sre-bundle --require-proof")
        .exits(0);
}

/// The name and id of the key that signed the newest checkpoint: the beginning of its last line but
/// the signature.
async fn signer(service: &Service) -> String {
    let note = service
        .get("/log/checkpoint")
        .await
        .text()
        .await
        .expect("text");
    let line = note
        .lines()
        .rfind(|line| line.starts_with('\u{2014}'))
        .expect("a signature")
        .to_owned();
    line.rsplit_once(' ').expect("a signature").1[..5].to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_running_service_takes_the_key_that_replaces_its_own() {
    let home = Home::new();
    home.words("key new --name executor.example.org/log")
        .exits(0);
    let old_line = home.words("key show").exits(0).stdout;
    let service = Service::start(&home, &[]);
    let skill = service.upload("returns_1").await;
    // Orders end all the while, and every one has a receipt that counts.
    let mut ids: Vec<String> = (0..20).map(|number| format!("before-{number}")).collect();
    for id in &ids {
        service.post("/v1/orders?wait=60", &order(id, &skill)).await;
    }
    let before = signer(&service).await;
    let rotated = home.words("key rotate").exits(0);
    let new_line = rotated.stdout.clone();
    let new = home.words("key show --format json").exits(0).json();
    for number in 0..20 {
        ids.push(format!("after-{number}"));
        service
            .post("/v1/orders?wait=60", &order(&ids[ids.len() - 1], &skill))
            .await;
    }
    // The checkpoint is signed anew without a restart, and so is what ends from now on.
    eventually("the signature of the new key", async || {
        if signer(&service).await == before {
            Err("the old key still signs")
        } else {
            Ok(())
        }
    })
    .await;
    ids.push(String::from("last"));
    service
        .post("/v1/orders?wait=60", &order("last", &skill))
        .await;
    let last = predicate(&receipt(&service, "last").await);
    assert_eq!(last["executor"]["key"], new["key"], "{last}");

    // Here the old key is trusted until it was replaced. A receipt by either key is anchored, with
    // its proof.
    for id in &ids {
        let file = home.path("shown");
        fs::write(&file, receipt(&service, id).await.to_string()).expect("a file");
        home.words(&format!(
            "verify shown --require-proof --from {}",
            service.base
        ))
        .exits(0);
    }
    // Who followed the log under the old line follows it under the new one.
    let stranger = Home::new();
    let log = format!("{}/log", service.base);
    stranger.sre(&["key", "trust", old_line.trim()]).exits(0);
    stranger.sre(&["tlog", "check", &log]).exits(24);
    stranger.sre(&["key", "trust", new_line.trim()]).exits(0);
    stranger.sre(&["tlog", "check", "--entries", &log]).exits(0);
    let text = service.signal("TERM");
    assert!(!text.contains("WARN") && !text.contains("ERROR"), "{text}");
}

#[tokio::test]
async fn the_log_is_served_as_tlog_tiles() {
    let home = Home::new();
    home.words("token new reader --scopes read").exits(0);
    // The log needs no token.
    let service = Service::start(&home, &[]);
    let checkpoint = service.get("/log/checkpoint").await;
    assert_eq!(
        checkpoint.headers()["content-type"],
        "text/plain; charset=utf-8"
    );
    assert_eq!(checkpoint.headers()["cache-control"], "no-cache");
    assert_eq!(service.get("/log/tile/0/000.p/1").await.status(), 404);
    drop(service);
    home.skill("returns_1");
    home.words("run returns_1 --order-id one").exits(0);
    home.words("run returns_1 --order-id two").exits(0);
    let service = Service::start(&home, &[]);
    for (path, length) in [("/log/tile/0/000.p/2", 64), ("/log/tile/0/000.p/1", 32)] {
        let tile = service.get(path).await;
        assert_eq!(tile.headers()["content-type"], "application/octet-stream");
        assert!(
            tile.headers()["cache-control"]
                .to_str()
                .expect("text")
                .contains("immutable")
        );
        assert_eq!(tile.bytes().await.expect("bytes").len(), length);
    }
    let entries = service
        .get("/log/tile/entries/000.p/2")
        .await
        .bytes()
        .await
        .expect("bytes");
    let length = usize::from(u16::from_be_bytes([entries[0], entries[1]]));
    let entry: Value = serde_json::from_slice(&entries[2..2 + length]).expect("JSON");
    assert_eq!(entry["kind"], "receipt");
    for wrong in [
        "/log/tile/0/0",
        "/log/tile/0/000.p/0",
        "/log/tile/00/000",
        "/log/tile/..%2f0/000",
        "/log/tile/64/000",
    ] {
        assert_eq!(service.get(wrong).await.status(), 400, "{wrong}");
    }
    for missing in [
        "/log/tile/0/000",
        "/log/tile/1/000.p/1",
        "/log/tile/0/x001/000",
    ] {
        assert_eq!(service.get(missing).await.status(), 404, "{missing}");
    }
}

/// Every life of the service begins with what the last one left: orders without a receipt, receipts
/// without a number, entries without a checkpoint.
#[tokio::test(flavor = "multi_thread")]
async fn a_killed_service_leaves_nothing_unlogged_and_never_two_histories() {
    let home = Home::new();
    home.words("key new --name executor.example.org/log")
        .exits(0);
    let watcher = Home::new();
    let key = home.words("key show --format json").exits(0).json();
    watcher
        .sre(&["key", "trust", key["verifier_key"].as_str().expect("a key")])
        .exits(0);
    let skill = {
        let service = Service::start(&home, &[]);
        service.upload("returns_1").await
    };
    let (mut acknowledged, mut seen) = (Vec::new(), HashMap::new());
    for life in 0..24_u64 {
        // In every other life the log is so slow that receipts wait for it.
        let is_slow = life % 2 == 0;
        let period = if is_slow { "1" } else { "0.02" };
        let service = Service::start(&home, &[&format!("receipts.log_period_seconds={period}")]);
        let log = format!("{}/log", service.base);
        watcher.sre(&["tlog", "check", "--entries", &log]).exits(0);
        let mut number = 0;
        eventually("a kill while a receipt waits for the log", async || {
            let id = format!("l{life}-{number}");
            number += 1;
            let request = service
                .request(Method::POST, "/v1/orders?wait=60")
                .json(&order(&id, &skill));
            assert!(
                request
                    .send()
                    .await
                    .expect("an answer")
                    .status()
                    .is_success()
            );
            acknowledged.push(id.clone());
            if number < 6 {
                return Err(Value::Null);
            }
            // The moment moves through everything that follows the end of an order.
            tokio::time::sleep(Duration::from_millis(life * 4)).await;
            let shown: Value = service
                .get(&format!("/v1/orders/{id}/receipt"))
                .await
                .json()
                .await
                .expect("JSON");
            if let Some(digest) = shown["digest"].as_str() {
                seen.insert(id, digest.to_owned());
            }
            if is_slow && shown["status"] != "pending" {
                Err(shown)
            } else {
                Ok(())
            }
        })
        .await;
        // SIGKILL.
        drop(service);
    }

    let service = Service::start(&home, &[]);
    let mut digests = HashSet::new();
    for id in &acknowledged {
        let shown = receipt(&service, id).await;
        assert_eq!(shown["status"], "logged", "{id}");
        let digest = shown["digest"].as_str().expect("a digest").to_owned();
        if let Some(before) = seen.get(id) {
            assert_eq!(*before, digest, "{id} had another receipt before");
        }
        assert!(digests.insert(digest), "{id}");
    }
    let log = format!("{}/log", service.base);
    let checked = watcher
        .sre(&["tlog", "check", "--entries", "--format", "json", &log])
        .exits(0)
        .json();
    assert_eq!(
        checked["size"].as_u64(),
        Some(acknowledged.len() as u64),
        "one entry for each order"
    );
    let journal =
        rusqlite::Connection::open(home.data().join("journal.sqlite3")).expect("the journal");
    let due = || {
        journal
            .query_row("SELECT count(*) FROM receipts_due", [], |row| {
                row.get::<_, i64>(0)
            })
            .expect("a count")
    };
    until("nothing is due", || due() == 0).await;
}

#[tokio::test]
async fn evidence_that_is_lost_is_found_and_named() {
    let home = Home::new();
    let settings = [
        "receipts.audit_period_seconds=0.1",
        "receipts.audit_sample=1000",
    ];
    let service = Service::start(&home, &settings);
    let skill = service.upload("returns_1").await;
    let ended = service
        .post("/v1/orders?wait=60", &order("robbed", &skill))
        .await;
    let ended: Value = ended.json().await.expect("JSON");
    service
        .post(
            "/v1/orders?wait=60",
            &json!({ "order_id": "other", "skill_package": object("returns_2") }),
        )
        .await;
    for id in ["robbed", "other"] {
        receipt(&service, id).await;
    }
    let found = service
        .shows("/v1/audit", |found| found["receipts"].as_u64() >= Some(2))
        .await;
    assert_eq!(found["lost"], json!([]));
    drop(service);

    let output = ended["commit_result"]["result_hash"]
        .as_str()
        .expect("a digest");
    let store =
        rusqlite::Connection::open(home.data().join("blobs/small.sqlite3")).expect("the store");
    let digest = hex::decode(output).expect("a digest");
    assert_eq!(
        store
            .execute("DELETE FROM blob WHERE digest = ?1", [digest])
            .expect("deleted"),
        1
    );
    let service = Service::start(&home, &settings);
    let found = service
        .shows("/v1/audit", |found| {
            found["lost"]
                .as_array()
                .is_some_and(|lost| !lost.is_empty())
        })
        .await;
    assert_eq!(
        (&found["lost"][0]["digest"], &found["lost"][0]["orders"]),
        (&json!(output), &json!(["robbed"])),
        "{found}"
    );
    let metrics = service.get("/metrics").await.text().await.expect("text");
    assert!(
        metrics.contains("sre_lost_blobs 1") && metrics.contains("sre_lost_orders 1"),
        "{metrics}"
    );
    let log = service.signal("TERM");
    assert!(log.contains("the evidence of orders is lost"), "{log}");
}

/// The log keeps everything that is added to it.
#[tokio::test(flavor = "multi_thread")]
async fn verdicts_that_come_at_once_are_logged_as_often_as_they_count() {
    let home = Home::new();
    let secret = sre_receipt::SecretKey::from_seed(&[7; 32]);
    let name = "verifier.example.org".parse().expect("a name");
    let key = sre_receipt::NodeKey { name, secret };
    home.sre(&[
        "key",
        "trust",
        &key.verifier_key().to_string(),
        "--for",
        "verdict",
    ])
    .exits(0);
    let service = Service::start(&home, &[]);
    let skill = service.upload("returns_1").await;
    service
        .post("/v1/orders?wait=60", &order("t", &skill))
        .await;
    let digest = receipt(&service, "t").await["digest"]
        .as_str()
        .and_then(|digest| digest.parse().ok());
    let digest: sre_core::Digest = digest.expect("a digest");
    let found = sre_core::VerifyResult {
        is_valid: true,
        verdict: sre_core::Verdict::Matched,
        method: sre_core::Method::Replay,
        expected_hash: digest.to_string(),
        actual_hash: None,
        error: None,
        checks: Vec::new(),
        divergence: None,
    };
    let envelope = |second: i64| {
        let at = jiff::Timestamp::now() - jiff::SignedDuration::from_secs(second);
        let order_id = "t".parse().expect("an order id");
        let verdict =
            sre_receipt::VerdictStatement::issue(digest.into(), order_id, &found, at, &key.secret);
        verdict.envelope().to_canonical()
    };
    let posts: Vec<_> = (0..24)
        .map(|second| {
            let request = service.request(Method::POST, "/v1/orders/t/verdicts");
            tokio::spawn(
                request
                    .header("content-type", "application/json")
                    .body(envelope(second))
                    .send(),
            )
        })
        .collect();
    for post in posts {
        let answer = post.await.expect("no panic").expect("an answer");
        assert!(
            answer.status().is_success(),
            "{}",
            answer.text().await.expect("text")
        );
    }
    let listed: Value = service
        .get("/v1/orders/t/verdicts")
        .await
        .json()
        .await
        .expect("JSON");
    assert_eq!(
        listed["verdicts"].as_array().map(Vec::len),
        Some(1),
        "all say the same: {listed}"
    );
    drop(service.signal("TERM"));
    let log = rusqlite::Connection::open(home.data().join("log.sqlite3")).expect("the log");
    let verdicts = "SELECT count(*) FROM entry WHERE kind = 'verdict'";
    assert_eq!(
        log.query_row(verdicts, [], |row| row.get::<_, i64>(0))
            .expect("a count"),
        1
    );
}
