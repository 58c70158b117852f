//! Brief skills run where the caller stands, and one that is brief no more is repeated where it may take its time.

#[path = "common/played.rs"]
mod played;

use std::sync::{Arc, Mutex};
use std::thread::ThreadId;
use std::time::Duration;

use played::{Played, profile, skill};
use sre_core::Resources;
use sre_sandbox::{Ending, Execution, Executor, OwnedJob, SandboxError, judge};

/// Claims to take as long as it is told, and writes down where it ran and with how much time.
struct Told {
    takes: Mutex<Duration>,
    runs: Mutex<Vec<(ThreadId, Duration)>>,
}

/// What is told, and the executor that plays it.
fn told(deterministic: bool) -> (Arc<Told>, Executor) {
    let told = Arc::new(Told { takes: Mutex::new(Duration::from_micros(50)), runs: Mutex::default() });
    let teller = Arc::clone(&told);
    let mut sandbox = Played::new("told", "1", move |job, _| {
        teller.runs.lock().expect("no panic").push((std::thread::current().id(), job.time_limit));
        let elapsed = *teller.takes.lock().expect("no panic");
        if elapsed > job.time_limit {
            return Err(SandboxError::Timeout(job.time_limit));
        }
        let judged = judge(job.skill, Ending::Exited(0), b"1", || Ok(()))?;
        Ok(Execution::new(judged, String::new(), Resources::default(), elapsed))
    });
    sandbox.deterministic = deterministic;
    (told, Executor::new(vec![Arc::new(sandbox)], 1))
}

fn job() -> OwnedJob {
    OwnedJob {
        skill: skill(),
        input: b"{}".as_slice().into(),
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
    told.runs.lock().expect("no panic").drain(..).map(|(thread, limit)| (thread == here, limit)).collect()
}

// One thread: whatever runs elsewhere is on a blocking thread.
#[tokio::test(flavor = "current_thread")]
async fn a_skill_runs_here_once_it_is_known_to_be_brief_and_elsewhere_once_it_is_not() {
    let (told, executor) = told(true);
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
    let (told, executor) = told(false);
    for _ in 0..3 {
        assert_eq!(run(&executor, &told).await, [(false, Duration::from_secs(30))]);
    }
}

/// The time of an order is up while its output is checked: that is no outcome.
#[test]
fn the_check_of_an_output_ends_with_the_order() {
    let object = serde_json::json!({"name": "x", "runtime": {"entrypoint": "main.py"}, "files": {"main.py": ""},
        "io": {"output_schema": {"items": {"required": ["a"]}}}});
    let skill = sre_skill::Skill::from_object(&object, &sre_skill::PackageLimits::default()).expect("a skill");
    let judged = judge(&skill, Ending::Exited(0), b"[{}]", || Err(SandboxError::Timeout(Duration::from_secs(2))));
    assert!(matches!(judged, Err(SandboxError::Timeout(_))), "{judged:?}");
    let judged = judge(&skill, Ending::Exited(0), b"[{}]", || Ok(())).expect("an outcome");
    assert!(matches!(judged.outcome, sre_core::Outcome::BadOutput { .. }), "{judged:?}");
}
