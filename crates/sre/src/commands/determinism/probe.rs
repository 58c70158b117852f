//! The other side: one process in its surroundings, which runs the skill some times and says what
//! it saw.

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use sre_core::{Backend, ErrorCode, Outcome, Profile};
use sre_orchestrator::AcceptedOrder;
#[cfg(target_os = "linux")]
use sre_sandbox::native::{Layer, NativeOptions, NativeSandbox};
use sre_sandbox::wasm::{HostResponse, WasmOptions, WasmSandbox};
use sre_sandbox::{Call, Job, Sandbox, SandboxError, Stop};
use sre_skill::{Entry, PackageLimits, Skill};

use super::surroundings::Surroundings;
use crate::cli::Global;
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
    /// How native skills run; `None` for the wasm backend.
    pub native: Option<NativeSetting>,
}

/// The operator's settings of native skills, which the process would not know otherwise.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct NativeSetting {
    root: Option<PathBuf>,
    without: Vec<String>,
    images_folder: Option<PathBuf>,
}

impl NativeSetting {
    /// Those of an order that runs natively.
    pub fn of(order: &AcceptedOrder, global: &Global) -> Option<Self> {
        let setting = || Self {
            root: global.native_root.clone(),
            without: global.native_without.clone(),
            images_folder: super::super::images_folder(global),
        };
        (order.profile().backend == Backend::Native).then(setting)
    }

    #[cfg(target_os = "linux")]
    fn sandbox(&self) -> Result<Box<dyn Sandbox>, SandboxError> {
        Ok(Box::new(NativeSandbox::new(NativeOptions {
            root: crate::commands::native_root(self.root.as_deref()),
            images_folder: self.images_folder.clone(),
            may_lack: self
                .without
                .iter()
                .filter_map(|name| Layer::from_name(name))
                .collect(),
            ..NativeOptions::default()
        })))
    }

    #[cfg(not(target_os = "linux"))]
    fn sandbox(&self) -> Result<Box<dyn Sandbox>, SandboxError> {
        Err(SandboxError::Rejected(String::from(
            "native skills run on Linux only",
        )))
    }
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
    /// Everything the host answered to it; empty for a backend that does not record that.
    pub seen: Vec<HostResponse>,
    /// Of a native run, which sources of difference were fixed.
    #[serde(default)]
    pub repeatability: BTreeMap<String, String>,
}

impl Run {
    /// The sources of difference that were the host's.
    pub fn of_the_host(&self) -> Vec<&str> {
        self.repeatability
            .iter()
            .filter(|(_, state)| *state == "host")
            .map(|(name, _)| &**name)
            .collect()
    }
}

/// Does what standard input asks.
///
/// # Errors
/// When it cannot be read, or the skill has no outcome.
pub fn probe() -> Result<Exit, Failure> {
    let assignment: Assignment = serde_json::from_reader(io::stdin().lock()).map_err(|error| {
        Failure::new(
            ErrorCode::Usage,
            format!("no assignment on standard input: {error}"),
        )
    })?;
    assignment.surroundings.confine();
    let busy = Busy::start(assignment.surroundings.load_threads);
    let report = work(&assignment)
        .map_err(|error| Failure::new(ErrorCode::SandboxUnavailable, error.to_string()))?;
    drop(busy);
    output::stdout(output::json_line(&report).as_bytes())?;
    Ok(Exit::Success)
}

fn work(assignment: &Assignment) -> Result<Report, SandboxError> {
    let Assignment {
        skill,
        input,
        profile,
        runs,
        surroundings,
        native,
    } = assignment;
    let skill = Skill::from_object(skill, &PackageLimits::default())
        .map_err(|error| SandboxError::Rejected(error.to_string()))?;
    let runner = match native {
        Some(native) => Runner::Native(native.sandbox()?),
        None => Runner::Wasm(Box::new(WasmSandbox::new(WasmOptions {
            cache_folder: surroundings.cache_folder.clone(),
            slots: surroundings.slots,
            pooling: surroundings.pooling,
            language_runtimes: sre_runtimes::shipped(),
            ..WasmOptions::default()
        })?)),
    };
    let entry = skill.default_entry()?;
    runner.prepare(&skill, &entry)?;
    let time_limit = Duration::from_millis(profile.timeout_ms)
        .saturating_mul(4)
        .max(Duration::from_secs(60));
    let job = Job {
        skill: &skill,
        entry: &entry,
        call: Call::Json {
            input: input.as_bytes(),
        },
        profile,
        time_limit,
        language_runtime: None,
    };
    let first = runner.run(&job)?;
    for _ in 1..*runs {
        let other = runner.run(&job)?;
        if other != first {
            return Ok(Report {
                first,
                other: Some(other),
            });
        }
    }
    Ok(Report { first, other: None })
}

/// The backend that is measured.
enum Runner {
    Wasm(Box<WasmSandbox>),
    Native(Box<dyn Sandbox>),
}

impl Runner {
    fn prepare(&self, skill: &Skill, entry: &Entry) -> Result<(), SandboxError> {
        match self {
            Self::Wasm(sandbox) => sandbox.prepare(skill, entry),
            Self::Native(sandbox) => sandbox.prepare(skill, entry),
        }
    }

    fn run(&self, job: &Job<'_>) -> Result<Run, SandboxError> {
        let (execution, seen) = match self {
            Self::Wasm(sandbox) => sandbox.execute_with_responses(job, &Stop::new())?,
            Self::Native(sandbox) => (sandbox.execute(job, &Stop::new())?, Vec::new()),
        };
        let output = execution.output_canonical.unwrap_or_default();
        Ok(Run {
            outcome: execution.outcome,
            output: String::from_utf8_lossy(&output).into_owned(),
            logs: execution.logs,
            fuel: execution.resources.fuel,
            seen,
            repeatability: execution
                .isolation
                .map(|isolation| isolation.repeatability)
                .unwrap_or_default(),
        })
    }
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
