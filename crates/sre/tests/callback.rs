//! The result is posted to the callback URL, and a failed delivery does not change the result.

mod common;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use common::Home;
use serde_json::Value;

/// What a receiver got: the request line, the headers in lower case, the body.
struct Received {
    request: String,
    headers: Vec<String>,
    body: Value,
}

/// The first connection, or a panic when none comes: a test must not wait without end.
fn accept(listener: &TcpListener) -> TcpStream {
    listener.set_nonblocking(true).expect("a setting");
    let waiting = Instant::now();
    loop {
        match listener.accept() {
            Ok((stream, _)) => {
                stream.set_nonblocking(false).expect("a setting");
                return stream;
            }
            Err(_) if waiting.elapsed() < Duration::from_secs(60) => {
                thread::sleep(Duration::from_millis(10))
            }
            Err(error) => panic!("no connection comes: {error}"),
        }
    }
}

/// A receiver on the loopback that takes one request and answers with `status`.
fn receiver(status: &'static str) -> (String, JoinHandle<Received>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}/done", listener.local_addr().expect("an address"));
    let thread = thread::spawn(move || {
        let stream = accept(&listener);
        let mut reader = BufReader::new(stream);
        let mut lines = Vec::new();
        loop {
            let mut line = String::new();
            reader.read_line(&mut line).expect("a line");
            match line.trim_end() {
                "" => break,
                line => lines.push(line.to_owned()),
            }
        }
        let request = lines.remove(0);
        let headers: Vec<String> = lines.iter().map(|line| line.to_ascii_lowercase()).collect();
        let length = headers
            .iter()
            .find_map(|header| header.strip_prefix("content-length: "));
        let mut body = vec![0; length.expect("a length").parse().expect("a number")];
        reader.read_exact(&mut body).expect("a body");
        let answer = format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
        reader
            .get_mut()
            .write_all(answer.as_bytes())
            .expect("an answer");
        Received {
            request,
            headers,
            body: serde_json::from_slice(&body).expect("JSON"),
        }
    });
    (url, thread)
}

#[test]
fn the_result_is_posted_whether_it_is_good_or_bad() {
    for (program, code, status) in [
        ("returns_1", 0, "completed"),
        ("exits_3", 10, "failed"),
        ("sleeps", 11, "timeout"),
    ] {
        let home = Home::new();
        home.skill(program);
        let (url, receiver) = receiver("204 No Content");
        let ran = home
            .words(&format!(
                "run {program} --order-id called --format json --callback-url {url}"
            ))
            .exits(code);
        let received = receiver.join().expect("the receiver");
        assert_eq!(received.request, "POST /done HTTP/1.1");
        assert!(
            received
                .headers
                .iter()
                .any(|header| header == "content-type: application/json")
        );
        assert_eq!(received.body["status"], status);
        assert_eq!(
            received.body,
            ran.json(),
            "the caller and the callback get the same"
        );
        assert_eq!(ran.stderr, "");
    }
}

#[test]
fn a_callback_that_fails_changes_nothing_and_is_logged() {
    let home = Home::new();
    home.skill("returns_1");
    let (url, receiver) = receiver("500 Internal Server Error");
    let ran = home
        .words(&format!(
            "run returns_1 --order-id refused --format json --callback-url {url}"
        ))
        .exits(0);
    receiver.join().expect("the receiver");
    assert_eq!(ran.json()["status"], "completed");
    assert!(
        ran.stderr.contains("WARN") && ran.stderr.contains("refused") && ran.stderr.contains("500"),
        "{ran:?}"
    );

    // Nothing listens at an address that was free a moment ago.
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!(
        "http://{}/?token=secret",
        listener.local_addr().expect("an address")
    );
    drop(listener);
    let ran = home
        .words(&format!(
            "run returns_1 --order-id down --format json --callback-url {url}"
        ))
        .exits(0);
    assert_eq!(ran.json()["status"], "completed");
    assert!(
        ran.stderr.contains("callback failed") && !ran.stderr.contains("secret"),
        "{ran:?}"
    );
    home.words("verify down").exits(0);
}
