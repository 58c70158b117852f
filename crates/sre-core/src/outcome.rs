//! What a skill did.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{ErrorCode, OutcomeDigest, OutputDigest, canonical_json};

/// What a skill did, as a value: deterministic, committed and replayed, whether it is a success or
/// not.
///
/// It carries codes and digests and no prose, so that a later version that words its messages
/// better still reproduces it. A run that the host stopped or could not start has no outcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Outcome {
    /// It exited 0 and printed one JSON value that satisfies the skill's schema.
    Returned {
        /// Digest of the value's canonical JSON.
        output: OutputDigest,
    },
    /// It exited with a code other than 0.
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
    /// It exited 0 and printed something other than one valid JSON value.
    BadOutput {
        /// What was wrong.
        reason: BadOutputReason,
        /// Digest of what it printed, up to the output limit.
        printed: OutputDigest,
    },
}

impl Outcome {
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
    pub fn output(&self) -> Option<OutputDigest> {
        match self {
            Self::Returned { output } => Some(*output),
            _ => None,
        }
    }

    /// The stable error code of a failure; `None` for a success.
    #[must_use]
    pub fn error_code(&self) -> Option<ErrorCode> {
        Some(match self {
            Self::Returned { .. } => return None,
            Self::Exited { .. } => ErrorCode::SkillExited,
            Self::Trapped { .. } => ErrorCode::SkillTrapped,
            Self::OutOfFuel => ErrorCode::OutOfFuel,
            Self::OutOfMemory => ErrorCode::OutOfMemory,
            Self::BadOutput { .. } => ErrorCode::BadOutput,
        })
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Returned { .. } => f.write_str("the skill returned a value"),
            Self::Exited { code } => write!(f, "the skill exited with code {code}"),
            Self::Trapped { trap } => write!(f, "the skill trapped: {trap}"),
            Self::OutOfFuel => f.write_str("the skill used up its fuel"),
            Self::OutOfMemory => f.write_str("the skill ran out of memory"),
            Self::BadOutput { reason, .. } => {
                write!(f, "the skill printed no valid result: {reason}")
            }
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
    /// More than the output limit.
    TooLong,
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
            Self::TooLong => "standard output exceeds its limit",
            Self::Schema => "the value violates the output schema",
        })
    }
}
