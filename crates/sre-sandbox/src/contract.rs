//! What a program sees and what its outcome is; the same for every backend.
//!
//! Both contracts: the package at `/skill`, read-only; `/workspace`, `$HOME` and `/tmp`, writable
//! and its own; exactly the environment of [`environment`]. Standard error is the log.
//!
//! - JSON contract: the input as canonical JSON on standard input and in `INPUT_JSON`, `/skill` as
//!   the working folder. The outcome is one JSON value on standard output after exit code 0.
//! - Command contract: arguments, standard input and files, `/workspace` as the working folder. The
//!   outcome is the exit code, the bytes of standard output and the files that are left.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;
use sre_core::canonical_json::VALUE_DEPTH_LIMIT;
use sre_core::{
    BadOutputReason, Content, Ending, JsonResult, Outcome, OutputDigest, canonical_json,
};
use sre_skill::{CheckError, Entry, Skill};

use crate::{Call, LeftFiles, SandboxError};
#[cfg(any(feature = "wasm", all(feature = "native", target_os = "linux")))]
use crate::{Command, Files, collect::Found};
#[cfg(any(feature = "wasm", all(feature = "native", target_os = "linux")))]
use sre_core::Collect;

/// Version of what is said here, as engines name it, because it decides what an outcome is.
pub const CONTRACT_VERSION: &str = "1";

/// The package in the guest's view.
pub(crate) const PACKAGE_FOLDER: &str = "/skill";
/// The writable working folder of the command contract.
pub(crate) const WORKSPACE_FOLDER: &str = "/workspace";
/// `$HOME`.
pub(crate) const HOME_FOLDER: &str = "/home/skill";
/// `$TMPDIR`.
pub(crate) const TMP_FOLDER: &str = "/tmp";

/// How much of a skill's standard error is kept, in bytes.
pub const LOG_LIMIT_BYTES: usize = 64 << 10;

/// How much of what was printed an error message shows, in characters.
const SHOWN_CHARS: usize = 60;

/// The folder that a program starts in.
pub(crate) const fn working_folder(call: &Call<'_>) -> &'static str {
    match call {
        Call::Json { .. } => PACKAGE_FOLDER,
        Call::Command(_) => WORKSPACE_FOLDER,
    }
}

/// The arguments of a program, its own path first.
#[cfg_attr(
    not(any(feature = "wasm", all(feature = "native", target_os = "linux"))),
    expect(dead_code, reason = "without a backend nothing runs")
)]
pub(crate) fn arguments(entry: &Entry, call: &Call<'_>) -> Vec<String> {
    let program = format!("{PACKAGE_FOLDER}/{}", entry.path);
    let args = match call {
        Call::Json { .. } => &[][..],
        Call::Command(command) => &command.args,
    };
    std::iter::once(program)
        .chain(args.iter().cloned())
        .collect()
}

/// What a program reads from standard input.
#[cfg_attr(
    not(any(feature = "wasm", all(feature = "native", target_os = "linux"))),
    expect(dead_code, reason = "without a backend nothing runs")
)]
pub(crate) fn stdin(call: &Call<'_>) -> Arc<[u8]> {
    match call {
        Call::Json { input } => Arc::from(*input),
        Call::Command(command) => Arc::clone(&command.stdin),
    }
}

/// The environment of a program, sorted by name. Nothing of the host's gets in. Native programs
/// find `PATH` besides.
#[must_use]
pub fn environment(call: &Call<'_>) -> Vec<(String, String)> {
    let mut environment = BTreeMap::new();
    let mut set = |name: &str, value: &str| {
        environment.insert(name.to_owned(), value.to_owned());
    };
    // Acceptance refuses these names in a command's own variables; where one comes this far, the
    // contract's value counts.
    if let Call::Command(command) = call {
        for (name, value) in &command.env {
            set(name, value);
        }
    }
    set("HOME", HOME_FOLDER);
    set("LANG", "C.UTF-8");
    set("PWD", working_folder(call));
    set("TMPDIR", TMP_FOLDER);
    set("TZ", "UTC");
    if let Call::Json { input } = call {
        set("INPUT_JSON", &String::from_utf8_lossy(input));
    }
    environment.into_iter().collect()
}

/// What a program did, under its contract.
#[derive(Debug, Clone)]
pub struct Printed {
    /// The outcome.
    pub outcome: Outcome,
    /// The returned value and its canonical JSON.
    pub output: Option<(Value, Vec<u8>)>,
    /// What was printed; `None` where the value is what was printed.
    pub stdout: Option<Arc<[u8]>>,
    /// What `/workspace` held at the end, in the command contract.
    pub workspace: Option<LeftFiles>,
    /// What `$HOME` held at the end, where the command gave one.
    pub home: Option<LeftFiles>,
    /// What went wrong, for people.
    pub failure: Option<String>,
}

/// The outcome of a command: how it ended, what it printed and what it left.
#[must_use]
pub fn judge_command(
    ending: Ending,
    stdout: &[u8],
    workspace: Option<LeftFiles>,
    home: Option<LeftFiles>,
) -> Printed {
    let outcome = Outcome {
        workspace: workspace.as_ref().map(|left| left.tree.digest()),
        home: home.as_ref().map(|left| left.tree.digest()),
        ..Outcome::ended(ending, Content::of(stdout))
    };
    let failure = (ending != Ending::Exited { code: 0 }).then(|| outcome.to_string());
    Printed {
        outcome,
        output: None,
        stdout: Some(stdout.into()),
        workspace,
        home,
        failure,
    }
}

