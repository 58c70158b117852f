//! JSON Schema (Draft 2020-12, <https://json-schema.org/draft/2020-12>) of a skill's input and output.
//!
//! Closed: a schema refers to nothing outside itself, so checking needs no network and is the same for everybody.
//! Bounded: patterns are matched by the linear-time `regex` engine (no look-around, no back-references) and the whole
//! check by a [`meter`]. `format` is an annotation, as the draft says by default, and is not checked.

use std::fmt;

use jsonschema::error::ValidationErrorKind;
use jsonschema::{Draft, PatternOptions, ValidationError, Validator};
use serde::Deserialize;
use serde_json::Value;
use sre_core::canonical_json;

use crate::SkillErrorKind;
use crate::limits::SCHEMA_LIMIT_BYTES;
use crate::meter::{self, METER_KEYWORD, Step};
use crate::plain::Plain;
use crate::schema_graph::{self, GraphError, Prepared};

/// Steps that one check may take; see [`meter`].
const STEPS: u64 = 1_000_000;
/// Steps for finding out what is wrong with a value that is not valid; errors cost memory.
const STEPS_FOR_MESSAGE: u64 = 20_000;
const MESSAGE_LIMIT_CHARS: usize = 400;
const PATTERN_LIMIT_BYTES: usize = 1 << 20;
/// Stack for compiling a schema whose references may lead far.
const COMPILER_STACK_BYTES: usize = 64 << 20;

/// A schema that cannot be used. `field` is `input_schema` or `output_schema`.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SchemaError {
    #[error("io.{field} is {found} bytes long; at most {SCHEMA_LIMIT_BYTES} are allowed")]
    TooLong { field: &'static str, found: usize },
    #[error("io.{field} holds what JSON cannot express: {message}")]
    NotPlain { field: &'static str, message: String },
    #[error("io.{field}: {source}")]
    Graph { field: &'static str, source: GraphError },
    #[error("io.{field} is not a valid JSON Schema: at {at:?}: {message}")]
    Invalid { field: &'static str, at: String, message: String },
    #[error("io.{field} cannot be compiled: {message}")]
    Compiler { field: &'static str, message: String },
}

impl SchemaError {
    pub(crate) fn kind(&self) -> SkillErrorKind {
        if matches!(self, Self::TooLong { .. }) { SkillErrorKind::TooLarge } else { SkillErrorKind::Invalid }
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
        let place = if self.path.is_empty() { "the top level" } else { &self.path };
        write!(f, "at {place}: {}", self.message)
    }
}

impl std::error::Error for SchemaViolation {}

/// A compiled schema.
pub(crate) struct Schema {
    validator: Validator,
}

impl Schema {
    /// Compiles `schema`, which stands in `io.{field}`.
    pub(crate) fn compile(field: &'static str, schema: &Value) -> Result<Self, SchemaError> {
        Plain::deserialize(schema).map_err(|error| SchemaError::NotPlain { field, message: error.to_string() })?;
        let found = canonical_json::to_vec(schema).len();
        if found > SCHEMA_LIMIT_BYTES {
            return Err(SchemaError::TooLong { field, found });
        }
        let prepared = schema_graph::prepare(schema).map_err(|source| SchemaError::Graph { field, source })?;
        let failed = |message: &str| SchemaError::Compiler { field, message: message.to_owned() };
        let built = if prepared.has_references {
            std::thread::scope(|scope| {
                let compiler = std::thread::Builder::new().name("schema".to_owned()).stack_size(COMPILER_STACK_BYTES);
                let thread = compiler.spawn_scoped(scope, || build(&prepared)).map_err(|e| failed(&e.to_string()))?;
                thread.join().map_err(|_| failed("the compiler failed on it"))
            })?
        } else {
            build(&prepared)
        };
        let validator = built.map_err(|error| SchemaError::Invalid {
            field,
            at: error.instance_path().to_string(),
            message: message_of(&error),
        })?;
        Ok(Self { validator })
    }

    /// Checks a value.
    pub(crate) fn check(&self, value: &Value) -> Result<(), SchemaViolation> {
        let whole = |message: &str| SchemaViolation { path: String::new(), message: message.to_owned() };
        match meter::run(STEPS, || self.validator.is_valid(value)) {
            Ok(true) => Ok(()),
            Ok(false) => Err(meter::run(STEPS_FOR_MESSAGE, || self.violation(value))
                .ok()
                .flatten()
                .unwrap_or_else(|| whole("the schema does not allow it"))),
            Err(meter::Exhausted) => Err(whole("checking it against the schema takes too long; simplify one of them")),
        }
    }

    fn violation(&self, value: &Value) -> Option<SchemaViolation> {
        let error = self.validator.validate(value).err()?;
        Some(SchemaViolation { path: error.instance_path().to_string(), message: message_of(&error) })
    }
}

fn build(prepared: &Prepared) -> Result<Validator, ValidationError<'static>> {
    let patterns = PatternOptions::regex().size_limit(PATTERN_LIMIT_BYTES).dfa_size_limit(PATTERN_LIMIT_BYTES);
    jsonschema::options()
        .with_draft(Draft::Draft202012)
        .offline()
        .should_validate_formats(false)
        .with_pattern_options(patterns)
        .with_keyword(METER_KEYWORD, |_, _, _| Ok(Box::new(Step)))
        .build(&prepared.schema)
}

/// The message of an error, without a value that would fill the screen and without the planted keyword.
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
