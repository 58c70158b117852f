//! Reads `SKILL.md` (Agent Skills, <https://agentskills.io/specification>) and `skill.toml`.
//!
//! A `SKILL.md` starts with YAML front matter between two lines `---`. The YAML is a plain subset:
//! one document, no anchors, aliases, tags or merge keys, no duplicate keys, at most 64 KiB. The
//! Markdown after it is not looked at.
//!
//! People publish front matter for many programs. What this one does not know stays in the file, so
//! it counts in the digest, and is not read: unknown keys at any level, a `runtime` that is not an
//! execution block, a description that is missing. Each of these is a [`Note`]. Only what cannot
//! be read at all is an error.

use serde::Deserialize;
use serde_json::{Map, Value};
use serde_saphyr::granit_parser::{Event, Parser};

use sre_core::canonical_json;

use crate::block::RawBlock;
use crate::limits::FRONT_MATTER_LIMIT_BYTES;
use crate::plain::Plain;
use crate::{Note, SkillErrorKind};

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
/// Keys of the block's sections. Schemas and `metadata` are free.
const SECTION_KEYS: [(&str, &[&str]); 3] = [
    (
        "runtime",
        &["kind", "entrypoint", "docker_image", "timeout_seconds"],
    ),
    ("io", &["input_schema", "output_schema"]),
    (
        "annotations",
        &[
            "readOnlyHint",
            "destructiveHint",
            "idempotentHint",
            "openWorldHint",
        ],
    ),
];
const DESCRIPTION_LIMIT_CHARS: usize = 1024;
const DEPTH_LIMIT: usize = 64;
/// Unknown keys that are noted per mapping; a hostile file has thousands.
const NOTED_KEYS_LIMIT: usize = 32;

