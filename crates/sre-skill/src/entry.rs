//! The programs of a package, and what runs each of them.
//!
//! An execution block names one program. Published skills mostly have none: then every script of
//! the package can be started by its path. What kind of program a file is follows from its
//! extension, or else its interpreter line, or else its magic number, as on any Unix.

use sre_core::RuntimeKind;

use crate::path::shown;
use crate::tree::{SkillFile, find};

/// Names of files that are mentioned in a message.
const NAMED_LIMIT: usize = 3;

/// A program of a package that can be started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its path inside the package.
    pub path: String,
    /// What runs it.
    pub kind: RuntimeKind,
}

/// Why there is nothing to start.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EntryError {
    /// No file has this path.
    #[error("{entry} is not in the package; {advice}")]
    Unknown {
        /// What was asked for, quoted.
        entry: String,
        /// Names that are close to it, or what else can be done.
        advice: String,
    },
    /// The file is not a program.
    #[error(
        "{entry} is not a program: it has no extension of one (.py, .js, .ts, .sh, .wasm and the like), no interpreter line and no magic number"
    )]
    NotProgram {
        /// What was asked for, quoted.
        entry: String,
    },
    /// None was named, and the package does not say which one it would be.
    #[error("the package names no entrypoint; say which program to start: {choices}")]
    NotNamed {
        /// Some of its programs, quoted.
        choices: String,
    },
    /// There is nothing to choose from.
    #[error("the package has no program: no script, no WebAssembly module, no executable")]
    None,
}

/// The program at `wanted`, which may be written as a skill sees it (`/skill/main.py`) or with a
/// leading `./`.
pub(crate) fn named(files: &[SkillFile], wanted: &str) -> Result<Entry, EntryError> {
    let path = wanted.strip_prefix("/skill/").unwrap_or(wanted);
    let path = path.strip_prefix("./").unwrap_or(path);
    let Some(file) = find(files, path) else {
        return Err(EntryError::Unknown {
            entry: shown(wanted.as_bytes()),
            advice: nearest(files, path),
        });
    };
    let kind = kind_of(file).ok_or_else(|| EntryError::NotProgram {
        entry: shown(wanted.as_bytes()),
    })?;
    Ok(Entry {
        path: file.path.clone(),
        kind,
    })
}

/// Every program, sorted by path.
pub(crate) fn all(files: &[SkillFile]) -> Vec<Entry> {
    let entry = |file: &SkillFile| {
        Some(Entry {
            path: file.path.clone(),
            kind: kind_of(file)?,
        })
    };
    files.iter().filter_map(entry).collect()
}

/// The only program of a package that names none.
pub(crate) fn only(files: &[SkillFile]) -> Result<Entry, EntryError> {
    let mut programs = all(files);
    match programs.len() {
        0 => Err(EntryError::None),
        1 => Ok(programs.remove(0)),
        _ => Err(EntryError::NotNamed {
            choices: quoted(programs.iter().map(|entry| entry.path.as_str())),
        }),
    }
}

/// What runs a file; `None` for one that is not a program.
pub(crate) fn kind_of(file: &SkillFile) -> Option<RuntimeKind> {
    RuntimeKind::of_extension(&file.path)
        .or_else(|| interpreter(&file.bytes))
        .or_else(|| magic(&file.bytes))
}

/// The kind that an interpreter line names. One of another interpreter makes a native program,
/// which runs where the operator allows it.
fn interpreter(bytes: &[u8]) -> Option<RuntimeKind> {
    // A byte order mark before the line: the kernel would not see it, editors write it.
    let bytes = sre_core::canonical_json::without_bom(bytes);
    let line = bytes.strip_prefix(b"#!")?.split(|b| *b == b'\n').next()?;
    let line = std::str::from_utf8(line.get(..256).unwrap_or(line)).ok()?;
    let mut words = line.split_whitespace();
    let program = words.next()?;
    // `#!/usr/bin/env -S python3 -u`: the program is the first word that is no option or variable.
    let program = if program.rsplit('/').next() == Some("env") {
        words.find(|word| !word.starts_with('-') && !word.contains('='))?
    } else {
        program
    };
    let name = program.rsplit('/').next()?;
    let name = name.trim_end_matches(|c: char| c.is_ascii_digit() || c == '.');
    Some(match name {
        "python" | "pypy" => RuntimeKind::Python,
        "node" | "nodejs" | "bun" | "deno" | "tsx" | "ts-node" => RuntimeKind::Javascript,
        "sh" | "bash" | "dash" | "ash" | "ksh" | "zsh" => RuntimeKind::Shell,
        _ => RuntimeKind::Native,
    })
}

fn magic(bytes: &[u8]) -> Option<RuntimeKind> {
    match bytes {
        [0, b'a', b's', b'm', ..] => Some(RuntimeKind::Wasm),
        [0x7f, b'E', b'L', b'F', ..] => Some(RuntimeKind::Native),
        _ => None,
    }
}

