//! Verdicts are delivered, also to an executor that does not accept them yet, and delay nothing.

use std::fs;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::{Value, json};

use crate::common::Home;
use crate::common::service::{Receiver, Service, status, until};
use crate::liar::run_patched;
use crate::proxy::{before, failing};
use crate::{Killed, challenges, introduce, size_is};

async fn run(service: &Service, id: &str, required: u32) {
    let skill = service.upload("returns_1").await;
    let order = json!({ "order_id": id, "skill_package": { "digest": skill }, "verdicts_required": required });
    service.post("/v1/orders?wait=60", &order).await;
}

/// The one folder of a watcher.
fn memory(home: &Home) -> PathBuf {
    let mut all = fs::read_dir(home.data().join("watch")).expect("a folder");
    all.next().expect("an executor").expect("an entry").path()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_verdict_that_is_refused_is_offered_until_the_key_is_trusted() {
    let (executor, trusted, late) = (Home::new(), Home::new(), Home::new());
    introduce(&executor, &trusted);
    late.words("key new --name late.example.org").exits(0);
    late.sre(&[
        "key",
        "trust",
        executor.words("key show").exits(0).stdout.trim(),
    ])
    .exits(0);
    let service = Service::start(&executor, &[]);
    run(&service, "one", 1).await;
    run(&service, "two", 1).await;
    size_is(&service, 2).await;
    let watch = |base: &str| {
        late.sre(&["watch", "--once", "--format", "json", "--executor", base])
            .exits(0)
            .json()
    };
    // Two of the orders are not known at first.
    let unknown = before(&service, |asked| {
        (!asked.body.is_empty()).then(|| (404, Vec::new()))
    });
    let found = watch(&unknown.address());
    assert_eq!(
        (&found["undelivered"], &found["refused"]),
        (&json!(2), &json!(0)),
        "{found}"
    );
    // A refused verdict is offered again after a moment.
    let refused = std::time::Instant::now();
    let mut found = watch(&service.base);
    while !found["undelivered_reason"]
        .as_str()
        .is_some_and(|why| why.contains("is not trusted"))
    {
        assert!(
            refused.elapsed().as_secs() < 60,
            "never offered again: {found}"
        );
        found = watch(&service.base);
    }
    assert_eq!(
        (&found["undelivered"], &found["refused"]),
        (&json!(2), &json!(0)),
        "{found}"
    );
    let shown = late
        .sre(&["watch", "--once", "--executor", &service.base])
        .exits(0);
    assert!(
        shown.stdout.contains("2 not delivered yet") && shown.stdout.contains("is not trusted"),
        "{shown:?}"
    );

    executor
        .sre(&[
            "key",
            "trust",
            late.words("key show").exits(0).stdout.trim(),
            "--for",
            "verdict",
        ])
        .exits(0);
    let mut found = watch(&service.base);
    while found["undelivered"] != 0 {
        assert!(
            refused.elapsed().as_secs() < 120,
            "never delivered: {found}"
        );
        found = watch(&service.base);
    }
    for id in ["one", "two"] {
        let order: Value = service
            .get(&format!("/v1/orders/{id}"))
            .await
            .json()
            .await
            .expect("JSON");
        assert_eq!(order["finality"]["is_final"], true, "{order}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn verdicts_that_are_never_accepted_are_given_up_and_do_not_stop_the_checks() {
    const LIMIT: u64 = 10_000;
    let (executor, verifier) = (Home::new(), Home::new());
    introduce(&executor, &verifier);
    let service = Service::start(&executor, &[]);
    run(&service, "one", 0).await;
    size_is(&service, 1).await;
    let web = before(&service, |asked| (!asked.body.is_empty()).then(failing));
    let watch = || {
        verifier
            .sre(&[
                "watch",
                "--once",
                "--format",
                "json",
                "--executor",
                &web.address(),
            ])
            .exits(0)
    };
    assert_eq!(watch().json()["undelivered"], 1);
    // As many as there may be wait beside that one, and are older.
    let old: Vec<Value> = (0..LIMIT / 50)
        .map(|n| json!({ "order_id": format!("old-{n}"), "body": "{}" }))
        .collect();
    for number in 0..50 {
        let path = memory(&verifier)
            .join("outbox")
            .join(format!("older-{number:02}.json"));
        fs::write(path, serde_json::to_vec(&old).expect("JSON")).expect("a file");
    }
    run(&service, "two", 0).await;
    size_is(&service, 2).await;
    let found = watch().json();
    assert_eq!(
        (&found["position"], &found["verdicts"]["matched"]),
        (&json!(2), &json!(2)),
        "{found}"
    );
    assert_eq!(
        (&found["undelivered"], &found["dropped"]),
        (&json!(LIMIT), &json!(2)),
        "{found}"
    );
    let kept = fs::read_dir(memory(&verifier).join("outbox")).expect("a folder");
    let newest = kept.filter(|entry| {
        entry
            .as_ref()
            .is_ok_and(|entry| entry.file_name().to_string_lossy().starts_with("part-"))
    });
    assert_eq!(newest.count(), 2, "the newest are kept");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_challenge_that_waits_is_delivered_while_the_executor_is_away() {
    let (executor, verifier) = (Home::new(), Home::new());
    introduce(&executor, &verifier);
    run_patched(
        &executor,
        &[("alters-input", "echoes")],
        "http://127.0.0.1:1/",
    )
    .await;
    let service = Service::start(&executor, &[]);
    size_is(&service, 1).await;
    let is_open = Arc::new(AtomicBool::new(false));
    let opens = Arc::clone(&is_open);
    let court = Receiver::start(move |_| {
        status(if opens.load(Ordering::Relaxed) {
            "204 No Content"
        } else {
            "503 Service Unavailable"
        })
    });
    let (url, port, base) = (court.url(), court.port.to_string(), service.base.clone());
    let watch = || {
        let mut arguments = vec!["watch", "--once", "--format", "json", "--challenge", &url];
        arguments.extend([
            "--challenge-network",
            "127.0.0.0/8",
            "--challenge-port",
            &port,
            "--executor",
            &base,
        ]);
        verifier.sre(&arguments)
    };
    assert_eq!(watch().exits(21).json()["undelivered"], 1);
    drop(service);
    let before = challenges(&court).len();
    is_open.store(true, Ordering::Relaxed);
    watch().exits(23);
    let told = challenges(&court);
    assert_eq!(told.len(), before + 1);
    assert_eq!(told[before]["verdict"], "diverged");
    watch().exits(23);
    assert_eq!(challenges(&court).len(), before + 1, "it was taken");
}

#[tokio::test(flavor = "multi_thread")]
async fn two_watchers_do_not_share_a_folder() {
    let (executor, verifier) = (Home::new(), Home::new());
    introduce(&executor, &verifier);
    let service = Service::start(&executor, &[]);
    run(&service, "one", 0).await;
    size_is(&service, 1).await;
    let mut command = verifier.command();
    command
        .args(["watch", "--executor", &service.base])
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let watcher = Killed(command.spawn().expect("sre starts"));
    let is_at_work = || {
        let folder = fs::read_dir(verifier.data().join("watch"))
            .ok()
            .and_then(|mut all| all.next()?.ok());
        folder.is_some_and(|folder| folder.path().join("state.json").is_file())
    };
    until("the first watcher works", is_at_work).await;
    let second = || {
        verifier.sre(&[
            "watch",
            "--once",
            "--format",
            "json",
            "--executor",
            &service.base,
        ])
    };
    let refused = second().exits(1);
    assert!(
        refused.stderr.contains("watch_running") && refused.stderr.contains("--data-dir"),
        "{refused:?}"
    );
    drop(watcher);
    assert_eq!(second().exits(0).json()["receipts"], 1);
}
