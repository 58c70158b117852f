//! The service through its front door: the real binary, a real client.

mod common;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use common::Home;
use common::service::{Receiver, Service, eventually, object, status, until};
use reqwest::Method;
use serde_json::{Value, json};

fn order(id: &str, skill: &str) -> Value {
    json!({ "order_id": id, "skill_package": { "digest": skill } })
}

async fn problem(answer: reqwest::Response, status: u16, code: &str) -> String {
    let found = answer.status().as_u16();
    let media_type = answer.headers()["content-type"]
        .to_str()
        .expect("a type")
        .to_owned();
    let body: Value = answer.json().await.expect("JSON");
    assert_eq!(
        (found, media_type.as_str()),
        (status, "application/problem+json"),
        "{body}"
    );
    assert_eq!(
        (body["code"].as_str(), body["status"].as_u64()),
        (Some(code), Some(status.into())),
        "{body}"
    );
    body["detail"].as_str().expect("a detail").to_owned()
}

#[tokio::test]
async fn an_order_is_submitted_once_however_often_it_is_sent() {
    let home = Home::new();
    let service = Service::start(&home, &[]);
    let skill = service.upload("returns_1").await;
    assert_eq!(service.upload("returns_1").await, skill);
    let first = service.post("/v1/orders", &order("one", &skill)).await;
    assert_eq!(
        (
            first.status().as_u16(),
            first.headers()["location"].to_str().ok()
        ),
        (202, Some("/v1/orders/one"))
    );
    let ended = service
        .post("/v1/orders?wait=60", &order("one", &skill))
        .await;
    assert_eq!(ended.status(), 200);
    let ended: Value = ended.json().await.expect("JSON");
    assert_eq!(
        (ended["status"].as_str(), ended["output"].as_i64()),
        (Some("completed"), Some(1)),
        "{ended}"
    );
    let shown: Value = service
        .get("/v1/orders/one")
        .await
        .json()
        .await
        .expect("JSON");
    assert_eq!(shown, ended);
    let mut other = order("one", &skill);
    other["max_retries"] = json!(1);
    problem(
        service.post("/v1/orders", &other).await,
        409,
        "order_conflict",
    )
    .await;

    // Inline packages too, and a guest's failure is a result.
    let inline = json!({ "order_id": "two", "skill_package": object("exits_3") });
    let failed: Value = service
        .post("/v1/orders?wait=60", &inline)
        .await
        .json()
        .await
        .expect("JSON");
    assert_eq!(
        (failed["status"].as_str(), failed["error_code"].as_str()),
        (Some("failed"), Some("skill_exited"))
    );
    let verdict = service
        .post("/v1/verify", &json!({ "order_id": "one" }))
        .await;
    assert_eq!(
        verdict.json::<Value>().await.expect("JSON")["verdict"],
        "matched"
    );
    let claim = json!({ "claim": ended["commit_result"], "reported_output": 2 });
    let verdict = service.post("/v1/verify", &claim).await;
    assert_eq!(
        verdict.json::<Value>().await.expect("JSON")["verdict"],
        "tampered"
    );

    // It survives the service, which ends in peace.
    let log = service.signal("TERM");
    assert!(!log.contains("WARN") && !log.contains("ERROR"), "{log}");
    let service = Service::start(&home, &[]);
    assert_eq!(
        service
            .get("/v1/orders/one")
            .await
            .json::<Value>()
            .await
            .expect("JSON"),
        ended
    );
}

