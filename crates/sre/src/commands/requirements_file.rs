//! What a requirements file may say.
//!
//! pip reads much more into one: paths and addresses, whose source distributions it builds with
//! their own code whatever it was told about wheels; other files; options that take back ours;
//! values of environment variables. So only what names a package, and where the index is, is let
//! through, and pip is given what was understood and not the file.

use std::fmt::Write as _;
use std::path::Path;

use crate::failure::Failure;
use sre_core::ErrorCode;

/// Longest file, in bytes.
const LIMIT_BYTES: u64 = 1 << 20;

/// Options that say where wheels are looked for and which count.
const FLAGS: [&str; 4] = ["--no-index", "--pre", "--prefer-binary", "--require-hashes"];
const WITH_VALUE: [&str; 5] = [
    "--index-url",
    "-i",
    "--extra-index-url",
    "--find-links",
    "-f",
];

/// A file that was understood.
#[derive(Debug, Default)]
pub(super) struct Requirements {
    /// What pip is told, a requirement or option in each line.
    pub(super) text: String,
    /// The names of what is required without a condition, as PEP 503 normalises them.
    pub(super) names: Vec<String>,
}

impl Requirements {
    /// Reads the file at `path`.
    ///
    /// # Errors
    /// It cannot be read, or a line says something else.
    pub(super) fn read(path: &Path) -> Result<Self, Failure> {
        let unreadable = |why: &dyn std::fmt::Display| {
            let detail = format!("the requirements {} cannot be read: {why}", path.display());
            Failure::new(ErrorCode::InputUnreadable, detail)
        };
        let length = std::fs::metadata(path)
            .map_err(|error| unreadable(&error))?
            .len();
        if length > LIMIT_BYTES {
            return Err(unreadable(&format_args!(
                "it is longer than {LIMIT_BYTES} bytes"
            )));
        }
        let text = std::fs::read_to_string(path).map_err(|error| unreadable(&error))?;
        let path_itself = std::path::absolute(path).map_err(|error| unreadable(&error))?;
        let folder = path_itself.parent().unwrap_or(Path::new("/"));
        Self::parse(&text, folder).map_err(|(line, why)| {
            let detail = format!("line {line} of {} {why}", path.display());
            Failure::new(ErrorCode::RequirementRefused, detail).hint(
                "name packages of an index, as in name[extra]==1.0; python_version >= \"3.9\"; put other wheels into a folder \
                 and name it with --find-links",
            )
        })
    }

    /// Paths are seen from `folder`. An error says which line and why.
    fn parse(text: &str, folder: &Path) -> Result<Self, (usize, String)> {
        let mut read = Self::default();
        let (mut whole, mut begin) = (String::new(), 1);
        for (index, line) in text.lines().enumerate() {
            if whole.is_empty() {
                begin = index + 1;
            }
            let continued = line.strip_suffix('\\');
            whole.push_str(continued.unwrap_or(line));
            if continued.is_some() {
                whole.push(' ');
                continue;
            }
            read.add(&whole, folder).map_err(|why| (begin, why))?;
            whole.clear();
        }
        read.add(&whole, folder).map_err(|why| (begin, why))?;
        Ok(read)
    }

    fn add(&mut self, line: &str, folder: &Path) -> Result<(), String> {
        let line = without_comment(line).trim();
        if line.is_empty() {
            return Ok(());
        }
        // pip would put in the value of a variable, and send it to the index that the file names.
        if line.contains(|c: char| c.is_control() && c != '\t') || line.contains('$') {
            return Err(String::from("has a control character or \"$\""));
        }
        let line = if line.starts_with('-') {
            option(line, folder)?
        } else {
            self.requirement(line)?
        };
        let _ = writeln!(self.text, "{line}");
        Ok(())
    }

