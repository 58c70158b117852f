//! The real service on a port of its own, a client for it, and a receiver of callbacks.

use std::collections::HashMap;
use std::fmt::Debug;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, ChildStderr, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use reqwest::{Method, RequestBuilder, Response};
use serde_json::{Value, json};

use super::Home;

/// A running service.
pub(crate) struct Service {
    child: Child,
    pub(crate) base: String,
    /// The line that says that it listens.
    pub(crate) greeting: String,
    http: reqwest::Client,
    log: Option<thread::JoinHandle<String>>,
}

impl Service {
    /// Starts `sre serve` and waits until it listens.
    pub(crate) fn start(home: &Home, settings: &[&str]) -> Self {
        Self::start_as(home.command(), settings)
    }

    /// As [`Service::start`], with another way to run `sre`.
    pub(crate) fn start_as(mut command: Command, settings: &[&str]) -> Self {
        command.args(["serve", "--listen", "127.0.0.1:0"]);
        for setting in settings {
            command.args(["--set", setting]);
        }
        let mut child = command
            .stderr(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .expect("sre starts");
        let mut stderr = BufReader::new(child.stderr.take().expect("a pipe"));
        let greeting = listening(&mut stderr);
        let base = greeting
            .split_whitespace()
            .nth(2)
            .expect("an address")
            .to_owned();
        let log = thread::spawn(move || {
            let mut log = String::new();
            drop(stderr.read_to_string(&mut log));
            log
        });
        let http = sre_http::http_client().build().expect("a client");
        Self {
            child,
            base,
            greeting,
            http,
            log: Some(log),
        }
    }

    /// Its process.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.http
            .request(method, format!("{}{path}", self.base))
            .timeout(Duration::from_secs(60))
    }

    pub(crate) async fn get(&self, path: &str) -> Response {
        self.request(Method::GET, path)
            .send()
            .await
            .expect("an answer")
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Response {
        self.request(Method::POST, path)
            .json(body)
            .send()
            .await
            .expect("an answer")
    }

    /// Uploads the skill of `tests/skills/<program>.wat` and returns its digest.
    pub(crate) async fn upload(&self, program: &str) -> String {
        let answer = self.post("/v1/skills", &object(program)).await;
        assert!(answer.status().is_success(), "{answer:?}");
        answer.json::<Value>().await.expect("JSON")["digest"]
            .as_str()
            .expect("a digest")
            .to_owned()
    }

    /// The finished order.
    pub(crate) async fn ended(&self, id: &str) -> Value {
        eventually(&format!("the end of {id}"), async || {
            let answer = self.get(&format!("/v1/orders/{id}?wait=20")).await;
            assert_eq!(answer.status(), 200, "{id} is lost");
            let order: Value = answer.json().await.expect("JSON");
            let is_open = matches!(
                order["status"].as_str(),
                Some("queued" | "running" | "verifying")
            );
            if is_open { Err(order) } else { Ok(order) }
        })
        .await
    }

    /// Waits until what `GET path` answers is so, and returns it.
    pub(crate) async fn shows(&self, path: &str, is_so: impl Fn(&Value) -> bool) -> Value {
        eventually(path, async || {
            let found: Value = self.get(path).await.json().await.expect("JSON");
            if is_so(&found) { Ok(found) } else { Err(found) }
        })
        .await
    }

    /// Waits until an attempt of an order has begun.
    pub(crate) async fn runs(&self, id: &str) {
        self.shows(&format!("/v1/orders/{id}"), |order| {
            order["status"] == "running"
        })
        .await;
    }

    /// Waits until the callback of an order is in this state.
    pub(crate) async fn callback_is(&self, id: &str, state: &str) -> Value {
        self.shows(&format!("/v1/orders/{id}/callback"), |found| {
            found["state"] == state
        })
        .await
    }

    pub(crate) fn send_signal(&self, name: &str) {
        let id = self.child.id().to_string();
        assert!(
            Command::new("kill")
                .args([&format!("-{name}"), &id])
                .status()
                .expect("kill")
                .success()
        );
    }

    /// Waits for the end; the exit code and the log.
    pub(crate) fn end(mut self) -> (Option<i32>, String) {
        let code = self.child.wait().expect("the end").code();
        (
            code,
            self.log
                .take()
                .map(|log| log.join().expect("the log"))
                .unwrap_or_default(),
        )
    }

    /// Sends a signal by name and waits for the end.
    pub(crate) fn signal(mut self, name: &str) -> String {
        self.send_signal(name);
        self.child.wait().expect("the end");
        self.log
            .take()
            .map(|log| log.join().expect("the log"))
            .unwrap_or_default()
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn listening(stderr: &mut BufReader<ChildStderr>) -> String {
    let mut seen = String::new();
    loop {
        let mut line = String::new();
        if stderr.read_line(&mut line).expect("a line") == 0 {
            panic!("the service ended: {seen}");
        }
        if line.starts_with("listening on ") {
            return line;
        }
        seen.push_str(&line);
    }
}

/// A skill in object form.
pub(crate) fn object(program: &str) -> Value {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/skills");
    let text = std::fs::read_to_string(folder.join(format!("{program}.wat"))).expect("a program");
    json!({
        "name": program.replace('_', "-"),
        "version": "1.0.0",
        "runtime": { "entrypoint": "main.wat" },
        "files": { "main.wat": text },
    })
}

/// A callback as it arrived.
#[derive(Debug, Clone)]
pub(crate) struct Received {
    pub(crate) headers: HashMap<String, String>,
    pub(crate) body: Vec<u8>,
}

/// Takes callbacks on the loopback and answers what it is told.
pub(crate) struct Receiver {
    pub(crate) port: u16,
    pub(crate) received: Arc<Mutex<Vec<Received>>>,
}

impl Receiver {
    /// `answer` gets the number of the request, from 0, and returns a whole HTTP answer.
    pub(crate) fn start(answer: impl Fn(usize) -> String + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let received = Arc::new(Mutex::new(Vec::new()));
        let (all, answer) = (Arc::clone(&received), Arc::new(answer));
        // Ends with the test's process.
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (all, answer) = (Arc::clone(&all), Arc::clone(&answer));
                thread::spawn(move || {
                    let Some((received, mut stream)) = receive(stream) else {
                        return;
                    };
                    let number = {
                        let mut all = all.lock().expect("no panic");
                        all.push(received);
                        all.len() - 1
                    };
                    drop(stream.write_all(answer(number).as_bytes()));
                });
            }
        });
        Self { port, received }
    }

