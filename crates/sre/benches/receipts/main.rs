//! What receipts add to verified durable orders, as ratios of one run.
//!
//! `cargo bench -p sre --bench receipts [-- ORDERS]`. Rounds without and with receipts take turns,
//! each on a data folder of its own, so that what else the machine does meets both. A round with
//! receipts ends when the last order's proof is there: signed, stored, numbered, hashed into the
//! tree, and under a signed checkpoint. Beside the time stands the processor time of the whole
//! process, which other people's load does not change. The module is `examples/word-count`.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::json;
use sre_orchestrator::{
    AddressPolicy, DataFolder, Embedded, EmbeddedOptions, Orchestrator, OrderConfig, Registrar,
};
use sre_skill::{PackageLimits, Skill};
use tokio::sync::watch;
use tokio::task::JoinSet;

const IN_FLIGHT: usize = 64;
const ROUNDS: usize = 6;
const TEXT: &str =
    "to be or not to be, that is the question: whether 'tis nobler in the mind to suffer";

/// One data folder.
struct Node {
    embedded: Embedded,
    orchestrator: Orchestrator,
    registrar: Option<Arc<Registrar>>,
    skill: Arc<Skill>,
}

/// Time on the wall, and of all processors.
#[derive(Clone, Copy, Default)]
struct Cost {
    wall: Duration,
    cpu: Duration,
}

fn main() {
    let orders: usize = std::env::args()
        .filter_map(|argument| argument.parse().ok())
        .next()
        .unwrap_or(36_000);
    let data = tempfile::Builder::new()
        .prefix("bench-")
        .tempdir_in(env!("CARGO_TARGET_TMPDIR"))
        .expect("a folder");
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    runtime.block_on(async {
        let plain = Arc::new(Node::open(&data.path().join("plain"), false).await);
        let signing = Arc::new(Node::open(&data.path().join("signing"), true).await);
        let stop = watch::channel(false).0;
        let registrar = signing.registrar.clone().expect("a registrar");
        let mut loops = JoinSet::new();
        let (signs, log, stopped) = (
            Arc::clone(&registrar),
            Arc::clone(registrar.log()),
            stop.subscribe(),
        );
        loops.spawn(async move { signs.run(stopped).await });
        loops.spawn(async move { log.run(Duration::from_millis(200)).await });

        plain.round(0, 200).await;
        signing.round(0, 200).await;
        let (mut without, mut with, per_round) =
            (Cost::default(), Cost::default(), orders / ROUNDS);
        for round in 0..ROUNDS {
            let first = 1_000 + round * per_round;
            without = without + plain.round(first, per_round).await;
            with = with + signing.round(first, per_round).await;
        }
        loops.shutdown().await;
        report(without, with, per_round * ROUNDS);
    });
}

fn report(without: Cost, with: Cost, orders: usize) {
    println!(
        "{:<28} {:>10} {:>8} {:>12} {:>8} {:>10}",
        "", "µs/order", "ratio", "cpu µs/order", "ratio", "orders/s"
    );
    for (what, cost) in [
        ("without receipts (the unit)", without),
        ("with receipts, until proven", with),
    ] {
        let each = |time: Duration| time.as_secs_f64() * 1e6 / orders as f64;
        let ratio = |time: Duration, unit: Duration| time.as_secs_f64() / unit.as_secs_f64();
        println!(
            "{what:<28} {:>10.1} {:>7.2}x {:>12.1} {:>7.2}x {:>10.0}",
            each(cost.wall),
            ratio(cost.wall, without.wall),
            each(cost.cpu),
            ratio(cost.cpu, without.cpu),
            1e6 / each(cost.wall),
        );
    }
}

impl Node {
    async fn open(path: &Path, signs: bool) -> Self {
        let folder = DataFolder::new(path);
        let embedded =
            Embedded::new(folder.clone(), EmbeddedOptions::default()).expect("the runtime");
        let parts = embedded.parts(AddressPolicy::any()).expect("the parts");
        let (journal, store) = (Arc::clone(&parts.journal), Arc::clone(&parts.store));
        let registrar = match signs {
            true => Some(Arc::new(
                folder
                    .open_registrar(journal, store, "bench")
                    .await
                    .expect("a registrar"),
            )),
            false => None,
        };
        let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/word-count");
        let skill =
            Arc::new(Skill::open(&example, &PackageLimits::default()).expect("the example skill"));
        Self {
            embedded,
            orchestrator: Orchestrator::new(parts),
            registrar,
            skill,
        }
    }

    /// Runs so many orders, and waits until each has its proof where there are receipts.
    async fn round(self: &Arc<Self>, first: usize, orders: usize) -> Cost {
        let before = self
            .registrar
            .as_ref()
            .map_or(0, |registrar| registrar.log().checkpoint().0);
        let started = (Instant::now(), cpu());
        let mut tasks = JoinSet::new();
        for lane in 0..IN_FLIGHT {
            let node = Arc::clone(self);
            tasks.spawn(async move {
                for index in (first + lane..first + orders).step_by(IN_FLIGHT) {
                    node.one(index).await;
                }
            });
        }
        while let Some(ended) = tasks.join_next().await {
            ended.expect("a lane");
        }
        if let Some(registrar) = &self.registrar {
            while registrar.log().checkpoint().0 < before + orders as u64 {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        }
        Cost {
            wall: started.0.elapsed(),
            cpu: cpu() - started.1,
        }
    }

    async fn one(&self, index: usize) {
        let mut config = OrderConfig::new(
            format!("bench-{index}").parse().expect("an id"),
            Arc::clone(&self.skill),
        );
        config.input_data = json!({ "text": TEXT });
        let order = self
            .embedded
            .acceptance()
            .accept(config)
            .await
            .expect("an acceptable order");
        let result = self.orchestrator.execute(order).await.expect("a result");
        assert!(result.error_code.is_none(), "{result:?}");
    }
}

impl std::ops::Add for Cost {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            wall: self.wall + other.wall,
            cpu: self.cpu + other.cpu,
        }
    }
}

/// Processor time of this process so far.
fn cpu() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    Duration::new(
        time.tv_sec.unsigned_abs(),
        u32::try_from(time.tv_nsec).unwrap_or(0),
    )
}
