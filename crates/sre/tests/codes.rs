//! The enum of error codes and the tables of the documentation name the same codes.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use sre_core::ErrorCode;

/// Pages with tables of codes.
const PAGES: [&str; 2] = ["reference/errors.md", "reference/python-package.md"];

fn page(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../docs")
        .join(name);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The words in backticks.
fn quoted(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

/// The codes in the tables of a page that have a column headed `Code` or `error_code`.
fn listed(page: &str) -> BTreeSet<String> {
    let mut codes = BTreeSet::new();
    let mut column = None;
    let mut lines = page.lines().peekable();
    while let Some(line) = lines.next() {
        if !line.starts_with('|') {
            column = None;
            continue;
        }
        let cells: Vec<&str> = line.trim_matches('|').split(" | ").map(str::trim).collect();
        let is_heading = |cell: &&str| {
            matches!(
                cell.trim_matches('`'),
                "Code" | "Codes" | "code" | "error_code"
            )
        };
        if lines.peek().is_some_and(|next| next.starts_with("|--")) {
            column = cells.iter().position(is_heading);
        } else if let Some(cell) = column.and_then(|at| cells.get(at)) {
            let is_code = |word: &&str| {
                word.len() > 2
                    && word
                        .bytes()
                        .all(|byte| byte.is_ascii_lowercase() || byte == b'_')
            };
            codes.extend(quoted(cell).filter(is_code).map(str::to_owned));
        }
    }
    codes
}

#[test]
fn every_code_is_documented() {
    let pages = PAGES.map(page);
    let documented: BTreeSet<&str> = pages.iter().flat_map(|page| quoted(page)).collect();
    let missing: Vec<&str> = ErrorCode::ALL
        .iter()
        .map(|code| code.as_str())
        .filter(|code| !documented.contains(code))
        .collect();
    assert!(missing.is_empty(), "on no page of {PAGES:?}: {missing:?}");
}

#[test]
fn every_documented_code_exists() {
    let mut rows = 0;
    for name in PAGES {
        let listed = listed(&page(name));
        rows += listed.len();
        let unknown: Vec<&String> = listed
            .iter()
            .filter(|code| code.parse::<ErrorCode>().is_err())
            .collect();
        assert!(unknown.is_empty(), "{name} lists {unknown:?}");
    }
    assert!(rows > 100, "the tables were not found: {rows} codes");
}

#[test]
fn a_code_reads_back_as_itself_and_occurs_once() {
    let mut texts = BTreeSet::new();
    for &code in ErrorCode::ALL {
        assert_eq!(code.as_str().parse(), Ok(code));
        assert!(texts.insert(code.as_str()), "{code} occurs twice");
    }
}

/// The table of the commands' codes says how `sre` exits.
#[test]
fn the_documented_exit_codes_are_those_of_the_codes() {
    let mut compared = 0;
    for line in page(PAGES[0])
        .lines()
        .filter(|line| line.starts_with("| `"))
    {
        let cells: Vec<&str> = line.trim_matches('|').split(" | ").map(str::trim).collect();
        let exits = cells
            .get(1)
            .map(|cell| {
                cell.split([',', ' '])
                    .filter_map(|word| word.parse::<u8>().ok())
            })
            .map(Iterator::collect::<Vec<u8>>)
            .unwrap_or_default();
        for code in quoted(cells[0]).filter_map(|word| word.parse::<ErrorCode>().ok()) {
            if !exits.is_empty() {
                assert!(exits.contains(&code.exit_code()), "{code} exits {exits:?}");
                compared += 1;
            }
        }
    }
    assert!(compared > 50, "the tables were not found: {compared} codes");
}
