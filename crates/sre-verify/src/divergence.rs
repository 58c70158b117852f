//! Says where a replay parted from what is committed, from two replays on this machine: one as any
//! other, one recorded.

use serde_json::Value;
use sre_core::{Difference, Divergence, Outcome};
use sre_sandbox::{CallTrace, Execution, SandboxError};

use crate::difference::{Place, first_difference};
use crate::first_divergence::{Expected, first_contradiction};

/// What the second replay gave.
pub(crate) type Recorded = Result<(Execution, Option<CallTrace>), SandboxError>;

/// Where `first`, which had another outcome than was committed, parted from it; and the same in
/// words.
pub(crate) fn find(
    committed: Expected<'_>,
    first: &Execution,
    second: &Recorded,
) -> (Divergence, String) {
    let difference = difference(committed, first);
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
            why.as_deref().unwrap_or("nobody knows")
        ),
    }
}

fn difference_in_words(difference: &Difference) -> String {
    let Difference {
        byte,
        pointer,
        committed,
        replayed,
    } = difference;
    let Some(byte) = byte else {
        return format!(
            "the replay ended differently: committed \"{committed}\", replayed \"{replayed}\""
        );
    };
    let place = pointer.as_ref().map_or_else(String::new, |pointer| {
        let place = if pointer.is_empty() {
            "the whole value"
        } else {
            pointer
        };
        format!(", at {place}: committed {committed}, replayed {replayed}")
    });
    format!(
        "the replay returned another value: the canonical JSON differs from byte {byte} on{place}"
    )
}

fn difference(claimed: Expected<'_>, replayed: &Execution) -> Difference {
    let in_words = |outcome: &Outcome| outcome.to_string();
    let (Some(expected), Some(actual)) = (claimed.output, &replayed.output_canonical) else {
        let (committed, replayed) = (in_words(claimed.outcome), in_words(&replayed.outcome));
        return Difference {
            byte: None,
            pointer: None,
            committed,
            replayed,
        };
    };
    let byte = expected
        .iter()
        .zip(actual)
        .take_while(|(a, b)| a == b)
        .count() as u64;
    let values = [expected, actual].map(serde_json::from_slice::<Value>);
    let place = match values {
        [Ok(expected), Ok(actual)] => first_difference(&expected, &actual),
        // The committed bytes may be anything.
        _ => None,
    };
    match place {
        Some(Place {
            pointer,
            expected,
            actual,
        }) => Difference {
            byte: Some(byte),
            pointer: Some(pointer),
            committed: expected,
            replayed: actual,
        },
        None => Difference {
            byte: Some(byte),
            pointer: None,
            committed: in_words(claimed.outcome),
            replayed: in_words(&replayed.outcome),
        },
    }
}