/// The outcome of a command whose folders held `workspace` and `home` at the end. What cannot be
/// part of a tree is named in `logs`. Files beyond what a tree may hold end a command as output
/// beyond its limit does.
#[cfg(any(feature = "wasm", all(feature = "native", target_os = "linux")))]
pub(crate) fn judge_files(
    command: &Command,
    ending: Ending,
    stdout: &[u8],
    workspace: Found,
    home: Option<Found>,
    logs: &mut String,
) -> Printed {
    logs.push_str(&workspace.notes(WORKSPACE_FOLDER));
    if let Some(home) = &home {
        logs.push_str(&home.notes(HOME_FOLDER));
    }
    let nothing = Files::new();
    let given_home = command.home.as_ref().unwrap_or(&nothing);
    let left = workspace
        .into_left(&command.work, &command.collect)
        .and_then(|workspace| {
            let home = home.map(|home| home.into_left(given_home, &Collect::default()));
            Ok((workspace, home.transpose()?))
        });
    match left {
        Ok((workspace, home)) => judge_command(ending, stdout, Some(workspace), home),
        Err(error) => {
            logs.push_str(&format!("[the files cannot be kept: {error}]\n"));
            judge_command(Ending::OutputLimit, stdout, None, None)
        }
    }
}

/// Applies the JSON contract to an ending and what was printed. Checking an output may take some
/// hundred milliseconds, in which `may_go_on` is asked now and then.
///
/// # Errors
/// What `may_go_on` answers, and [`SandboxError::Unavailable`] when the host lacks what the check
/// needs.
pub fn judge(
    skill: &Skill,
    ending: Ending,
    stdout: &[u8],
    may_go_on: impl Fn() -> Result<(), SandboxError> + Send + Sync + 'static,
) -> Result<Printed, SandboxError> {
    if ending == (Ending::Exited { code: 0 }) {
        return read_output(skill, stdout, Arc::new(may_go_on));
    }
    Ok(judge_command(ending, stdout, None, None))
}

type MayGoOn = dyn Fn() -> Result<(), SandboxError> + Send + Sync;

fn read_output(
    skill: &Skill,
    stdout: &[u8],
    may_go_on: Arc<MayGoOn>,
) -> Result<Printed, SandboxError> {
    let value = match read_value(stdout) {
        Ok(value) => value,
        Err((reason, detail)) => return Ok(bad_output(reason, stdout, detail)),
    };
    let asked = Arc::clone(&may_go_on);
    match skill.check_output(&value, move || asked().is_err()) {
        Ok(()) => {}
        Err(CheckError::Violation(violation)) => {
            return Ok(bad_output(
                BadOutputReason::Schema,
                stdout,
                Some(violation.to_string()),
            ));
        }
        Err(CheckError::Stopped) => {
            may_go_on()?;
            return Err(SandboxError::Unavailable(String::from(
                "the check of its output was stopped",
            )));
        }
        Err(CheckError::Unavailable(why)) => {
            return Err(SandboxError::Unavailable(format!(
                "its output cannot be checked: {why}"
            )));
        }
    }
    let canonical = canonical_json::to_vec(&value);
    Ok(Printed {
        outcome: Outcome::returned(OutputDigest::of(&canonical)),
        output: Some((value, canonical)),
        stdout: None,
        workspace: None,
        home: None,
        failure: None,
    })
}

/// The one value that was printed, or what is wrong with it.
fn read_value(stdout: &[u8]) -> Result<Value, (BadOutputReason, Option<String>)> {
    if stdout.iter().all(u8::is_ascii_whitespace) {
        return Err((BadOutputReason::Empty, None));
    }
    if let Err(error) = std::str::from_utf8(stdout) {
        let place = format!(
            "the byte at {} does not belong to a character",
            error.valid_up_to()
        );
        return Err((BadOutputReason::NotUtf8, Some(place)));
    }
    let value = match canonical_json::parse(stdout) {
        Ok(value) => value,
        Err(error) => {
            let reason = if error.is_trailing() {
                BadOutputReason::TrailingData
            } else {
                BadOutputReason::NotJson
            };
            return Err((reason, Some(error.to_string())));
        }
    };
    if !canonical_json::is_within_depth(&value, VALUE_DEPTH_LIMIT) {
        let detail = format!("it is nested deeper than {VALUE_DEPTH_LIMIT} levels");
        return Err((BadOutputReason::NotJson, Some(detail)));
    }
    Ok(value)
}

fn bad_output(reason: BadOutputReason, stdout: &[u8], detail: Option<String>) -> Printed {
    let outcome = Outcome {
        result: Some(JsonResult::Invalid { reason }),
        ..Outcome::ended(Ending::Exited { code: 0 }, Content::of(stdout))
    };
    let mut failure = outcome.to_string();
    if let Some(detail) = detail {
        failure = format!("{failure}: {detail}");
    }
    if !stdout.is_empty() {
        failure = format!("{failure}; it printed {}", first_characters(stdout));
    }
    Printed {
        outcome,
        output: None,
        stdout: Some(stdout.into()),
        workspace: None,
        home: None,
        failure: Some(failure),
    }
}

/// The start of what was printed, quoted, with control characters escaped: it may be shown on a
/// terminal.
fn first_characters(bytes: &[u8]) -> String {
    let start = String::from_utf8_lossy(&bytes[..bytes.len().min(4 * SHOWN_CHARS)]);
    let shown: String = start.chars().take(SHOWN_CHARS).collect();
    let more = if shown.len() < bytes.len() { "…" } else { "" };
    format!("{shown:?}{more}")
}
