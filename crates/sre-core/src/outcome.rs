//! What a skill did.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{
    AcceptExit, Content, ErrorCode, OutcomeDigest, OutputDigest, TreeDigest, canonical_json,
};

/// What a skill did, as a value: deterministic, committed and replayed, whether it is a success or
/// not.
///
/// It carries codes and digests and no prose, so that a later version that words its messages
/// better still reproduces it. A run that the host stopped or could not start has no outcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Outcome {
    /// How the program ended.
    pub ending: Ending,
    /// What its standard output is as a result. Only in the JSON contract, and only after exit
    /// code 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result: Option<JsonResult>,
    /// What it printed to standard output, up to the output limit. Absent only where `result` is a
    /// value, because then the value is what it printed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stdout: Option<Content>,
    /// What `/workspace` held at the end: the tree of the invocation with the collected changes
    /// applied. Only in the command contract.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workspace: Option<TreeDigest>,
    /// What `$HOME` held at the end. Only where the invocation gave one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub home: Option<TreeDigest>,
}

/// How a program ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Ending {
    /// By itself.
    Exited {
        /// The exit code.
        code: i32,
    },
    /// The engine stopped it for a fault.
    Trapped {
        /// Which fault.
        trap: TrapKind,
    },
    /// It used up its instructions.
    OutOfFuel,
    /// It was refused memory beyond its limit and then failed.
    OutOfMemory,
    /// It printed more than the output limit.
    OutputLimit,
}

/// What standard output is as a result under the JSON contract.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum JsonResult {
    /// One JSON value that satisfies the skill's schema.
    Value {
        /// Digest of the value's canonical JSON.
        sha256: OutputDigest,
    },
    /// Something else.
    Invalid {
        /// What was wrong.
        reason: BadOutputReason,
    },
}

impl Outcome {
    /// The outcome of a program that returned the value with this digest.
    #[must_use]
    pub const fn returned(sha256: OutputDigest) -> Self {
        Self {
            ending: Ending::Exited { code: 0 },
            result: Some(JsonResult::Value { sha256 }),
            stdout: None,
            workspace: None,
            home: None,
        }
    }

    /// The outcome of a program that ended like this after it printed `stdout`. It has neither a
    /// result nor files.
    #[must_use]
    pub const fn ended(ending: Ending, stdout: Content) -> Self {
        Self {
            ending,
            result: None,
            stdout: Some(stdout),
            workspace: None,
            home: None,
        }
    }

    /// The canonical JSON that is stored and digested.
    #[must_use]
    pub fn to_canonical(&self) -> Vec<u8> {
        canonical_json::to_vec(self)
    }

    /// The outcome's digest.
    #[must_use]
    pub fn digest(&self) -> OutcomeDigest {
        OutcomeDigest::of(&self.to_canonical())
    }

    /// Digest of the returned value, if the skill returned one.
    #[must_use]
    pub const fn output(&self) -> Option<OutputDigest> {
        match self.result {
            Some(JsonResult::Value { sha256 }) => Some(sha256),
            _ => None,
        }
    }

    /// The exit code, if the program ended by itself.
    #[must_use]
    pub const fn exit_code(&self) -> Option<i32> {
        match self.ending {
            Ending::Exited { code } => Some(code),
            _ => None,
        }
    }

    /// Whether the skill did what the order wants of it. In the command contract that is an exit
    /// code that `accept_exit` has; in the JSON contract (`None`) it is a value.
    #[must_use]
    pub fn is_success(&self, accept_exit: Option<&AcceptExit>) -> bool {
        match accept_exit {
            Some(accepted) => self.exit_code().is_some_and(|code| accepted.contains(code)),
            None => self.output().is_some(),
        }
    }

    /// The stable code of a failure; `None` for a success in the sense of
    /// [`Outcome::is_success`].
    #[must_use]
    pub fn error_code(&self, accept_exit: Option<&AcceptExit>) -> Option<ErrorCode> {
        if self.is_success(accept_exit) {
            return None;
        }
        Some(match (self.ending, self.result) {
            (Ending::Exited { .. }, Some(JsonResult::Invalid { .. })) => ErrorCode::BadOutput,
            (Ending::Exited { .. }, _) => ErrorCode::SkillExited,
            (Ending::Trapped { .. }, _) => ErrorCode::SkillTrapped,
            (Ending::OutOfFuel, _) => ErrorCode::OutOfFuel,
            (Ending::OutOfMemory, _) => ErrorCode::OutOfMemory,
            (Ending::OutputLimit, _) => ErrorCode::OutputLimit,
        })
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.ending, self.result) {
            (Ending::Exited { .. }, Some(JsonResult::Value { .. })) => {
                f.write_str("the skill returned a value")
            }
            (Ending::Exited { .. }, Some(JsonResult::Invalid { reason })) => {
                write!(f, "the skill printed no valid result: {reason}")
            }
            (ending, _) => write!(f, "the skill {ending}"),
        }
    }
}

impl fmt::Display for Ending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exited { code } => write!(f, "exited with code {code}"),
            Self::Trapped { trap } => write!(f, "trapped: {trap}"),
            Self::OutOfFuel => f.write_str("used up its fuel"),
            Self::OutOfMemory => f.write_str("ran out of memory"),
            Self::OutputLimit => f.write_str("printed more than the output limit"),
        }
    }
}

/// Faults of a WebAssembly guest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TrapKind {
    /// The `unreachable` instruction: a panic or an abort in most languages.
    Unreachable,
    /// Memory access outside the linear memory.
    MemoryOutOfBounds,
    /// Table access outside the table.
    TableOutOfBounds,
    /// Call through an empty table slot.
    IndirectCallToNull,
    /// Call through a table slot of another signature.
    BadSignature,
    /// Integer overflow.
    IntegerOverflow,
    /// Integer division by zero.
    IntegerDivisionByZero,
    /// Conversion of a float that no integer can hold.
    BadConversionToInteger,
    /// The call stack is exhausted.
    StackOverflow,
    /// An exception that nothing caught.
    UncaughtException,
    /// Any other fault of the engine's list.
    Other,
}

impl fmt::Display for TrapKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unreachable => "unreachable code reached (a panic or an abort)",
            Self::MemoryOutOfBounds => "memory access out of bounds",
            Self::TableOutOfBounds => "table access out of bounds",
            Self::IndirectCallToNull => "indirect call to null",
            Self::BadSignature => "indirect call with another signature",
            Self::IntegerOverflow => "integer overflow",
            Self::IntegerDivisionByZero => "integer division by zero",
            Self::BadConversionToInteger => "float out of an integer's range",
            Self::StackOverflow => "call stack exhausted",
            Self::UncaughtException => "uncaught exception",
            Self::Other => "engine fault",
        })
    }
}

/// Why what a skill printed is no result.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BadOutputReason {
    /// Nothing, or only white space.
    Empty,
    /// Bytes that are not UTF-8.
    NotUtf8,
    /// Text that is not strict JSON (see [`canonical_json`](crate::canonical_json)).
    NotJson,
    /// A JSON value followed by something else.
    TrailingData,
    /// A JSON value that violates the skill's output schema.
    Schema,
}

impl fmt::Display for BadOutputReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Empty => "nothing was printed to standard output",
            Self::NotUtf8 => "standard output is not UTF-8",
            Self::NotJson => "standard output is not JSON",
            Self::TrailingData => "more than one JSON value was printed",
            Self::Schema => "the value violates the output schema",
        })
    }
}
