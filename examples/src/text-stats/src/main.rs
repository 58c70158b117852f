//! Measures an English text: its length, how hard it is to read, and which phrases carry it.
//!
//! Readability is Flesch's reading ease and the Flesch–Kincaid grade, over syllables counted by
//! rule. Key phrases are found as RAKE does (Rose et al. 2010, "Automatic keyword extraction from
//! individual documents"): runs of words between stop words and punctuation, scored by how much
//! company their words keep.

use std::collections::{BTreeMap, BTreeSet};
use std::error::Error;
use std::io;
use std::process::ExitCode;

use serde::{Deserialize, Serialize};

/// Words that carry no meaning of their own and so end a phrase.
const STOP_WORDS: &str = include_str!("stopwords.txt");
/// A full stop after one of these does not end a sentence.
const ABBREVIATIONS: [&str; 16] = [
    "al", "approx", "cf", "dr", "etc", "fig", "inc", "jr", "ltd", "mr", "mrs", "ms", "prof", "sr",
    "st", "vs",
];
/// Longer runs are lists or titles rather than phrases.
const MAX_PHRASE_WORDS: usize = 4;
/// Silent reading of English prose, Brysbaert 2019.
const WORDS_PER_MINUTE: usize = 238;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Input {
    text: String,
    /// How many key phrases to list.
    #[serde(default = "ten")]
    max_phrases: usize,
}

fn ten() -> usize {
    10
}

#[derive(Debug, Serialize)]
struct Report {
    characters: usize,
    words: usize,
    sentences: usize,
    paragraphs: usize,
    syllables: usize,
    reading_time_seconds: usize,
    /// None without words.
    readability: Option<Readability>,
    key_phrases: Vec<KeyPhrase>,
}

#[derive(Debug, PartialEq, Serialize)]
struct Readability {
    words_per_sentence: f64,
    syllables_per_word: f64,
    flesch_reading_ease: f64,
    flesch_kincaid_grade: f64,
}

#[derive(Debug, PartialEq, Serialize)]
struct KeyPhrase {
    phrase: String,
    score: f64,
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
    let paragraphs = paragraphs(&input.text);
    // A sentence is its clauses, a clause its words.
    let sentences: Vec<Vec<Vec<String>>> = paragraphs
        .iter()
        .flat_map(|p| sentences(p))
        .map(|s| clauses(&s))
        .filter(|c| !c.is_empty())
        .collect();
    let clauses: Vec<&[String]> = sentences.iter().flatten().map(Vec::as_slice).collect();
    let words = clauses.iter().map(|clause| clause.len()).sum();
    let syllables = clauses
        .iter()
        .copied()
        .flatten()
        .map(|word| syllables(word))
        .sum();
    Report {
        characters: input.text.chars().count(),
        words,
        sentences: sentences.len(),
        paragraphs: paragraphs.len(),
        syllables,
        reading_time_seconds: (words * 60).div_ceil(WORDS_PER_MINUTE),
        readability: (words > 0)
            .then(|| readability(words as f64, sentences.len() as f64, syllables as f64)),
        key_phrases: key_phrases(&clauses, input.max_phrases),
    }
}

/// Blocks of lines between blank lines, each joined to one line.
fn paragraphs(text: &str) -> Vec<String> {
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    lines
        .split(|line| line.is_empty())
        .filter(|block| !block.is_empty())
        .map(|block| block.join(" "))
        .collect()
}

fn sentences(paragraph: &str) -> Vec<String> {
    let tokens: Vec<&str> = paragraph.split_whitespace().collect();
    tokens
        .split_inclusive(|token| ends_sentence(token))
        .map(|sentence| sentence.join(" "))
        .collect()
}

fn ends_sentence(token: &str) -> bool {
    let token = token.trim_matches(|c| {
        matches!(
            c,
            '"' | '\'' | '“' | '”' | '‘' | '’' | '(' | ')' | '[' | ']' | '*' | '_'
        )
    });
    let Some(word) = token.strip_suffix('.') else {
        return token.ends_with(['!', '?', '…']);
    };
    // "J." and "e.g." as well as "Dr."
    let is_initials = word
        .split('.')
        .all(|part| part.chars().count() == 1 && part.chars().all(char::is_alphabetic));
    !is_initials && !ABBREVIATIONS.contains(&word.to_lowercase().as_str())
}

/// The words of a sentence in lower case, cut where punctuation stands.
fn clauses(sentence: &str) -> Vec<Vec<String>> {
    let mut clauses = vec![Vec::new()];
    for token in sentence
        .split_whitespace()
        .flat_map(|token| token.split(['—', '–', '/', '…']))
    {
        let word = token.trim_matches(|c: char| !c.is_alphanumeric());
        if !token.starts_with(char::is_alphanumeric) {
            clauses.push(Vec::new());
        }
        if !word.is_empty() {
            clauses
                .last_mut()
                .expect("never empty")
                .push(word.to_lowercase().replace('’', "'"));
        }
        if !token.ends_with(char::is_alphanumeric) {
            clauses.push(Vec::new());
        }
    }
    clauses.retain(|clause| !clause.is_empty());
    clauses
}

