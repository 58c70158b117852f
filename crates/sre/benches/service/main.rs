//! What an order costs over HTTP, as ratios to the same order without the service, measured in one
//! run.
//!
//! `cargo bench -p sre --bench service [-- ORDERS]`. The real binary serves on the loopback, this
//! process is the load: 64 connections, each submitting `examples/word-count` by digest with
//! `?wait=` and checking the verdict. Client and service share the machine's cores. With
//! `--finished N`, N orders are finished first, to see that a long journal costs nothing.

use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use sre_http::http_client;
use sre_orchestrator::{DataFolder, Embedded, EmbeddedOptions, Orchestrator, OrderConfig};
use sre_skill::{PackageLimits, Skill};
use tokio::task::JoinSet;

const CONNECTIONS: usize = 64;
const TEXT: &str =
    "to be or not to be, that is the question: whether 'tis nobler in the mind to suffer";

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let number = |text: &String| text.parse::<usize>().ok();
    let finished = arguments
        .iter()
        .position(|text| text == "--finished")
        .and_then(|at| number(arguments.get(at + 1)?));
    let orders = arguments.get(1).and_then(number).unwrap_or(20_000);
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/word-count");
    let skill =
        Arc::new(Skill::open(&folder, &PackageLimits::default()).expect("the example skill"));
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    runtime.block_on(run(skill, orders, finished.unwrap_or(0)));
}

async fn run(skill: Arc<Skill>, orders: usize, finished: usize) {
    let (alone, many) = embedded(&skill, orders).await;
    println!("{:<52} {:>9} {:>8}", "", "µs", "ratio");
    row("embedded, one at a time", alone, alone);
    row(&format!("embedded, {CONNECTIONS} in flight"), many, many);

    let service = Arc::new(Service::start(&skill).await);
    println!(
        "idle memory of the service: {} MiB",
        service.memory_kib() / 1024
    );
    if finished > 0 {
        service.many("filler", finished).await;
        println!(
            "memory after {finished} orders: {} MiB",
            service.memory_kib() / 1024
        );
    }
    service.many("warm", 2_000).await;
    let mut idle = Vec::new();
    for index in 0..500 {
        idle.push(service.one(&format!("idle-{index}")).await);
    }
    row(
        "service, one at a time, ?wait (p50)",
        percentile(&mut idle, 50),
        alone,
    );
    row(
        "service, one at a time, ?wait (p99)",
        percentile(&mut idle, 99),
        alone,
    );
    let cost = service.many("load", orders).await;
    row(
        &format!("service, {CONNECTIONS} connections, ?wait"),
        cost,
        many,
    );
    println!(
        "{:.0} verified durable orders/s over HTTP ({orders} orders)",
        1.0 / cost.as_secs_f64()
    );
    let mut half = service.paced(orders / 4, 2 * cost).await;
    let (p50, p99) = (percentile(&mut half, 50), percentile(&mut half, 99));
    row("service at half that load (p50)", p50, p50);
    row("service at half that load (p99)", p99, p50);
    println!("memory at the end: {} MiB", service.memory_kib() / 1024);
}

/// The same orders without the service: alone, and amortised over many in flight.
async fn embedded(skill: &Arc<Skill>, orders: usize) -> (Duration, Duration) {
    let data = data_folder();
    let embedded = Arc::new(
        Embedded::new(DataFolder::new(data.path()), EmbeddedOptions::default())
            .expect("the runtime"),
    );
    let orchestrator = Arc::new(embedded.open().expect("a data folder"));
    let one = |id: String| {
        let (embedded, orchestrator, skill) = (
            Arc::clone(&embedded),
            Arc::clone(&orchestrator),
            Arc::clone(skill),
        );
        async move { execute(&embedded, &orchestrator, skill, &id).await }
    };
    one(String::from("warm")).await;
    let started = Instant::now();
    for index in 0..500 {
        one(format!("alone-{index}")).await;
    }
    let alone = started.elapsed() / 500;
    let started = Instant::now();
    let mut lanes = JoinSet::new();
    for lane in 0..CONNECTIONS {
        let orders: Vec<_> = (lane..orders)
            .step_by(CONNECTIONS)
            .map(|index| one(format!("many-{index}")))
            .collect();
        lanes.spawn(async move {
            for order in orders {
                order.await;
            }
        });
    }
    lanes.join_all().await;
    (
        alone,
        started.elapsed() / u32::try_from(orders).expect("a reasonable number"),
    )
}

