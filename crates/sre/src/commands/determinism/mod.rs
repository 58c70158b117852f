//! `sre determinism`: many runs in many surroundings, compared.
//!
//! Each process runs the skill in surroundings of its own ([`surroundings`]), writing down what the
//! host tells it ([`mod@probe`]); what two runs differ in is found here ([`difference`]).

mod difference;
mod probe;
mod surroundings;

use std::collections::VecDeque;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, PoisonError};

use jiff::ToSpan;
use serde_json::json;
use sre_core::{Backend, Digest, ErrorCode, Seed, Verdict, canonical_json};
use sre_orchestrator::{AcceptedOrder, DataFolder, Embedded, OrderConfig};
use sre_skill::SkillPackage;

use difference::Difference;
pub use probe::probe;
use probe::{Assignment, NativeSetting, Report, Run};
use surroundings::Surroundings;

use crate::cli::{DeterminismArgs, Format, Global, Vary};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::{self, Progress, Sheet, Style};

/// The name of the command that does one process's runs.
pub const PROBE: &str = "determinism-probe";

/// Processes for any number of runs: every combination of surroundings that is worth having, and no
/// more.
const PROCESSES_LIMIT: u32 = 12;

/// Runs the skill many times and compares.
///
/// # Errors
/// When it is not a skill, or a run has no outcome.
pub fn determinism(
    args: DeterminismArgs,
    global: &Global,
    progress: &Progress,
) -> Result<Exit, Failure> {
    let (runs, vary, warm_only) = (args.runs.get(), args.vary.clone(), args.warm);
    let order = accept(args, global, progress)?;
    let folder = tempfile::tempdir().map_err(|error| {
        Failure::new(
            ErrorCode::NoFolder,
            format!("cannot make a temporary folder: {error}"),
        )
    })?;
    let warm = global.cache_folder();
    let cold = folder.path().join("cache");
    let cold = if warm_only { warm.clone() } else { Some(cold) };
    let processes = runs.min(PROCESSES_LIMIT);
    let assignments = (0..processes).map(|number| {
        let share = runs / processes + u32::from(number < runs % processes);
        let number = number as usize;
        let surroundings = Surroundings::of(number, warm.as_deref(), cold.as_deref());
        let mut assignment = assignment(&order, share, surroundings, &vary);
        assignment.native = NativeSetting::of(&order, global);
        assignment
    });
    progress.show("running");
    let reports = run_all(assignments.collect(), runs, folder.path(), progress)?;
    progress.clear();
    let difference = first_difference(&reports, !vary.is_empty());
    let verdict = Comparison {
        order: &order,
        runs,
        processes,
        first: &reports[0].first,
        difference,
    };
    let text = match global.format {
        Format::Human => verdict.text(&vary),
        Format::Json => output::json_line(&verdict.json()),
    };
    output::stdout(text.as_bytes())?;
    Ok(if verdict.difference.is_none() {
        Exit::Success
    } else {
        Exit::Verdict(Verdict::Diverged)
    })
}

/// Checks skill, input and limits as an order's, and compiles what the warm processes will find
/// compiled.
fn accept(
    args: DeterminismArgs,
    global: &Global,
    progress: &Progress,
) -> Result<AcceptedOrder, Failure> {
    let mut config = OrderConfig::new(OrderConfig::generate_id(), SkillPackage::Path(args.skill));
    config.input_data = super::run::read_input(args.input)?;
    let mut sandbox = args.sandbox.config().unwrap_or_default();
    // A fixed seed and clock unless asked otherwise: two invocations give the same result too.
    sandbox.random_seed.get_or_insert(Seed::from_bytes([0; 32]));
    sandbox
        .clock_start
        .get_or_insert(jiff::Timestamp::UNIX_EPOCH + 1_767_225_600.seconds());
    config.sandbox_config = Some(sandbox);
    // Nothing is written there: the order is accepted and goes no further.
    let embedded = Embedded::new(DataFolder::new("."), super::embedded(global, progress))?;
    progress.show("preparing the skill");
    let order = super::runtime()?.block_on(embedded.acceptance().accept(config))?;
    if order.profile().backend == Backend::Docker {
        let detail =
            "containers see the machine's time and randomness: there is nothing here to measure";
        return Err(Failure::new(ErrorCode::OrderInvalid, detail)
            .hint("run it with --backend native or wasm"));
    }
    Ok(order)
}

fn assignment(
    order: &AcceptedOrder,
    runs: u32,
    surroundings: Surroundings,
    vary: &[Vary],
) -> Assignment {
    let mut profile = order.profile().clone();
    let number = surroundings.number;
    if vary.contains(&Vary::Seed) {
        let seed = Digest::of(format!("{} {number}", profile.random_seed).as_bytes());
        profile.random_seed = Seed::from_bytes(*seed.as_bytes());
    }
    if vary.contains(&Vary::Clock) {
        let hours = i64::try_from(number).unwrap_or(0) * 1_001;
        profile.clock_start = profile
            .clock_start
            .saturating_add(hours.hours())
            .unwrap_or(profile.clock_start);
    }
    Assignment {
        skill: order.skill().to_object(),
        input: String::from_utf8_lossy(order.input()).into_owned(),
        profile,
        runs,
        surroundings,
        native: None,
    }
}

