//! Receivers of callbacks that behave badly. Each leaves its delivery in the right, visible state,
//! and does not delay other receivers.

mod common;

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use common::Home;
use common::service::{Receiver, Service, object, until};
use reqwest::Method;
use serde_json::{Value, json};

/// A receiver that treats its connections as it likes.
struct Rogue {
    port: u16,
    connections: Arc<AtomicUsize>,
}

impl Rogue {
    fn start(treat: impl Fn(TcpStream) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let connections = Arc::new(AtomicUsize::new(0));
        let (count, treat) = (Arc::clone(&connections), Arc::new(treat));
        // Ends with the test's process.
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                count.fetch_add(1, Ordering::SeqCst);
                let treat = Arc::clone(&treat);
                thread::spawn(move || treat(stream));
            }
        });
        Self { port, connections }
    }

    /// One that takes the request, a JSON object, and answers with these bytes, again and again,
    /// with pauses, until the service has enough.
    fn answering(head: &'static str, again: &'static [u8], pause: Duration) -> Self {
        Self::start(move |mut stream| {
            let mut request = Vec::new();
            while !request.ends_with(b"}") {
                let mut part = [0; 4096];
                match stream.read(&mut part) {
                    Ok(length @ 1..) => request.extend_from_slice(&part[..length]),
                    _ => return,
                }
            }
            drain(&stream);
            if stream.write_all(head.as_bytes()).is_err() {
                return;
            }
            while !again.is_empty() && stream.write_all(again).is_ok() {
                thread::sleep(pause);
            }
        })
    }
}

/// Takes what is sent, so that the connection is not reset for what was not read.
fn drain(stream: &TcpStream) {
    let mut reader = stream.try_clone().expect("a handle");
    thread::spawn(move || drop(std::io::copy(&mut reader, &mut std::io::sink())));
}

fn order(id: &str, skill: &str, port: u16) -> Value {
    let url = format!("http://127.0.0.1:{port}/hook?secret=do-not-show");
    json!({ "order_id": id, "skill_package": { "digest": skill }, "callback_url": url })
}

fn ports(ports: &[u16]) -> String {
    format!("callbacks.ports={ports:?}")
}

const NETWORKS: &str = "callbacks.networks=[\"127.0.0.0/8\"]";

