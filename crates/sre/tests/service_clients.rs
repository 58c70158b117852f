//! Clients of the service that behave badly: slow ones, silent ones, too many, some that stop
//! reading, and contradictions.

mod common;

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::thread;
use std::time::Duration;

use common::Home;
use common::service::{Service, eventually};
use reqwest::Method;
use rusqlite::Connection;
use serde_json::{Value, json};

/// Generous: a machine may be very busy.
const PATIENCE: Duration = Duration::from_secs(120);

fn connect(service: &Service) -> TcpStream {
    let stream = TcpStream::connect(service.base.strip_prefix("http://").expect("a URL"))
        .expect("a connection");
    stream.set_read_timeout(Some(PATIENCE)).expect("set");
    stream
}

/// What the service sends until it ends the connection.
fn until_the_end(mut stream: TcpStream) -> Vec<u8> {
    let mut answer = Vec::new();
    match stream.read_to_end(&mut answer) {
        Err(error) if error.kind() != std::io::ErrorKind::ConnectionReset => {
            panic!("it stays open: {error}")
        }
        _ => answer,
    }
}

/// A proxy keeps a connection for its next request longer than a head may take. Each limit ends its
/// own kind of connection.
#[test]
fn an_idle_connection_outlives_the_limit_of_a_head() {
    let home = Home::new();
    let ask = |stream: &mut TcpStream| {
        stream
            .write_all(b"GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n")
            .expect("sent");
        let mut answer = [0; 4096];
        let length = stream.read(&mut answer).expect("an answer");
        assert!(
            answer.starts_with(b"HTTP/1.1 200"),
            "{:?}",
            &answer[..length]
        );
    };
    let patient = Service::start(&home, &["server.head_time_limit_seconds=1"]);
    let mut idle = connect(&patient);
    ask(&mut idle);
    // This connection ends by the limit of a head, so the idle one has waited longer than that.
    let mut late = connect(&patient);
    late.write_all(b"GET /healthz HTTP/1.1\r\n").expect("sent");
    assert!(!until_the_end(late).starts_with(b"HTTP/1.1 200"));
    ask(&mut idle);
    drop((idle, patient));

    let strict = Service::start(&home, &["server.idle_time_limit_seconds=1"]);
    let mut idle = connect(&strict);
    ask(&mut idle);
    assert_eq!(until_the_end(idle), b"", "it ends without an error");
}

#[tokio::test]
async fn slow_and_silent_connections_end_and_others_get_their_turn() {
    let home = Home::new();
    let service = Service::start(
        &home,
        &[
            "server.connections_limit=4",
            "server.head_time_limit_seconds=1",
        ],
    );
    // Three times as many as there are places.
    let silent: Vec<TcpStream> = (0..10).map(|_| connect(&service)).collect();
    let slow: Vec<_> = (0..2)
        .map(|_| {
            let mut stream = connect(&service);
            let reader = stream.try_clone().expect("a handle");
            let writer = thread::spawn(move || {
                for byte in b"GET /healthz HTTP/1.1\r\nhost: localhost\r\nx-slow: "
                    .iter()
                    .chain([b'x'; 4096].iter())
                {
                    if stream.write_all(&[*byte]).is_err() {
                        return;
                    }
                    thread::sleep(Duration::from_millis(200));
                }
                panic!("the service read a head of 4096 bytes at five bytes a second");
            });
            (reader, writer)
        })
        .collect();
    assert_eq!(service.get("/healthz").await.status(), 200);
    let ended = tokio::task::spawn_blocking(move || {
        for stream in silent {
            assert_eq!(until_the_end(stream), b"");
        }
        for (reader, writer) in slow {
            let answer = until_the_end(reader);
            assert!(!answer.starts_with(b"HTTP/1.1 200"), "{answer:?}");
            writer.join().expect("the connection ended");
        }
    });
    ended.await.expect("all end");
    assert_eq!(service.get("/healthz").await.status(), 200);
}

