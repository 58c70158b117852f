//! The other side: one process in its surroundings, which runs the skill some times and says what it saw.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use sre_core::{Outcome, Profile};
use sre_sandbox::wasm::{Seen, WasmOptions, WasmSandbox};
use sre_sandbox::{Job, Sandbox, SandboxError, Stop};
use sre_skill::{PackageLimits, Skill};

use super::surroundings::Surroundings;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output;

/// What a process is asked to do, on its standard input.
#[derive(Debug, Serialize, Deserialize)]
pub struct Assignment {
    /// The skill's object form.
    pub skill: Value,
    /// Canonical JSON.
    pub input: String,
    pub profile: Profile,
    pub runs: u32,
    pub surroundings: Surroundings,
}

/// What it answers, on its standard output.
#[derive(Debug, Serialize, Deserialize)]
pub struct Report {
    /// Its first run.
    pub first: Run,
    /// The first run that was not like it.
    pub other: Option<Run>,
}

/// One run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Run {
    pub outcome: Outcome,
    /// Canonical JSON; empty unless it returned.
    pub output: String,
    pub logs: String,
    pub fuel: u64,
    /// Everything the host told it.
    pub seen: Vec<Seen>,
}

/// Does what standard input asks.
///
/// # Errors
/// When it cannot be read, or the skill has no outcome.
pub fn probe() -> Result<Exit, Failure> {
    let assignment: Assignment = serde_json::from_reader(io::stdin().lock())
        .map_err(|error| Failure::usage("usage", format!("no assignment on standard input: {error}")))?;
    assignment.surroundings.confine();
    let busy = Busy::start(assignment.surroundings.load_threads);
    let report = work(&assignment).map_err(|error| Failure::operating("sandbox_unavailable", error.to_string()))?;
    drop(busy);
    output::stdout(output::json_line(&report).as_bytes())?;
    Ok(Exit::Success)
}

fn work(assignment: &Assignment) -> Result<Report, SandboxError> {
    let Assignment { skill, input, profile, runs, surroundings } = assignment;
    let skill = Skill::from_object(skill, &PackageLimits::default())
        .map_err(|error| SandboxError::Rejected(error.to_string()))?;
    let sandbox = WasmSandbox::new(WasmOptions {
        cache_folder: surroundings.cache_folder.clone(),
        slots: surroundings.slots,
        pooling: surroundings.pooling,
        language_runtimes: sre_runtimes::shipped(),
        ..WasmOptions::default()
    })?;
    sandbox.prepare(&skill)?;
    let time_limit = Duration::from_millis(profile.timeout_ms).saturating_mul(4).max(Duration::from_secs(60));
    let job = Job { skill: &skill, input: input.as_bytes(), profile, time_limit, language_runtime: None };
    let first = run(&sandbox, &job)?;
    for _ in 1..*runs {
        let other = run(&sandbox, &job)?;
        if other != first {
            return Ok(Report { first, other: Some(other) });
        }
    }
    Ok(Report { first, other: None })
}

fn run(sandbox: &WasmSandbox, job: &Job<'_>) -> Result<Run, SandboxError> {
    let (execution, seen) = sandbox.execute_witnessed(job, &Stop::new())?;
    let output = execution.output_canonical.unwrap_or_default();
    Ok(Run {
        outcome: execution.outcome,
        output: String::from_utf8_lossy(&output).into_owned(),
        logs: execution.logs,
        fuel: execution.resources.fuel,
        seen,
    })
}

/// Threads that do nothing useful, until it is dropped.
struct Busy(Arc<AtomicBool>);

impl Busy {
    fn start(threads: usize) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        for _ in 0..threads {
            let stop = Arc::clone(&stop);
            std::thread::spawn(move || {
                while !stop.load(Ordering::Relaxed) {
                    std::hint::spin_loop();
                }
            });
        }
        Self(stop)
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}