#[tokio::test]
async fn pages_events_and_blobs_can_be_read_in_parts() {
    let home = Home::new();
    let service = Service::start(&home, &[]);
    let skill = service.upload("returns_1").await;
    for n in 0..5 {
        service
            .post("/v1/orders?wait=60", &order(&format!("n{n}"), &skill))
            .await;
    }
    let (mut seen, mut cursor) = (Vec::new(), String::new());
    loop {
        let path = format!("/v1/orders?status=completed&skill={skill}&limit=2{cursor}");
        let page: Value = service.get(&path).await.json().await.expect("JSON");
        seen.extend(
            page["orders"]
                .as_array()
                .expect("orders")
                .iter()
                .map(|order| order["order_id"].clone()),
        );
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    assert_eq!(seen, ["n4", "n3", "n2", "n1", "n0"]);

    // From the beginning, after the second event, after the last.
    let text = service
        .get("/v1/orders/n0/events")
        .await
        .text()
        .await
        .expect("text");
    let kinds: Vec<&str> = text
        .lines()
        .filter_map(|line| line.strip_prefix("event: "))
        .collect();
    assert_eq!(
        kinds,
        ["accepted", "running", "verifying", "finished"],
        "{text}"
    );
    let after = |number: u64| {
        service
            .request(Method::GET, "/v1/orders/n0/events")
            .header("last-event-id", number)
            .send()
    };
    let rest = after(2)
        .await
        .expect("an answer")
        .text()
        .await
        .expect("text");
    assert!(
        text.ends_with(&rest) && rest.starts_with("id: 3\n"),
        "{rest}"
    );
    assert_eq!(after(4).await.expect("an answer").status(), 204);

    let result: Value = service
        .get("/v1/orders/n0")
        .await
        .json()
        .await
        .expect("JSON");
    let digest = result["commit_result"]["commitment_hash"]
        .as_str()
        .expect("a digest");
    let path = format!("/v1/blobs/{digest}");
    let whole = service.get(&path).await;
    let tag = whole.headers()["etag"].clone();
    let whole = whole.bytes().await.expect("bytes");
    let with = |name: &'static str, value: &str| {
        service
            .request(Method::GET, &path)
            .header(name, value.to_owned())
            .send()
    };
    let part = with("range", "bytes=2-5").await.expect("an answer");
    assert_eq!(part.status(), 206);
    assert_eq!(
        part.headers()["content-range"].to_str().expect("text"),
        format!("bytes 2-5/{}", whole.len())
    );
    assert_eq!(part.bytes().await.expect("bytes")[..], whole[2..6]);
    assert_eq!(
        with("if-none-match", tag.to_str().expect("text"))
            .await
            .expect("an answer")
            .status(),
        304
    );
    problem(
        with("range", "bytes=999999-").await.expect("an answer"),
        416,
        "range_invalid",
    )
    .await;
}

