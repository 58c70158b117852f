//! Patterns that select paths of a tree.
//!
//! The choice decides an outcome, so its meaning is fixed here and does not follow a library's
//! next version. `*` is any number of characters of one part, `?` one character, `**` as a whole
//! part is any number of parts, none included. Everything else means itself.

use serde::{Deserialize, Serialize};

/// Longest pattern, in bytes.
const PATTERN_LIMIT_BYTES: usize = 1024;
/// Most patterns.
const PATTERN_LIMIT_COUNT: usize = 64;
/// Selects everything.
const EVERYTHING: &str = "**";

/// A sorted list of patterns without duplicates; a path is selected where one of them matches.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Vec<String>", into = "Vec<String>")]
pub struct Collect(Vec<String>);

/// Patterns that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GlobError {
    /// A pattern that no path can match.
    #[error("pattern {pattern:?}: {problem}")]
    Pattern {
        /// The pattern, shortened.
        pattern: String,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// More patterns than are allowed.
    #[error("{0} patterns; {PATTERN_LIMIT_COUNT} are allowed")]
    TooMany(usize),
}

impl Default for Collect {
    /// Everything.
    fn default() -> Self {
        Self(vec![EVERYTHING.to_owned()])
    }
}

impl TryFrom<Vec<String>> for Collect {
    type Error = GlobError;

    fn try_from(mut patterns: Vec<String>) -> Result<Self, GlobError> {
        if patterns.len() > PATTERN_LIMIT_COUNT {
            return Err(GlobError::TooMany(patterns.len()));
        }
        for pattern in &patterns {
            check(pattern)?;
        }
        patterns.sort_unstable();
        patterns.dedup();
        Ok(Self(patterns))
    }
}

impl From<Collect> for Vec<String> {
    fn from(collect: Collect) -> Self {
        collect.0
    }
}

impl Collect {
    /// The patterns, sorted.
    #[must_use]
    pub fn patterns(&self) -> &[String] {
        &self.0
    }

    /// Whether every path is selected, whatever it is.
    #[must_use]
    pub fn is_everything(&self) -> bool {
        self.0.iter().any(|pattern| pattern == EVERYTHING)
    }

    /// Whether `path` is selected.
    #[must_use]
    pub fn matches(&self, path: &str) -> bool {
        let parts: Vec<&str> = path.split('/').collect();
        self.0.iter().any(|pattern| {
            let pattern: Vec<&str> = pattern.split('/').collect();
            matches_parts(&pattern, &parts)
        })
    }
}

fn check(pattern: &str) -> Result<(), GlobError> {
    let problem = if pattern.is_empty() {
        "it is empty"
    } else if pattern.len() > PATTERN_LIMIT_BYTES {
        "it is longer than 1024 bytes"
    } else if pattern.contains('\0') {
        "it contains NUL"
    } else if pattern.starts_with('/') {
        "it is absolute; patterns are relative to /workspace"
    } else if pattern
        .split('/')
        .any(|part| matches!(part, "" | "." | ".."))
    {
        "it has a part that is empty, `.` or `..`"
    } else {
        return Ok(());
    };
    let pattern = pattern.chars().take(80).collect();
    Err(GlobError::Pattern { pattern, problem })
}

/// Both wildcards by the same method: on a mismatch go back to the last wildcard and let it take
/// one more. Only the last one needs to be remembered, so the work is at most the product of both
/// lengths, however many wildcards a pattern has.
fn matches_with<P, T>(
    pattern: &[P],
    text: &[T],
    is_wildcard: impl Fn(&P) -> bool,
    is_one: impl Fn(&P, &T) -> bool,
) -> bool {
    let (mut at_pattern, mut at_text) = (0, 0);
    let mut last_wildcard = None;
    while at_text < text.len() {
        match pattern.get(at_pattern) {
            Some(part) if is_wildcard(part) => {
                last_wildcard = Some((at_pattern, at_text));
                at_pattern += 1;
            }
            Some(part) if is_one(part, &text[at_text]) => {
                at_pattern += 1;
                at_text += 1;
            }
            _ => match last_wildcard {
                Some((wildcard, taken)) => {
                    last_wildcard = Some((wildcard, taken + 1));
                    at_pattern = wildcard + 1;
                    at_text = taken + 1;
                }
                None => return false,
            },
        }
    }
    pattern[at_pattern..].iter().all(is_wildcard)
}

fn matches_parts(pattern: &[&str], path: &[&str]) -> bool {
    matches_with(
        pattern,
        path,
        |part| *part == EVERYTHING,
        |part, name| matches_part(part, name),
    )
}

fn matches_part(pattern: &str, name: &str) -> bool {
    let (pattern, name): (Vec<char>, Vec<char>) =
        (pattern.chars().collect(), name.chars().collect());
    matches_with(
        &pattern,
        &name,
        |&part| part == '*',
        |&part, &character| part == '?' || part == character,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn collect(patterns: &[&str]) -> Collect {
        let patterns: Vec<String> = patterns.iter().map(|&p| p.to_owned()).collect();
        Collect::try_from(patterns).expect("patterns")
    }

    #[test]
    fn wildcards_select_what_shells_select() {
        for (pattern, path, expected) in [
            ("**", "a", true),
            ("**", "a/b/c", true),
            ("*", "a", true),
            ("*", "a/b", false),
            ("*.csv", "report.csv", true),
            ("*.csv", "out/report.csv", false),
            ("**/*.csv", "report.csv", true),
            ("**/*.csv", "a/b/report.csv", true),
            ("out/**", "out/a/b", true),
            ("out/**", "output/a", false),
            ("out/**/x?.txt", "out/x1.txt", true),
            ("out/**/x?.txt", "out/a/b/x1.txt", true),
            ("out/**/x?.txt", "out/a/b/x12.txt", false),
            ("a**b", "aXb", true),
            ("*é*", "café.txt", true),
            ("[ab]", "a", false),
            ("[ab]", "[ab]", true),
        ] {
            assert_eq!(
                collect(&[pattern]).matches(path),
                expected,
                "{pattern} {path}"
            );
        }
    }

    #[test]
    fn many_wildcards_take_no_exponential_time() {
        let pattern = format!("{}c", "*a".repeat(300));
        assert!(!collect(&[&pattern]).matches(&"a".repeat(255)));
        let pattern = format!("{}x", "**/a/".repeat(150));
        assert!(!collect(&[&pattern]).matches(&["a"; 400].join("/")));
    }

    #[test]
    fn patterns_that_no_path_can_match_are_refused() {
        for pattern in ["", "/a", "../a", "a/./b", "a//b", "a\0b"] {
            assert!(
                Collect::try_from(vec![pattern.to_owned()]).is_err(),
                "{pattern:?}"
            );
        }
        assert!(Collect::try_from(vec![String::from("a"); 65]).is_err());
    }

    #[test]
    fn order_and_duplicates_do_not_count() {
        assert_eq!(collect(&["b", "a", "b"]), collect(&["a", "b"]));
    }
}
