//! JSON Schema (Draft 2020-12, <https://json-schema.org/draft/2020-12>) of a skill's input and
//! output.
//!
//! Closed: a schema refers to nothing outside itself, so checking needs no network and is the same
//! for everybody. Bounded: patterns are matched by the linear-time `regex` engine (no look-around,
//! no back-references) and the whole check by a [`meter`]. `format` is an annotation, as the draft
//! says by default, and is not checked.

use std::fmt;
use std::sync::Arc;

use jsonschema::error::ValidationErrorKind;
use jsonschema::{Draft, PatternOptions, ValidationError, Validator};
use serde::Deserialize;
use serde_json::Value;
use sre_core::canonical_json;

use crate::SkillErrorKind;
use crate::limits::{SCHEMA_DEPTH_LIMIT, SCHEMA_LIMIT_BYTES};
use crate::meter::{self, Allowance, Halt, METER_KEYWORD, ShouldStop, Step};
use crate::plain::Plain;
use crate::schema_graph::{self, GraphError, Prepared};
use crate::weight::STEP_UNITS;

/// Work that one check may take: a million steps; see [`weight`](crate::weight).
const CHECK_LIMIT_UNITS: u64 = 1_000_000 * STEP_UNITS;
/// The same for finding out what is wrong with a value that is not valid; errors cost memory.
const MESSAGE_LIMIT_UNITS: u64 = 100_000 * STEP_UNITS;
const MESSAGE_LIMIT_CHARS: usize = 400;
const PATTERN_LIMIT_BYTES: usize = 1 << 20;
/// Stack for compiling a schema, and for checking by one with references. A chain of references for
/// every level of a value is 64 × 128 schemas, for each of which unoptimised code needs less than 6
/// KiB.
const STACK_BYTES: usize = 64 << 20;
/// How much of it a check may use, which leaves room for what does not ask the meter.
const STACK_LIMIT_BYTES: usize = STACK_BYTES - (1 << 20);
/// Stack that a check by a schema without references may use: it goes no deeper than the schema is
/// nested.
const SHALLOW_STACK_LIMIT_BYTES: usize = 1 << 20;

/// A schema that cannot be used. `field` is `input_schema` or `output_schema`.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SchemaError {
    #[error("io.{field} is {found} bytes long; at most {SCHEMA_LIMIT_BYTES} are allowed")]
    TooLong { field: &'static str, found: usize },
    #[error(
        "io.{field} is nested deeper than {SCHEMA_DEPTH_LIMIT} levels; name parts of it under \"$defs\""
    )]
    TooDeep { field: &'static str },
    #[error("io.{field} holds what JSON cannot express: {message}")]
    NotPlain {
        field: &'static str,
        message: String,
    },
    #[error("io.{field}: {source}")]
    Graph {
        field: &'static str,
        source: GraphError,
    },
    #[error("io.{field} is not a valid JSON Schema: at {at:?}: {message}")]
    Invalid {
        field: &'static str,
        at: String,
        message: String,
    },
    #[error("io.{field} cannot be compiled: the compiler failed on it")]
    Compiler { field: &'static str },
    #[error("io.{field} cannot be compiled now: the system gives no thread for it")]
    Host { field: &'static str },
}

impl SchemaError {
    pub(crate) fn kind(&self) -> SkillErrorKind {
        match self {
            Self::TooLong { .. } => SkillErrorKind::TooLarge,
            Self::Host { .. } => SkillErrorKind::Unreadable,
            _ => SkillErrorKind::Invalid,
        }
    }
}

/// A value that a schema does not allow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SchemaViolation {
    /// JSON pointer (RFC 6901) to the offending part of the value; empty for the whole value.
    pub path: String,
    /// What is wrong with it.
    pub message: String,
}

impl fmt::Display for SchemaViolation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let place = if self.path.is_empty() {
            "the top level"
        } else {
            &self.path
        };
        write!(f, "at {place}: {}", self.message)
    }
}

impl std::error::Error for SchemaViolation {}

/// Why a value was not found to satisfy a schema.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CheckError {
    /// It does not, or finding out takes more work than any check may: a function of schema and
    /// value.
    #[error("{0}")]
    Violation(SchemaViolation),
    /// The caller ended the check. No verdict on the value.
    #[error("the check was stopped")]
    Stopped,
    /// The host lacks something, such as a thread. No verdict on the value.
    #[error("the value cannot be checked now: {0}")]
    Unavailable(&'static str),
}

/// A compiled schema.
pub(crate) struct Schema {
    validator: Validator,
    is_deep: bool,
}

