//! What one client must not get from another client, and a web page from no client.

mod common;

use common::Home;
use common::service::{Service, object};
use reqwest::{Method, Response};
use serde_json::{Value, json};
use sre_core::{Digest, canonical_json};

/// The answer's status and its problem's code.
async fn refused(answer: Response) -> (u16, String) {
    let status = answer.status().as_u16();
    let problem: Value = answer.json().await.expect("a problem");
    (
        status,
        problem["code"]
            .as_str()
            .unwrap_or_else(|| panic!("{problem}"))
            .to_owned(),
    )
}

struct Client<'a> {
    service: &'a Service,
    token: String,
}

impl Client<'_> {
    async fn call(&self, method: Method, path: &str, body: Option<&Value>) -> Response {
        let request = self.service.request(method, path).bearer_auth(&self.token);
        let request = if let Some(body) = body {
            request.json(body)
        } else {
            request
        };
        request.send().await.expect("an answer")
    }

    async fn submit(&self, order: &Value) -> Response {
        self.call(Method::POST, "/v1/orders?wait=30", Some(order))
            .await
    }
}

#[tokio::test]
async fn a_blob_that_looks_like_a_skill_cannot_be_run() {
    let home = Home::new();
    let token = |name: &str| {
        home.words(&format!("token new {name} --scopes submit"))
            .exits(0)
            .stdout
            .trim()
            .to_owned()
    };
    let (alice, bob) = (token("alice"), token("bob"));
    let service = Service::start(&home, &[]);
    let (alice, bob) = (
        Client {
            service: &service,
            token: alice,
        },
        Client {
            service: &service,
            token: bob,
        },
    );

    let secret = json!({ "secret": "attack at dawn" });
    let mut order =
        json!({ "order_id": "alice", "skill_package": object("echoes"), "input_data": secret });
    assert_eq!(alice.submit(&order).await.status(), 200);
    let secret = canonical_json::to_vec(&secret);
    let stolen = Digest::of(&secret).to_string();
    let blob = bob
        .call(Method::GET, &format!("/v1/blobs/{stolen}"), None)
        .await;
    assert_eq!(refused(blob).await, (404, String::from("blob_unknown")));

    // The manifest of a skill of his own that has alice's input among its files, stored as the
    // input of an order of his.
    let uploaded = bob
        .call(Method::POST, "/v1/skills", Some(&object("returns_1")))
        .await;
    let own = uploaded.json::<Value>().await.expect("JSON")["digest"]
        .as_str()
        .expect("a digest")
        .to_owned();
    let shown = bob
        .call(Method::GET, &format!("/v1/skills/{own}"), None)
        .await;
    let mut manifest = shown.json::<Value>().await.expect("JSON")["manifest"].clone();
    let mut file = manifest["files"][0].clone();
    file["path"] = json!("stolen.json");
    file["size"] = json!(secret.len());
    file["sha256"] = json!(stolen);
    manifest["files"].as_array_mut().expect("files").push(file);
    let planted = Digest::of(&canonical_json::to_vec(&manifest)).to_string();
    order =
        json!({ "order_id": "plant", "skill_package": { "digest": own }, "input_data": manifest });
    assert_eq!(bob.submit(&order).await.status(), 200);
    // Whatever the store has under a digest, and whether it has anything: only what was uploaded is
    // a skill.
    for (id, digest) in [
        ("steal", &*planted),
        ("guess", &*stolen),
        ("none", &*"0".repeat(64)),
    ] {
        let answer = bob
            .submit(&json!({ "order_id": id, "skill_package": { "digest": digest } }))
            .await;
        assert_eq!(
            refused(answer).await,
            (422, String::from("skill_unknown")),
            "{id}"
        );
    }
}

