//! What a skill sees and what it must print; the same for every backend.
//!
//! In: the input as canonical JSON on standard input and in `INPUT_JSON`, the package as working
//! directory, an empty `/tmp`. Out: exactly one JSON value on standard output and exit code 0.
//! Standard error is the log.

use std::sync::Arc;

use serde_json::Value;
use sre_core::canonical_json::VALUE_DEPTH_LIMIT;
use sre_core::{
    BadOutputReason, Content, Ending, JsonResult, Outcome, OutputDigest, canonical_json,
};
use sre_skill::{CheckError, Skill};

use crate::SandboxError;

/// Version of what is said here, as engines name it: what becomes of what a skill printed decides
/// the outcome. 2: work in all parts of an output schema counts, and a value has at most
/// [`VALUE_DEPTH_LIMIT`] levels.
pub const CONTRACT_VERSION: &str = "2";

/// How much of a skill's standard error is kept, in bytes.
pub const LOG_LIMIT_BYTES: usize = 64 << 10;

/// How much of what was printed an error message shows, in characters.
const SHOWN_CHARS: usize = 60;

/// The environment of every skill, sorted by name. Nothing of the host's gets in.
#[must_use]
pub fn environment(input: &[u8]) -> Vec<(String, String)> {
    let fixed = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    vec![
        fixed("HOME", "/tmp"),
        (
            String::from("INPUT_JSON"),
            String::from_utf8_lossy(input).into_owned(),
        ),
        fixed("LANG", "C.UTF-8"),
        fixed("TMPDIR", "/tmp"),
        fixed("TZ", "UTC"),
    ]
}

/// What became of an ending under the contract.
#[derive(Debug, Clone)]
pub struct Printed {
    /// The outcome.
    pub outcome: Outcome,
    /// The returned value and its canonical JSON.
    pub output: Option<(Value, Vec<u8>)>,
    /// What was printed; `None` where the value is what was printed.
    pub stdout: Option<Arc<[u8]>>,
    /// What went wrong, for people.
    pub failure: Option<String>,
}

/// Applies the contract to an ending and what was printed. Checking an output may take some hundred
/// milliseconds, in which `may_go_on` is asked now and then.
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
    let outcome = Outcome::ended(ending, Content::of(stdout));
    Ok(Printed {
        outcome,
        output: None,
        stdout: Some(stdout.into()),
        failure: Some(outcome.to_string()),
    })
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
