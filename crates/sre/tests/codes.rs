//! Every error code that can leave the process is documented, and every documented one exists.
//!
//! Codes are found in the sources as they are written: the first argument of what makes a failure
//! or a problem, and any such word in a statement that speaks of a `code`.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// Where codes are made that reach a user. Errors of the other crates have none, or get theirs in
/// one of these.
const CRATES: [&str; 5] = [
    "sre",
    "sre-orchestrator",
    "sre-python",
    "sre-server",
    "sre-skill",
];

/// Pages with tables of codes, and the headings they stand below. The tables' first column is about
/// codes; in service.md the second one.
const PAGES: [&str; 4] = [
    "results.md",
    "receipts.md",
    "service.md",
    "python-package.md",
];

/// What makes a failure of a command, or a problem of the service, with its code first.
const MAKERS: [&str; 8] = [
    "usage(",
    "operating(",
    "bad_request(",
    "unprocessable(",
    "not_found(",
    "busy(",
    "nothing(",
    "refused(",
];

/// Words in a statement about a code that are none.
const NO_CODES: [&str; 2] = ["exit_code", "error_code"];

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in
        fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
    {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

fn is_code(word: &str) -> bool {
    let is_lower = word
        .bytes()
        .all(|byte| byte.is_ascii_lowercase() || byte == b'_');
    is_lower && word.len() > 2 && !word.starts_with('_') && !word.ends_with('_')
}

/// The literals of a piece of source, each with what stands before it.
fn literals(source: &str) -> impl Iterator<Item = (&str, &str)> {
    let mut ends = source.match_indices('"').map(|(at, _)| at);
    std::iter::from_fn(move || {
        let (start, end) = (ends.next()?, ends.next()?);
        Some((source[..start].trim_end(), &source[start + 1..end]))
    })
}

fn speaks_of_code(text: &str) -> bool {
    text.split(|c: char| !c.is_alphanumeric() && c != '_')
        .any(|word| word == "code")
}

/// The statements of a source, as its formatter lays them out. One that begins a block and speaks
/// of a code has the block in it: `let code = match error {`.
fn statements(source: &str) -> Vec<String> {
    let (mut statements, mut current, mut until) = (Vec::new(), String::new(), None::<String>);
    for line in source
        .lines()
        .filter(|line| !line.trim_start().starts_with("//"))
    {
        let line = line.replace("\\\"", "");
        current.push_str(&line);
        current.push('\n');
        let is_end = match &until {
            Some(end) => line.starts_with(end),
            None => line.ends_with([';', '{', '}']),
        };
        if until.is_none() && line.ends_with('{') && speaks_of_code(&current) {
            let indent = &line[..line.len() - line.trim_start().len()];
            until = Some(format!("{indent}}}"));
        } else if is_end {
            until = None;
            statements.push(std::mem::take(&mut current));
        }
    }
    statements.push(current);
    statements
}

/// The codes in one file.
fn codes_of(source: &str) -> BTreeSet<String> {
    let source = source
        .split("#[cfg(test)]\nmod tests")
        .next()
        .unwrap_or_default();
    let mut codes = BTreeSet::new();
    for statement in statements(source) {
        let speaks = speaks_of_code(&statement);
        for (before, word) in literals(&statement).filter(|(_, word)| is_code(word)) {
            let is_made = MAKERS.iter().any(|maker| before.ends_with(maker));
            // `Problem::new(StatusCode::CONFLICT, "order_open", …)`
            let is_problem = before.strip_suffix(',').is_some_and(|before| {
                before
                    .rsplit_once("StatusCode::")
                    .is_some_and(|(_, status)| !status.contains([',', '(', ' ']))
            });
            if is_made || is_problem || (speaks && word.contains('_')) {
                codes.insert(word.to_owned());
            }
        }
    }
    codes
}

/// Every code in the sources, with a file where it is made.
fn made() -> BTreeMap<String, PathBuf> {
    let mut files = Vec::new();
    for name in CRATES {
        sources(
            &repository().join("crates").join(name).join("src"),
            &mut files,
        );
    }
    let mut codes = BTreeMap::new();
    for file in files {
        let source = fs::read_to_string(&file).expect("UTF-8");
        for code in codes_of(&source) {
            codes.entry(code).or_insert_with(|| file.clone());
        }
    }
    codes.retain(|code, _| !NO_CODES.contains(&&**code));
    codes
}

/// The words in backticks.
fn quoted(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

#[test]
fn every_code_is_documented() {
    let pages =
        PAGES.map(|page| fs::read_to_string(repository().join("docs").join(page)).expect("a page"));
    let documented: BTreeSet<&str> = pages.iter().flat_map(|page| quoted(page)).collect();
    let made = made();
    for code in [
        "output_failed",
        "journal_damaged",
        "key_exists",
        "skill_refused",
        "tile_invalid",
        "log_forked",
        "usage",
    ] {
        assert!(made.contains_key(code), "the scanner does not find {code}");
    }
    let missing: Vec<_> = made
        .iter()
        .filter(|(code, _)| !documented.contains(&***code))
        .collect();
    assert!(
        missing.is_empty(),
        "on no page of docs ({PAGES:?}): {missing:#?}"
    );
}

#[test]
fn every_documented_code_exists() {
    let mut files = Vec::new();
    for entry in fs::read_dir(repository().join("crates")).expect("crates") {
        sources(&entry.expect("an entry").path().join("src"), &mut files);
    }
    let text: String = files
        .iter()
        .map(|file| fs::read_to_string(file).expect("UTF-8"))
        .collect();
    for page in PAGES {
        let page = fs::read_to_string(repository().join("docs").join(page)).expect("a page");
        // Rows of tables whose heading has a column of codes, the first or the second.
        let mut column = None;
        for line in page.lines() {
            let cells: Vec<&str> = line
                .trim()
                .trim_matches('|')
                .split(" | ")
                .map(str::trim)
                .collect();
            match cells
                .iter()
                .position(|cell| matches!(cell.trim_matches('`'), "Code" | "code" | "error_code"))
            {
                Some(at) if line.starts_with('|') => column = Some(at),
                _ if !line.starts_with('|') => column = None,
                _ => {}
            }
            let Some(cell) = column.and_then(|at| cells.get(at)) else {
                continue;
            };
            for code in quoted(cell).filter(|code| is_code(code) && *code != "code") {
                assert!(
                    text.contains(&format!("\"{code}\"")),
                    "{code} stands in a table and in no source"
                );
            }
        }
    }
}
