//! Where two runs part.

use serde::Serialize;

use super::probe::Run;

/// The first thing that differs, in the order in which it decides the rest.
#[derive(Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "what", rename_all = "snake_case")]
pub enum Difference {
    /// The host told them different things.
    Answer {
        /// Which answer, counted from 0.
        index: usize,
        /// What they had asked for.
        call: String,
        one: String,
        other: String,
    },
    /// One asked for something else, or for nothing more.
    Call {
        index: usize,
        one: String,
        other: String,
    },
    /// They were told the same and printed something else.
    Output {
        /// In the canonical JSON of the returned value.
        byte: usize,
        one: String,
        other: String,
    },
    /// They ended differently.
    Outcome { one: String, other: String },
    /// They logged something else.
    Log {
        byte: usize,
        one: String,
        other: String,
    },
    /// They executed another number of instructions.
    Fuel { one: u64, other: u64 },
}

/// How much is shown from the place on, in bytes.
const SHOWN_BYTES: usize = 40;

/// What differs first; `None` when nothing does.
pub fn between(one: &Run, other: &Run) -> Option<Difference> {
    if let Some(difference) = first_answer(one, other) {
        return Some(difference);
    }
    if let Some(byte) = first_byte(&one.output, &other.output) {
        return Some(Difference::Output {
            byte,
            one: from(&one.output, byte),
            other: from(&other.output, byte),
        });
    }
    if one.outcome != other.outcome {
        return Some(Difference::Outcome {
            one: one.outcome.to_string(),
            other: other.outcome.to_string(),
        });
    }
    if let Some(byte) = first_byte(&one.logs, &other.logs) {
        return Some(Difference::Log {
            byte,
            one: from(&one.logs, byte),
            other: from(&other.logs, byte),
        });
    }
    (one.fuel != other.fuel).then_some(Difference::Fuel {
        one: one.fuel,
        other: other.fuel,
    })
}

/// The same for runs that were told different things on purpose: only a difference in what they did
/// counts, and it is explained by the first answer that differed.
pub fn in_effect(one: &Run, other: &Run) -> Option<Difference> {
    let effect = |run: &Run| (run.outcome, run.output.clone(), run.logs.clone());
    if effect(one) == effect(other) {
        None
    } else {
        between(one, other)
    }
}

fn first_answer(one: &Run, other: &Run) -> Option<Difference> {
    let length = one.seen.len().max(other.seen.len());
    let index = (0..length).find(|&index| one.seen.get(index) != other.seen.get(index))?;
    let call = |run: &Run| {
        run.seen
            .get(index)
            .map_or(String::from("nothing"), |seen| seen.call.clone())
    };
    let (asked, also_asked) = (call(one), call(other));
    if asked != also_asked {
        return Some(Difference::Call {
            index,
            one: asked,
            other: also_asked,
        });
    }
    let shown = |run: &Run| {
        run.seen
            .get(index)
            .map_or(String::new(), |seen| seen.shown.clone())
    };
    Some(Difference::Answer {
        index,
        call: asked,
        one: shown(one),
        other: shown(other),
    })
}

fn first_byte(one: &str, other: &str) -> Option<usize> {
    let same = one
        .bytes()
        .zip(other.bytes())
        .take_while(|(a, b)| a == b)
        .count();
    (one != other).then_some(same)
}

/// Some bytes from `byte` on, cut at characters.
fn from(text: &str, byte: usize) -> String {
    let end = text.len().min(byte + SHOWN_BYTES);
    String::from_utf8_lossy(&text.as_bytes()[byte..end]).into_owned()
}

impl std::fmt::Display for Difference {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Answer {
                index,
                call,
                one,
                other,
            } => {
                write!(
                    f,
                    "answer {index} of the host differs: {call} was {one} and {other}"
                )
            }
            Self::Call { index, one, other } => {
                write!(
                    f,
                    "request {index} to the host differs: one asked for {one}, the other for {other}"
                )
            }
            Self::Output { byte, one, other } => write!(
                f,
                "the output differs from byte {byte} on: {one} and {other}"
            ),
            Self::Outcome { one, other } => write!(f, "the outcome differs: {one} and {other}"),
            Self::Log { byte, one, other } => {
                write!(f, "the log differs from byte {byte} on: {one} and {other}")
            }
            Self::Fuel { one, other } => write!(f, "the fuel differs: {one} and {other}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use sre_core::{Content, Digest, Ending, Outcome, OutputDigest};
    use sre_sandbox::wasm::HostResponse;

    use super::*;

    fn run(seen: &[(&str, &str)], output: &str) -> Run {
        let seen = seen.iter().map(|(call, shown)| HostResponse {
            call: (*call).to_owned(),
            digest: Digest::of(shown.as_bytes()),
            shown: (*shown).to_owned(),
        });
        let outcome = Outcome::returned(OutputDigest::of(output.as_bytes()));
        Run {
            outcome,
            output: output.to_owned(),
            logs: String::new(),
            fuel: 7,
            seen: seen.collect(),
            repeatability: BTreeMap::new(),
        }
    }

    #[test]
    fn what_was_told_counts_before_what_was_printed() {
        let one = run(&[("stdin", "a"), ("wall clock", "1")], "[1,2]");
        assert_eq!(between(&one, &one), None);
        let told = run(&[("stdin", "a"), ("wall clock", "2")], "[1,3]");
        let found = between(&one, &told).expect("a difference").to_string();
        assert_eq!(
            found,
            "answer 1 of the host differs: wall clock was 1 and 2"
        );
        let idle = run(&[("stdin", "a"), ("wall clock", "2")], "[1,2]");
        assert_eq!(
            in_effect(&one, &idle),
            None,
            "it was told another time and did the same"
        );
        assert_eq!(in_effect(&one, &told), between(&one, &told));
        let asked = run(&[("stdin", "a")], "[1,3]");
        let found = between(&one, &asked).expect("a difference").to_string();
        assert_eq!(
            found,
            "request 1 to the host differs: one asked for wall clock, the other for nothing"
        );
    }

    #[test]
    fn then_come_output_outcome_log_and_fuel() {
        let one = run(&[], "[1,2]");
        let printed = run(&[], "[1,3]");
        assert_eq!(
            between(&one, &printed),
            Some(Difference::Output {
                byte: 3,
                one: String::from("2]"),
                other: String::from("3]")
            })
        );
        let ended = Run {
            outcome: Outcome::ended(Ending::OutOfFuel, Content::of(b"")),
            ..one.clone()
        };
        assert!(matches!(
            between(&one, &ended),
            Some(Difference::Outcome { .. })
        ));
        let logged = Run {
            logs: String::from("é"),
            ..one.clone()
        };
        assert!(matches!(
            between(&one, &logged),
            Some(Difference::Log { byte: 0, .. })
        ));
        let worked = Run {
            fuel: 8,
            ..one.clone()
        };
        assert_eq!(
            between(&one, &worked),
            Some(Difference::Fuel { one: 7, other: 8 })
        );
    }
}