#[tokio::test]
#[expect(clippy::too_many_lines, reason = "a table of cases")]
async fn bad_requests_are_refused_by_name() {
    let home = Home::new();
    let service = Service::start(
        &home,
        &[
            "server.body_limit_bytes=200000",
            "server.body_time_limit_seconds=1",
        ],
    );
    let skill = service.upload("returns_1").await;
    let with = |members: Value| {
        let mut order = order("bad", &skill);
        order
            .as_object_mut()
            .expect("an object")
            .extend(members.as_object().expect("an object").clone());
        order
    };
    for (order, status, code, message) in [
        (
            with(json!({ "surprise": 1 })),
            422,
            "order_invalid",
            "surprise",
        ),
        (
            with(json!({ "order_id": "../x" })),
            422,
            "order_invalid",
            "order id",
        ),
        (
            with(json!({ "priority": 101 })),
            422,
            "order_invalid",
            "priority",
        ),
        (
            with(json!({ "skill_package": { "path": "/etc" } })),
            422,
            "skill_malformed",
            "path",
        ),
        (
            with(json!({ "skill_package": { "digest": skill, "x": 1 } })),
            422,
            "order_invalid",
            "digest",
        ),
        (
            with(json!({ "skill_package": { "digest": "0".repeat(64) } })),
            422,
            "skill_unknown",
            "no skill",
        ),
        (json!([]), 422, "order_invalid", ""),
    ] {
        let answer = service.post("/v1/orders", &order).await;
        let found: Value = answer.json().await.expect("JSON");
        // Codes of packages are sre-skill's.
        if code != "skill_malformed" {
            assert_eq!(
                (found["status"].as_u64(), found["code"].as_str()),
                (Some(status), Some(code)),
                "{found}"
            );
        }
        assert!(
            found["detail"]
                .as_str()
                .is_some_and(|detail| detail.contains(message)),
            "{found}"
        );
    }
    for url in [
        "http://127.0.0.1/",
        "http://2130706433/",
        "http://0177.0.0.1/",
        "http://[::1]/",
        "http://[::ffff:169.254.169.254]/",
        "http://169.254.169.254/latest/meta-data",
        "http://10.0.0.1/",
        "https://example.org:22/",
    ] {
        let answer = service
            .post("/v1/orders", &with(json!({ "callback_url": url })))
            .await;
        problem(answer, 422, "callback_forbidden").await;
    }
    let credentials = service
        .post(
            "/v1/orders",
            &with(json!({ "callback_url": "https://u:p@example.org/" })),
        )
        .await;
    problem(credentials, 422, "order_invalid").await;

    let raw = |body: &str, media_type: &str| {
        service
            .request(Method::POST, "/v1/orders")
            .header("content-type", media_type.to_owned())
            .body(body.to_owned())
            .send()
    };
    problem(
        raw("{", "application/json").await.expect("an answer"),
        400,
        "json_invalid",
    )
    .await;
    problem(
        raw("{\"a\":1,\"a\":2}", "application/json")
            .await
            .expect("an answer"),
        400,
        "json_invalid",
    )
    .await;
    problem(
        raw("{}", "text/plain").await.expect("an answer"),
        415,
        "media_type_unsupported",
    )
    .await;
    // What is refused unread, and the requests that follow on the same connection: the client never
    // meets a broken one.
    for bytes in [200_001, 1_000_000] {
        let too_large = raw(&" ".repeat(bytes), "application/json")
            .await
            .expect("an answer");
        problem(too_large, 413, "body_too_large").await;
        let unread = raw(&" ".repeat(bytes), "text/plain")
            .await
            .expect("an answer");
        problem(unread, 415, "media_type_unsupported").await;
    }
    problem(
        service.get("/v1/orders?limit=0").await,
        400,
        "query_invalid",
    )
    .await;
    problem(
        service.get("/v1/orders?colour=red").await,
        400,
        "query_invalid",
    )
    .await;
    problem(
        service.get("/v1/orders/bad?wait=-1").await,
        400,
        "query_invalid",
    )
    .await;
    problem(service.get("/v1/orders/bad").await, 404, "order_unknown").await;
    problem(service.get("/nowhere").await, 404, "route_unknown").await;
    problem(
        service
            .request(Method::PUT, "/v1/orders")
            .send()
            .await
            .expect("an answer"),
        405,
        "method_not_allowed",
    )
    .await;
    let host = service
        .request(Method::GET, "/v1/orders")
        .header("host", "evil.example")
        .send()
        .await;
    problem(host.expect("an answer"), 421, "host_refused").await;

    // One byte a second.
    let address = service
        .base
        .strip_prefix("http://")
        .expect("a URL")
        .to_owned();
    let slow = tokio::task::spawn_blocking(move || {
        let mut stream = TcpStream::connect(address).expect("a connection");
        stream.write_all(b"POST /v1/orders HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n").expect("sent");
        for _ in 0..3 {
            // The service may have closed it by now.
            drop(stream.write_all(b" "));
            std::thread::sleep(Duration::from_millis(700));
        }
        let mut answer = [0; 12];
        stream.read_exact(&mut answer).expect("an answer");
        String::from_utf8_lossy(&answer).into_owned()
    });
    assert_eq!(slow.await.expect("no panic"), "HTTP/1.1 408");
    let orders: Value = service.get("/v1/orders").await.json().await.expect("JSON");
    assert_eq!(
        orders["orders"],
        json!([]),
        "nothing that was refused left a trace"
    );
}