/// Groups of vowels, without a silent final "e" or "ed"; at least one.
fn syllables(word: &str) -> usize {
    let is_vowel = |c: char| matches!(c, 'a' | 'e' | 'i' | 'o' | 'u' | 'y');
    let letters: Vec<char> = word.chars().filter(|c| c.is_alphabetic()).collect();
    let groups = letters
        .chunk_by(|a, b| is_vowel(*a) == is_vowel(*b))
        .filter(|group| is_vowel(group[0]))
        .count();
    let is_silent = match letters[..] {
        [.., before, 'l', 'e'] => is_vowel(before), // "whole", but not "table"
        [.., before, 'e', 'd'] => !matches!(before, 't' | 'd') && !is_vowel(before), // "jumped", but not "wanted"
        [.., before, 'e'] => !is_vowel(before), // "make", but not "free"
        _ => false,
    };
    (groups - usize::from(is_silent && groups > 1)).max(1)
}

fn readability(words: f64, sentences: f64, syllables: f64) -> Readability {
    let (length, weight) = (words / sentences, syllables / words);
    Readability {
        words_per_sentence: rounded(length),
        syllables_per_word: rounded(weight),
        flesch_reading_ease: rounded(206.835 - 1.015 * length - 84.6 * weight),
        flesch_kincaid_grade: rounded(0.39 * length + 11.8 * weight - 15.59),
    }
}

/// A word's weight is its degree (the summed length of the phrases it occurs in) over its
/// frequency; a phrase's score is the sum of its words' weights, times how often the phrase occurs.
fn key_phrases(clauses: &[&[String]], max_phrases: usize) -> Vec<KeyPhrase> {
    let stop_words: BTreeSet<&str> = STOP_WORDS.split_whitespace().collect();
    let ends_phrase = |word: &String| {
        stop_words.contains(word.as_str())
            || word.chars().count() < 2
            || !word.contains(char::is_alphabetic)
    };
    let phrases: Vec<&[String]> = clauses
        .iter()
        .flat_map(|clause| clause.split(ends_phrase))
        .filter(|phrase| (1..=MAX_PHRASE_WORDS).contains(&phrase.len()))
        .collect();

    let mut words = BTreeMap::<&str, (usize, usize)>::new();
    let mut counts = BTreeMap::<&[String], usize>::new();
    for phrase in phrases {
        *counts.entry(phrase).or_default() += 1;
        for word in phrase {
            let (degree, frequency) = words.entry(word).or_default();
            *degree += phrase.len();
            *frequency += 1;
        }
    }
    let weight = |word: &String| {
        let (degree, frequency) = words[word.as_str()];
        degree as f64 / frequency as f64
    };
    let mut list: Vec<KeyPhrase> = counts
        .into_iter()
        .map(|(phrase, count)| KeyPhrase {
            phrase: phrase.join(" "),
            score: rounded(phrase.iter().map(weight).sum::<f64>() * count as f64),
            count,
        })
        .collect();
    list.sort_by(|a, b| {
        b.score
            .total_cmp(&a.score)
            .then(b.count.cmp(&a.count))
            .then(a.phrase.cmp(&b.phrase))
    });
    list.truncate(max_phrases);
    list
}

/// Six decimals.
fn rounded(x: f64) -> f64 {
    (x * 1e6).round() / 1e6 + 0.0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Report {
        report(&Input {
            text: text.into(),
            max_phrases: 3,
        })
    }

    #[test]
    fn abbreviations_initials_and_decimals_do_not_end_a_sentence() {
        let text =
            "Dr. J. Doe paid 3.50 to e.g. Mr. Roe. \"Why?\" Nobody knows (yet.) Title without stop";
        assert_eq!(sentences(text).len(), 4);
    }

    #[test]
    fn syllables_are_counted_by_rule() {
        for (word, count) in [
            ("the", 1),
            ("make", 1),
            ("table", 2),
            ("whole", 1),
            ("jumped", 1),
            ("wanted", 2),
        ] {
            assert_eq!(syllables(word), count, "{word}");
        }
        for (word, count) in [
            ("readability", 5),
            ("free", 1),
            ("rhythm", 1),
            ("x", 1),
            ("42", 1),
        ] {
            assert_eq!(syllables(word), count, "{word}");
        }
    }

    #[test]
    fn readability_follows_flesch() {
        // 6 words, 1 sentence, 6 syllables: 206.835 − 1.015·6 − 84.6 and 0.39·6 + 11.8 − 15.59.
        let readability = read("The cat sat on the mat.")
            .readability
            .expect("there are words");
        assert_eq!(
            (
                readability.flesch_reading_ease,
                readability.flesch_kincaid_grade
            ),
            (116.145, -1.45)
        );
    }

    #[test]
    fn phrases_end_at_stop_words_and_punctuation() {
        let phrases =
            read("Linear constraints over natural numbers, minimal set of natural numbers.")
                .key_phrases;
        let found: Vec<_> = phrases
            .iter()
            .map(|p| (p.phrase.as_str(), p.score, p.count))
            .collect();
        assert_eq!(
            found,
            [
                ("natural numbers", 8.0, 2),
                ("linear constraints", 4.0, 1),
                ("minimal set", 4.0, 1)
            ]
        );
    }

    #[test]
    fn punctuation_alone_is_no_sentence() {
        let report = read("... !\n\n—");
        assert_eq!(
            (report.words, report.sentences, report.readability),
            (0, 0, None)
        );
    }
}