/// Receivers by name, with the state their deliveries end in and what is said about it.
#[expect(
    clippy::too_many_lines,
    reason = "a table: one row for each kind of receiver"
)]
fn cases() -> Vec<(&'static str, Rogue, &'static str, &'static str)> {
    const NO_PAUSE: Duration = Duration::ZERO;
    let second = Duration::from_secs(1);
    let kilobytes: &'static [u8] = &[b'x'; 4096];
    vec![
        // An answer of 2xx is an acknowledgement, whatever its body says.
        (
            "ten-gib",
            Rogue::answering(
                "HTTP/1.1 200 OK\r\ncontent-length: 10737418240\r\n\r\n",
                kilobytes,
                NO_PAUSE,
            ),
            "delivered",
            "",
        ),
        (
            "endless",
            Rogue::answering(
                "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n",
                b"4\r\nxxxx\r\n",
                NO_PAUSE,
            ),
            "delivered",
            "",
        ),
        (
            "no-chunks",
            Rogue::answering(
                "HTTP/1.1 202 Accepted\r\ntransfer-encoding: chunked\r\n\r\n",
                b"\xff\xfe\n",
                NO_PAUSE,
            ),
            "delivered",
            "",
        ),
        (
            "cut-off",
            Rogue::answering(
                "HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\nfew",
                b"",
                NO_PAUSE,
            ),
            "delivered",
            "",
        ),
        (
            "hangs",
            Rogue::start(|stream| {
                drain(&stream);
                thread::sleep(Duration::from_secs(3600))
            }),
            "given_up",
            "timed out",
        ),
        (
            "never-reads",
            Rogue::start(|stream| {
                thread::sleep(Duration::from_secs(3600));
                drop(stream)
            }),
            "given_up",
            "timed out",
        ),
        (
            "drips",
            Rogue::answering("HTTP/1.1 200 OK\r\n", b"x-drip: drop\r\n", second),
            "given_up",
            "timed out",
        ),
        (
            "resets",
            Rogue::start(|mut stream| drop(stream.read(&mut [0; 1]))),
            "given_up",
            "",
        ),
        ("closes", Rogue::start(drop), "given_up", ""),
        (
            "no-http",
            Rogue::answering("220 mail.example.org ESMTP\r\n", b"", NO_PAUSE),
            "given_up",
            "",
        ),
        (
            "long-head",
            Rogue::answering(
                "HTTP/1.1 200 OK\r\n",
                b"x-more: and more of it\r\n",
                NO_PAUSE,
            ),
            "given_up",
            "",
        ),
        (
            "switches",
            Rogue::answering(
                "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n",
                b"",
                NO_PAUSE,
            ),
            "given_up",
            "101",
        ),
        (
            "continues",
            Rogue::answering(
                "HTTP/1.1 100 Continue\r\n\r\n",
                b"HTTP/1.1 100 Continue\r\n\r\n",
                second,
            ),
            "given_up",
            "timed out",
        ),
        (
            "server-error",
            Rogue::answering(
                "HTTP/1.1 500 Oops\r\nconnection: close\r\ncontent-length: 0\r\n\r\n",
                b"",
                NO_PAUSE,
            ),
            "given_up",
            "500",
        ),
        (
            "gone",
            Rogue::answering(
                "HTTP/1.1 410 Gone\r\nconnection: close\r\ncontent-length: 0\r\n\r\n",
                b"",
                NO_PAUSE,
            ),
            "refused",
            "410",
        ),
    ]
}

#[tokio::test]
async fn every_kind_of_bad_answer_ends_in_the_right_state() {
    let home = Home::new();
    let cases = cases();
    let ports = ports(
        &cases
            .iter()
            .map(|(_, rogue, ..)| rogue.port)
            .collect::<Vec<_>>(),
    );
    let settings = [
        NETWORKS,
        &ports,
        "callbacks.schedule_seconds=[0.05]",
        "callbacks.delivery_time_limit_seconds=3",
    ];
    let service = Service::start(&home, &settings);
    let skill = service.upload("returns_1").await;
    for (id, rogue, ..) in &cases {
        assert!(
            service
                .post("/v1/orders", &order(id, &skill, rogue.port))
                .await
                .status()
                .is_success()
        );
    }
    for (id, rogue, state, error) in &cases {
        let found = service.callback_is(id, state).await;
        let message = found["last_error"].as_str().unwrap_or_default();
        assert!(message.contains(error), "{found}");
        assert!(!found.to_string().contains("do-not-show"), "{found}");
        assert_eq!(message.is_empty(), *state == "delivered", "{found}");
        let deliveries = if *state == "given_up" { 2 } else { 1 };
        assert_eq!(found["attempts"], deliveries, "{found}");
        // A client may make a connection anew when the one it made was closed before it sent
        // anything.
        assert!(
            rogue.connections.load(Ordering::SeqCst) >= deliveries,
            "{found}"
        );
        assert_eq!(
            service.ended(id).await["status"],
            "completed",
            "a callback changes no result"
        );
    }
    let log = service.signal("TERM");
    assert!(
        log.contains("callback given up") && !log.contains("do-not-show"),
        "{log}"
    );
}

