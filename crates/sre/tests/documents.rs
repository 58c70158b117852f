//! What the documents name exists: relative links and their anchors, paths of the repository, and
//! commands of `sre` with their flags.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Documents outside `docs`.
const OTHERS: [&str; 9] = [
    "ARCHITECTURE.md",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "README.md",
    "SECURITY.md",
    "examples/README.md",
    "runtimes/README.md",
    "runtimes/javascript/README.md",
    "runtimes/python/README.md",
];

/// A path in backticks that begins with one of these is one of the repository.
const FOLDERS: [&str; 11] = [
    ".ci/",
    "crates/",
    "deploy/",
    "docs/",
    "examples/",
    "fuzz/",
    "interop/",
    "python/",
    "runtimes/",
    "scripts/",
    "tests/",
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn markdown(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            markdown(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "md") {
            found.push(path);
        }
    }
}

/// Every document with its text.
fn documents() -> Vec<(PathBuf, String)> {
    let mut paths: Vec<PathBuf> = OTHERS.iter().map(|path| root().join(path)).collect();
    markdown(&root().join("docs"), &mut paths);
    paths
        .into_iter()
        .map(|path| {
            let text = fs::read_to_string(&path)
                .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            (path, text)
        })
        .collect()
}

/// The text outside fenced blocks, and the blocks with the name of their language.
fn split_blocks(text: &str) -> (String, Vec<(String, Vec<String>)>) {
    let (mut prose, mut blocks) = (String::new(), Vec::new());
    let mut block: Option<(String, Vec<String>)> = None;
    for line in text.lines() {
        match (&mut block, line.trim_start().strip_prefix("```")) {
            (Some(_), Some(_)) => blocks.extend(block.take()),
            (Some((_, lines)), None) => lines.push(line.to_owned()),
            (None, Some(language)) => block = Some((language.to_owned(), Vec::new())),
            (None, None) => {
                prose.push_str(line);
                prose.push('\n');
            }
        }
    }
    (prose, blocks)
}

/// The code spans of a text.
fn spans(prose: &str) -> impl Iterator<Item = String> {
    prose
        .split('`')
        .skip(1)
        .step_by(2)
        .map(|span| span.replace('\n', " "))
}

/// The targets of a text's links.
fn links(prose: &str) -> Vec<String> {
    let outside_code: String = prose.split('`').step_by(2).collect();
    outside_code
        .split("](")
        .skip(1)
        .filter_map(|rest| rest.split_once(')'))
        .map(|(target, _)| target.to_owned())
        .collect()
}

/// The anchors of a document, as code hosts and mdBook make them from its headings.
fn anchors(text: &str) -> BTreeSet<String> {
    split_blocks(text)
        .0
        .lines()
        .filter(|line| line.starts_with('#'))
        .map(|line| {
            line.trim_start_matches('#')
                .trim()
                .to_lowercase()
                .chars()
                .filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'))
                .map(|c| if c == ' ' { '-' } else { c })
                .collect()
        })
        .collect()
}

#[test]
fn every_link_leads_somewhere() {
    let mut checked = 0;
    let mut broken = Vec::new();
    for (path, text) in documents() {
        for link in links(&split_blocks(&text).0) {
            if link.contains("://") {
                continue;
            }
            let (file, anchor) = link.split_once('#').unwrap_or((&link, ""));
            let target = match file {
                "" => path.clone(),
                file => path.parent().expect("a folder").join(file),
            };
            let holds = target.exists()
                && (anchor.is_empty()
                    || anchors(&fs::read_to_string(&target).expect("text")).contains(anchor));
            if !holds {
                broken.push(format!("{}: {link}", path.display()));
            }
            checked += 1;
        }
    }
    assert!(broken.is_empty(), "{broken:#?}");
    assert!(checked > 100, "the links were not found: {checked}");
}

#[test]
fn every_path_exists() {
    let mut checked = 0;
    let mut missing = Vec::new();
    for (path, text) in documents() {
        for span in spans(&split_blocks(&text).0) {
            let is_path = span
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"._/-".contains(&b));
            let is_ours = FOLDERS.iter().any(|folder| span.starts_with(folder));
            // `scripts/main.py` is a file of a package; capitals stand for a name of the reader's.
            let is_example = span.starts_with("scripts/main.") || span.contains("NAME");
            if !is_path || !is_ours || is_example {
                continue;
            }
            let beside = path.parent().expect("a folder").join(&span);
            if !root().join(&span).exists() && !beside.exists() {
                missing.push(format!("{}: {span}", path.display()));
            }
            checked += 1;
        }
    }
    assert!(missing.is_empty(), "{missing:#?}");
    assert!(checked > 60, "the paths were not found: {checked}");
}