#[tokio::test]
async fn contradictory_requests_are_refused_and_nothing_follows_from_them() {
    let home = Home::new();
    let service = Service::start(&home, &["server.head_time_limit_seconds=5"]);
    let skill = service.upload("returns_1").await;
    let order = json!({ "order_id": "smuggled", "skill_package": { "digest": skill } }).to_string();
    let length = order.len();
    let many: String = (0..100).map(|n| format!("x-{n}: 1\r\n")).collect();
    let long = "x".repeat(100_000);
    let post = "POST /v1/orders HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n";
    for request in [
        format!("{post}content-length: {length}\r\ncontent-length: 1\r\n\r\n{order}"),
        format!("{post}content-length: -1\r\n\r\n{order}"),
        format!("{post}transfer-encoding: chunked\r\n\r\nzz\r\n{order}\r\n0\r\n\r\n"),
        format!("{post}transfer-encoding: gzip\r\n\r\n{order}"),
        format!("{post}no colon here\r\n\r\n{order}"),
        format!("{post}{many}content-length: {length}\r\n\r\n{order}"),
        format!("{post}x: {long}\r\ncontent-length: {length}\r\n\r\n{order}"),
        format!(
            "POST /v1/orders HTTP/9.9\r\nhost: localhost\r\ncontent-length: {length}\r\n\r\n{order}"
        ),
        format!("POST /v1/orders\r\n\r\n{order}"),
        String::from("\u{16}\u{3}\u{1} a client that speaks TLS"),
        format!("{post}content-length: {}\r\n\r\n{order}", length + 1),
    ] {
        let mut stream = connect(&service);
        // The service may have ended it by then.
        drop(stream.write_all(request.as_bytes()));
        drop(stream.shutdown(Shutdown::Write));
        let answer = tokio::task::spawn_blocking(move || until_the_end(stream))
            .await
            .expect("an end");
        let answer = String::from_utf8_lossy(&answer).into_owned();
        assert!(
            answer.is_empty() || answer.starts_with("HTTP/1.1 4"),
            "{request:.200}: {answer}"
        );
    }
    // Both length and chunks: the chunks count, by RFC 9112, and what follows them is no request.
    let request = format!(
        "{post}connection: close\r\ncontent-length: 3\r\ntransfer-encoding: chunked\r\n\r\n{length:x}\r\n{order}\r\n0\r\n\r\n"
    );
    let mut stream = connect(&service);
    stream.write_all(request.as_bytes()).expect("sent");
    let answer = tokio::task::spawn_blocking(move || until_the_end(stream))
        .await
        .expect("an end");
    assert_eq!(
        String::from_utf8_lossy(&answer).matches("HTTP/1.1").count(),
        1
    );
    let orders: Value = service.get("/v1/orders").await.json().await.expect("JSON");
    assert!(
        orders["orders"]
            .as_array()
            .is_some_and(|orders| orders.len() <= 1),
        "{orders}"
    );
}

#[tokio::test]
async fn cursors_and_event_numbers_are_read_strictly() {
    let home = Home::new();
    let service = Service::start(&home, &[]);
    let skill = service.upload("returns_1").await;
    let order = json!({ "order_id": "one", "skill_package": { "digest": skill } });
    assert_eq!(
        service.post("/v1/orders?wait=60", &order).await.status(),
        200
    );
    for (id, status) in [
        ("0", 200),
        ("3", 200),
        ("4", 204),
        ("18446744073709551615", 204),
        ("18446744073709551616", 400),
        ("", 400),
        ("-1", 400),
        ("1.5", 400),
        ("0x1", 400),
        ("1 OR 1=1", 400),
        ("\u{e9}", 400),
    ] {
        let request = service
            .request(Method::GET, "/v1/orders/one/events")
            .header("last-event-id", id);
        assert_eq!(
            request.send().await.expect("an answer").status(),
            status,
            "{id:?}"
        );
    }
    for (cursor, status) in [
        ("7fffffffffffffff", 200),
        ("0", 200),
        ("8000000000000000", 400),
        ("", 400),
        ("g", 400),
        ("1%00", 400),
        ("1'--", 400),
    ] {
        assert_eq!(
            service
                .get(&format!("/v1/orders?cursor={cursor}"))
                .await
                .status(),
            status,
            "{cursor:?}"
        );
        assert_eq!(
            service
                .get(&format!("/v1/skills?cursor={cursor}"))
                .await
                .status(),
            status,
            "{cursor:?}"
        );
    }
}

/// Bytes of memory that the process has.
fn resident_bytes(service: &Service) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", service.id())).expect("Linux");
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))
        .expect("a line");
    line.trim()
        .trim_end_matches(" kB")
        .parse::<u64>()
        .expect("a number")
        << 10
}

