//! The service on a bad day: full, locked, read-only and damaged disks, blobs that vanish, clocks
//! that jump.

mod common;

use std::fs;
use std::io::{Seek, SeekFrom, Write};
use std::path::Path;
use std::time::Duration;

use common::service::{Receiver, Service};
use common::{Home, Ran, ran};
use rusqlite::Connection;
use serde_json::{Value, json};

fn order(id: &str, skill: &str) -> Value {
    json!({ "order_id": id, "skill_package": { "digest": skill } })
}

/// An order that runs for a second or so per ten bytes of input.
fn long_order(id: &str, skill: &str, bytes: usize) -> Value {
    let mut order = order(id, skill);
    order["input_data"] = json!({ "n": "x".repeat(bytes) });
    order["sandbox_config"] = json!({ "fuel": 1_000_000_000_000_u64 });
    order
}

async fn not_ready(service: &Service, check: &str) -> Option<String> {
    let answer = service.get("/readyz").await;
    let status = answer.status();
    let ready: Value = answer.json().await.expect("JSON");
    let checks = ready["checks"].as_array().expect("checks");
    let one = checks
        .iter()
        .find(|one| one["name"] == check)
        .expect("the check");
    assert_eq!(
        status == 200,
        checks.iter().all(|check| check["ok"] == true),
        "{ready}"
    );
    assert_eq!(one["ok"] == true, one["reason"].is_null(), "{ready}");
    one["reason"].as_str().map(str::to_owned)
}

async fn is_ready_again(service: &Service) {
    service
        .shows("/readyz", |ready| {
            ready["checks"]
                .as_array()
                .expect("checks")
                .iter()
                .all(|one| one["ok"] == true)
        })
        .await;
}

/// `sre serve` where it cannot start.
fn refused(home: &Home) -> Ran {
    home.words("serve --listen 127.0.0.1:0").exits(1)
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a folder");
    for entry in fs::read_dir(from).expect("a folder") {
        let entry = entry.expect("an entry");
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).expect("copied");
        }
    }
}

#[tokio::test]
async fn a_full_disk_refuses_orders_and_loses_none() {
    let home = Home::new();
    let Some(command) =
        home.command_with_mounts("mount -t tmpfs -o size=16m,mode=0700 tmpfs \"$0\"")
    else {
        return;
    };
    let service = Service::start_as(
        command,
        &[
            "server.free_disk_bytes=1000000",
            "workers.backoff_base_seconds=0.1",
        ],
    );
    let data = Path::new(&format!("/proc/{}/root", service.id()))
        .join(home.data().strip_prefix("/").expect("absolute"));
    let skill = service.upload("returns_1").await;
    service
        .post("/v1/orders?wait=60", &order("before", &skill))
        .await;
    assert_eq!(
        (
            not_ready(&service, "disk").await,
            not_ready(&service, "sandbox").await
        ),
        (None, None)
    );

    let mut ballast = fs::File::create(data.join("ballast")).expect("a file");
    while ballast.write_all(&[0; 4096]).is_ok() {}
    let mut acknowledged = vec![String::from("before")];
    let mut refused = None;
    for n in 0..500 {
        let id = format!("full-{n}");
        let mut order = order(&id, &skill);
        order["input_data"] = json!({ "text": format!("{n}").repeat(20_000) });
        let answer = service.post("/v1/orders", &order).await;
        match answer.status().as_u16() {
            202 => acknowledged.push(id),
            503 => {
                assert!(answer.headers().contains_key("retry-after"));
                refused = Some((order, answer.json::<Value>().await.expect("JSON")));
                break;
            }
            other => panic!("{id}: {other}"),
        }
    }
    let (again, problem) = refused.expect("the disk is full");
    assert!(
        matches!(
            problem["code"].as_str(),
            Some("journal_failed" | "store_failed")
        ),
        "{problem}"
    );
    assert_eq!(
        not_ready(&service, "disk").await.as_deref(),
        Some("space_low")
    );
    assert!(matches!(
        not_ready(&service, "journal").await.as_deref(),
        Some("disk_full") | None
    ));
    assert_eq!(
        service.get("/v1/orders/before").await.status(),
        200,
        "what is there can be read"
    );

    // As it would be after a power cut at this moment.
    service.send_signal("STOP");
    copy(&data, &home.path("copy"));
    service.send_signal("CONT");
    drop(ballast);
    fs::remove_file(data.join("ballast")).expect("removed");
    is_ready_again(&service).await;
    let answer = service.post("/v1/orders?wait=60", &again).await;
    assert_eq!(
        answer.json::<Value>().await.expect("JSON")["status"],
        "completed"
    );
    all_end(&service, &acknowledged).await;
    drop(service);

    fs::remove_file(home.path("copy").join("ballast")).expect("removed");
    let mut command = home.command();
    command.env("SRE_DATA_DIR", home.path("copy"));
    all_end(&Service::start_as(command, &[]), &acknowledged).await;
}

