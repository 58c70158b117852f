//! Which of a guest's doings contradicts an outcome first.
//!
//! No trace of the other run is needed for that. An outcome fixes what its guest must have expected the
//! host, in every respect that decides: the value on standard output, the exit code, the fault. So
//! the calls of one run, compared with the outcome of another, tell the first call that cannot have
//! been made on the way there.

use serde_json::Value;
use sre_core::{Ending, GuestEvent, GuestEventKind, Outcome, canonical_json};
use sre_sandbox::{CallTrace, HostCall};

use crate::expectation::{Reading, read};

/// What another run did, as far as it is known here.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Expected<'a> {
    /// Its outcome.
    pub(crate) outcome: &'a Outcome,
    /// The canonical JSON of what it returned, if it returned something.
    pub(crate) output: Option<&'a [u8]>,
    /// What it printed, if its outcome names that.
    pub(crate) stdout: Option<&'a [u8]>,
    /// Whose result that is: `the committed`.
    pub(crate) whose: &'static str,
    /// What may be said of everything else: `is committed`.
    pub(crate) is: &'static str,
}

/// The first thing in `account` that contradicts `expected`, given that the run used `fuel` and had
/// another outcome; or why it cannot be named.
pub(crate) fn first_contradiction(
    account: &CallTrace,
    fuel: u64,
    expected: Expected<'_>,
) -> Result<GuestEvent, String> {
    if expected.outcome.output().is_some() {
        return returned(account, fuel, expected);
    }
    let Expected { outcome, is, .. } = expected;
    // What was printed was printed before the end, so it is the first contradiction if it is one.
    if let Some(event) = other_stdout(account, fuel, expected)? {
        return Ok(event);
    }
    if account.ending == outcome.ending {
        return Err(String::from(
            "the guest printed what is committed and ended like that; what it left differs",
        ));
    }
    let contradicts = match outcome.ending {
        Ending::Exited { code } => format!("exit code {code} {is}"),
        Ending::Trapped { trap } => format!("the trap \"{trap}\" {is}"),
        Ending::OutOfFuel => format!("that its fuel was used up {is}"),
        Ending::OutOfMemory => format!("that it ran out of memory {is}"),
        Ending::OutputLimit => format!("more than the output limit {is}"),
    };
    Ok(end(account, fuel, contradicts))
}

/// The first byte of standard output that contradicts what was printed according to `expected`, if
/// there is one.
fn other_stdout(
    account: &CallTrace,
    fuel: u64,
    expected: Expected<'_>,
) -> Result<Option<GuestEvent>, String> {
    let Expected { whose, is, .. } = expected;
    let expected = expected
        .stdout
        .ok_or_else(|| format!("{whose} standard output cannot be had"))?;
    let at = first_difference(expected, &account.printed);
    Ok(if at < account.printed.len() {
        let why = if at < expected.len() {
            format!("is another one than {is}")
        } else {
            format!("where no more output {is}")
        };
        Some(printed(account, at, &why))
    } else if at < expected.len() {
        let contradicts = format!(
            "{whose} standard output goes on after the {} printed",
            plural(at)
        );
        Some(end(account, fuel, contradicts))
    } else {
        None
    })
}

/// The length of what two texts have in common at their beginnings.
fn first_difference(one: &[u8], other: &[u8]) -> usize {
    one.iter().zip(other).take_while(|(a, b)| a == b).count()
}

/// Where a value is said to have been returned.
fn returned(account: &CallTrace, fuel: u64, expected: Expected<'_>) -> Result<GuestEvent, String> {
    let Expected { whose, is, .. } = expected;
    let value = expected
        .output
        .ok_or_else(|| format!("{whose} result cannot be had"))?;
    // No run can have returned a value that our parser refuses.
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
        Reading::Complete if account.ending == (Ending::Exited { code: 0 }) => {
            format!("the output schema refuses {whose} result, which it printed")
        }
        Reading::Complete => format!("exit code 0 {is}"),
    };
    Ok(end(account, fuel, contradicts))
}

/// The call that printed the byte at `at`.
fn printed(account: &CallTrace, at: usize, why: &str) -> GuestEvent {
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

fn end(account: &CallTrace, fuel: u64, contradicts: String) -> GuestEvent {
    if let Some(call) = account.ended_by.clone() {
        return by_call(call, contradicts);
    }
    let what = match account.ending {
        Ending::Exited { code } => format!("it came back by itself, which is exit code {code}"),
        Ending::Trapped { trap } => format!("it trapped: {trap}"),
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
