//! Reads `SKILL.md` (Agent Skills, <https://agentskills.io/specification>) and `skill.toml`.
//!
//! A `SKILL.md` starts with YAML front matter between two lines `---`. The YAML is a plain subset:
//! one document, no anchors, aliases, tags or merge keys, no duplicate keys, at most 64 KiB. The
//! Markdown after it is not looked at.

use serde::Deserialize;
use serde_json::{Map, Value};
use serde_saphyr::granit_parser::{Event, Parser};

use crate::SkillErrorKind;
use crate::block::RawBlock;
use crate::limits::FRONT_MATTER_LIMIT_BYTES;
use crate::plain::Plain;

/// Keys of the execution block.
const BLOCK_KEYS: [&str; 4] = ["version", "runtime", "io", "annotations"];
/// Further keys of an Agent Skills front matter.
const SKILL_KEYS: [&str; 6] = [
    "name",
    "description",
    "license",
    "compatibility",
    "metadata",
    "allowed-tools",
];
const DESCRIPTION_LIMIT_CHARS: usize = 1024;
const DEPTH_LIMIT: usize = 64;

/// A `SKILL.md` or `skill.toml` that does not describe a skill.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FrontMatterError {
    #[error("SKILL.md is not UTF-8; save it as UTF-8")]
    NotUtf8,
    #[error("SKILL.md does not start with YAML front matter; its first line must be \"---\"")]
    Missing,
    #[error("the front matter of SKILL.md has no end; close it with a line \"---\"")]
    Unclosed,
    #[error("{file} is longer than {FRONT_MATTER_LIMIT_BYTES} bytes; shorten it")]
    TooLong { file: &'static str },
    #[error("the front matter of SKILL.md has {what} in line {line}; write the value out")]
    NotPlain { what: &'static str, line: usize },
    #[error("the front matter of SKILL.md cannot be read: {0}")]
    Yaml(String),
    #[error("the front matter of SKILL.md must be a mapping of keys to values")]
    NotMapping,
    #[error("the front matter of SKILL.md lacks {key:?}; Agent Skills requires it")]
    Lacks { key: &'static str },
    #[error("{key:?} in the front matter of SKILL.md must be {expected}")]
    Value {
        key: &'static str,
        expected: &'static str,
    },
    #[error("unknown key {key:?} in {file}; known are {known}")]
    UnknownKey {
        key: String,
        file: &'static str,
        known: String,
    },
    #[error("skill.toml cannot be read: {0}")]
    Toml(String),
}

impl FrontMatterError {
    pub(crate) fn kind(&self) -> SkillErrorKind {
        match self {
            Self::TooLong { .. } => SkillErrorKind::TooLarge,
            Self::NotUtf8 | Self::Missing | Self::Unclosed | Self::Yaml(_) | Self::Toml(_) => {
                SkillErrorKind::Malformed
            }
            _ => SkillErrorKind::Invalid,
        }
    }
}

/// What a `SKILL.md` says.
#[derive(Debug, PartialEq)]
pub(crate) struct FrontMatter {
    pub(crate) name: String,
    /// `metadata.version`, for packages that keep the version there.
    pub(crate) metadata_version: Option<String>,
    pub(crate) block: RawBlock,
}

/// Versions as they are written: untyped YAML would make `1.10` the number 1.1.
#[derive(Deserialize, Default)]
struct Versions {
    #[serde(default)]
    version: Option<String>,
    #[serde(default)]
    metadata: Option<MetadataVersion>,
}

#[derive(Deserialize)]
struct MetadataVersion {
    #[serde(default)]
    version: Option<String>,
}

/// Reads the front matter of a `SKILL.md`.
pub(crate) fn parse_skill_md(bytes: &[u8]) -> Result<FrontMatter, FrontMatterError> {
    let yaml = split(bytes)?;
    refuse_special(yaml)?;
    let Plain(value) = read_yaml(yaml)?;
    let Value::Object(mut members) = value else {
        return Err(FrontMatterError::NotMapping);
    };
    check_keys(
        &members,
        "the front matter of SKILL.md",
        &[&SKILL_KEYS[..], &BLOCK_KEYS[..]].concat(),
    )?;
    let name = text(&mut members, "name")?;
    let description = text(&mut members, "description")?;
    if description.trim().is_empty() || description.chars().count() > DESCRIPTION_LIMIT_CHARS {
        return Err(FrontMatterError::Value {
            key: "description",
            expected: "text of 1 to 1024 characters",
        });
    }
    let metadata = members.remove("metadata");
    if metadata
        .as_ref()
        .is_some_and(|value| !value.is_object() && !value.is_null())
    {
        return Err(FrontMatterError::Value {
            key: "metadata",
            expected: "a mapping",
        });
    }
    let scalar =
        |value: Option<&Value>| value.is_none_or(|value| value.is_string() || value.is_number());
    if !scalar(members.get("version")) {
        return Err(FrontMatterError::Value {
            key: "version",
            expected: "text",
        });
    }
    // A metadata.version that is no text is somebody else's business, like the rest of the
    // metadata.
    let versions = if scalar(
        metadata
            .as_ref()
            .and_then(|metadata| metadata.get("version")),
    ) {
        read_yaml(yaml)?
    } else {
        Versions::default()
    };
    let block = RawBlock {
        version: versions.version,
        ..take_block(&mut members)
    };
    Ok(FrontMatter {
        name,
        metadata_version: versions.metadata.and_then(|metadata| metadata.version),
        block,
    })
}

/// Reads a `skill.toml`.
pub(crate) fn parse_skill_toml(bytes: &[u8]) -> Result<RawBlock, FrontMatterError> {
    if bytes.len() > FRONT_MATTER_LIMIT_BYTES {
        return Err(FrontMatterError::TooLong { file: "skill.toml" });
    }
    let text =
        std::str::from_utf8(bytes).map_err(|error| FrontMatterError::Toml(error.to_string()))?;
    let Plain(value) = toml::from_str(text).map_err(|error| toml_error(text, &error))?;
    let Value::Object(mut members) = value else {
        return Err(FrontMatterError::NotMapping);
    };
    check_keys(&members, "skill.toml", &BLOCK_KEYS)?;
    let version = match members.remove("version") {
        None => None,
        Some(Value::String(version)) => Some(version),
        Some(_) => {
            return Err(FrontMatterError::Toml(
                "\"version\" must be a string".to_owned(),
            ));
        }
    };
    Ok(RawBlock {
        version,
        ..take_block(&mut members)
    })
}

/// On one line, unlike the crate's own display.
fn toml_error(text: &str, error: &toml::de::Error) -> FrontMatterError {
    let message = error.message();
    FrontMatterError::Toml(match error.span().and_then(|span| text.get(..span.start)) {
        Some(before) => format!("{message} in line {}", before.matches('\n').count() + 1),
        None => message.to_owned(),
    })
}

/// The text between the two `---` lines, with the first one's line end, so that line numbers are
/// the file's.
fn split(bytes: &[u8]) -> Result<&str, FrontMatterError> {
    let bytes = bytes.strip_prefix("\u{feff}".as_bytes()).unwrap_or(bytes);
    let is_mark = |line: &[u8]| line.trim_ascii_end() == b"---";
    let mut lines = bytes.split_inclusive(|b| *b == b'\n');
    let first = lines
        .next()
        .filter(|line| is_mark(line))
        .ok_or(FrontMatterError::Missing)?;
    let mut end = first.len();
    for line in lines {
        if is_mark(line) {
            return std::str::from_utf8(&bytes[first.len() - 1..end])
                .map_err(|_| FrontMatterError::NotUtf8);
        }
        end += line.len();
        if end > FRONT_MATTER_LIMIT_BYTES {
            return Err(FrontMatterError::TooLong {
                file: "the front matter of SKILL.md",
            });
        }
    }
    Err(FrontMatterError::Unclosed)
}

/// Refuses what the deserialiser would accept or silently ignore: it works on values, this on what
/// is written.
fn refuse_special(yaml: &str) -> Result<(), FrontMatterError> {
    let mut parser = Parser::new_from_str(yaml);
    let (mut documents, mut depth) = (0, 0usize);
    while let Some(event) = parser.next_event() {
        let (event, span) = event.map_err(|error| FrontMatterError::Yaml(error.to_string()))?;
        let refuse = |what| {
            Err(FrontMatterError::NotPlain {
                what,
                line: span.start.line(),
            })
        };
        if event.is_alias() {
            return refuse("an alias (*)");
        }
        if event.anchor_id().is_some() {
            return refuse("an anchor (&)");
        }
        if event.tag().is_some() {
            return refuse("a tag (!)");
        }
        match event {
            Event::DocumentStart(..) => documents += 1,
            Event::SequenceStart(..) | Event::MappingStart(..) => depth += 1,
            Event::SequenceEnd | Event::MappingEnd => depth = depth.saturating_sub(1),
            _ => {}
        }
        if documents > 1 {
            return refuse("a second document");
        }
        if depth > DEPTH_LIMIT {
            return refuse("more than 64 levels");
        }
    }
    Ok(())
}

fn read_yaml<'a, T: Deserialize<'a>>(yaml: &'a str) -> Result<T, FrontMatterError> {
    let options = serde_saphyr::options! {
        budget: serde_saphyr::budget! { max_anchors: 0, max_aliases: 0, max_documents: 1, max_depth: DEPTH_LIMIT },
        duplicate_keys: serde_saphyr::options::DuplicateKeyPolicy::Error,
        merge_keys: serde_saphyr::options::MergeKeyPolicy::Error,
        reject_unsupported_tags: true,
        strict_booleans: true,
    };
    serde_saphyr::from_str_with_options(yaml, options).map_err(|error| {
        // The library's advice is for its callers, not for authors of skills.
        let message = error.without_snippet().to_string();
        FrontMatterError::Yaml(
            message.replace(", set DuplicateKeyPolicy in Options if acceptable", ""),
        )
    })
}

fn check_keys(
    members: &Map<String, Value>,
    file: &'static str,
    known: &[&str],
) -> Result<(), FrontMatterError> {
    match members.keys().find(|key| !known.contains(&key.as_str())) {
        None => Ok(()),
        Some(key) => {
            let key = key.chars().take(80).collect();
            Err(FrontMatterError::UnknownKey {
                key,
                file,
                known: known.join(", "),
            })
        }
    }
}

fn text(members: &mut Map<String, Value>, key: &'static str) -> Result<String, FrontMatterError> {
    match members.remove(key) {
        Some(Value::String(text)) => Ok(text),
        Some(Value::Null) | None => Err(FrontMatterError::Lacks { key }),
        Some(_) => Err(FrontMatterError::Value {
            key,
            expected: "text; put it in quotes",
        }),
    }
}

fn take_block(members: &mut Map<String, Value>) -> RawBlock {
    RawBlock {
        version: None,
        runtime: members.remove("runtime"),
        io: members.remove("io"),
        annotations: members.remove("annotations"),
    }
}