/// Every order ends: well, or because the disk was full.
async fn all_end(service: &Service, ids: &[String]) {
    for id in ids {
        let ended = service.ended(id).await;
        let code = ended["error_code"].as_str();
        assert!(
            ended["status"] == "completed" || matches!(code, Some("store_failed" | "interrupted")),
            "{ended}"
        );
    }
}

#[tokio::test]
async fn a_locked_journal_acknowledges_nothing_and_loses_nothing() {
    let home = Home::new();
    let service = Service::start(&home, &[]);
    let skill = service.upload("burns").await;
    assert_eq!(
        service
            .post("/v1/orders", &long_order("runs", &skill, 10))
            .await
            .status(),
        202
    );
    let other = Connection::open(home.data().join("journal.sqlite3")).expect("the journal");
    // The writer of the service may be at it.
    other.busy_timeout(Duration::from_secs(60)).expect("set");
    other.execute_batch("BEGIN IMMEDIATE").expect("the lock");
    let locked = order("locked", &skill);
    let (answer, reason) = tokio::join!(
        service.post("/v1/orders", &locked),
        not_ready(&service, "journal")
    );
    assert_eq!(
        (answer.status().as_u16(), reason.as_deref()),
        (503, Some("locked"))
    );
    assert_eq!(
        answer.json::<Value>().await.expect("JSON")["code"],
        "journal_failed"
    );
    assert_eq!(service.get("/v1/orders/locked").await.status(), 404);
    assert_eq!(service.get("/v1/orders/runs").await.status(), 200);
    other.execute_batch("COMMIT").expect("unlocked");
    is_ready_again(&service).await;
    assert_eq!(service.ended("runs").await["status"], "completed");
    assert_eq!(
        service
            .post("/v1/orders", &order("locked", &skill))
            .await
            .status(),
        202
    );
    drop(service);

    other.execute_batch("BEGIN IMMEDIATE").expect("the lock");
    let refused = refused(&home);
    assert!(refused.stderr.contains("journal.sqlite3"), "{refused:?}");
    assert!(
        refused.stderr.contains("another process holds it"),
        "{refused:?}"
    );
    other.execute_batch("COMMIT").expect("unlocked");
    assert_eq!(
        Service::start(&home, &[]).ended("locked").await["order_id"],
        "locked"
    );
}