#[tokio::test]
#[expect(
    clippy::too_many_lines,
    reason = "one story, told from its beginning to its end"
)]
async fn tokens_decide_who_may_do_what() {
    let home = Home::new();
    let refused = home.words("serve --listen 0.0.0.0:0").exits(2);
    assert!(
        refused.stderr.contains("there are no tokens"),
        "{refused:?}"
    );
    let token = |name: &str, scopes: &str| {
        home.words(&format!("token new {name} --scopes {scopes}"))
            .exits(0)
            .stdout
            .trim()
            .to_owned()
    };
    let (ci, other, reader) = (
        token("ci", "submit"),
        token("other", "submit"),
        token("reader", "read"),
    );
    let service = Service::start(&home, &[]);
    let call = |method: Method, path: &str, token: &str| {
        service.request(method, path).bearer_auth(token.to_owned())
    };
    problem(service.get("/v1/orders").await, 401, "token_invalid").await;
    problem(
        call(Method::GET, "/v1/orders", "sre_wrong")
            .send()
            .await
            .expect("an answer"),
        401,
        "token_invalid",
    )
    .await;
    let upload = call(Method::POST, "/v1/skills", &ci)
        .json(&object("burns"))
        .send()
        .await
        .expect("an answer");
    let skill = upload.json::<Value>().await.expect("JSON")["digest"]
        .as_str()
        .expect("a digest")
        .to_owned();
    // Runs for many seconds.
    let mut long = order("long", &skill);
    long["input_data"] = json!({ "n": "x".repeat(800) });
    long["sandbox_config"] = json!({ "fuel": 1_000_000_000_000_u64 });
    let submit = |token: &str| call(Method::POST, "/v1/orders", token).json(&long).send();
    assert_eq!(submit(&ci).await.expect("an answer").status(), 202);
    problem(
        submit(&reader).await.expect("an answer"),
        403,
        "scope_missing",
    )
    .await;
    problem(
        submit(&other).await.expect("an answer"),
        409,
        "order_conflict",
    )
    .await;
    let see = |token: &str| call(Method::GET, "/v1/orders/long", token).send();
    problem(see(&other).await.expect("an answer"), 404, "order_unknown").await;
    assert_eq!(see(&reader).await.expect("an answer").status(), 200);
    let list = call(Method::GET, "/v1/orders", &other)
        .send()
        .await
        .expect("an answer");
    assert_eq!(
        list.json::<Value>().await.expect("JSON")["orders"],
        json!([])
    );
    let cancel = |token: &str| call(Method::POST, "/v1/orders/long/cancel", token).send();
    problem(
        cancel(&other).await.expect("an answer"),
        404,
        "order_unknown",
    )
    .await;
    problem(
        cancel(&reader).await.expect("an answer"),
        403,
        "scope_missing",
    )
    .await;
    // The guest is stopped long before its fuel is.
    assert!(cancel(&ci).await.expect("an answer").status().is_success());
    let ended = call(Method::GET, "/v1/orders/long?wait=30", &ci)
        .send()
        .await
        .expect("an answer");
    let ended: Value = ended.json().await.expect("JSON");
    assert_eq!(
        (ended["status"].as_str(), ended["error_code"].as_str()),
        (Some("failed"), Some("cancelled")),
        "{ended}"
    );
    home.words("token revoke ci").exits(0);
    eventually("the end of the token", async || {
        match see(&ci).await.expect("an answer").status().as_u16() {
            401 => Ok(()),
            other => Err(other),
        }
    })
    .await;
}

