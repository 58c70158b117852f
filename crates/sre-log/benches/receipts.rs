//! What receipts cost: signature, log entry, proof, check. Figures for people, no judgement.
//!
//! Times of a busy machine say little, so each row has the processor time of the whole process too,
//! and the ratio is that of processor times: to one durable order's worth of storage in the same
//! run: three group commits with six small blobs, which is what an order writes besides running.
//! `SRE_BENCH_ENTRIES` sets how far the log grows, default 100,000.

#[path = "../tests/common/mod.rs"]
mod common;

use std::hint::black_box;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use common::{ended, key, now, result};
use sre_core::{Digest, Ending, OrderId, OrderResult};
use sre_da::{Blob, LocalStore, Store};
use sre_log::{Finished, Log, Notary, Submission};
use sre_receipt::tlog::Entry;
use sre_receipt::{Examiner, Host, IssueContext, Policy, Receipt, Trust};

/// Orders in flight, as in the benchmark of the pipeline.
const IN_FLIGHT: u64 = 64;
/// Orders whose receipts are issued together, as a service does beside its orders.
const BATCH: u64 = 256;

/// What every order's skill does.
const ENDING: Ending = Ending::Exited { code: 3 };

async fn open(folder: &Path) -> (Arc<LocalStore>, Arc<Log>) {
    let store = common::store(folder);
    let log = Log::open(&folder.join("log.sqlite3"), store.clone(), key(1))
        .await
        .expect("a log");
    (store, Arc::new(log))
}

fn order_id(number: u64) -> OrderId {
    format!("order-{number:012}").parse().expect("an order id")
}

/// What something took.
#[derive(Clone, Copy)]
struct Cost {
    wall: Duration,
    cpu: Duration,
}

/// A moment on both clocks.
struct Start(Instant, Duration);

impl Start {
    fn now() -> Self {
        Self(Instant::now(), cpu())
    }

    /// Per piece.
    fn cost(&self, pieces: u64) -> Cost {
        let each = |time: Duration| time / u32::try_from(pieces).expect("a number");
        Cost {
            wall: each(self.0.elapsed()),
            cpu: each(cpu() - self.1),
        }
    }
}

/// Processor time of this process, all threads.
fn cpu() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

/// Runs `work` for each number, `IN_FLIGHT` at a time.
async fn in_flight<F: Future<Output = ()> + Send + 'static>(
    total: u64,
    work: impl Fn(u64) -> F,
) -> Cost {
    let started = Start::now();
    let mut tasks = tokio::task::JoinSet::new();
    for number in 0..total {
        if tasks.len() as u64 >= IN_FLIGHT {
            tasks.join_next().await.expect("a task").expect("no panic");
        }
        tasks.spawn(work(number));
    }
    while let Some(task) = tasks.join_next().await {
        task.expect("no panic");
    }
    started.cost(total)
}

fn row(what: &str, cost: Cost, baseline: Cost) {
    let micros = |time: Duration| time.as_secs_f64() * 1e6;
    let ratio = cost.cpu.as_secs_f64() / baseline.cpu.as_secs_f64();
    println!(
        "{what:<58} {:>9.1} {:>9.1} {ratio:>7.3}",
        micros(cost.wall),
        micros(cost.cpu)
    );
}

/// What an order costs the store alone.
async fn storing(store: &Arc<LocalStore>, total: u64) -> Cost {
    let store = Arc::clone(store);
    in_flight(total, move |number| {
        let store = store.clone();
        async move {
            for stage in 0..3u64 {
                let blob = |part: u64| {
                    Blob::new(
                        [number, stage, part]
                            .map(u64::to_le_bytes)
                            .concat()
                            .repeat(12),
                    )
                };
                store.put(vec![blob(0), blob(1)]).await.expect("stored");
            }
        }
    })
    .await
}

async fn issuing(folder: &Path) {
    let (store, log) = open(folder).await;
    let total = 20_000;
    println!("{:<58} {:>9} {:>9} {:>7}", "", "µs", "cpu µs", "ratio");
    let baseline = storing(&store, total).await;
    row(
        "baseline: storage of an order, three group commits",
        baseline,
        baseline,
    );
    store
        .put(vec![Blob::new(ended(ENDING).to_canonical())])
        .await
        .expect("stored");
    let notary = Notary::new(store, log.clone(), Host::this("bench"));
    let sequencer = tokio::spawn({
        let log = log.clone();
        async move { log.run(Duration::from_millis(500)).await }
    });
    let issuer = notary.clone();
    let issued = in_flight(total, move |number| {
        let (notary, order) = (
            issuer.clone(),
            result(order_id(number).as_str(), ended(ENDING)),
        );
        async move { drop(notary.issue(&order, now()).await.expect("a receipt")) }
    })
    .await;
    row(
        "receipt, each by itself, 64 in flight, sequenced beside",
        issued,
        baseline,
    );
    let started = Start::now();
    for batch in 0..total / BATCH {
        let orders: Vec<OrderResult> = (0..BATCH)
            .map(|n| result(order_id(total + batch * BATCH + n).as_str(), ended(ENDING)))
            .collect();
        let finished = |result| Finished {
            result,
            finished_at: now(),
        };
        notary
            .issue_all(orders.iter().map(finished).collect())
            .await
            .expect("receipts");
    }
    row(
        "receipt, in batches of 256, sequenced beside",
        started.cost(total / BATCH * BATCH),
        baseline,
    );
    sequencer.abort();
    let started = Start::now();
    log.integrate().await.expect("a checkpoint");
    println!(
        "the rest was integrated in {:.1} ms",
        started.0.elapsed().as_secs_f64() * 1e3
    );
    let started = Start::now();
    for number in 0..total {
        black_box(
            notary
                .proof(&order_id(number))
                .await
                .expect("no failure")
                .expect("a proof"),
        );
    }
    row("proof, made when asked for", started.cost(total), baseline);
    signing(total, baseline);
    checking(&notary, total, baseline).await;
}

