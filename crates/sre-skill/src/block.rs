//! The execution block: from what an author wrote to the one normalised form that is digested.
//!
//! Knows nothing of where the block stood (front matter, `skill.toml`, JSON object): every source
//! ends here, so equal content gives an equal manifest. It does not compile schemas.

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use sre_core::{Annotations, Io, Runtime, RuntimeKind, canonical_json};

use crate::SkillErrorKind;
use crate::limits::SCHEMA_LIMIT_BYTES;
use crate::tree::{SkillFile, find};
use crate::{entry, name, path};

const TEXT_LIMIT_BYTES: usize = 256;
/// What a skill without a version has.
const NO_VERSION: &str = "0.0.0";

/// An execution block that cannot be executed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BlockError {
    #[error(
        "the skill name {0} is not allowed; use 1 to 64 lower-case letters, digits and single hyphens, and no hyphen \
         at either end"
    )]
    Name(String),
    #[error("{section} is not valid: {message}")]
    Section {
        section: &'static str,
        message: String,
    },
    #[error("runtime.entrypoint {entrypoint} is not in the package; {advice}")]
    NoEntrypoint { entrypoint: String, advice: String },
    #[error(
        "runtime.entrypoint {0} is not executable; set its executable bit, or name a .wasm, .wat, .py, .js, .mjs or .cjs file"
    )]
    NotExecutable(String),
    #[error("runtime.timeout_seconds is {0}; it must be a number above 0")]
    Timeout(f64),
    #[error("{field} must be 1 to {TEXT_LIMIT_BYTES} bytes of text without control characters")]
    Text { field: &'static str },
    #[error("io.{field} names {path}, which is not in the package; {advice}")]
    NoSchemaFile {
        field: &'static str,
        path: String,
        advice: String,
    },
    #[error("io.{field} names {path}, which is longer than {SCHEMA_LIMIT_BYTES} bytes; shorten it")]
    SchemaTooLong { field: &'static str, path: String },
    #[error("io.{field} names {path}, which is not JSON: {source}")]
    SchemaJson {
        field: &'static str,
        path: String,
        source: canonical_json::JsonError,
    },
}

impl BlockError {
    pub(crate) fn kind(&self) -> SkillErrorKind {
        match self {
            Self::SchemaTooLong { .. } => SkillErrorKind::TooLarge,
            _ => SkillErrorKind::Invalid,
        }
    }
}

/// The sections as they were written.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct RawBlock {
    pub(crate) version: Option<String>,
    pub(crate) runtime: Option<Value>,
    pub(crate) io: Option<Value>,
    pub(crate) annotations: Option<Value>,
}

impl RawBlock {
    pub(crate) fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// The normalised block.
#[derive(Debug, PartialEq)]
pub(crate) struct Block {
    pub(crate) name: String,
    pub(crate) version: String,
    pub(crate) runtime: Option<Runtime>,
    pub(crate) io: Io,
    pub(crate) annotations: Annotations,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawRuntime {
    kind: Option<RuntimeKind>,
    entrypoint: String,
    docker_image: Option<String>,
    timeout_seconds: Option<f64>,
}

impl Block {
    /// Normalises a block of a package with these files.
    pub(crate) fn new(
        name: String,
        raw: RawBlock,
        files: &[SkillFile],
    ) -> Result<Self, BlockError> {
        let mut io: Io = section("io", raw.io)?;
        load_schema("input_schema", &mut io.input_schema, files)?;
        load_schema("output_schema", &mut io.output_schema, files)?;
        let block = Self {
            name,
            version: raw.version.unwrap_or_else(|| NO_VERSION.to_owned()),
            runtime: runtime(raw.runtime, files)?,
            io,
            annotations: section("annotations", raw.annotations)?,
        };
        block.check(files)?;
        Ok(block)
    }