#[tokio::test]
async fn a_full_queue_refuses_orders_and_loses_none() {
    let home = Home::new();
    let service = Service::start(
        &home,
        &[
            "workers.wasm=1",
            "workers.queue_limit_orders=2",
            "server.grace_seconds=0.1",
        ],
    );
    let skill = service.upload("burns").await;
    let long = |id: &str| {
        let mut long = order(id, &skill);
        long["input_data"] = json!({ "n": "x".repeat(800) });
        long["sandbox_config"] = json!({ "fuel": 1_000_000_000_000_u64 });
        long
    };
    assert_eq!(
        service.post("/v1/orders", &long("first")).await.status(),
        202
    );
    assert_eq!(
        service.post("/v1/orders", &long("second")).await.status(),
        202
    );
    let full = service.post("/v1/orders", &long("third")).await;
    assert!(full.headers().contains_key("retry-after"));
    problem(full, 429, "queue_full").await;
    // One that is known is answered all the same.
    assert_eq!(
        service.post("/v1/orders", &long("second")).await.status(),
        200
    );
    let waiting: Value = service
        .get("/v1/orders/second")
        .await
        .json()
        .await
        .expect("JSON");
    assert_eq!(waiting["status"], "queued");
    // A waiting order ends at once, a running one when its guest has stopped; then there is room.
    for id in ["second", "first"] {
        assert!(
            service
                .request(Method::POST, &format!("/v1/orders/{id}/cancel"))
                .send()
                .await
                .expect("an answer")
                .status()
                .is_success()
        );
        let ended: Value = service
            .get(&format!("/v1/orders/{id}?wait=30"))
            .await
            .json()
            .await
            .expect("JSON");
        assert_eq!(ended["error_code"], "cancelled");
    }
    assert_eq!(
        service.post("/v1/orders", &long("third")).await.status(),
        202
    );
    // A shutdown gives it back, and the next service goes on with it.
    drop(service.signal("TERM"));
    let service = Service::start(&home, &["server.grace_seconds=0.1"]);
    let shown: Value = service
        .get("/v1/orders/third")
        .await
        .json()
        .await
        .expect("JSON");
    assert!(
        matches!(
            shown["status"].as_str(),
            Some("queued" | "running" | "completed")
        ),
        "{shown}"
    );
}

#[tokio::test]
async fn callbacks_are_standard_webhooks_and_are_tried_again() {
    let home = Home::new();
    let receiver = Receiver::start(|number| {
        status(if number < 2 {
            "503 Service Unavailable"
        } else {
            "200 OK"
        })
    });
    let [networks, ports] = receiver.settings();
    let service = Service::start(
        &home,
        &[&networks, &ports, "callbacks.schedule_seconds=[0.05, 0.05]"],
    );
    let skill = service.upload("returns_1").await;
    let mut called = order("called", &skill);
    called["callback_url"] = json!(receiver.url());
    service.post("/v1/orders?wait=60", &called).await;
    until("three deliveries", || receiver.all().len() == 3).await;
    let keys = home
        .words("token callback-keys --format json")
        .exits(0)
        .json();
    let secret = keys["secret"].as_str().expect("a secret");
    let judge = standardwebhooks::Webhook::new(secret).expect("a secret of the specification");
    let result = service
        .get("/v1/orders/called")
        .await
        .bytes()
        .await
        .expect("bytes");
    for received in receiver.all() {
        assert_eq!(received.body, result, "the body is the OrderResult");
        let mut headers = http::HeaderMap::new();
        for name in ["webhook-id", "webhook-timestamp", "webhook-signature"] {
            headers.insert(name, received.headers[name].parse().expect("a value"));
        }
        judge
            .verify(&received.body, &headers)
            .expect("the public library accepts it");
        assert_eq!(
            received.headers["webhook-id"],
            receiver.all()[0].headers["webhook-id"]
        );
        check_ed25519(keys["public_key"].as_str().expect("a key"), &received);
    }
    service.callback_is("called", "delivered").await;
    let again = service
        .request(Method::POST, "/v1/orders/called/redeliver")
        .send()
        .await
        .expect("an answer");
    assert_eq!(again.status(), 202);
    until("the redelivery", || receiver.all().len() == 4).await;
}

