//! A log that tells two stories is caught, and what it said is kept as it was said.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use serde_json::{Value, json};

use crate::common::Home;
use crate::common::service::{Receiver, Service, status};
use crate::proxy::{before, failing};
use crate::{challenges, copy, introduce, size_is};

async fn run(service: &Service, ids: &[&str], size: u64) {
    let skill = service.upload("returns_1").await;
    for id in ids {
        service
            .post(
                "/v1/orders?wait=60",
                &json!({ "order_id": id, "skill_package": { "digest": skill } }),
            )
            .await;
    }
    size_is(service, size).await;
}

/// The size that a signed note in a challenge states.
fn size(note: &Value) -> u64 {
    let note = note.as_str().expect("a note");
    note.lines()
        .nth(1)
        .and_then(|size| size.parse().ok())
        .unwrap_or_else(|| panic!("no checkpoint: {note:?}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_cannot_take_back_what_it_signed_before_its_entries_were_read() {
    let (executor, verifier, forked) = (Home::new(), Home::new(), Home::new());
    introduce(&executor, &verifier);
    let service = Service::start(&executor, &[]);
    run(&service, &["one"], 1).await;
    verifier
        .sre(&["watch", "--once", "--executor", &service.base])
        .exits(0);
    size_is(&service, 2).await;
    drop(service);
    copy(&executor.data(), &forked.data());

    // A tree of three entries is signed and proven, and the entries are not shown.
    let service = Service::start(&executor, &[]);
    run(&service, &["two"], 3).await;
    let web = before(&service, |asked| {
        asked.path.starts_with("/log/tile/entries/").then(failing)
    });
    verifier
        .sre(&["watch", "--once", "--executor", &web.address()])
        .exits(23);
    drop((web, service));

    // Another tree that continues the two entries of the look before. Asked a third time, the log
    // shows nothing.
    let service = Service::start(&forked, &[]);
    run(&service, &["three", "four"], 4).await;
    let questions = Arc::new(AtomicU32::new(0));
    let counted = Arc::clone(&questions);
    let web = before(&service, move |asked| {
        let is_too_late =
            asked.path == "/log/checkpoint" && counted.fetch_add(1, Ordering::Relaxed) >= 2;
        is_too_late.then(failing)
    });
    let is_open = Arc::new(AtomicBool::new(false));
    let opens = Arc::clone(&is_open);
    let court = Receiver::start(move |_| {
        status(if opens.load(Ordering::Relaxed) {
            "204 No Content"
        } else {
            "503 Service Unavailable"
        })
    });
    let (url, port) = (court.url(), court.port.to_string());
    let accuse = || {
        questions.store(0, Ordering::Relaxed);
        let mut arguments = vec![
            "watch",
            "--once",
            "--challenge",
            &url,
            "--challenge-network",
            "127.0.0.0/8",
        ];
        let address = web.address();
        arguments.extend(["--challenge-port", &port, "--executor", &address]);
        let caught = verifier.sre(&arguments).exits(22);
        assert!(
            caught.stderr.contains("do not begin with the 3 it had"),
            "{caught:?}"
        );
    };
    accuse();
    run(&service, &["five"], 5).await;
    accuse();
    // The first accusation is not delivered yet, and the second does not replace it.
    let before = challenges(&court).len();
    is_open.store(true, Ordering::Relaxed);
    accuse();
    let taken: Vec<(u64, u64)> = challenges(&court)[before..]
        .iter()
        .map(|challenge| {
            (
                size(&challenge["checkpoint_before"]),
                size(&challenge["checkpoint_now"]),
            )
        })
        .collect();
    assert!(
        taken.contains(&(3, 4)) && taken.contains(&(3, 5)),
        "{taken:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn entries_that_were_not_shown_are_read_at_the_next_look() {
    let (executor, verifier) = (Home::new(), Home::new());
    introduce(&executor, &verifier);
    let service = Service::start(&executor, &[]);
    run(&service, &["one", "two"], 2).await;
    let web = before(&service, |asked| {
        asked.path.starts_with("/log/tile/entries/").then(failing)
    });
    verifier
        .sre(&[
            "tlog",
            "check",
            &format!("{}/log", web.address()),
            "--entries",
        ])
        .exits(23);
    let log = format!("{}/log", service.base);
    let found = verifier
        .sre(&["tlog", "check", &log, "--entries", "--format", "json"])
        .exits(0)
        .json();
    assert_eq!(
        (&found["size_before"], &found["entries_checked"]),
        (&json!(2), &json!(2))
    );
    let found = verifier
        .sre(&["tlog", "check", &log, "--entries", "--format", "json"])
        .exits(0)
        .json();
    assert_eq!(found["entries_checked"], 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_shows_foreign_entries_leaves_evidence() {
    let (executor, verifier) = (Home::new(), Home::new());
    introduce(&executor, &verifier);
    let service = Service::start(&executor, &[]);
    run(&service, &["one"], 1).await;
    let web = before(&service, |asked| {
        asked
            .path
            .starts_with("/log/tile/entries/")
            .then(|| (200, b"?".to_vec()))
    });
    let court = Receiver::acknowledging();
    let (url, port) = (court.url(), court.port.to_string());
    let mut arguments = vec![
        "watch",
        "--once",
        "--challenge",
        &url,
        "--challenge-network",
        "127.0.0.0/8",
    ];
    let address = web.address();
    arguments.extend(["--challenge-port", &port, "--executor", &address]);
    let caught = verifier.sre(&arguments).exits(22);
    let kept = caught
        .stderr
        .split("the checkpoint it signed is in ")
        .nth(1)
        .expect("where")
        .trim_end();
    let kept = std::fs::read_to_string(kept).expect("the evidence");
    let told = challenges(&court);
    assert_eq!(
        (&told[0]["code"], &told[0]["checkpoint_before"]),
        (&json!("log_foreign"), &Value::Null)
    );
    assert_eq!(told[0]["checkpoint_now"], json!(kept));
}