/// A `SKILL.md` or `skill.toml` that does not describe a skill.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FrontMatterError {
    #[error("{file} is not UTF-8 at byte {at}; save it as UTF-8")]
    NotUtf8 { file: &'static str, at: usize },
    #[error("{file} is UTF-16; save it as UTF-8")]
    Utf16 { file: &'static str },
    #[error("the front matter of SKILL.md has no end; close it with a line \"---\"")]
    Unclosed,
    #[error("{file} is longer than {FRONT_MATTER_LIMIT_BYTES} bytes; shorten it")]
    TooLong { file: &'static str },
    #[error("the front matter of SKILL.md has {what} in line {line}; write the value out")]
    NotPlain { what: &'static str, line: usize },
    #[error(
        "the front matter of SKILL.md has an unquoted \": \" in the value of {key:?} in line {line}; \
         put the value in quotes"
    )]
    UnquotedColon { key: String, line: usize },
    #[error("the front matter of SKILL.md cannot be read: {0}")]
    Yaml(String),
    #[error("the front matter of SKILL.md must be a mapping of keys to values")]
    NotMapping,
    #[error("skill.toml cannot be read: {0}")]
    Toml(String),
}

impl FrontMatterError {
    pub(crate) fn kind(&self) -> SkillErrorKind {
        match self {
            Self::TooLong { .. } => SkillErrorKind::TooLarge,
            Self::NotUtf8 { .. }
            | Self::Utf16 { .. }
            | Self::Unclosed
            | Self::UnquotedColon { .. }
            | Self::Yaml(_)
            | Self::Toml(_) => SkillErrorKind::Malformed,
            _ => SkillErrorKind::Invalid,
        }
    }
}

/// What a `SKILL.md` says.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct FrontMatter {
    /// As it is written; it need not be a name that a skill may have.
    pub(crate) name: Option<String>,
    /// `metadata.version`, for packages that keep the version there.
    pub(crate) metadata_version: Option<String>,
    pub(crate) block: RawBlock,
    pub(crate) notes: Vec<Note>,
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
struct OwnVersion {
    #[serde(default)]
    version: Option<String>,
}

#[derive(Deserialize)]
struct MetadataVersion {
    #[serde(default)]
    version: Option<String>,
}

/// Reads the front matter of a `SKILL.md`.
pub(crate) fn parse_skill_md(bytes: &[u8]) -> Result<FrontMatter, FrontMatterError> {
    let mut notes = Vec::new();
    let Some(yaml) = split(bytes)? else {
        notes.push(Note::information(
            "SKILL.md has no front matter (its first line is not \"---\"); agents find a skill by its name and description",
        ));
        return Ok(FrontMatter {
            notes,
            ..FrontMatter::default()
        });
    };
    refuse_special(yaml)?;
    let Plain(value) = read_yaml(yaml)?;
    let mut members = match value {
        Value::Object(members) => members,
        // Two marks with nothing but comments between them.
        Value::Null => Map::new(),
        _ => return Err(FrontMatterError::NotMapping),
    };
    note_unknown(
        &members,
        "the front matter of SKILL.md",
        &[&SKILL_KEYS[..], &BLOCK_KEYS[..]].concat(),
        &mut notes,
    );
    let name = name(&mut members, &mut notes);
    note_description(members.get("description"), &mut notes);
    let versions = versions(yaml, &members, &mut notes)?;
    let block = take_block(versions.version, &mut members, "SKILL.md", &mut notes);
    Ok(FrontMatter {
        name,
        metadata_version: versions.metadata.and_then(|metadata| metadata.version),
        block,
        notes,
    })
}

/// Reads a `skill.toml`, with what is to be noted about it.
pub(crate) fn parse_skill_toml(bytes: &[u8]) -> Result<(RawBlock, Vec<Note>), FrontMatterError> {
    let mut notes = Vec::new();
    if bytes.len() > FRONT_MATTER_LIMIT_BYTES {
        return Err(FrontMatterError::TooLong { file: "skill.toml" });
    }
    let text = text_of(bytes, "skill.toml")?;
    let Plain(value) = toml::from_str(text).map_err(|error| toml_error(text, &error))?;
    let Value::Object(mut members) = value else {
        return Err(FrontMatterError::NotMapping);
    };
    note_unknown(&members, "skill.toml", &BLOCK_KEYS, &mut notes);
    let version = match members.remove("version") {
        None => None,
        Some(Value::String(version)) => Some(version),
        Some(_) => {
            return Err(FrontMatterError::Toml(
                "\"version\" must be a string".to_owned(),
            ));
        }
    };
    let block = take_block(version, &mut members, "skill.toml", &mut notes);
    Ok((block, notes))
}

fn name(members: &mut Map<String, Value>, notes: &mut Vec<Note>) -> Option<String> {
    match members.remove("name") {
        Some(Value::String(name)) if !name.trim().is_empty() => Some(name),
        Some(Value::Number(number)) => Some(number.to_string()),
        None | Some(Value::Null) => {
            notes.push(Note::information("SKILL.md has no \"name\""));
            None
        }
        Some(_) => {
            notes.push(Note::warning("\"name\" in SKILL.md is not text"));
            None
        }
    }
}

fn note_description(description: Option<&Value>, notes: &mut Vec<Note>) {
    match description {
        Some(Value::String(text)) if !text.trim().is_empty() => {
            if text.chars().count() > DESCRIPTION_LIMIT_CHARS {
                notes.push(Note::information(
                    "the description is longer than the 1024 characters that Agent Skills allows",
                ));
            }
        }
        None | Some(Value::Null | Value::String(_)) => notes.push(Note::information(
            "SKILL.md has no description; agents choose skills by it",
        )),
        Some(_) => notes.push(Note::warning("\"description\" in SKILL.md is not text")),
    }
}

/// The versions as they are written. One that is not text or a number is not read.
fn versions(
    yaml: &str,
    members: &Map<String, Value>,
    notes: &mut Vec<Note>,
) -> Result<Versions, FrontMatterError> {
    let is_scalar =
        |value: Option<&Value>| value.is_none_or(|value| value.is_string() || value.is_number());
    if !is_scalar(members.get("version").filter(|value| !value.is_null())) {
        notes.push(Note::warning(
            "\"version\" in SKILL.md is neither text nor a number, and not read",
        ));
        return Ok(Versions::default());
    }
    // What other programs keep in `metadata` is their business.
    let metadata = members.get("metadata");
    let is_readable = metadata.is_none_or(|metadata| {
        metadata.is_null() || metadata.is_object() && is_scalar(metadata.get("version"))
    });
    if is_readable {
        read_yaml(yaml)
    } else {
        let OwnVersion { version } = read_yaml(yaml)?;
        Ok(Versions {
            version,
            metadata: None,
        })
    }
}

/// On one line, unlike the crate's own display.
fn toml_error(text: &str, error: &toml::de::Error) -> FrontMatterError {
    let message = error.message();
    FrontMatterError::Toml(match error.span().and_then(|span| text.get(..span.start)) {
        Some(before) => format!("{message} in line {}", before.matches('\n').count() + 1),
        None => message.to_owned(),
    })
}

/// A file as text.
fn text_of<'a>(bytes: &'a [u8], file: &'static str) -> Result<&'a str, FrontMatterError> {
    if let [0xFF, 0xFE, ..] | [0xFE, 0xFF, ..] = bytes {
        return Err(FrontMatterError::Utf16 { file });
    }
    std::str::from_utf8(bytes).map_err(|error| FrontMatterError::NotUtf8 {
        file,
        at: error.valid_up_to(),
    })
}

/// The text between the two `---` lines, with the first one's line end, so that line numbers are
/// the file's; `None` where the file does not start with such a line.
fn split(bytes: &[u8]) -> Result<Option<&str>, FrontMatterError> {
    if let [0xFF, 0xFE, ..] | [0xFE, 0xFF, ..] | [b'-', 0, ..] | [0, b'-', ..] = bytes {
        return Err(FrontMatterError::Utf16 { file: "SKILL.md" });
    }
    let bytes = canonical_json::without_bom(bytes);
    let is_mark = |line: &[u8]| line.trim_ascii_end() == b"---";
    let mut lines = bytes.split_inclusive(|b| *b == b'\n');
    let Some(first) = lines.next().filter(|line| is_mark(line)) else {
        return Ok(None);
    };
    let mut end = first.len();
    for line in lines {
        if is_mark(line) {
            return text_of(&bytes[first.len() - 1..end], "SKILL.md").map(Some);
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
        let (event, span) = event.map_err(|error| {
            unquoted_colon(yaml).unwrap_or_else(|| FrontMatterError::Yaml(error.to_string()))
        })?;
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

/// The commonest mistake of authors who do not know YAML: a plain value with `: ` in it, which
/// makes it a mapping. Called when the text could not be parsed; finds the first such line.
fn unquoted_colon(yaml: &str) -> Option<FrontMatterError> {
    for (index, line) in yaml.lines().enumerate() {
        let Some((key, value)) = line.split_once(": ") else {
            continue;
        };
        let key = key.trim_start_matches([' ', '-']);
        let value = value.trim_start();
        let is_plain = !value.starts_with(['"', '\'', '[', '{', '|', '>', '#', '&', '*', '!']);
        let is_key = !key.is_empty() && !key.contains(['"', '\'', '#', '{', '[']);
        if is_key && is_plain && (value.contains(": ") || value.ends_with(':')) {
            return Some(FrontMatterError::UnquotedColon {
                key: key.chars().take(80).collect(),
                // The text begins with the end of the file's first line.
                line: index + 1,
            });
        }
    }
    None
}

fn note_unknown(
    members: &Map<String, Value>,
    place: &'static str,
    known: &[&str],
    notes: &mut Vec<Note>,
) {
    for key in members
        .keys()
        .filter(|key| !known.contains(&key.as_str()))
        .take(NOTED_KEYS_LIMIT)
    {
        notes.push(Note::unknown_key(key, place, known));
    }
}

fn take_block(
    version: Option<String>,
    members: &mut Map<String, Value>,
    file: &'static str,
    notes: &mut Vec<Note>,
) -> RawBlock {
    let [runtime, io, annotations] =
        SECTION_KEYS.map(|(section, known)| take_section(section, known, members, file, notes));
    RawBlock {
        version,
        runtime,
        io,
        annotations,
    }
}

/// One section of the block with the keys that are known there; `None` where it is absent or not
/// ours.
fn take_section(
    section: &'static str,
    known: &[&str],
    members: &mut Map<String, Value>,
    file: &'static str,
    notes: &mut Vec<Note>,
) -> Option<Value> {
    let mut keys = match members.remove(section)? {
        Value::Object(keys) => keys,
        Value::Null => return None,
        _ => {
            notes.push(Note::warning(format!(
                "{section:?} in {file} is not a mapping, and not read"
            )));
            return None;
        }
    };
    for (key, _) in keys
        .iter()
        .filter(|(key, _)| !known.contains(&key.as_str()))
        .take(NOTED_KEYS_LIMIT)
    {
        notes.push(Note::unknown_key(
            key,
            &format!("{section:?} in {file}"),
            known,
        ));
    }
    keys.retain(|key, _| known.contains(&key.as_str()));
    if section == "runtime" && !keys.contains_key("entrypoint") {
        notes.push(Note::information(format!(
            "\"runtime\" in {file} names no \"entrypoint\", and is not read"
        )));
        return None;
    }
    Some(Value::Object(keys))
}
