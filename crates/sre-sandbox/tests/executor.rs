//! Brief skills run where the caller stands, and one that is brief no more is repeated where it may
//! take its time.

#[path = "common/played.rs"]
mod played;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::ThreadId;
use std::time::Duration;

use played::{Played, profile, skill};
use sre_core::Resources;
use sre_core::{Ending, JsonResult};
use sre_sandbox::{Execution, Executor, OwnedCall, OwnedJob, SandboxError, judge};

/// Claims to take as long as it is told, and writes down where it ran and with how much time.
struct Told {
    takes: Mutex<Duration>,
    runs: Mutex<Vec<(ThreadId, Duration)>>,
    ready: Arc<AtomicBool>,
}

/// What is told, and the executor that plays it.
fn told(deterministic: bool) -> (Arc<Told>, Executor) {
    let takes = Mutex::new(Duration::from_micros(50));
    let told = Arc::new(Told {
        takes,
        runs: Mutex::default(),
        ready: Arc::new(AtomicBool::new(true)),
    });
    let teller = Arc::clone(&told);
    let mut sandbox = Played::new("told", "1", move |job, _| {
        teller
            .runs
            .lock()
            .expect("no panic")
            .push((std::thread::current().id(), job.time_limit));
        let elapsed = *teller.takes.lock().expect("no panic");
        if elapsed > job.time_limit {
            return Err(SandboxError::Timeout(job.time_limit));
        }
        let judged = judge(job.skill, Ending::Exited { code: 0 }, b"1", || Ok(()))?;
        Ok(Execution::new(
            judged,
            String::new(),
            Resources::default(),
            elapsed,
        ))
    });
    sandbox.deterministic = deterministic;
    sandbox.ready = Arc::clone(&told.ready);
    (told, Executor::new(vec![Arc::new(sandbox)], 1))
}

fn job() -> OwnedJob {
    OwnedJob {
        skill: skill(),
        entry: Arc::new(skill().default_entry().expect("a program")),
        call: OwnedCall::Json(b"{}".as_slice().into()),
        profile: profile(),
        time_limit: Duration::from_secs(30),
        language_runtime: None,
    }
}

/// Runs one job and says for each of its runs whether it was on this thread, and its time limit.
async fn run(executor: &Executor, told: &Told) -> Vec<(bool, Duration)> {
    let slot = executor.slot().await.expect("a slot");
    executor.execute(slot, job()).await.expect("an execution");
    let here = std::thread::current().id();
    told.runs
        .lock()
        .expect("no panic")
        .drain(..)
        .map(|(thread, limit)| (thread == here, limit))
        .collect()
}

// One thread: whatever runs elsewhere is on a blocking thread.
#[tokio::test(flavor = "current_thread")]
async fn a_skill_runs_here_once_it_is_known_to_be_brief_and_elsewhere_once_it_is_not() {
    let (told, executor) = told(true);
    let all = Duration::from_secs(30);
    let little = Duration::from_millis(10);
    assert_eq!(run(&executor, &told).await, [(false, all)], "unknown");
    assert_eq!(run(&executor, &told).await, [(true, little)], "brief");

    told.ready.store(false, Ordering::SeqCst);
    assert_eq!(
        run(&executor, &told).await,
        [(false, all)],
        "brief, but its program is not ready"
    );
    told.ready.store(true, Ordering::SeqCst);

    *told.takes.lock().expect("no panic") = Duration::from_secs(20);
    assert_eq!(
        run(&executor, &told).await,
        [(true, little), (false, all)],
        "abandoned here and repeated there"
    );
    assert_eq!(
        run(&executor, &told).await,
        [(false, all)],
        "not tried here again"
    );

    *told.takes.lock().expect("no panic") = Duration::from_micros(50);
    assert_eq!(
        run(&executor, &told).await,
        [(false, all)],
        "brief again, as is now known"
    );
    assert_eq!(run(&executor, &told).await, [(true, little)]);
}

#[tokio::test(flavor = "current_thread")]
async fn what_is_not_deterministic_is_never_run_here() {
    let (told, executor) = told(false);
    for _ in 0..3 {
        assert_eq!(
            run(&executor, &told).await,
            [(false, Duration::from_secs(30))]
        );
    }
}

/// The time of an order is up while its output is checked: that is no outcome.
#[test]
fn the_check_of_an_output_ends_with_the_order() {
    let object = serde_json::json!({"name": "x", "runtime": {"entrypoint": "main.py"}, "files": {"main.py": ""},
        "io": {"output_schema": {"items": {"required": ["a"]}}}});
    let skill = sre_skill::Skill::from_object(&object, &sre_skill::PackageLimits::default())
        .expect("a skill");
    let judged = judge(&skill, Ending::Exited { code: 0 }, b"[{}]", || {
        Err(SandboxError::Timeout(Duration::from_secs(2)))
    });
    assert!(
        matches!(judged, Err(SandboxError::Timeout(_))),
        "{judged:?}"
    );
    let judged = judge(&skill, Ending::Exited { code: 0 }, b"[{}]", || Ok(())).expect("an outcome");
    assert!(
        matches!(judged.outcome.result, Some(JsonResult::Invalid { .. })),
        "{judged:?}"
    );
}

/// A program that was forgotten is compiled again, or read from disk, on a thread that may block.
#[cfg(feature = "wasm")]
#[tokio::test(flavor = "current_thread")]
async fn a_brief_skill_whose_program_was_forgotten_does_not_run_here() {
    use serde_json::json;
    use sre_core::Backend;
    use sre_sandbox::wasm::{WasmOptions, WasmSandbox};
    use sre_sandbox::{Job, Sandbox, Stop};
    use sre_skill::{PackageLimits, Skill};

    let sandbox = Arc::new(
        WasmSandbox::new(WasmOptions {
            slots: 4,
            ..WasmOptions::default()
        })
        .expect("a sandbox"),
    );
    let executor = Executor::new(vec![Arc::clone(&sandbox) as Arc<dyn Sandbox>], 1);
    let program = |number: usize| {
        let main = format!("(module (func (export \"_start\") (drop (i32.const {number}))))");
        let package = json!({"name": "small", "runtime": {"entrypoint": "main.wat"}, "files": {"main.wat": main}});
        Arc::new(Skill::from_object(&package, &PackageLimits::default()).expect("a skill"))
    };
    let brief = OwnedJob {
        skill: program(0),
        ..job()
    };
    let here = |job: &OwnedJob| {
        let job = Job {
            skill: &job.skill,
            entry: &job.skill.default_entry().expect("a program"),
            call: job.call.borrowed(),
            profile: &job.profile,
            time_limit: job.time_limit,
            language_runtime: None,
        };
        sandbox
            .execute_if_ready(&job, &Stop::new())
            .map(|execution| execution.expect("an outcome").outcome)
    };
    assert_eq!(here(&brief), None, "never seen");
    let slot = executor.slot().await.expect("a slot");
    let outcome = executor
        .execute(slot, brief.clone())
        .await
        .expect("an outcome")
        .outcome;
    assert_eq!(here(&brief), Some(outcome));
    for number in 1..=64 {
        let skill = program(number);
        let entry = Arc::new(skill.default_entry().expect("a program"));
        executor
            .prepare(Backend::Wasm, skill, entry)
            .await
            .expect("a program");
    }
    assert_eq!(here(&brief), None, "forgotten");
    let slot = executor.slot().await.expect("a slot");
    assert_eq!(
        executor
            .execute(slot, brief.clone())
            .await
            .expect("an outcome")
            .outcome,
        outcome
    );
    assert_eq!(here(&brief), Some(outcome), "ready again");
}
