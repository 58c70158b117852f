//! What a verified, durable order costs, as ratios to bare wasmtime measured in the same run.
//!
//! `cargo bench -p sre --bench pipeline [-- ORDERS]`. The module is `examples/word-count`; the
//! baseline is wasmtime with the same allocator settings and nothing else: no fuel, no epoch, no
//! limits, and only the five imports the module needs, each as short as it can be. The unit is two
//! bare runs, because a verified order runs the skill twice.

mod bare;

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::json;
use sre_core::{Profile, canonical_json};
use sre_orchestrator::{
    DataFolder, Embedded, EmbeddedOptions, OperatorLimits, Orchestrator, OrderConfig,
};
use sre_sandbox::wasm::{WasmOptions, WasmSandbox};
use sre_sandbox::{Call, Job, Sandbox, Stop};
use sre_skill::{PackageLimits, Skill};
use tokio::task::JoinSet;

const IN_FLIGHT: usize = 64;
const TEXT: &str =
    "to be or not to be, that is the question: whether 'tis nobler in the mind to suffer";

fn main() {
    let orders: usize = std::env::args()
        .filter_map(|argument| argument.parse().ok())
        .next()
        .unwrap_or(20_000);
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/word-count");
    let skill =
        Arc::new(Skill::open(&folder, &PackageLimits::default()).expect("the example skill"));
    let input = json!({ "text": TEXT });

    let bare = bare::Bare::new(
        &skill.entrypoint().expect("an entrypoint").bytes,
        &canonical_json::to_vec(&input),
    );
    let one_bare = fastest_mean(|| bare.run());
    let two_bare = 2 * one_bare;
    println!("{:<44} {:>9} {:>8}", "", "µs", "ratio");
    row("bare wasmtime, one run", one_bare, two_bare);
    row("bare wasmtime, two runs (the unit)", two_bare, two_bare);
    row("our sandbox, one run", our_run(&skill, &input), two_bare);

    let data = tempfile::Builder::new()
        .prefix("bench-")
        .tempdir_in(env!("CARGO_TARGET_TMPDIR"))
        .expect("a data folder");
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    let embedded = Embedded::new(DataFolder::new(data.path()), EmbeddedOptions::default())
        .expect("the runtime");
    let orchestrator = Arc::new(embedded.open().expect("a data folder"));
    let bench = Arc::new(Bench {
        embedded,
        orchestrator,
        skill,
        input,
    });

    runtime.block_on(bench.one(0));
    let alone = runtime.block_on(async {
        let started = Instant::now();
        for index in 1..=500 {
            bench.one(index).await;
        }
        started.elapsed() / 500
    });
    row("verified durable order, one at a time", alone, two_bare);
    let amortised = runtime.block_on(bench.many(1_000, orders));
    row(
        &format!("verified durable order, {IN_FLIGHT} in flight"),
        amortised,
        two_bare,
    );
    println!(
        "\n{:.0} verified durable orders/s ({orders} orders)",
        1.0 / amortised.as_secs_f64()
    );
}

struct Bench {
    embedded: Embedded,
    orchestrator: Arc<Orchestrator>,
    skill: Arc<Skill>,
    input: serde_json::Value,
}

impl Bench {
    async fn one(&self, index: usize) {
        let id = format!("bench-{index}").parse().expect("an order id");
        let mut config = OrderConfig::new(id, Arc::clone(&self.skill));
        config.input_data = self.input.clone();
        let order = self
            .embedded
            .acceptance()
            .accept(config)
            .await
            .expect("an acceptable order");
        let result = self.orchestrator.execute(order).await.expect("a result");
        assert!(result.error_code.is_none(), "{result:?}");
    }

    async fn many(self: &Arc<Self>, first: usize, orders: usize) -> Duration {
        let started = Instant::now();
        let mut tasks = JoinSet::new();
        for lane in 0..IN_FLIGHT {
            let bench = Arc::clone(self);
            tasks.spawn(async move {
                for index in (first + lane..first + orders).step_by(IN_FLIGHT) {
                    bench.one(index).await;
                }
            });
        }
        while let Some(ended) = tasks.join_next().await {
            ended.expect("a lane");
        }
        started.elapsed() / u32::try_from(orders).expect("a reasonable number")
    }
}

fn our_run(skill: &Skill, input: &serde_json::Value) -> Duration {
    let sandbox = WasmSandbox::new(WasmOptions::default()).expect("a sandbox");
    let limits = OperatorLimits::default();
    let profile = Profile {
        backend: sre_core::Backend::Wasm,
        fuel: limits.fuel,
        mem_limit_bytes: limits.mem_bytes,
        output_limit_bytes: limits.output_bytes,
        tmp_limit_bytes: limits.tmp_bytes,
        files_limit_bytes: limits.files_bytes,
        files_limit_count: limits.files_count,
        timeout_ms: 30_000,
        clock_start: "2026-01-01T00:00:00Z".parse().expect("a time"),
        random_seed: sre_core::Seed::from_bytes([0; 32]),
        processes: None,
    };
    let input = canonical_json::to_vec(input);
    let job = Job {
        skill,
        entry: &skill.default_entry().expect("a program"),
        call: Call::Json { input: &input },
        profile: &profile,
        time_limit: limits.execution_time,
        language_runtime: None,
    };
    fastest_mean(|| {
        sandbox.execute(&job, &Stop::new()).expect("an execution");
    })
}

/// The fastest of ten means over 500 runs: the machine's noise only ever adds.
fn fastest_mean(mut run: impl FnMut()) -> Duration {
    for _ in 0..50 {
        run();
    }
    (0..10)
        .map(|_| {
            let started = Instant::now();
            (0..500).for_each(|_| run());
            started.elapsed() / 500
        })
        .min()
        .unwrap_or_default()
}

fn row(what: &str, took: Duration, unit: Duration) {
    println!(
        "{what:<44} {:>9.1} {:>7.2}x",
        took.as_secs_f64() * 1e6,
        took.as_secs_f64() / unit.as_secs_f64()
    );
}
