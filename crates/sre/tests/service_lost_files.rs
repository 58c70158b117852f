//! A database is moved, replaced or deleted under the running service. It notices, writes nothing
//! more there, says why, saves what it had, and ends; and no later one begins with an empty file as
//! if nothing had happened.

mod common;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use common::Home;
use common::service::{Service, eventually, until};
use serde_json::{Value, json};

/// What happens to the file.
type Deed = fn(&Path);

fn beside(path: &Path, end: &str) -> PathBuf {
    PathBuf::from(format!("{}{end}", path.display()))
}

const DEEDS: [(&str, Deed); 4] = [
    ("moved", |path| {
        fs::rename(path, beside(path, ".old")).expect("moved")
    }),
    ("deleted", |path| fs::remove_file(path).expect("deleted")),
    ("replaced", |path| {
        // By a copy of an earlier time, for instance.
        fs::copy(beside(path, ".copy"), beside(path, ".new")).expect("copied");
        fs::rename(beside(path, ".new"), path).expect("replaced");
    }),
    ("without its log", |path| {
        fs::remove_file(beside(path, "-wal")).expect("deleted")
    }),
];

/// Submits orders until one is refused, which is returned, or the service is gone; notes those that
/// were acknowledged.
async fn load(
    service: &Service,
    lane: usize,
    skill: &str,
    acknowledged: &Mutex<Vec<String>>,
) -> Option<Value> {
    for number in 0.. {
        let id = format!("lane-{lane}-{number}");
        let order =
            json!({ "order_id": id, "skill_package": { "digest": skill }, "max_retries": 3 });
        let answer = service
            .request(reqwest::Method::POST, "/v1/orders")
            .json(&order)
            .send()
            .await
            .ok()?;
        if !answer.status().is_success() {
            assert_eq!(answer.status(), 503);
            return answer.json().await.ok();
        }
        acknowledged.lock().expect("no panic").push(id);
    }
    None
}

async fn is_not_ready(service: &Service) -> Value {
    eventually("a service that is not ready", async || {
        let answer = service.get("/readyz").await;
        if answer.status() == 503 {
            Ok(answer.json().await.expect("JSON"))
        } else {
            Err(answer.status())
        }
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_journal_that_is_taken_away_is_noticed_and_nothing_acknowledged_is_lost() {
    for (what, deed) in DEEDS {
        let home = Home::new();
        drop(Service::start(&home, &[]).signal("TERM"));
        let path = home.path("data/journal.sqlite3");
        fs::copy(&path, beside(&path, ".copy")).expect("a copy of the empty journal");
        // One ends by itself, the others when they are told to; they would wait long.
        let ends_alone = what == "replaced";
        let grace = if ends_alone {
            "server.grace_seconds=0.1"
        } else {
            "server.grace_seconds=600"
        };
        let service = Service::start(&home, &[grace]);
        let skill = service.upload("returns_1").await;
        let acknowledged = Mutex::new(Vec::new());
        let lanes = (0..4).map(|lane| load(&service, lane, &skill, &acknowledged));
        let taken = async {
            until("forty orders", || {
                acknowledged.lock().expect("no panic").len() >= 40
            })
            .await;
            deed(&path);
        };
        let (refusals, ()) =
            futures_util::future::join(futures_util::future::join_all(lanes), taken).await;
        for refusal in refusals.into_iter().flatten() {
            assert!(
                matches!(
                    refusal["code"].as_str(),
                    Some("journal_failed" | "shutting_down")
                ),
                "{what}: {refusal}"
            );
        }
        if !ends_alone {
            let checks = is_not_ready(&service).await;
            assert!(
                checks.to_string().contains("\"reason\":\"moved\""),
                "{what}: {checks}"
            );
            service.send_signal("TERM");
        }
        let (code, log) = service.end();
        assert_eq!(code, Some(1), "{what}: {log}");
        assert!(
            log.contains("all that it held is saved in"),
            "{what}: {log}"
        );

        let saved = saved_copy(&path);
        let refused = home.words("serve --listen 127.0.0.1:0").exits(1);
        assert!(
            refused.stderr.contains(saved.to_str().expect("text")),
            "{what}: {refused:?}"
        );
        assert!(
            !beside(&path, "-wal").exists(),
            "{what}: the log of another file would be read as this one's"
        );
        fs::rename(&saved, &path).expect("put back");
        let service = Service::start(&home, &[]);
        for id in acknowledged.into_inner().expect("no panic") {
            assert_eq!(
                service.ended(&id).await["status"],
                "completed",
                "{what}: {id}"
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn blobs_and_a_log_that_are_taken_away_are_saved_too() {
    for (name, check) in [
        ("data/blobs/small.sqlite3", "store"),
        ("data/log.sqlite3", "log"),
    ] {
        let home = Home::new();
        let service = Service::start(&home, &["server.grace_seconds=600"]);
        let skill = service.upload("returns_1").await;
        submit(&service, "before", &skill).await;
        assert_eq!(service.ended("before").await["status"], "completed");
        let signed = receipt(&service, "before").await;
        let path = home.path(name);
        fs::remove_file(&path).expect("deleted");
        let checks = is_not_ready(&service).await;
        let failed: Vec<&Value> = checks["checks"]
            .as_array()
            .expect("checks")
            .iter()
            .filter(|c| c["ok"] == false)
            .collect();
        assert_eq!(
            (&failed[0]["name"], &failed[0]["reason"]),
            (&json!(check), &json!("moved")),
            "{checks}"
        );
        service.send_signal("TERM");
        let (code, log) = service.end();
        assert_eq!(code, Some(1), "{name}: {log}");
        assert!(
            log.contains("all that it held is saved in"),
            "{name}: {log}"
        );

        let saved = saved_copy(&path);
        let refused = home.words("serve --listen 127.0.0.1:0").exits(1);
        assert!(
            refused.stderr.contains(saved.to_str().expect("text")),
            "{name}: {refused:?}"
        );
        fs::rename(&saved, &path).expect("put back");
        let service = Service::start(&home, &[]);
        assert_eq!(receipt(&service, "before").await, signed, "{name}");
        submit(&service, "after", &skill).await;
        assert_eq!(service.ended("after").await["status"], "completed");
        drop(service.signal("TERM"));
        home.words("verify before").exits(0);
        home.words("audit").exits(0);
    }
}

async fn submit(service: &Service, id: &str, skill: &str) {
    let order = json!({ "order_id": id, "skill_package": { "digest": skill } });
    let answer = service
        .request(reqwest::Method::POST, "/v1/orders")
        .json(&order)
        .send()
        .await
        .expect("an answer");
    assert!(answer.status().is_success(), "{answer:?}");
}

/// The signed receipt, once its place in the log is proven.
async fn receipt(service: &Service, id: &str) -> Value {
    let answer = service
        .get(&format!("/v1/orders/{id}/receipt?wait=60"))
        .await;
    let shown: Value = answer.json().await.expect("JSON");
    assert_eq!(shown["status"], "logged", "{shown}");
    shown["receipt"].clone()
}

/// What was saved of the database at `path`.
fn saved_copy(path: &Path) -> PathBuf {
    let beginning = format!("{}-saved-", path.file_stem().expect("a name").display());
    let entries = fs::read_dir(path.parent().expect("a folder")).expect("the data folder");
    let mut names = entries.map(|entry| entry.expect("an entry").path());
    let is_copy = |path: &PathBuf| {
        path.file_name()
            .is_some_and(|name| name.display().to_string().starts_with(&beginning))
    };
    names.find(is_copy).expect("a saved copy")
}