#[tokio::test]
async fn a_damaged_or_read_only_folder_is_refused_by_name_with_a_remedy() {
    let home = Home::new();
    let service = Service::start(&home, &[]);
    let skill = service.upload("returns_1").await;
    for n in 0..20 {
        service
            .post("/v1/orders?wait=60", &order(&format!("n{n}"), &skill))
            .await;
    }
    drop(service.signal("TERM"));
    let whole = home.path("whole");
    copy(&home.data(), &whole);

    for (name, from) in [
        ("journal.sqlite3", 0),
        ("journal.sqlite3", 4096),
        ("blobs/small.sqlite3", 0),
    ] {
        let path = home.data().join(name);
        let length = fs::metadata(&path).expect("a file").len();
        let mut file = fs::OpenOptions::new()
            .write(true)
            .open(&path)
            .expect("a file");
        file.seek(SeekFrom::Start(from)).expect("a place");
        file.write_all(&vec![0xa5; usize::try_from(length - from).expect("small")])
            .expect("damaged");
        let refused = refused(&home);
        assert!(
            refused.stderr.contains(path.to_str().expect("UTF-8")),
            "{refused:?}"
        );
        assert!(
            refused.stderr.contains("damaged") && refused.stderr.contains("restore a copy"),
            "{refused:?}"
        );
        copy(&whole, &home.data());
    }

    // The copy is good.
    let service = Service::start(&home, &[]);
    assert_eq!(service.ended("n7").await["status"], "completed");
    // Once with a log that must be recovered, once without.
    drop(service);
    for ends_in_peace in [false, true] {
        if ends_in_peace {
            drop(Service::start(&home, &[]).signal("TERM"));
        }
        read_only_is_refused(&home);
    }
}

fn read_only_is_refused(home: &Home) {
    let script = "mount --bind \"$0\" \"$0\"; mount -o remount,bind,ro \"$0\"";
    let Some(mut command) = home.command_with_mounts(script) else {
        return;
    };
    let refused = ran(command
        .args(["serve", "--listen", "127.0.0.1:0"])
        .output()
        .expect("sre starts"))
    .exits(1);
    assert!(
        refused
            .stderr
            .contains(home.data().to_str().expect("UTF-8")),
        "{refused:?}"
    );
    assert!(refused.stderr.contains("write"), "{refused:?}");
}

#[tokio::test]
async fn blobs_that_vanish_or_change_under_the_service_are_noticed() {
    let home = Home::new();
    let service = Service::start(&home, &[]);
    let skill = service.upload("returns_1").await;
    let blobs = Connection::open(home.data().join("blobs/small.sqlite3")).expect("the blobs");
    blobs.busy_timeout(Duration::from_secs(60)).expect("set");
    for (id, change, verdict) in [
        (
            "missing",
            "DELETE FROM blob WHERE digest = ?1",
            "unavailable",
        ),
        (
            "altered",
            "UPDATE blob SET bytes = CAST('2' AS BLOB) WHERE digest = ?1",
            "tampered",
        ),
    ] {
        let ended: Value = service
            .post("/v1/orders?wait=60", &order(id, &skill))
            .await
            .json()
            .await
            .expect("JSON");
        let digest = ended["commit_result"]["result_hash"]
            .as_str()
            .expect("a digest")
            .to_owned();
        assert_eq!(
            blobs
                .execute(change, [hex::decode(&digest).expect("hex")])
                .expect("changed"),
            1
        );
        let answer = service.get(&format!("/v1/blobs/{digest}")).await;
        assert!(
            matches!(answer.status().as_u16(), 404 | 503),
            "wrong bytes are never served: {answer:?}"
        );
        let found: Value = service
            .post("/v1/verify", &json!({ "order_id": id }))
            .await
            .json()
            .await
            .expect("JSON");
        assert_eq!(found["verdict"], verdict, "{found}");
        // The next order that has the same output repairs it.
        service
            .post("/v1/orders?wait=60", &order(&format!("{id}-again"), &skill))
            .await;
        let found: Value = service
            .post("/v1/verify", &json!({ "order_id": id }))
            .await
            .json()
            .await
            .expect("JSON");
        assert_eq!(found["verdict"], "matched", "{found}");
    }

    // The skill of an order that waits: no process has it in memory after a crash.
    let long = service.upload("burns").await;
    drop(service);
    let service = Service::start(&home, &["workers.wasm=1"]);
    assert_eq!(
        service
            .post("/v1/orders", &long_order("first", &long, 800))
            .await
            .status(),
        202
    );
    assert_eq!(
        service
            .post("/v1/orders", &order("waits", &skill))
            .await
            .status(),
        202
    );
    drop(service);
    assert_eq!(
        blobs.execute(
            "DELETE FROM blob WHERE digest = ?1",
            [hex::decode(&skill).expect("hex")]
        ),
        Ok(1)
    );
    let service = Service::start(&home, &[]);
    let ended = service.ended("waits").await;
    assert_eq!(
        (ended["status"].as_str(), ended["error_code"].as_str()),
        (Some("failed"), Some("store_failed"))
    );
    assert!(
        ended["error_message"]
            .as_str()
            .is_some_and(|message| message.contains(&skill)),
        "{ended}"
    );
    // Submitting the skill again repairs it.
    assert_eq!(service.upload("returns_1").await, skill);
    service
        .post("/v1/orders?wait=60", &order("repaired", &skill))
        .await;
    assert_eq!(service.ended("repaired").await["status"], "completed");
}

