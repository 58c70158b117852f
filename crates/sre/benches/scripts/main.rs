//! What a script costs here, as ratios to starting its interpreter, measured in the same run.
//!
//! `cargo bench -p sre --bench scripts [-- ORDERS]`. The baselines are `python3 -c pass` and `node
//! -e 0`: whole processes that do nothing. Our scripts count words. A language whose interpreter is
//! not installed is measured without ratios.

use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use sre_core::{Profile, Seed, canonical_json};
use sre_orchestrator::{
    DataFolder, Embedded, EmbeddedOptions, OperatorLimits, Orchestrator, OrderConfig,
};
use sre_sandbox::wasm::{WasmOptions, WasmSandbox};
use sre_sandbox::{Call, Job, Sandbox, Stop};
use sre_skill::{PackageLimits, Skill};
use tokio::task::JoinSet;

const IN_FLIGHT: usize = 16;
const TEXT: &str =
    "to be or not to be, that is the question: whether 'tis nobler in the mind to suffer";

struct Language {
    name: &'static str,
    program: &'static str,
    /// Makes the interpreter do nothing.
    idle: [&'static str; 2],
    /// Makes it print where it is: the name on the path may be a script of a version manager, which
    /// is slower.
    itself: [&'static str; 2],
    script: (&'static str, &'static str),
}

const LANGUAGES: [Language; 2] = [
    Language {
        name: "Python",
        program: "python3",
        idle: ["-c", "pass"],
        itself: ["-c", "import sys; print(sys.executable)"],
        script: ("main.py", include_str!("word_count.py")),
    },
    Language {
        name: "JavaScript",
        program: "node",
        idle: ["-e", "0"],
        itself: ["-e", "console.log(process.execPath)"],
        script: ("main.mjs", include_str!("word_count.mjs")),
    },
];

fn main() {
    let orders: usize = std::env::args()
        .filter_map(|argument| argument.parse().ok())
        .next()
        .unwrap_or(2_000);
    let data = tempfile::Builder::new()
        .prefix("bench-")
        .tempdir_in(env!("CARGO_TARGET_TMPDIR"))
        .expect("a data folder");
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    for language in &LANGUAGES {
        measure(language, &runtime, &data.path().join(language.name), orders);
    }
}

fn measure(language: &Language, runtime: &tokio::runtime::Runtime, data: &Path, orders: usize) {
    let idle = idle_process(language);
    println!("\n{:<44} {:>9} {:>8}", language.name, "µs", "ratio");
    match idle {
        Some(idle) => row(
            &format!("{} {}", language.program, language.idle.join(" ")),
            idle,
            Some(idle),
        ),
        None => println!("{} is not installed: no ratios", language.program),
    }
    let (entrypoint, source) = language.script;
    let package = json!({"name": "word-count", "runtime": {"entrypoint": entrypoint}, "files": {entrypoint: source}});
    let skill = Arc::new(Skill::from_object(&package, &PackageLimits::default()).expect("a skill"));
    let input = json!({ "text": TEXT });

    let started = Instant::now();
    let sandbox = sandbox(&data.join("cache"));
    sandbox
        .prepare(&skill, &skill.default_entry().expect("a program"))
        .expect("a program");
    row(
        "compiling the runtime, once per machine",
        started.elapsed(),
        idle,
    );
    drop(sandbox);
    let started = Instant::now();
    let sandbox = self::sandbox(&data.join("cache"));
    sandbox
        .prepare(&skill, &skill.default_entry().expect("a program"))
        .expect("a program");
    row(
        "loading the compiled runtime, once per process",
        started.elapsed(),
        idle,
    );
    row("one execution", execution(&sandbox, &skill, &input), idle);
    let before = resident_bytes();
    together(&sandbox, &skill, 16);
    let grown = resident_bytes().saturating_sub(before);
    drop(sandbox);

    let options = EmbeddedOptions {
        cache_folder: Some(data.join("cache")),
        ..EmbeddedOptions::default()
    };
    let embedded = Embedded::new(DataFolder::new(data.join("data")), options).expect("the runtime");
    let orchestrator = Arc::new(embedded.open().expect("a data folder"));
    let bench = Arc::new(Bench {
        embedded,
        orchestrator,
        skill,
        input,
    });
    runtime.block_on(bench.many("warm", 32));
    let alone = runtime.block_on(async {
        let mut fastest = Duration::MAX;
        for round in 0..5 {
            let started = Instant::now();
            for index in 0..60 {
                bench.one(&format!("alone-{round}"), index).await;
            }
            fastest = fastest.min(started.elapsed() / 60);
        }
        fastest
    });
    row("verified durable order, one at a time", alone, idle);
    let amortised = runtime.block_on(bench.many("many", orders));
    row(
        &format!("verified durable order, {IN_FLIGHT} in flight"),
        amortised,
        idle,
    );
    println!(
        "{:.0} verified durable orders/s ({orders} orders)",
        1.0 / amortised.as_secs_f64()
    );
    println!(
        "{:.1} MiB resident for each of 16 instances at once",
        grown as f64 / 16.0 / f64::from(1 << 20)
    );
}

fn sandbox(cache: &Path) -> WasmSandbox {
    WasmSandbox::new(WasmOptions {
        cache_folder: Some(cache.to_owned()),
        language_runtimes: sre_runtimes::shipped(),
        ..WasmOptions::default()
    })
    .expect("a sandbox")
}

fn profile() -> Profile {
    let limits = OperatorLimits::default();
    Profile {
        backend: sre_core::Backend::Wasm,
        fuel: limits.fuel,
        mem_limit_bytes: limits.mem_bytes,
        output_limit_bytes: limits.output_bytes,
        tmp_limit_bytes: limits.tmp_bytes,
        files_limit_bytes: limits.files_bytes,
        files_limit_count: limits.files_count,
        timeout_ms: 30_000,
        clock_start: "2026-01-01T00:00:00Z".parse().expect("a time"),
        random_seed: Seed::from_bytes([0; 32]),
        processes: None,
    }
}

fn execution(sandbox: &WasmSandbox, skill: &Skill, input: &Value) -> Duration {
    let input = canonical_json::to_vec(input);
    let profile = profile();
    let time_limit = Duration::from_secs(60);
    let job = Job {
        skill,
        entry: &skill.default_entry().expect("a program"),
        call: Call::Json { input: &input },
        profile: &profile,
        time_limit,
        language_runtime: None,
    };
    fastest_mean(10, 50, || {
        let execution = sandbox.execute(&job, &Stop::new()).expect("an execution");
        assert!(execution.output.is_some(), "{execution:?}");
    })
}

/// Runs `instances` guests at the same time, each for long enough that all are there at once.
fn together(sandbox: &WasmSandbox, skill: &Skill, instances: usize) {
    let input = canonical_json::to_vec(&json!({ "text": TEXT.repeat(300) }));
    let profile = profile();
    let time_limit = Duration::from_secs(60);
    std::thread::scope(|scope| {
        for _ in 0..instances {
            scope.spawn(|| {
                let job = Job {
                    skill,
                    entry: &skill.default_entry().expect("a program"),
                    call: Call::Json { input: &input },
                    profile: &profile,
                    time_limit,
                    language_runtime: None,
                };
                sandbox.execute(&job, &Stop::new()).expect("an execution");
            });
        }
    });
}

/// Memory that this process keeps, pools and all: what 16 guests at once have left resident.
fn resident_bytes() -> u64 {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    statm
        .split(' ')
        .nth(1)
        .and_then(|pages| pages.parse::<u64>().ok())
        .unwrap_or(0)
        * 4096
}

struct Bench {
    embedded: Embedded,
    orchestrator: Arc<Orchestrator>,
    skill: Arc<Skill>,
    input: Value,
}

impl Bench {
    async fn one(&self, series: &str, index: usize) {
        let id = format!("{series}-{index}").parse().expect("an order id");
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

    async fn many(self: &Arc<Self>, series: &'static str, orders: usize) -> Duration {
        let started = Instant::now();
        let mut tasks = JoinSet::new();
        for lane in 0..IN_FLIGHT {
            let bench = Arc::clone(self);
            tasks.spawn(async move {
                for index in (lane..orders).step_by(IN_FLIGHT) {
                    bench.one(series, index).await;
                }
            });
        }
        while let Some(ended) = tasks.join_next().await {
            ended.expect("a lane");
        }
        started.elapsed() / u32::try_from(orders).expect("a reasonable number")
    }
}

fn idle_process(language: &Language) -> Option<Duration> {
    // The fastest of those installed: the system's own, and the one that a version manager has put
    // before it.
    let itself = Command::new(language.program)
        .args(language.itself)
        .output()
        .ok()?;
    let first = String::from_utf8(itself.stdout).ok()?.trim().to_owned();
    let systems = format!("/usr/bin/{}", language.program);
    let programs = [first, systems]
        .into_iter()
        .filter(|program| Path::new(program).exists());
    let times = programs.map(|program| {
        fastest_mean(5, 20, || {
            let status = Command::new(&program)
                .args(language.idle)
                .stdin(Stdio::null())
                .status();
            assert!(status.expect("an interpreter").success());
        })
    });
    times.min()
}

/// The fastest of some means: the machine's noise only ever adds.
fn fastest_mean(rounds: u32, runs: u32, mut run: impl FnMut()) -> Duration {
    run();
    let mean = |_| {
        let started = Instant::now();
        (0..runs).for_each(|_| run());
        started.elapsed() / runs
    };
    (0..rounds).map(mean).min().unwrap_or_default()
}

fn row(what: &str, took: Duration, unit: Option<Duration>) {
    let ratio = unit.map_or(String::new(), |unit| {
        format!("{:.2}x", took.as_secs_f64() / unit.as_secs_f64())
    });
    println!("{what:<44} {:>9.1} {ratio:>8}", took.as_secs_f64() * 1e6);
}