async fn execute(embedded: &Embedded, orchestrator: &Orchestrator, skill: Arc<Skill>, id: &str) {
    let mut config = OrderConfig::new(id.parse().expect("an id"), skill);
    config.input_data = json!({ "text": TEXT });
    let order = embedded
        .acceptance()
        .accept(config)
        .await
        .expect("an acceptable order");
    assert!(
        orchestrator
            .execute(order)
            .await
            .expect("a result")
            .error_code
            .is_none()
    );
}

struct Service {
    child: Child,
    base: String,
    http: reqwest::Client,
    digest: String,
    _data: tempfile::TempDir,
}

impl Service {
    async fn start(skill: &Skill) -> Self {
        let data = data_folder();
        let mut child = Command::new(env!("CARGO_BIN_EXE_sre"))
            .args(["serve", "--listen", "127.0.0.1:0", "--data-dir"])
            .arg(data.path())
            .stderr(Stdio::piped())
            .spawn()
            .expect("sre starts");
        let mut stderr = BufReader::new(child.stderr.take().expect("a pipe"));
        let mut line = String::new();
        stderr.read_line(&mut line).expect("a line");
        let base = line
            .split_whitespace()
            .nth(2)
            .expect("an address")
            .to_owned();
        std::thread::spawn(move || stderr.read_to_string(&mut String::new()));
        let http = http_client()
            .pool_max_idle_per_host(CONNECTIONS)
            .build()
            .expect("a client");
        let answer = http
            .post(format!("{base}/v1/skills"))
            .json(&skill.to_object())
            .send()
            .await
            .expect("an answer");
        let uploaded: Value = answer.json().await.expect("JSON");
        let digest = uploaded["digest"].as_str().expect("a digest").to_owned();
        Self {
            child,
            base,
            http,
            digest,
            _data: data,
        }
    }

    /// One order to its terminal state.
    async fn one(&self, id: &str) -> Duration {
        let order = json!({ "order_id": id, "skill_package": { "digest": self.digest }, "input_data": { "text": TEXT } });
        let started = Instant::now();
        let answer = self
            .http
            .post(format!("{}/v1/orders?wait=60", self.base))
            .json(&order)
            .send()
            .await;
        let bytes = answer.expect("an answer").bytes().await.expect("bytes");
        let took = started.elapsed();
        let text = std::str::from_utf8(&bytes).expect("text");
        assert!(text.contains("\"verdict\":\"matched\""), "{text}");
        took
    }

    /// Many orders over all connections; the amortised cost of one.
    async fn many(self: &Arc<Self>, name: &str, orders: usize) -> Duration {
        let (next, started) = (Arc::new(AtomicUsize::new(0)), Instant::now());
        let mut lanes = JoinSet::new();
        for _ in 0..CONNECTIONS {
            let (service, next, name) = (Arc::clone(self), Arc::clone(&next), name.to_owned());
            lanes.spawn(async move {
                loop {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    if index >= orders {
                        return;
                    }
                    service.one(&format!("{name}-{index}")).await;
                }
            });
        }
        lanes.join_all().await;
        started.elapsed() / u32::try_from(orders).expect("a reasonable number")
    }

    /// Orders at a fixed pace, whatever the answers take.
    async fn paced(self: &Arc<Self>, orders: usize, pace: Duration) -> Vec<Duration> {
        let mut lanes = JoinSet::new();
        let started = Instant::now();
        for index in 0..orders {
            let due = started + pace * u32::try_from(index).expect("a reasonable number");
            tokio::time::sleep_until(due.into()).await;
            let service = Arc::clone(self);
            lanes.spawn(async move { service.one(&format!("paced-{index}")).await });
        }
        lanes.join_all().await
    }

    fn memory_kib(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()))
            .unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        line.and_then(|line| line.split_whitespace().next()?.parse().ok())
            .unwrap_or(0)
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn data_folder() -> tempfile::TempDir {
    tempfile::Builder::new()
        .prefix("bench-")
        .tempdir_in(env!("CARGO_TARGET_TMPDIR"))
        .expect("a data folder")
}

fn percentile(times: &mut [Duration], percent: usize) -> Duration {
    times.sort_unstable();
    times[(times.len() - 1) * percent / 100]
}

fn row(what: &str, took: Duration, unit: Duration) {
    println!(
        "{what:<52} {:>9.1} {:>7.2}x",
        took.as_secs_f64() * 1e6,
        took.as_secs_f64() / unit.as_secs_f64()
    );
}