    /// Checks everything that a normalised block promises; also for one that was stored.
    pub(crate) fn check(&self, files: &[SkillFile]) -> Result<(), BlockError> {
        if !name::is_valid(&self.name) {
            return Err(BlockError::Name(path::shown(self.name.as_bytes())));
        }
        if !is_text(&self.version) {
            return Err(BlockError::Text { field: "version" });
        }
        let Some(runtime) = &self.runtime else {
            return Ok(());
        };
        if runtime
            .docker_image
            .as_deref()
            .is_some_and(|image| !is_text(image))
        {
            return Err(BlockError::Text {
                field: "runtime.docker_image",
            });
        }
        if let Some(seconds) = runtime
            .timeout_seconds
            .filter(|seconds| !(seconds.is_finite() && *seconds > 0.0))
        {
            return Err(BlockError::Timeout(seconds));
        }
        let entrypoint = &runtime.entrypoint;
        let shown = path::shown(entrypoint.as_bytes());
        let file = find(files, entrypoint).ok_or_else(|| BlockError::NoEntrypoint {
            entrypoint: shown.clone(),
            advice: advice(entrypoint, files),
        })?;
        if runtime.kind == RuntimeKind::Native && !file.executable {
            return Err(BlockError::NotExecutable(shown));
        }
        Ok(())
    }
}

/// The program that the block names; `None` where it names none.
fn runtime(raw: Option<Value>, files: &[SkillFile]) -> Result<Option<Runtime>, BlockError> {
    let Some(raw) = raw.filter(|raw| !raw.is_null()) else {
        return Ok(None);
    };
    let raw: RawRuntime = section("runtime", Some(raw))?;
    let entrypoint = relative(&raw.entrypoint).to_owned();
    let kind = raw.kind.unwrap_or_else(|| {
        // A file that is missing is reported by the check of the whole block.
        find(files, &entrypoint)
            .and_then(entry::kind_of)
            .unwrap_or_else(|| RuntimeKind::infer(&entrypoint))
    });
    Ok(Some(Runtime {
        kind,
        entrypoint,
        docker_image: raw.docker_image,
        timeout_seconds: raw.timeout_seconds,
    }))
}

/// A section that is absent, or present without content as YAML allows, is empty.
fn section<T: DeserializeOwned>(
    section: &'static str,
    value: Option<Value>,
) -> Result<T, BlockError> {
    let value = value
        .filter(|value| !value.is_null())
        .unwrap_or_else(|| Value::Object(serde_json::Map::new()));
    if !value.is_object() {
        return Err(BlockError::Section {
            section,
            message: "it must be a mapping of keys to values".to_owned(),
        });
    }
    serde_json::from_value(value).map_err(|error| BlockError::Section {
        section,
        message: error.to_string(),
    })
}

/// A schema given as text is the path of a JSON file in the package.
fn load_schema(
    field: &'static str,
    schema: &mut Option<Value>,
    files: &[SkillFile],
) -> Result<(), BlockError> {
    let Some(Value::String(written)) = schema else {
        return Ok(());
    };
    let shown = path::shown(written.as_bytes());
    let wanted = relative(written);
    let Some(file) = find(files, wanted) else {
        return Err(BlockError::NoSchemaFile {
            field,
            path: shown,
            advice: advice(wanted, files),
        });
    };
    if file.bytes.len() > SCHEMA_LIMIT_BYTES {
        return Err(BlockError::SchemaTooLong { field, path: shown });
    }
    let value = canonical_json::parse(&file.bytes).map_err(|source| BlockError::SchemaJson {
        field,
        path: shown,
        source,
    })?;
    *schema = Some(value);
    Ok(())
}

fn relative(path: &str) -> &str {
    path.strip_prefix("./").unwrap_or(path)
}

fn is_text(text: &str) -> bool {
    (1..=TEXT_LIMIT_BYTES).contains(&text.len()) && !text.chars().any(char::is_control)
}

/// Names up to three files that are written most like `wanted`.
fn advice(wanted: &str, files: &[SkillFile]) -> String {
    let common = |a: &str, b: &str| {
        a.bytes()
            .zip(b.bytes())
            .take_while(|(x, y)| x.eq_ignore_ascii_case(y))
            .count()
    };
    let common_end = |a: &str, b: &str| {
        a.bytes()
            .rev()
            .zip(b.bytes().rev())
            .take_while(|(x, y)| x.eq_ignore_ascii_case(y))
            .count()
    };
    let mut ranked: Vec<(usize, &str)> = files
        .iter()
        .map(|file| {
            (
                common(wanted, &file.path) + common_end(wanted, &file.path),
                file.path.as_str(),
            )
        })
        .collect();
    ranked.sort_by_key(|(score, path)| (std::cmp::Reverse(*score), *path));
    let near: Vec<String> = ranked
        .iter()
        .take(3)
        .map(|(_, path)| path::shown(path.as_bytes()))
        .collect();
    if near.is_empty() {
        return "the package has no files".to_owned();
    }
    format!("is it one of {}?", near.join(", "))
}
