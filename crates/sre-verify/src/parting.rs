//! Which of a guest's doings contradicts an outcome first.
//!
//! No trace of the other run is needed for that. An outcome fixes what its guest must have told the
//! host, in every respect that decides: the value on standard output, the exit code, the fault. So
//! the calls of one run, compared with the outcome of another, tell the first call that cannot have
//! been made on the way there.

use serde_json::Value;
use sre_core::{BadOutputReason, GuestEvent, GuestEventKind, Outcome, canonical_json};
use sre_sandbox::{Account, Ending, HostCall};

use crate::expectation::{Reading, read};

/// What another run did, as far as it is known here.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Told<'a> {
    /// Its outcome.
    pub(crate) outcome: &'a Outcome,
    /// The canonical JSON of what it returned, if it returned something.
    pub(crate) output: Option<&'a [u8]>,
    /// Whose result that is: `the committed`.
    pub(crate) whose: &'static str,
    /// What may be said of everything else: `is committed`.
    pub(crate) is: &'static str,
}

/// The first thing in `account` that contradicts `told`, given that the run used `fuel` and had
/// another outcome; or why it cannot be named.
pub(crate) fn first_contradiction(
    account: &Account,
    fuel: u64,
    told: Told<'_>,
) -> Result<GuestEvent, String> {
    let end = |contradicts: String| Ok(end(account, fuel, contradicts));
    let Told { outcome, is, .. } = told;
    match outcome {
        Outcome::Returned { .. } => returned(account, fuel, told),
        Outcome::BadOutput {
            reason: BadOutputReason::Empty,
            ..
        } => {
            match account
                .printed
                .iter()
                .position(|byte| !byte.is_ascii_whitespace())
            {
                Some(at) => Ok(printed(account, at, &format!("where no output {is}"))),
                None => end(format!("{outcome}: that {is}")),
            }
        }
        Outcome::BadOutput {
            reason: BadOutputReason::TooLong,
            ..
        } if account.ending != Ending::OutputLimit => {
            end(format!("more than the output limit {is}"))
        }
        Outcome::BadOutput { .. }
            if !matches!(account.ending, Ending::Exited(0) | Ending::OutputLimit) =>
        {
            end(format!("exit code 0 {is}"))
        }
        Outcome::BadOutput { .. } => Err(String::from(
            "of what else was printed there is a digest alone, so the call that printed something else cannot be named",
        )),
        Outcome::Exited { code } => end(format!("exit code {code} {is}")),
        Outcome::Trapped { trap } => end(format!("the trap \"{trap}\" {is}")),
        Outcome::OutOfFuel => end(format!("that its fuel was used up {is}")),
        Outcome::OutOfMemory => end(format!("that it ran out of memory {is}")),
    }
}

/// Where a value is said to have been returned.
fn returned(account: &Account, fuel: u64, told: Told<'_>) -> Result<GuestEvent, String> {
    let Told { whose, is, .. } = told;
    let value = told
        .output
        .ok_or_else(|| format!("{whose} result cannot be had"))?;
    // A value that no parser of ours accepts was returned by nobody.
    let value: Value = canonical_json::parse(value).map_err(|error| {
        format!("no program returns {whose} result, which is no JSON of ours: {error}")
    })?;
    let contradicts = match read(&account.printed, &value) {
        Reading::Contradicts(at) => {
            return Ok(printed(account, at, &format!("is not of {whose} result")));
        }
        Reading::Unfinished => {
            format!(
                "{whose} result goes on after the {} printed",
                plural(account.printed.len())
            )
        }
        Reading::Complete if account.ending == Ending::Exited(0) => {
            format!("the output schema refuses {whose} result, which it printed")
        }
        Reading::Complete => format!("exit code 0 {is}"),
    };
    Ok(end(account, fuel, contradicts))
}

/// The call that printed the byte at `at`.
fn printed(account: &Account, at: usize, why: &str) -> GuestEvent {
    let contradicts = format!("byte {at} of standard output {why}");
    match account.call_that_printed(at) {
        Some(call) => by_call(call, contradicts),
        None => end(account, 0, contradicts),
    }
}

fn by_call(call: HostCall, contradicts: String) -> GuestEvent {
    let HostCall {
        number,
        call: what,
        fuel,
    } = call;
    GuestEvent {
        kind: GuestEventKind::Call,
        number,
        what,
        contradicts,
        fuel,
    }
}

fn end(account: &Account, fuel: u64, contradicts: String) -> GuestEvent {
    if let Some(call) = account.ended_by.clone() {
        return by_call(call, contradicts);
    }
    let what = match account.ending {
        Ending::Exited(code) => format!("it came back by itself, which is exit code {code}"),
        Ending::Trapped(trap) => format!("it trapped: {trap}"),
        Ending::OutOfFuel => String::from("its fuel was used up"),
        Ending::OutOfMemory => String::from("it ran out of memory"),
        Ending::OutputLimit => String::from("it printed more than the output limit"),
    };
    GuestEvent {
        kind: GuestEventKind::End,
        number: account.calls,
        what,
        contradicts,
        fuel,
    }
}

fn plural(bytes: usize) -> String {
    if bytes == 1 {
        String::from("1 byte")
    } else {
        format!("{bytes} bytes")
    }
}