/// A clock that was set back leaves rows of the future behind. Retries and callbacks that are due
/// in an hour from then would wait for ten years.
#[tokio::test]
async fn a_clock_that_was_set_back_delays_nothing() {
    const TEN_YEARS_MS: i64 = 10 * 365 * 86_400_000;
    let home = Home::new();
    let receiver = Receiver::start(|number| {
        common::service::status(if number == 0 {
            "503 Service Unavailable"
        } else {
            "204 No Content"
        })
    });
    let [networks, ports] = receiver.settings();
    let settings = [
        &*networks,
        &*ports,
        "callbacks.schedule_seconds=[3600, 3600]",
        "workers.backoff_base_seconds=3600",
    ];
    let service = Service::start(&home, &settings);
    let (quick, slow) = (
        service.upload("returns_1").await,
        service.upload("burns").await,
    );
    let mut called = order("called", &quick);
    called["callback_url"] = json!(receiver.url());
    service.post("/v1/orders?wait=60", &called).await;
    common::service::until("the first delivery", || receiver.all().len() == 1).await;
    let mut interrupted = long_order("interrupted", &slow, 100);
    interrupted["max_retries"] = json!(2);
    assert_eq!(service.post("/v1/orders", &interrupted).await.status(), 202);
    service.runs("interrupted").await;
    // The delivery is recorded after the receiver has answered.
    service
        .shows("/v1/orders/called/callback", |found| {
            !found["last_error"].is_null()
        })
        .await;
    drop(service);
    let service = Service::start(&home, &settings);
    // Taken from the process that is gone, and put off for an hour.
    service
        .shows("/v1/orders/interrupted", |order| {
            order["status"] == "queued"
        })
        .await;
    drop(service);

    let journal = Connection::open(home.data().join("journal.sqlite3")).expect("the journal");
    for (table, columns) in [
        ("orders", &["accepted_at_ms"][..]),
        ("results", &["finished_at_ms"]),
        ("events", &["at_ms"]),
        (
            "open_orders",
            &["queued_at_ms", "queue_until_ms", "set_at_ms", "due_ms"],
        ),
        ("outbox", &["set_at_ms", "due_ms"]),
        ("holders", &["until_ms"]),
    ] {
        let sets: Vec<String> = columns
            .iter()
            .map(|column| format!("{column} = {column} + {TEN_YEARS_MS}"))
            .collect();
        journal
            .execute(&format!("UPDATE {table} SET {}", sets.join(", ")), [])
            .expect("moved");
    }
    drop(journal);

    let service = Service::start(&home, &settings);
    let ended = service.ended("interrupted").await;
    assert_eq!(
        (ended["status"].as_str(), ended["attempts"].as_i64()),
        (Some("completed"), Some(2)),
        "{ended}"
    );
    assert_eq!(ended["execution_time_ms"], 0, "no time is negative");
    assert_eq!(
        service.callback_is("called", "delivered").await["attempts"],
        2
    );
    let newest: Value = service.get("/v1/orders").await.json().await.expect("JSON");
    assert_eq!(newest["orders"].as_array().map(Vec::len), Some(2));
    assert_eq!(
        service
            .post("/v1/orders?wait=60", &order("new", &quick))
            .await
            .status(),
        200
    );
}
