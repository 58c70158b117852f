//! Brief skills run where the caller stands, and one that is brief no more is repeated where it may take its time.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::thread::ThreadId;
use std::time::Duration;

use serde_json::json;
use sre_core::{Backend, Canonical, Digest, Engine, Profile, Resources, Seed};
use sre_sandbox::{Ending, Execution, Executor, Job, OwnedJob, Sandbox, SandboxError, Stop, judge};
use sre_skill::{PackageLimits, Skill};

/// Claims to take as long as it is told, and writes down where it ran and with how much time.
struct Told {
    takes: Mutex<Duration>,
    runs: Mutex<Vec<(ThreadId, Duration)>>,
    deterministic: bool,
    engine: Arc<Canonical<Engine>>,
}

impl Sandbox for Told {
    fn backend(&self) -> Backend {
        Backend::Wasm
    }

    fn engine(&self, _: &Skill, _: Option<Digest>) -> Result<Arc<Canonical<Engine>>, SandboxError> {
        Ok(Arc::clone(&self.engine))
    }

    fn is_deterministic(&self) -> bool {
        self.deterministic
    }

    fn prepare(&self, _: &Skill) -> Result<(), SandboxError> {
        Ok(())
    }

    fn execute(&self, job: &Job<'_>, _: &Stop) -> Result<Execution, SandboxError> {
        self.runs.lock().expect("no panic").push((std::thread::current().id(), job.time_limit));
        let elapsed = *self.takes.lock().expect("no panic");
        if elapsed > job.time_limit {
            return Err(SandboxError::Timeout(job.time_limit));
        }
        let judged = judge(job.skill, Ending::Exited(0), b"1");
        Ok(Execution::new(judged, String::new(), Resources::default(), elapsed))
    }
}

fn told(deterministic: bool) -> Arc<Told> {
    let engine = Engine {
        backend: Backend::Wasm,
        name: String::from("told"),
        version: String::from("1"),
        configuration: BTreeMap::new(),
    };
    Arc::new(Told {
        takes: Mutex::new(Duration::from_micros(50)),
        runs: Mutex::default(),
        deterministic,
        engine: Arc::new(Canonical::new(engine)),
    })
}

fn job() -> OwnedJob {
    let package = json!({
        "name": "told", "version": "1", "runtime": { "entrypoint": "main.wat" }, "io": {}, "annotations": {},
        "files": { "main.wat": "(module)" }
    });
    let profile = Profile {
        backend: Backend::Wasm,
        fuel: 1,
        mem_limit_bytes: 1,
        output_limit_bytes: 100,
        tmp_limit_bytes: 0,
        timeout_ms: 1,
        clock_start: "2026-01-01T00:00:00Z".parse().expect("a time"),
        random_seed: Seed::from_bytes([0; 32]),
        processes: None,
    };
    OwnedJob {
        skill: Arc::new(Skill::from_object(&package, &PackageLimits::default()).expect("a skill")),
        input: b"{}".as_slice().into(),
        profile: Arc::new(Canonical::new(profile)),
        time_limit: Duration::from_secs(30),
        language_runtime: None,
    }
}

/// Runs one job and says for each of its runs whether it was on this thread, and its time limit.
async fn run(executor: &Executor, told: &Told) -> Vec<(bool, Duration)> {
    let slot = executor.slot().await.expect("a slot");
    executor.execute(slot, job()).await.expect("an execution");
    let here = std::thread::current().id();
    told.runs.lock().expect("no panic").drain(..).map(|(thread, limit)| (thread == here, limit)).collect()
}

// One thread: whatever runs elsewhere is on a blocking thread.
#[tokio::test(flavor = "current_thread")]
async fn a_skill_runs_here_once_it_is_known_to_be_brief_and_elsewhere_once_it_is_not() {
    let told = told(true);
    let executor = Executor::new(vec![Arc::clone(&told) as Arc<dyn Sandbox>], 1);
    let all = Duration::from_secs(30);
    let little = Duration::from_millis(10);
    assert_eq!(run(&executor, &told).await, [(false, all)], "unknown");
    assert_eq!(run(&executor, &told).await, [(true, little)], "brief");

    *told.takes.lock().expect("no panic") = Duration::from_secs(20);
    assert_eq!(run(&executor, &told).await, [(true, little), (false, all)], "abandoned here and repeated there");
    assert_eq!(run(&executor, &told).await, [(false, all)], "not tried here again");

    *told.takes.lock().expect("no panic") = Duration::from_micros(50);
    assert_eq!(run(&executor, &told).await, [(false, all)], "brief again, as is now known");
    assert_eq!(run(&executor, &told).await, [(true, little)]);
}

#[tokio::test(flavor = "current_thread")]
async fn what_is_not_deterministic_is_never_run_here() {
    let told = told(false);
    let executor = Executor::new(vec![Arc::clone(&told) as Arc<dyn Sandbox>], 1);
    for _ in 0..3 {
        assert_eq!(run(&executor, &told).await, [(false, Duration::from_secs(30))]);
    }
}
