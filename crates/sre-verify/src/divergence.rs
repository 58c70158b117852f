//! Says where a replay parted from what is committed, from two replays on this machine: one as any
//! other, one recorded.

use serde_json::Value;
use sre_core::{Difference, Divergence};
use sre_sandbox::{CallTrace, Execution, SandboxError};

use crate::difference::{Place, first_difference, shown_bytes};
use crate::first_divergence::{Expected, first_contradiction};

/// What the second replay gave.
pub(crate) type Recorded = Result<(Execution, Option<CallTrace>), SandboxError>;

/// Where `first`, which had another outcome than was committed, parted from it; and the same in
/// words.
pub(crate) fn find(
    committed: Expected<'_>,
    files: Option<Difference>,
    first: &Execution,
    second: &Recorded,
) -> (Divergence, String) {
    // Where what was printed or the end differs, that says more than what followed from it.
    let difference = match (difference(committed, first), files) {
        (difference, Some(files)) if difference.byte.is_none() && ended_alike(committed, first) => {
            files
        }
        (difference, _) => difference,
    };
    let repeated = second
        .as_ref()
        .ok()
        .map(|(second, _)| second.outcome == first.outcome);
    // A machine that does not repeat itself has nothing to say about others. What it can say is
    // where it did not.
    let itself = Expected {
        outcome: &first.outcome,
        output: first.output_canonical.as_deref(),
        stdout: first.stdout.as_deref(),
        whose: "the first replay's",
        is: "is what the first replay did",
    };
    let expected = if repeated == Some(false) {
        itself
    } else {
        committed
    };
    let event = match second {
        Ok((second, Some(account))) => {
            first_contradiction(account, second.resources.fuel, expected)
        }
        Ok((_, None)) => Err(String::from(
            "the calls of a guest of this backend are not seen",
        )),
        Err(error) => Err(format!(
            "the second replay could not be carried out: {error}"
        )),
    };
    let (event, no_event) = match event {
        Ok(event) => (Some(event), None),
        Err(why) => (None, Some(why)),
    };
    let divergence = Divergence {
        difference,
        event,
        no_event,
        fuel: first.resources.fuel,
        repeated,
    };
    let words = match second {
        Ok((second, _)) if repeated == Some(false) => {
            unrepeated(&divergence, &self::difference(itself, second))
        }
        _ => in_words(&divergence, second),
    };
    (divergence, words)
}

/// Whether the program ended in the same way, so that only what it left can differ.
fn ended_alike(committed: Expected<'_>, replayed: &Execution) -> bool {
    committed.outcome.ending == replayed.outcome.ending
}

fn in_words(divergence: &Divergence, second: &Recorded) -> String {
    let mut words = format!(
        "{}; {}",
        difference_in_words(&divergence.difference),
        event_in_words(divergence)
    );
    if let Ok((second, Some(_))) = second {
        words.push_str(&format!(
            "; the replay used {} fuel in all",
            divergence.fuel
        ));
        if second.resources.fuel != divergence.fuel {
            let other = second.resources.fuel;
            words.push_str(&format!(
                ", a second one {other}: this machine does not repeat itself to the instruction"
            ));
        }
    }
    words
}

fn unrepeated(divergence: &Divergence, between: &Difference) -> String {
    format!(
        "two replays on this machine had different outcomes, so neither says anything about the committed one: {}; {}; \
         `sre determinism` looks for the cause",
        difference_in_words(between).replacen("committed", "the first", 1),
        event_in_words(divergence)
    )
}

fn event_in_words(divergence: &Divergence) -> String {
    match (&divergence.event, &divergence.no_event) {
        (Some(event), _) => format!("the first contradiction is {event}"),
        (None, why) => format!(
            "no call can be named, because {}",
            why.as_deref().unwrap_or("the reason is not known")
        ),
    }
}

fn difference_in_words(difference: &Difference) -> String {
    let Difference {
        path,
        byte,
        pointer,
        committed,
        replayed,
    } = difference;
    let what = match path.as_deref() {
        Some(Difference::STDOUT) => String::from("standard output"),
        Some(path) => format!("the file {path}"),
        None => String::from("the returned value's canonical JSON"),
    };
    let Some(byte) = byte else {
        let what = if path.is_some() {
            format!("{what} differs")
        } else {
            String::from("the replay ended differently")
        };
        return format!("{what}: committed \"{committed}\", replayed \"{replayed}\"");
    };
    let place = match pointer.as_deref() {
        Some("") => ", at the whole value",
        Some(pointer) => &format!(", at {pointer}"),
        None => "",
    };
    format!("{what} differs from byte {byte} on{place}: committed {committed}, replayed {replayed}")
}

fn difference(claimed: Expected<'_>, replayed: &Execution) -> Difference {
    if let (Some(expected), Some(actual)) = (claimed.output, &replayed.output_canonical) {
        return of_values(expected, actual);
    }
    if let (Some(expected), Some(actual)) = (claimed.stdout, &replayed.stdout)
        && *expected != **actual
    {
        let at = first_byte(expected, actual);
        return Difference {
            path: Some(Difference::STDOUT.to_owned()),
            byte: Some(at as u64),
            pointer: None,
            committed: shown_bytes(expected, at),
            replayed: shown_bytes(actual, at),
        };
    }
    Difference {
        path: None,
        byte: None,
        pointer: None,
        committed: claimed.outcome.to_string(),
        replayed: replayed.outcome.to_string(),
    }
}

/// How two returned values differ.
fn of_values(expected: &[u8], actual: &[u8]) -> Difference {
    let at = first_byte(expected, actual);
    let values = [expected, actual].map(serde_json::from_slice::<Value>);
    let place = match values {
        [Ok(expected), Ok(actual)] => first_difference(&expected, &actual),
        // The committed bytes may be anything.
        _ => None,
    };
    let (pointer, committed, replayed) = match place {
        Some(Place {
            pointer,
            expected,
            actual,
        }) => (Some(pointer), expected, actual),
        None => (None, shown_bytes(expected, at), shown_bytes(actual, at)),
    };
    Difference {
        path: None,
        byte: Some(at as u64),
        pointer,
        committed,
        replayed,
    }
}

fn first_byte(one: &[u8], other: &[u8]) -> usize {
    one.iter().zip(other).take_while(|(a, b)| a == b).count()
}