impl Schema {
    /// Compiles `schema`, which stands in `io.{field}`.
    pub(crate) fn compile(field: &'static str, schema: &Value) -> Result<Self, SchemaError> {
        if !canonical_json::is_within_depth(schema, SCHEMA_DEPTH_LIMIT) {
            return Err(SchemaError::TooDeep { field });
        }
        Plain::deserialize(schema).map_err(|error| SchemaError::NotPlain {
            field,
            message: error.to_string(),
        })?;
        let found = canonical_json::to_vec(schema).len();
        if found > SCHEMA_LIMIT_BYTES {
            return Err(SchemaError::TooLong { field, found });
        }
        let prepared =
            schema_graph::prepare(schema).map_err(|source| SchemaError::Graph { field, source })?;
        let built = if prepared.has_references {
            on_a_deep_stack(|| build(&prepared)).map_err(|lost| match lost {
                Lost::NoThread => SchemaError::Host { field },
                Lost::Panicked => SchemaError::Compiler { field },
            })?
        } else {
            build(&prepared)
        };
        let validator = built.map_err(|error| SchemaError::Invalid {
            field,
            at: prepared.written_at(&error.instance_path().to_string()),
            message: message_of(&error),
        })?;
        Ok(Self {
            validator,
            is_deep: prepared.has_references,
        })
    }

    /// Checks a value, asking every few milliseconds whether it should stop.
    pub(crate) fn check(&self, value: &Value, should_stop: &ShouldStop) -> Result<(), CheckError> {
        if self.is_deep {
            on_a_deep_stack(|| self.check_within(value, should_stop, STACK_LIMIT_BYTES))
                .map_err(|_| CheckError::Unavailable("the system gives no thread for it"))?
        } else {
            self.check_within(value, should_stop, SHALLOW_STACK_LIMIT_BYTES)
        }
    }

    fn check_within(
        &self,
        value: &Value,
        should_stop: &ShouldStop,
        stack_bytes: usize,
    ) -> Result<(), CheckError> {
        let whole = |message: &str| {
            CheckError::Violation(SchemaViolation {
                path: String::new(),
                message: message.to_owned(),
            })
        };
        let allowed = |units| Allowance {
            units,
            stack_bytes,
            should_stop: Arc::clone(should_stop),
        };
        match meter::run(allowed(CHECK_LIMIT_UNITS), || {
            self.validator.is_valid(value)
        }) {
            Ok(true) => Ok(()),
            Ok(false) => Err(
                meter::run(allowed(MESSAGE_LIMIT_UNITS), || self.violation(value))
                    .ok()
                    .flatten()
                    .map_or_else(
                        || whole("the schema does not allow it"),
                        CheckError::Violation,
                    ),
            ),
            Err(Halt::Exhausted) => Err(whole(
                "checking it against the schema takes too long; simplify one of them",
            )),
            Err(Halt::Stopped) => Err(CheckError::Stopped),
            Err(Halt::Stack) => Err(CheckError::Unavailable("the stack is used up")),
        }
    }

    fn violation(&self, value: &Value) -> Option<SchemaViolation> {
        let error = self.validator.validate(value).err()?;
        Some(SchemaViolation {
            path: error.instance_path().to_string(),
            message: message_of(&error),
        })
    }
}

/// Why work on a thread of its own has no result.
enum Lost {
    NoThread,
    Panicked,
}

fn on_a_deep_stack<T: Send>(work: impl FnOnce() -> T + Send) -> Result<T, Lost> {
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new()
            .name("schema".to_owned())
            .stack_size(STACK_BYTES);
        let thread = thread
            .spawn_scoped(scope, work)
            .map_err(|_| Lost::NoThread)?;
        thread.join().map_err(|_| Lost::Panicked)
    })
}

fn build(prepared: &Prepared) -> Result<Validator, ValidationError<'static>> {
    let patterns = PatternOptions::regex()
        .size_limit(PATTERN_LIMIT_BYTES)
        .dfa_size_limit(PATTERN_LIMIT_BYTES);
    let weights = prepared.weights.clone();
    jsonschema::options()
        .with_draft(Draft::Draft202012)
        .offline()
        .should_validate_formats(false)
        .with_pattern_options(patterns)
        .with_keyword(METER_KEYWORD, move |_, number, _| {
            let number = number
                .as_u64()
                .and_then(|number| usize::try_from(number).ok());
            Ok(Box::new(Step(
                number
                    .and_then(|number| weights.get(number))
                    .copied()
                    .unwrap_or_default(),
            )))
        })
        .build(&prepared.schema)
}

/// The message of an error, without a value that would fill the screen and without the planted
/// keyword.
fn message_of(error: &ValidationError<'_>) -> String {
    if matches!(error.kind(), ValidationErrorKind::Not { .. }) {
        return "the schema under \"not\" matches it".to_owned();
    }
    let mut message = error.to_string();
    if message.len() > MESSAGE_LIMIT_CHARS || message.contains(METER_KEYWORD) {
        message = error.masked_with("the value").to_string();
    }
    if message.contains(METER_KEYWORD) {
        return "the schema does not allow it".to_owned();
    }
    message.chars().take(MESSAGE_LIMIT_CHARS).collect()
}