/// The programs (or else files) whose names are most like `wanted`, as advice.
fn nearest(files: &[SkillFile], wanted: &str) -> String {
    let programs: Vec<&SkillFile> = files
        .iter()
        .filter(|file| kind_of(file).is_some())
        .collect();
    if programs.is_empty() {
        return "the package has no program at all".to_owned();
    }
    let name = |path: &str| path.rsplit('/').next().unwrap_or(path).to_lowercase();
    let mut ranked: Vec<(usize, &str)> = programs
        .iter()
        .map(|file| {
            let by_path = strsim::osa_distance(&file.path.to_lowercase(), &wanted.to_lowercase());
            let by_name = strsim::osa_distance(&name(&file.path), &name(wanted));
            (by_path.min(by_name), file.path.as_str())
        })
        .collect();
    ranked.sort();
    let (best, _) = ranked[0];
    // A name that has little in common with it is no help; then any will do as an example.
    let close = ranked
        .iter()
        .filter(|(distance, _)| *distance <= best && best <= wanted.len().max(4) / 2)
        .map(|(_, path)| *path);
    let close: Vec<&str> = close.take(NAMED_LIMIT).collect();
    if close.is_empty() {
        let some = quoted(programs.iter().map(|file| file.path.as_str()));
        return format!("its programs are {some}");
    }
    format!("is it {}?", quoted(close.into_iter()))
}

fn quoted<'a>(paths: impl Iterator<Item = &'a str>) -> String {
    let mut paths = paths.map(|path| shown(path.as_bytes()));
    let named: Vec<String> = paths.by_ref().take(NAMED_LIMIT).collect();
    let more = paths.count();
    match more {
        0 => named.join(", "),
        _ => format!("{} and {more} more", named.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(files: &[(&str, &[u8])]) -> Vec<SkillFile> {
        let mut files: Vec<SkillFile> = files
            .iter()
            .map(|(path, bytes)| SkillFile::new((*path).to_owned(), (*bytes).into(), false))
            .collect();
        files.sort_by(|a, b| a.path.cmp(&b.path));
        files
    }

    #[test]
    fn the_kind_of_a_program_follows_from_extension_interpreter_line_or_magic_number() {
        for (path, bytes, kind) in [
            ("a.py", &b""[..], Some(RuntimeKind::Python)),
            ("a.mts", b"", Some(RuntimeKind::Javascript)),
            ("a.bash", b"", Some(RuntimeKind::Shell)),
            ("a.wat", b"", Some(RuntimeKind::Wasm)),
            ("a.py", b"#!/bin/sh\n", Some(RuntimeKind::Python)),
            ("a", b"#!/usr/bin/env bash\n", Some(RuntimeKind::Shell)),
            (
                "a",
                b"#!/usr/bin/python3.11 -u\r\n",
                Some(RuntimeKind::Python),
            ),
            (
                "a",
                b"#!/usr/bin/env -S X=1 node --no-warnings\n",
                Some(RuntimeKind::Javascript),
            ),
            ("a", b"\xef\xbb\xbf#!/bin/sh\n", Some(RuntimeKind::Shell)),
            ("a.rb", b"#!/usr/bin/ruby\n", Some(RuntimeKind::Native)),
            ("a", b"\0asm\x01\0\0\0", Some(RuntimeKind::Wasm)),
            ("a", b"\x7fELF\x02", Some(RuntimeKind::Native)),
            ("a", b"#!", None),
            ("SKILL.md", b"# text", None),
        ] {
            let file = SkillFile::new(path.to_owned(), bytes.into(), false);
            assert_eq!(kind_of(&file), kind, "{path} {bytes:?}");
        }
    }

    #[test]
    fn an_unknown_entry_names_the_nearest() {
        let files = files(&[
            ("SKILL.md", b""),
            ("scripts/merge.py", b""),
            ("scripts/split.py", b""),
        ]);
        for wanted in [
            "scripts/merge.py",
            "./scripts/merge.py",
            "/skill/scripts/merge.py",
        ] {
            assert_eq!(
                named(&files, wanted).expect(wanted).path,
                "scripts/merge.py"
            );
        }
        for (wanted, part) in [
            ("scripts/merg.py", "is it \"scripts/merge.py\"?"),
            ("merge.py", "is it \"scripts/merge.py\"?"),
            (
                "nothing-like-it",
                "its programs are \"scripts/merge.py\", \"scripts/split.py\"",
            ),
            ("SKILL.md", "is not a program"),
            ("../x", "is not in the package"),
        ] {
            let error = named(&files, wanted).expect_err(wanted).to_string();
            assert!(error.contains(part), "{error}");
        }
        let error = only(&files).expect_err("two programs").to_string();
        assert!(error.contains("say which program to start"), "{error}");
        assert_eq!(only(&files[..2]).expect("one").path, "scripts/merge.py");
    }
}