/// Two processes at a time, so that they disturb each other. The reports come in the order of the
/// assignments.
fn run_all(
    assignments: Vec<Assignment>,
    runs: u32,
    folder: &Path,
    progress: &Progress,
) -> Result<Vec<Report>, Failure> {
    let waiting = Mutex::new(assignments.into_iter().enumerate().collect::<VecDeque<_>>());
    let finished = Mutex::new(Vec::new());
    let done = AtomicU32::new(0);
    let worker = || {
        loop {
            let Some((index, assignment)) = lock(&waiting).pop_front() else {
                return;
            };
            let report = run_one(&assignment, folder);
            let done = done.fetch_add(assignment.runs, Ordering::Relaxed) + assignment.runs;
            progress.update(&format!("{done} of {runs} runs"));
            if report.is_err() {
                lock(&waiting).clear();
            }
            lock(&finished).push((index, report));
        }
    };
    std::thread::scope(|scope| {
        scope.spawn(worker);
        scope.spawn(worker);
    });
    let mut finished = finished
        .into_inner()
        .unwrap_or_else(PoisonError::into_inner);
    finished.sort_by_key(|(index, _)| *index);
    finished.into_iter().map(|(_, report)| report).collect()
}

fn run_one(assignment: &Assignment, folder: &Path) -> Result<Report, Failure> {
    let failed = |what: &str| {
        Failure::new(
            ErrorCode::ProbeFailed,
            format!("a process of the comparison {what}"),
        )
    };
    let program =
        std::env::current_exe().map_err(|error| failed(&format!("cannot be started: {error}")))?;
    let working_folder = folder.join(format!(
        "{:0width$}",
        0,
        width = 1 + assignment.surroundings.number * 13
    ));
    std::fs::create_dir(&working_folder)
        .map_err(|error| failed(&format!("has no folder: {error}")))?;
    let mut command = Command::new(program);
    assignment.surroundings.apply(&mut command, &working_folder);
    let mut child = command
        .args([PROBE, "--quiet"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| failed(&format!("cannot be started: {error}")))?;
    let text = output::json_line(assignment);
    let written = child
        .stdin
        .take()
        .map(|mut stdin| stdin.write_all(text.as_bytes()));
    let ended = child
        .wait_with_output()
        .map_err(|error| failed(&format!("was lost: {error}")))?;
    if !ended.status.success() || written.is_none_or(|written| written.is_err()) {
        let said = String::from_utf8_lossy(&ended.stderr);
        return Err(failed(&format!(
            "ended with {}: {}",
            ended.status,
            said.trim()
        )));
    }
    serde_json::from_slice(&ended.stdout)
        .map_err(|error| failed(&format!("said something else: {error}")))
}

/// The first difference within a process, or else to the first process.
fn first_difference(reports: &[Report], told_differently: bool) -> Option<(usize, Difference)> {
    let between_processes = if told_differently {
        difference::in_effect
    } else {
        difference::between
    };
    let first = &reports.first()?.first;
    reports.iter().enumerate().find_map(|(number, report)| {
        let within = report
            .other
            .as_ref()
            .and_then(|other| difference::between(&report.first, other));
        within
            .or_else(|| between_processes(first, &report.first))
            .map(|difference| (number, difference))
    })
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What came of it.
struct Comparison<'a> {
    order: &'a AcceptedOrder,
    runs: u32,
    processes: u32,
    first: &'a Run,
    difference: Option<(usize, Difference)>,
}

impl Comparison<'_> {
    fn text(&self, vary: &[Vary]) -> String {
        let manifest = self.order.skill().manifest();
        let mut sheet = Sheet::new(Style::stdout());
        sheet.title(
            &format!("{} {}", manifest.name, manifest.version),
            &format!("sha256:{}", self.order.skill().digest()),
        );
        sheet.row(
            "runs",
            &format!("{} in {} processes", self.runs, self.processes),
        );
        let is_native = self.order.profile().backend == Backend::Native;
        let varied = match is_native {
            true => "environment, working folder, cores, load; time, entropy, pids",
            false => {
                "environment, working folder, cores, load, cache, memory pool; time, entropy, pids, addresses"
            }
        };
        sheet.row("varied", varied);
        if !vary.is_empty() {
            let names: Vec<&str> = vary
                .iter()
                .map(|what| {
                    if *what == Vary::Seed {
                        "random seed"
                    } else {
                        "clock start"
                    }
                })
                .collect();
            sheet.row("and", &names.join(", "));
        }
        let compared = match is_native {
            true => String::from("outcome and log"),
            false => format!(
                "outcome, log, fuel and {} answers of the host",
                self.first.seen.len()
            ),
        };
        sheet.row("compared", &compared);
        if is_native {
            sheet.row("the host's", &self.first.of_the_host().join(", "));
        }
        match &self.difference {
            None => {
                sheet.painted_row("verdict", "identical", |style, text| style.good(text));
                sheet.row(
                    "outcome",
                    &format!(
                        "{}, sha256:{}",
                        self.first.outcome,
                        self.first.outcome.digest()
                    ),
                );
            }
            Some((process, difference)) => {
                let verdict = format!("different in process {process}: {difference}");
                sheet.painted_row("verdict", &verdict, |style, text| style.error(text));
            }
        }
        sheet.into_text()
    }

    fn json(&self) -> serde_json::Value {
        json!({
            "skill": self.order.skill().digest(),
            "input": Digest::of(self.order.input()),
            "profile": Digest::of(&canonical_json::to_vec(self.order.profile())),
            "runs": self.runs,
            "processes": self.processes,
            "identical": self.difference.is_none(),
            "outcome": self.first.outcome.digest(),
            "fuel": self.first.fuel,
            "answers": self.first.seen.len(),
            "backend": self.order.profile().backend,
            "repeatability": self.first.repeatability,
            "difference": self.difference.as_ref().map(|(process, difference)| json!({
                "process": process,
                "found": difference,
                "message": difference.to_string(),
            })),
        })
    }
}