#[tokio::test]
async fn a_taken_order_id_reveals_nothing_about_its_order_and_keeps_nothing() {
    let home = Home::new();
    let token = |name: &str| {
        home.words(&format!("token new {name} --scopes submit"))
            .exits(0)
            .stdout
            .trim()
            .to_owned()
    };
    let (alice, bob) = (token("alice"), token("bob"));
    let service = Service::start(&home, &[]);
    let (alice, bob) = (
        Client {
            service: &service,
            token: alice,
        },
        Client {
            service: &service,
            token: bob,
        },
    );
    let order = |input: Value| json!({ "order_id": "one", "skill_package": object("echoes"), "input_data": input });
    assert_eq!(alice.submit(&order(json!({ "n": 1 }))).await.status(), 200);
    let mut told = Vec::new();
    for guess in [json!({ "n": 1 }), json!({ "n": 2 })] {
        let answer = bob.submit(&order(guess)).await;
        assert_eq!(answer.status(), 409);
        told.push(answer.json::<Value>().await.expect("JSON"));
    }
    assert_eq!(told[0], told[1], "a right guess and a wrong one");

    // A package that comes with a refused order is not stored.
    let mut package = object("returns_1");
    package["files"]["large.bin"] = json!("x".repeat(3 << 20));
    let answer = alice
        .submit(&json!({ "order_id": "one", "skill_package": package }))
        .await;
    assert_eq!(refused(answer).await, (409, String::from("order_conflict")));
    let large = Digest::of(&"x".repeat(3 << 20).into_bytes()).to_string();
    assert!(
        !home
            .path("data/blobs/large")
            .join(&large[..2])
            .join(&large)
            .exists()
    );
}

#[tokio::test]
async fn a_web_page_of_another_site_does_nothing_to_a_service_without_tokens() {
    let home = Home::new();
    let service = Service::start(&home, &[]);
    let skill = service.upload("returns_1").await;
    let order = json!({ "order_id": "one", "skill_package": { "digest": skill } });
    assert!(
        service
            .post("/v1/orders?wait=30", &order)
            .await
            .status()
            .is_success()
    );
    // What a browser adds by itself; these requests have no body, so it would not ask first.
    let pages: [&[(&str, &str)]; 4] = [
        &[("origin", "https://evil.example")],
        &[("origin", "null")],
        &[("sec-fetch-site", "cross-site")],
        &[
            ("origin", "http://localhost.evil.example:80"),
            ("sec-fetch-site", "cross-site"),
        ],
    ];
    for path in ["/v1/orders/one/cancel", "/v1/orders/one/redeliver"] {
        for page in pages {
            let request = page.iter().fold(
                service.request(Method::POST, path),
                |request, (name, value)| request.header(*name, *value),
            );
            let answer = refused(request.send().await.expect("an answer")).await;
            assert_eq!(answer, (403, String::from("origin_refused")), "{page:?}");
        }
    }
    for page in [
        ("origin", "http://localhost:8080"),
        ("sec-fetch-site", "same-origin"),
    ] {
        let request = service
            .request(Method::POST, "/v1/orders/one/cancel")
            .header(page.0, page.1);
        assert_eq!(
            request.send().await.expect("an answer").status(),
            200,
            "{page:?}"
        );
    }
}

#[tokio::test]
async fn one_token_never_holds_all_permits() {
    let home = Home::new();
    let token = |name: &str| {
        home.words(&format!("token new {name} --scopes submit"))
            .exits(0)
            .stdout
            .trim()
            .to_owned()
    };
    let (alice, bob) = (token("alice"), token("bob"));
    let service = Service::start(
        &home,
        &["server.streams_limit=4", "server.grace_seconds=0.1"],
    );
    let (alice, bob) = (
        Client {
            service: &service,
            token: alice,
        },
        Client {
            service: &service,
            token: bob,
        },
    );
    let long = |id: &str| {
        json!({
            "order_id": id,
            "skill_package": object("burns"),
            "input_data": { "n": "x".repeat(800) },
            "sandbox_config": { "fuel": 1_000_000_000_000_u64 },
        })
    };
    let submit = async |client: &Client<'_>, id: &str| {
        let answer = client
            .call(Method::POST, "/v1/orders", Some(&long(id)))
            .await;
        assert_eq!(answer.status(), 202, "{answer:?}");
    };
    submit(&alice, "a").await;
    submit(&bob, "b").await;
    let first = bob.call(Method::GET, "/v1/orders/b/events", None).await;
    let second = bob.call(Method::GET, "/v1/orders/b/events", None).await;
    let third = bob.call(Method::GET, "/v1/orders/b/events", None).await;
    assert_eq!(
        (first.status().as_u16(), second.status().as_u16()),
        (200, 200)
    );
    assert_eq!(refused(third).await, (429, String::from("streams_busy")));
    let others = alice.call(Method::GET, "/v1/orders/a/events", None).await;
    assert_eq!(others.status(), 200, "{others:?}");
    for (client, id) in [(&alice, "a"), (&bob, "b")] {
        let answer = client
            .call(Method::POST, &format!("/v1/orders/{id}/cancel"), None)
            .await;
        assert!(answer.status().is_success(), "{answer:?}");
    }
}

