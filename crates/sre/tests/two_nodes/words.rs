//! Errors say what was wrong and what to do.

use serde_json::json;

use crate::common::Home;
use crate::common::service::Service;
use crate::{introduce, size_is};

#[tokio::test(flavor = "multi_thread")]
async fn an_address_that_is_not_quite_right_is_explained() {
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
    let ran = verifier.sre(&["tlog", "check", &service.base]).exits(23);
    assert!(
        ran.stderr
            .contains(&format!("the log of a service is at {}/log", service.base)),
        "{ran:?}"
    );
    let ran = verifier
        .sre(&[
            "watch",
            "--once",
            "--executor",
            &format!("{}/log", service.base),
        ])
        .exits(23);
    assert!(
        ran.stderr.contains("/log/log/checkpoint") && ran.stderr.contains("without /log"),
        "{ran:?}"
    );
    // A password would be printed, and stand in every challenge.
    let with_password = service.base.replace("http://", "http://user:secret-word@");
    for arguments in [
        vec!["watch", "--once", "--executor", &with_password],
        vec!["tlog", "check", &with_password],
        vec![
            "bundle",
            "one",
            "-o",
            "one.sre-bundle",
            "--from",
            &with_password,
        ],
        vec![
            "watch",
            "--once",
            "--executor",
            &service.base,
            "--challenge",
            &with_password,
        ],
    ] {
        let ran = verifier.sre(&arguments).exits(2);
        assert!(
            ran.stderr.contains("credentials") && !ran.stderr.contains("secret-word"),
            "{ran:?}"
        );
    }
    let court = "http://127.0.0.1:9999/";
    let ran = verifier
        .sre(&[
            "watch",
            "--once",
            "--executor",
            &service.base,
            "--challenge",
            court,
        ])
        .exits(2);
    assert!(
        ran.stderr.contains("--challenge-port") && !ran.stderr.contains("callbacks.ports"),
        "{ran:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_that_refuses_or_does_not_answer_is_named_once() {
    let (executor, stranger) = (Home::new(), Home::new());
    executor
        .words("key new --name executor.example.org/log")
        .exits(0);
    let made = executor
        .words("token new submits --scopes submit --format json")
        .exits(0)
        .json();
    let token = made["token"].as_str().expect("a token").to_owned();
    let service = Service::start(&executor, &[]);
    let skill = crate::common::service::object("returns_1");
    let order = json!({ "order_id": "one", "skill_package": skill });
    let request = service
        .request(reqwest::Method::POST, "/v1/orders?wait=60")
        .bearer_auth(&token)
        .json(&order);
    assert!(
        request
            .send()
            .await
            .expect("an answer")
            .status()
            .is_success()
    );
    let mut command = stranger.command();
    command.env("SRE_TOKEN", &token).args([
        "bundle",
        "one",
        "-o",
        "one.sre-bundle",
        "--from",
        &service.base,
    ]);
    let ran = crate::common::ran(command.output().expect("sre starts")).exits(1);
    assert!(
        ran.stderr.contains("scope `read`") && !ran.stderr.contains("lost"),
        "{ran:?}"
    );
    assert!(ran.stderr.lines().count() <= 3, "{ran:?}");
    drop(service);

    let receipt = executor.path("receipt.json");
    executor.skill("returns_1");
    executor
        .sre(&[
            "run",
            "returns_1",
            "--receipt",
            receipt.to_str().expect("text"),
        ])
        .exits(0);
    let from = ["--from", "http://127.0.0.1:1"];
    let ran = stranger
        .sre(&[&["verify", receipt.to_str().expect("text")], &from[..]].concat())
        .exits(23);
    assert_eq!(ran.stderr.matches("no answer").count(), 1, "{ran:?}");
}