/// What issuing costs without storage and log.
fn signing(total: u64, baseline: Cost) {
    let (one, key) = (result(order_id(0).as_str(), ended(ENDING)), key(1));
    let started = Start::now();
    for _ in 0..total {
        let host = Host::this("bench");
        let outcome = Some(ended(ENDING));
        let context = IssueContext {
            finished_at: now(),
            outcome,
            host,
        };
        black_box(Receipt::issue(&one, context, &key.secret).expect("a receipt"));
    }
    row(
        "  of which building and signing, one core",
        started.cost(total),
        baseline,
    );
    let started = Start::now();
    for number in 0..total {
        black_box(key.secret.sign(&number.to_le_bytes()));
    }
    row(
        "  of which one Ed25519 signature",
        started.cost(total),
        baseline,
    );
}

async fn checking(notary: &Notary, total: u64, baseline: Cost) {
    let mut trust = Trust::default();
    trust.add(key(1).trusted()).expect("a new key");
    let examiner = Examiner::new(
        trust,
        Policy {
            require_proof: true,
            ..Policy::default()
        },
    );
    let mut pairs = Vec::new();
    for number in (0..total).step_by(10) {
        let receipt = notary
            .receipt(&order_id(number))
            .await
            .expect("no failure")
            .expect("a receipt");
        let proof = notary
            .proof(&order_id(number))
            .await
            .expect("no failure")
            .expect("a proof");
        pairs.push((
            receipt.envelope().to_canonical(),
            proof.to_string().into_bytes(),
        ));
    }
    let started = Start::now();
    for (receipt, proof) in &pairs {
        assert_eq!(examiner.examine(receipt, Some(proof)).flaw, None);
    }
    let each = started.cost(pairs.len() as u64);
    row(
        "check of signature, digests and proof, one core",
        each,
        baseline,
    );
    println!(
        "that is {:.0} receipts a second of processor time",
        1.0 / each.cpu.as_secs_f64()
    );
}

/// A log that grows: what the next 4096 entries and a proof cost at each size.
async fn growing(folder: &Path, entries: u64) {
    let (_, log) = open(folder).await;
    println!(
        "\n{:>12} {:>16} {:>16} {:>14} {:>6}",
        "entries", "submit, µs each", "hash, µs each", "proof, µs", "nodes"
    );
    let (mut size, mut next_row) = (0u64, 1_000u64);
    let mut seed = 1u64;
    while size < entries {
        let upto = (size + 4096).min(entries);
        let one = |n: u64| Submission {
            entry: Entry::receipt(Digest::of(&n.to_le_bytes()).into()),
            order_id: order_id(n),
        };
        let count = (upto - size) as f64;
        let started = Instant::now();
        log.submit((size..upto).map(one).collect())
            .await
            .expect("numbers");
        let submitted = started.elapsed();
        let started = Instant::now();
        log.integrate().await.expect("a checkpoint");
        let integrated = started.elapsed();
        size = upto;
        if size >= next_row || size == entries {
            while next_row <= size {
                next_row *= 10;
            }
            let proofs = 2_000;
            let mut nodes = 0;
            let started = Instant::now();
            for _ in 0..proofs {
                // xorshift64: places all over the log, the same in every run.
                seed ^= seed << 13;
                seed ^= seed >> 7;
                seed ^= seed << 17;
                nodes = log
                    .prove(seed % size)
                    .await
                    .expect("no failure")
                    .expect("a proof")
                    .path
                    .len();
            }
            let proof = started.elapsed().as_secs_f64() * 1e6 / f64::from(proofs);
            let each = |time: Duration| time.as_secs_f64() * 1e6 / count;
            println!(
                "{size:>12} {:>16.2} {:>16.2} {proof:>14.1} {nodes:>6}",
                each(submitted),
                each(integrated)
            );
        }
    }
}

fn main() {
    let entries = std::env::var("SRE_BENCH_ENTRIES")
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(100_000);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    let folder = tempfile::tempdir().expect("a folder");
    runtime.block_on(async {
        issuing(&folder.path().join("issuing")).await;
        growing(&folder.path().join("growing"), entries).await;
    });
}