/// The help of a command, and the names of its subcommands.
#[derive(Default)]
struct Helps(BTreeMap<Vec<String>, (String, BTreeSet<String>)>);

impl Helps {
    fn of(&mut self, command: &[String]) -> &(String, BTreeSet<String>) {
        self.0.entry(command.to_vec()).or_insert_with(|| {
            let output = Command::new(env!("CARGO_BIN_EXE_sre"))
                .args(command)
                .arg("--help")
                .output()
                .expect("sre starts");
            assert!(output.status.success(), "sre {command:?} --help");
            let help = String::from_utf8(output.stdout).expect("UTF-8");
            let commands = help
                .split_once("\nCommands:\n")
                .map_or("", |(_, list)| list);
            let names = commands
                .lines()
                .take_while(|line| !line.is_empty())
                .filter(|line| line.starts_with("  ") && !line.starts_with("   "))
                .filter_map(|line| line.split_whitespace().next())
                .map(str::to_owned)
                .collect();
            (help, names)
        })
    }

    /// What is wrong with the words after `sre`.
    fn check(&mut self, words: &[String]) -> Result<(), String> {
        let mut command = Vec::new();
        for word in words {
            if self.of(&command).1.contains(word) {
                command.push(word.clone());
            }
        }
        let is_flag_only = words.iter().all(|word| word.starts_with('-'));
        if command.is_empty() && !is_flag_only {
            return Err(String::from("no such command"));
        }
        // Flags of a command may stand before its subcommand.
        let helps: String = (0..=command.len())
            .map(|end| self.of(&command[..end]).0.clone())
            .collect();
        let known: BTreeSet<&str> = helps
            .split(|c: char| !c.is_alphanumeric() && c != '-')
            .collect();
        for flag in words.iter().filter(|word| word.starts_with("--")) {
            let name = flag.split('=').next().unwrap_or(flag);
            if name != "--" && !known.contains(name) {
                return Err(format!("no flag {name}"));
            }
        }
        Ok(())
    }
}

/// The command lines of a block that a reader would type.
fn typed(language: &str, lines: &[String]) -> Vec<String> {
    let is_shell = language == "sh";
    if !is_shell && language != "console" && language != "text" {
        return Vec::new();
    }
    let mut commands: Vec<String> = Vec::new();
    let mut continues = false;
    for line in lines {
        let line = match line.strip_prefix("$ ") {
            Some(command) => command,
            None if is_shell || continues => line,
            None => continue,
        };
        let without_comment = line.split(" #").next().unwrap_or_default();
        let (text, more) = match without_comment.trim_end().strip_suffix('\\') {
            Some(text) => (text, true),
            None => (without_comment, false),
        };
        match commands.last_mut() {
            Some(last) if continues => last.push_str(text),
            _ => commands.push(text.to_owned()),
        }
        continues = more;
    }
    commands
}

/// The calls of `sre` in a command line, each as the words after `sre`.
fn calls(line: &str) -> Vec<Vec<String>> {
    let unquoted: String = line.split('\'').step_by(2).collect();
    unquoted
        .split(['|', ';', '&', '(', ')', '"'])
        .filter_map(|part| {
            let is_name = |name: &str| name.bytes().all(|b| b.is_ascii_uppercase() || b == b'_');
            let is_assignment =
                |word: &&str| word.split_once('=').is_some_and(|(name, _)| is_name(name));
            let mut words = part.split_whitespace().skip_while(is_assignment);
            (words.next() == Some("sre")).then(|| words.map(str::to_owned).collect())
        })
        .collect()
}

#[test]
fn every_command_exists() {
    let mut helps = Helps::default();
    let mut checked = 0;
    let mut wrong = Vec::new();
    for (path, text) in documents() {
        let (prose, blocks) = split_blocks(&text);
        let mut lines: Vec<String> = spans(&prose)
            .filter(|span| span.starts_with("sre "))
            .collect();
        for (language, block) in &blocks {
            lines.extend(typed(language, block));
        }
        for line in lines {
            for words in calls(&line) {
                // `sre COMMAND` stands for any command.
                let is_placeholder = |word: &String| word.bytes().all(|b| b.is_ascii_uppercase());
                if words.first().is_none_or(is_placeholder) {
                    continue;
                }
                if let Err(error) = helps.check(&words) {
                    wrong.push(format!("{}: {line}: {error}", path.display()));
                }
                checked += 1;
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(checked > 100, "the commands were not found: {checked}");
}
