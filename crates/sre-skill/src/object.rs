//! The JSON object form of a package.
//!
//! `{"name", "version", "runtime", "io", "annotations", "files"}`; a file is its text, or an object
//! with `text` or `base64` (RFC 4648, section 4, with padding) and optionally `executable`. The
//! object's own fields are the execution block; a `SKILL.md` among the files is a file like any
//! other.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use sre_core::Manifest;

use crate::SkillErrorKind;
use crate::block::RawBlock;
use crate::limits::PackageLimits;
use crate::path;
use crate::plain::Plain;
use crate::skill::SIDECAR;
use crate::tree::{SkillFile, Tree, TreeError};

/// An object that is no package.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ObjectError {
    #[error("the skill object is not valid: {0}")]
    Shape(serde_json::Error),
    #[error("the skill object lacks \"files\"; give them as {{\"path\": \"text\"}}")]
    NoFiles,
    #[error(
        "the file {path} must be a text, {{\"text\": …}} or {{\"base64\": …}}, the latter two optionally with \
         \"executable\""
    )]
    File { path: String },
    #[error("the file {path} is not base64: {source}")]
    Base64 {
        path: String,
        source: base64::DecodeError,
    },
    #[error("the file name {SIDECAR:?} is reserved; rename it")]
    Reserved,
    #[error(transparent)]
    Tree(#[from] TreeError),
}

impl ObjectError {
    pub(crate) fn kind(&self) -> SkillErrorKind {
        match self {
            Self::Tree(error) => error.kind(SkillErrorKind::Malformed),
            Self::Base64 { .. } => SkillErrorKind::Malformed,
            Self::Reserved => SkillErrorKind::Refused,
            _ => SkillErrorKind::Invalid,
        }
    }
}

/// The object's fields. `Plain` where `null` and integers need a look.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Fields {
    name: String,
    #[serde(default)]
    version: Option<String>,
    #[serde(default)]
    runtime: Option<Plain>,
    #[serde(default)]
    io: Option<Plain>,
    #[serde(default)]
    annotations: Option<Plain>,
}

/// Name and block of an object that has no files of its own (the archive's sidecar).
pub(crate) fn read_block(value: &Value) -> Result<(String, RawBlock), ObjectError> {
    let fields = Fields::deserialize(value).map_err(ObjectError::Shape)?;
    Ok((
        fields.name,
        RawBlock {
            version: fields.version,
            runtime: fields.runtime.map(|Plain(value)| value),
            io: fields.io.map(|Plain(value)| value),
            annotations: fields.annotations.map(|Plain(value)| value),
        },
    ))
}

/// Name, block and files of an object.
pub(crate) fn read(
    value: &Value,
    limits: &PackageLimits,
) -> Result<(String, RawBlock, Vec<SkillFile>), ObjectError> {
    let Value::Object(members) = value else {
        return Err(ObjectError::Shape(serde::de::Error::custom(
            "expected an object",
        )));
    };
    // The files are taken by reference: they are most of the package.
    let block: Map<String, Value> = members
        .iter()
        .filter(|(key, _)| *key != "files")
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect();
    let (name, raw) = read_block(&Value::Object(block))?;
    let Some(Value::Object(entries)) = members.get("files") else {
        return Err(ObjectError::NoFiles);
    };
    let mut tree = Tree::new(limits);
    for (path, content) in entries {
        let Some(path) = tree.admit(path.as_bytes())? else {
            continue;
        };
        if path == SIDECAR {
            return Err(ObjectError::Reserved);
        }
        let (bytes, executable) = read_file(path, content, limits)?;
        tree.add_file(path, executable, &*bytes)?;
    }
    Ok((name, raw, tree.into_files()?))
}

fn read_file<'a>(
    path: &str,
    content: &'a Value,
    limits: &PackageLimits,
) -> Result<(std::borrow::Cow<'a, [u8]>, bool), ObjectError> {
    let shown = || path::shown(path.as_bytes());
    let refuse = || ObjectError::File { path: shown() };
    let members = match content {
        Value::String(text) => return Ok((text.as_bytes().into(), false)),
        Value::Object(members) => members,
        _ => return Err(refuse()),
    };
    if members
        .keys()
        .any(|key| !matches!(key.as_str(), "text" | "base64" | "executable"))
    {
        return Err(refuse());
    }
    let executable = match members.get("executable") {
        None => false,
        Some(value) => value.as_bool().ok_or_else(refuse)?,
    };
    match (members.get("text"), members.get("base64")) {
        (Some(Value::String(text)), None) => Ok((text.as_bytes().into(), executable)),
        (None, Some(Value::String(text))) => {
            if text.len() as u64 / 4 * 3 > limits.unpacked_bytes.saturating_add(2) {
                return Err(TreeError::TooLarge {
                    path: shown(),
                    limit: limits.unpacked_bytes,
                }
                .into());
            }
            let bytes = STANDARD
                .decode(text)
                .map_err(|source| ObjectError::Base64 {
                    path: shown(),
                    source,
                })?;
            Ok((bytes.into(), executable))
        }
        _ => Err(refuse()),
    }
}

/// The object form of the block alone.
pub(crate) fn write_block(manifest: &Manifest) -> Value {
    json!({
        "name": manifest.name,
        "version": manifest.version,
        "runtime": manifest.runtime,
        "io": manifest.io,
        "annotations": manifest.annotations,
    })
}

/// The object form.
pub(crate) fn write(manifest: &Manifest, files: &[SkillFile]) -> Value {
    let mut object = write_block(manifest);
    let files: Map<String, Value> = files
        .iter()
        .map(|file| (file.path.clone(), write_file(file)))
        .collect();
    object["files"] = Value::Object(files);
    object
}

fn write_file(file: &SkillFile) -> Value {
    // Control characters would grow sixfold as JSON escapes; base64 keeps the object's size
    // bounded.
    let is_control = |c: char| c.is_control() && !matches!(c, '\n' | '\r' | '\t');
    let text = std::str::from_utf8(&file.bytes)
        .ok()
        .filter(|text| !text.contains(is_control));
    match (text, file.executable) {
        (Some(text), false) => json!(text),
        (Some(text), true) => json!({"text": text, "executable": true}),
        (None, false) => json!({"base64": STANDARD.encode(&file.bytes)}),
        (None, true) => json!({"base64": STANDARD.encode(&file.bytes), "executable": true}),
    }
}
