//! Counts the words of a text.
//!
//! A skill is a command: one JSON object on standard input, one JSON value on standard output, exit
//! code 0. On bad input it writes a message to standard error and exits 1.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::error::Error;
use std::io;
use std::process::ExitCode;

use serde::{Deserialize, Serialize};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Input {
    text: String,
    /// How many of the most frequent words to list.
    #[serde(default = "ten")]
    top: usize,
}

fn ten() -> usize {
    10
}

#[derive(Debug, PartialEq, Serialize)]
struct Report {
    words: usize,
    distinct_words: usize,
    lines: usize,
    /// Unicode scalar values, line ends included.
    characters: usize,
    top_words: Vec<Frequency>,
}

#[derive(Debug, PartialEq, Serialize)]
struct Frequency {
    word: String,
    count: usize,
}

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), Box<dyn Error>> {
    let input: Input = serde_json::from_str(&io::read_to_string(io::stdin())?)?;
    println!("{}", serde_json::to_string(&report(&input))?);
    Ok(())
}

fn report(input: &Input) -> Report {
    let mut counts = BTreeMap::<String, usize>::new();
    for word in words(&input.text) {
        *counts.entry(normalise(word)).or_default() += 1;
    }
    Report {
        words: counts.values().sum(),
        distinct_words: counts.len(),
        lines: input.text.lines().count(),
        characters: input.text.chars().count(),
        top_words: most_frequent(counts, input.top),
    }
}

/// Runs of letters and digits. Apostrophes and single hyphens inside a word belong to it: "don't"
/// and "well-known" are one word each, while a double hyphen is a dash.
fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split("--")
        .flat_map(|part| {
            part.split(|c: char| !c.is_alphanumeric() && !matches!(c, '\'' | '’' | '-'))
        })
        .map(|word| word.trim_matches(|c: char| !c.is_alphanumeric()))
        .filter(|word| !word.is_empty())
}

/// One spelling per word: lower case, and the plain apostrophe for the typographic one.
fn normalise(word: &str) -> String {
    word.to_lowercase().replace('’', "'")
}

/// The most frequent words, ties in alphabetical order (by code point).
fn most_frequent(counts: BTreeMap<String, usize>, top: usize) -> Vec<Frequency> {
    let mut list: Vec<_> = counts
        .into_iter()
        .map(|(word, count)| Frequency { word, count })
        .collect();
    // The map was sorted by word and this sort is stable, so equal counts stay in alphabetical
    // order.
    list.sort_by_key(|frequency| Reverse(frequency.count));
    list.truncate(top);
    list
}

#[cfg(test)]
mod tests {
    use super::*;

    fn top(text: &str) -> Vec<(String, usize)> {
        let report = report(&Input {
            text: text.into(),
            top: 3,
        });
        report
            .top_words
            .into_iter()
            .map(|f| (f.word, f.count))
            .collect()
    }

    #[test]
    fn counts_and_breaks_ties_alphabetically() {
        assert_eq!(
            top("to be or not to be"),
            [("be".into(), 2), ("to".into(), 2), ("not".into(), 1)]
        );
    }

    #[test]
    fn an_apostrophe_belongs_to_the_word_and_a_quotation_mark_does_not() {
        assert_eq!(
            top("'Don’t' said \"don't\""),
            [("don't".into(), 2), ("said".into(), 1)]
        );
    }

    #[test]
    fn a_hyphen_joins_and_a_dash_separates() {
        assert_eq!(
            words("well-known -- or--rather - not").collect::<Vec<_>>(),
            ["well-known", "or", "rather", "not"]
        );
    }

    #[test]
    fn nothing_is_no_words() {
        let report = report(&Input {
            text: String::new(),
            top: 3,
        });
        assert_eq!(
            report,
            Report {
                words: 0,
                distinct_words: 0,
                lines: 0,
                characters: 0,
                top_words: vec![]
            }
        );
    }
}