    pub(crate) fn acknowledging() -> Self {
        Self::start(|_| status("204 No Content"))
    }

    pub(crate) fn all(&self) -> Vec<Received> {
        self.received.lock().expect("no panic").clone()
    }

    /// Settings under which the service may call this receiver.
    pub(crate) fn settings(&self) -> [String; 2] {
        [
            String::from("callbacks.networks=[\"127.0.0.0/8\"]"),
            format!("callbacks.ports=[{}]", self.port),
        ]
    }

    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}/hook", self.port)
    }
}

/// An HTTP answer without a body.
pub(crate) fn status(line: &str) -> String {
    format!("HTTP/1.1 {line}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
}

fn receive(stream: TcpStream) -> Option<(Received, TcpStream)> {
    let mut reader = BufReader::new(stream);
    let mut headers = HashMap::new();
    let mut line = String::new();
    while reader.read_line(&mut line).ok()? > 0 && !line.trim_end().is_empty() {
        if let Some((name, value)) = line.trim_end().split_once(": ") {
            headers.insert(name.to_ascii_lowercase(), value.to_owned());
        }
        line.clear();
    }
    let mut body = vec![0; headers.get("content-length")?.parse().ok()?];
    reader.read_exact(&mut body).ok()?;
    Some((Received { headers, body }, reader.into_inner()))
}

/// Waits until `is_so`, as long as [`eventually`] does.
pub(crate) async fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    eventually(
        what,
        async || if is_so() { Ok(()) } else { Err("it is not so") },
    )
    .await;
}

/// Asks again and again until the answer is `Ok`, for three minutes at most: a busy machine may be
/// slow, but a test must not wait without end. The last `Err` is shown when it gives up.
pub(crate) async fn eventually<T, E: Debug>(
    what: &str,
    mut ask: impl AsyncFnMut() -> Result<T, E>,
) -> T {
    let waiting = Instant::now();
    loop {
        match ask().await {
            Ok(answer) => return answer,
            Err(instead) => assert!(
                waiting.elapsed() < Duration::from_secs(180),
                "never: {what}, but {instead:?}"
            ),
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