#[tokio::test]
async fn hanging_receivers_of_one_submitter_do_not_delay_other_submitters() {
    let home = Home::new();
    let token = |name: &str| {
        home.words(&format!("token new {name} --scopes submit"))
            .exits(0)
            .stdout
            .trim()
            .to_owned()
    };
    let (greedy, modest) = (token("greedy"), token("modest"));
    let connections = Arc::new(AtomicUsize::new(0));
    let hanging: Vec<Rogue> = (0..40)
        .map(|_| {
            let connections = Arc::clone(&connections);
            Rogue::start(move |stream| {
                drain(&stream);
                connections.fetch_add(1, Ordering::SeqCst);
                thread::sleep(Duration::from_secs(3600));
            })
        })
        .collect();
    let good = Receiver::acknowledging();
    let ports = ports(
        &hanging
            .iter()
            .map(|rogue| rogue.port)
            .chain([good.port])
            .collect::<Vec<_>>(),
    );
    let settings = [
        NETWORKS,
        &ports,
        "callbacks.delivery_time_limit_seconds=600",
        "server.grace_seconds=0.1",
    ];
    let service = Service::start(&home, &settings);
    let post = async |path: &str, token: &str, body: Value| {
        let answer = service
            .request(Method::POST, path)
            .bearer_auth(token)
            .json(&body)
            .send()
            .await
            .expect("an answer");
        assert!(answer.status().is_success(), "{answer:?}");
        answer.json::<Value>().await.expect("JSON")
    };
    let uploaded = post("/v1/skills", &greedy, object("returns_1")).await;
    let skill = uploaded["digest"].as_str().expect("a digest");
    // More than there are places, at receivers of which none has more than its share.
    for n in 0..200 {
        post(
            "/v1/orders?wait=60",
            &greedy,
            order(
                &format!("hangs-{n}"),
                skill,
                hanging[n % hanging.len()].port,
            ),
        )
        .await;
    }
    until("as many deliveries as one submitter may have", || {
        connections.load(Ordering::SeqCst) >= 64
    })
    .await;
    for n in 0..20 {
        post(
            "/v1/orders?wait=60",
            &modest,
            order(&format!("good-{n}"), skill, good.port),
        )
        .await;
    }
    until("the other submitter's callbacks", || good.all().len() >= 20).await;
    assert_eq!(
        connections.load(Ordering::SeqCst),
        64,
        "half of all places, and what the others left did not go to it"
    );
}

#[tokio::test]
async fn a_receiver_that_hangs_does_not_delay_other_receivers() {
    let home = Home::new();
    let hanging = Rogue::start(|stream| {
        drain(&stream);
        thread::sleep(Duration::from_secs(3600));
    });
    let good = Receiver::acknowledging();
    let ports = ports(&[hanging.port, good.port]);
    // Those that hang do so until the end of this test.
    let settings = [
        NETWORKS,
        &ports,
        "callbacks.delivery_time_limit_seconds=600",
        "server.grace_seconds=0.1",
    ];
    let service = Service::start(&home, &settings);
    let skill = service.upload("returns_1").await;
    for n in 0..200 {
        service
            .post(
                "/v1/orders",
                &order(&format!("hangs-{n}"), &skill, hanging.port),
            )
            .await;
    }
    until("deliveries that hang", || {
        hanging.connections.load(Ordering::SeqCst) >= 4
    })
    .await;
    for n in 0..20 {
        service
            .post(
                "/v1/orders",
                &order(&format!("good-{n}"), &skill, good.port),
            )
            .await;
    }
    for n in 0..20 {
        service.callback_is(&format!("good-{n}"), "delivered").await;
    }
    for n in 0..200 {
        service.callback_is(&format!("hangs-{n}"), "pending").await;
    }
    let connections = hanging.connections.load(Ordering::SeqCst);
    assert!(
        connections <= 8,
        "{connections} connections to one receiver"
    );
    // They are not lost with the process either: the next one begins where this one was.
    drop(service);
    let service = Service::start(&home, &settings);
    until("the next deliveries", || {
        hanging.connections.load(Ordering::SeqCst) > connections
    })
    .await;
    assert_eq!(
        service.callback_is("hangs-199", "pending").await["attempts"],
        0
    );
}