    /// `name[extras] specifiers; marker --hash=…`
    fn requirement(&mut self, line: &str) -> Result<String, String> {
        let refuse = || {
            let shown: String = line.chars().take(80).collect();
            format!("is not a requirement by name and version: {shown:?}")
        };
        let (required, hashes) = line
            .split_once(" --")
            .map_or((line, None), |(line, rest)| (line, Some(rest)));
        let (package, marker) = required
            .split_once(';')
            .map_or((required, None), |(p, m)| (p, Some(m)));
        let package = package.trim();
        let end = package.find(|c: char| !is_name(c)).unwrap_or(package.len());
        let (name, mut rest) = (&package[..end], package[end..].trim_start());
        if !name.starts_with(|c: char| c.is_ascii_alphanumeric()) || is_archive(package) {
            return Err(refuse());
        }
        if let Some(inside) = rest.strip_prefix('[') {
            let (extras, after) = inside.split_once(']').ok_or_else(refuse)?;
            if !extras.chars().all(|c| is_name(c) || matches!(c, ',' | ' ')) {
                return Err(refuse());
            }
            rest = after.trim_start();
        }
        if !rest.is_empty() && !rest.split(',').all(is_specifier) {
            return Err(refuse());
        }
        let is_marker = |c: char| c.is_ascii_alphanumeric() || " \t_.'\"<>=!~(),-+*".contains(c);
        if !marker.unwrap_or_default().chars().all(is_marker) {
            return Err(refuse());
        }
        let is_hash = |word: &str| {
            let hash = word
                .strip_prefix("hash=")
                .and_then(|hash| hash.split_once(':'));
            hash.is_some_and(|(kind, hex)| {
                kind.starts_with("sha")
                    && kind
                        .bytes()
                        .chain(hex.bytes())
                        .all(|b| b.is_ascii_alphanumeric())
            })
        };
        if !hashes.is_none_or(|rest| {
            rest.split_whitespace()
                .all(|word| is_hash(word.trim_start_matches("--")))
        }) {
            return Err(refuse());
        }
        if marker.is_none() {
            self.names.push(normalised(name));
        }
        Ok(line.to_owned())
    }
}

/// A comment begins a line or follows white space.
fn without_comment(line: &str) -> &str {
    let begins = |at: usize| {
        line[..at]
            .chars()
            .next_back()
            .is_none_or(char::is_whitespace)
    };
    line.match_indices('#')
        .find(|(at, _)| begins(*at))
        .map_or(line, |(at, _)| &line[..at])
}

fn option(line: &str, folder: &Path) -> Result<String, String> {
    if FLAGS.contains(&line) {
        return Ok(line.to_owned());
    }
    let (name, value) = line.split_once(['=', ' ', '\t']).unwrap_or((line, ""));
    let value = value.trim();
    if !WITH_VALUE.contains(&name)
        || value.is_empty()
        || value.contains(|c: char| c.is_whitespace() || "'\"\\".contains(c))
    {
        return Err(format!(
            "has the option {name:?}, which is not accepted here in this form"
        ));
    }
    // pip looks beside its file, which will be another one.
    let beside = folder.join(value);
    let is_folder = matches!(name, "--find-links" | "-f") && beside.is_dir();
    let value = if is_folder {
        beside.display().to_string()
    } else {
        value.to_owned()
    };
    Ok(format!("{name} {value}"))
}

fn is_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-')
}

/// One of `==1.0`, `>=2`, `~=1.4.2`, `!=1.5.*`.
fn is_specifier(specifier: &str) -> bool {
    let specifier = specifier.trim();
    let version = specifier.trim_start_matches(['=', '<', '>', '!', '~']);
    let operator = &specifier[..specifier.len() - version.len()];
    let version = version.trim();
    matches!(
        operator,
        "==" | "===" | ">=" | "<=" | "~=" | "!=" | "<" | ">"
    ) && !version.is_empty()
        && version
            .chars()
            .all(|c| is_name(c) || matches!(c, '*' | '+' | '!'))
}

/// What pip takes for a file if there is one of that name.
fn is_archive(text: &str) -> bool {
    let text = text.to_ascii_lowercase();
    [
        ".whl", ".zip", ".gz", ".tgz", ".tar", ".bz2", ".tbz", ".xz", ".txz", ".lz", ".tlz",
        ".lzma",
    ]
    .iter()
    .any(|end| text.ends_with(end))
}

/// A name as PEP 503 compares it.
pub(super) fn normalised(name: &str) -> String {
    let parts: Vec<&str> = name
        .split(['-', '_', '.'])
        .filter(|part| !part.is_empty())
        .collect();
    parts.join("-").to_ascii_lowercase()
}