#[tokio::test]
async fn the_memory_of_large_answers_is_released() {
    let home = Home::new();
    let service = Service::start(&home, &["server.bodies_limit_bytes=1048576"]);
    // Larger than what the kernel keeps for a connection, so that an answer is not over before it
    // is read.
    let text = "x".repeat(90_000);
    let order = json!({ "order_id": "one", "skill_package": object("echoes"), "input_data": { "text": text } });
    assert!(
        service
            .post("/v1/orders?wait=30", &order)
            .await
            .status()
            .is_success()
    );
    let digest = Digest::of(&canonical_json::to_vec(&json!({ "text": text })));
    let mut refusals = 0;
    let mut unread = Vec::new();
    for _ in 0..64 {
        let answer = service.get(&format!("/v1/blobs/{digest}")).await;
        match answer.status().as_u16() {
            200 => unread.push(answer),
            429 => refusals += 1,
            other => panic!("{other}"),
        }
    }
    // What the kernels and the client have taken over is not the service's any more.
    for answer in unread {
        assert_eq!(
            answer.bytes().await.expect("the blob").len(),
            text.len() + 11
        );
    }
    let answer = service.get(&format!("/v1/blobs/{digest}")).await;
    assert_eq!(
        answer.status(),
        200,
        "given back, after {refusals} refusals"
    );
}

#[tokio::test]
async fn what_cannot_be_read_is_refused_as_a_problem() {
    let home = Home::new();
    let service = Service::start(&home, &[]);
    for path in ["/v1/orders/%ff", "/v1/skills/%ff", "/v1/orders/%ff/events"] {
        let answer = refused(service.get(path).await).await;
        assert_eq!(answer, (400, String::from("path_invalid")), "{path}");
    }
    let request = service
        .request(Method::POST, "/v1/orders")
        .header("content-encoding", "gzip")
        .json(&json!({}));
    let answer = refused(request.send().await.expect("an answer")).await;
    assert_eq!(answer, (415, String::from("media_type_unsupported")));
    // A service that shut down in order leaves no dead holder behind.
    drop(service.signal("TERM"));
    let log = Service::start(&home, &[]).signal("TERM");
    assert!(!log.contains("died"), "{log}");
}

#[tokio::test]
async fn a_last_event_id_in_the_future_is_refused() {
    let home = Home::new();
    let service = Service::start(&home, &[]);
    let skill = service.upload("returns_1").await;
    let order = json!({ "order_id": "one", "skill_package": { "digest": skill } });
    assert!(
        service
            .post("/v1/orders?wait=30", &order)
            .await
            .status()
            .is_success()
    );
    let follow = |id: &str, seen: u64| {
        service
            .request(Method::GET, &format!("/v1/orders/{id}/events"))
            .header("last-event-id", seen)
            .send()
    };
    let text = follow("one", 0)
        .await
        .expect("an answer")
        .text()
        .await
        .expect("events");
    let last = text.matches("\nevent: ").count() as u64;
    for seen in [last, 1000, u64::MAX] {
        assert_eq!(
            follow("one", seen).await.expect("an answer").status(),
            204,
            "{text}"
        );
    }
    // Of an order that goes on, there is nothing to wait for behind what has not happened.
    let mut long = json!({ "order_id": "long", "skill_package": object("burns"), "input_data": { "n": "x".repeat(800) } });
    long["sandbox_config"] = json!({ "fuel": 1_000_000_000_000_u64 });
    assert_eq!(service.post("/v1/orders", &long).await.status(), 202);
    for seen in [1000, u64::MAX] {
        let answer = refused(follow("long", seen).await.expect("an answer")).await;
        assert_eq!(
            answer,
            (400, String::from("last_event_id_invalid")),
            "{seen}"
        );
    }
    let cancelled = service
        .request(Method::POST, "/v1/orders/long/cancel")
        .send()
        .await
        .expect("an answer");
    assert!(cancelled.status().is_success());
}