/// The numbers of the events in a stream; a frame that was cut off is not counted.
fn numbers(stream: &str) -> Vec<u64> {
    let whole = stream.rfind("\n\n").map_or("", |end| &stream[..end]);
    whole
        .lines()
        .filter_map(|line| line.strip_prefix("id: "))
        .map(|id| id.parse().expect("a number"))
        .collect()
}

#[tokio::test]
async fn a_client_that_stops_reading_events_is_ended_and_loses_none() {
    const EVENTS: u64 = 100_000;
    let home = Home::new();
    let service = Service::start(
        &home,
        &[
            "server.write_time_limit_seconds=1",
            "server.streams_limit=1",
        ],
    );
    let skill = service.upload("burns").await;
    let order = json!({
        "order_id": "long", "skill_package": { "digest": skill }, "input_data": { "n": "x".repeat(8000) },
        "sandbox_config": { "fuel": 1_000_000_000_000_u64 },
    });
    assert_eq!(service.post("/v1/orders", &order).await.status(), 202);
    service.runs("long").await;
    // More than the buffers of a connection hold, as a very long life would leave it.
    let journal = Connection::open(home.data().join("journal.sqlite3")).expect("the journal");
    journal.busy_timeout(PATIENCE).expect("set");
    let detail = "x".repeat(200);
    let added = journal.execute(
        "WITH RECURSIVE n(number) AS (SELECT 3 UNION ALL SELECT number + 1 FROM n WHERE number < ?1)
         INSERT INTO events SELECT sequence, number, accepted_at_ms, 1, 'returned', ?2 FROM n, orders
         WHERE order_id = 'long'",
        rusqlite::params![EVENTS.cast_signed(), detail],
    );
    assert_eq!(added, Ok(usize::try_from(EVENTS).expect("small") - 2));

    let before = resident_bytes(&service);
    let mut stalled = connect(&service);
    stalled
        .write_all(b"GET /v1/orders/long/events HTTP/1.1\r\nhost: localhost\r\n\r\n")
        .expect("sent");
    // It has the one place for streams from here on.
    let mut head = [0; 12];
    stalled
        .read_exact(&mut head)
        .expect("the head of the answer");
    assert_eq!(&head, b"HTTP/1.1 200");
    let follow = |after: u64| {
        service
            .request(Method::GET, "/v1/orders/long/events")
            .header("last-event-id", after)
            .timeout(PATIENCE)
            .send()
    };
    // The next client gets a connection only because the stalled client has lost its own.
    let mut most = before;
    eventually("the place of the stalled client", async || {
        most = most.max(resident_bytes(&service));
        match follow(EVENTS - 1)
            .await
            .expect("an answer")
            .status()
            .as_u16()
        {
            200 => Ok(()),
            429 => Err("it is kept"),
            other => panic!("{other}"),
        }
    })
    .await;
    // All events are 30 MB on the wire.
    assert!(
        most.saturating_sub(before) < 16 << 20,
        "{before} became {most}"
    );

    let got = tokio::task::spawn_blocking(move || until_the_end(stalled))
        .await
        .expect("an end");
    let mut seen = numbers(&String::from_utf8_lossy(&got));
    assert!(
        (seen.len() as u64) < EVENTS,
        "the buffers hold everything; this test needs more events"
    );
    let cancelled = service
        .request(Method::POST, "/v1/orders/long/cancel")
        .send()
        .await
        .expect("an answer");
    assert!(cancelled.status().is_success());
    assert_eq!(service.ended("long").await["error_code"], "cancelled");
    let rest = eventually("a place for the rest", async || {
        let answer = follow(seen.last().copied().unwrap_or(0))
            .await
            .expect("an answer");
        if answer.status() == 200 {
            Ok(answer.text().await.expect("the whole stream"))
        } else {
            Err(answer.status())
        }
    })
    .await;
    assert!(rest.contains("event: finished"));
    seen.extend(numbers(&rest));
    let expected: Vec<u64> = (1..=seen.len() as u64).collect();
    assert!(
        seen == expected && seen.len() as u64 > EVENTS,
        "{} events, in order: {}",
        seen.len(),
        seen.is_sorted()
    );
}