/// The `v1a` signature, checked with the published key alone.
fn check_ed25519(public_key: &str, received: &common::service::Received) {
    use base64::Engine;
    let decode = |text: &str| {
        base64::engine::general_purpose::STANDARD
            .decode(text)
            .expect("base64")
    };
    let header = |name: &str| received.headers[name].as_str();
    let signature = header("webhook-signature")
        .split(' ')
        .find_map(|one| one.strip_prefix("v1a,"))
        .expect("v1a");
    let mut signed =
        format!("{}.{}.", header("webhook-id"), header("webhook-timestamp")).into_bytes();
    signed.extend_from_slice(&received.body);
    let key = decode(public_key.strip_prefix("whpk_").expect("a public key"));
    ring::signature::UnparsedPublicKey::new(&ring::signature::ED25519, key)
        .verify(&signed, &decode(signature))
        .expect("the signature holds");
}

#[tokio::test]
async fn callbacks_end_visibly_and_never_follow_a_redirect() {
    let home = Home::new();
    let elsewhere = Receiver::acknowledging();
    let target = elsewhere.url();
    let redirecting = Receiver::start(move |_| {
        format!(
            "HTTP/1.1 307 Temporary Redirect\r\nlocation: {target}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
        )
    });
    let gone = Receiver::start(|_| status("410 Gone"));
    let garbage = Receiver::start(|_| {
        String::from("HTTP/1.1 200 OK\r\ncontent-length: 10737418240\r\n\r\ngarbage")
    });
    let ports = format!(
        "callbacks.ports=[80, {}, {}, {}]",
        redirecting.port, gone.port, garbage.port
    );
    let networks = "callbacks.networks=[\"127.0.0.0/8\"]";
    let service = Service::start(
        &home,
        &[networks, &ports, "callbacks.schedule_seconds=[0.01]"],
    );
    let skill = service.upload("returns_1").await;
    for (id, url, state) in [
        ("redirected", redirecting.url(), "given_up"),
        ("gone", gone.url(), "refused"),
        ("garbage", garbage.url(), "delivered"),
    ] {
        let mut called = order(id, &skill);
        called["callback_url"] = json!(url);
        service.post("/v1/orders?wait=60", &called).await;
        let found = service
            .shows(&format!("/v1/orders/{id}/callback"), |found| {
                found["state"] != "pending"
            })
            .await;
        assert_eq!(found["state"], state, "{found}");
    }
    assert!(elsewhere.all().is_empty(), "a redirect was followed");
    assert_eq!((redirecting.all().len(), gone.all().len()), (2, 1));
    drop(service);

    // A name that resolves to the loopback is found out when it is resolved.
    let ports = format!("callbacks.ports=[{}]", elsewhere.port);
    let service = Service::start(&home, &[&ports, "callbacks.schedule_seconds=[]"]);
    let mut called = order("named", &skill);
    called["callback_url"] = json!(format!("http://localhost:{}/hook", elsewhere.port));
    service.post("/v1/orders?wait=60", &called).await;
    let found = service.callback_is("named", "given_up").await;
    assert!(
        found["last_error"]
            .as_str()
            .is_some_and(|error| error.contains("public addresses only")),
        "{found}"
    );
    assert!(elsewhere.all().is_empty());
}

/// `crates/sre-server/openapi.json` is the document; `SRE_WRITE_OPENAPI=1` writes it.
#[tokio::test]
async fn the_committed_document_is_the_one_that_is_served() {
    let home = Home::new();
    let service = Service::start(&home, &[]);
    let served: Value = service
        .get("/openapi.json")
        .await
        .json()
        .await
        .expect("JSON");
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../sre-server/openapi.json");
    if std::env::var_os("SRE_WRITE_OPENAPI").is_some() {
        std::fs::write(
            &path,
            serde_json::to_string_pretty(&served).expect("JSON") + "\n",
        )
        .expect("written");
    }
    let committed: Value =
        serde_json::from_slice(&std::fs::read(path).expect("the committed copy")).expect("JSON");
    assert_eq!(served, committed, "run this test with SRE_WRITE_OPENAPI=1");
    for path in ["/healthz", "/readyz", "/metrics"] {
        assert_eq!(service.get(path).await.status(), 200, "{path}");
    }
}
