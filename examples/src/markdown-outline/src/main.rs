//! Turns a Markdown document into its outline: nested sections with the anchors that GitHub would
//! give them and the number of words in each.
//!
//! The document is parsed (CommonMark with the GitHub extensions), not searched, so that a `#`
//! inside a code block or in YAML front matter is not a heading, and underlined headings are. Built
//! as a WASI 0.2 component.

use std::collections::BTreeMap;
use std::error::Error;
use std::io;
use std::iter::Peekable;
use std::process::ExitCode;

use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};
use serde::{Deserialize, Serialize};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Input {
    markdown: String,
    /// Headings deeper than this count as text of the section they stand in.
    #[serde(default = "six")]
    max_level: u8,
}

fn six() -> u8 {
    6
}

#[derive(Debug, Serialize)]
struct Outline {
    /// The first heading of level 1.
    title: Option<String>,
    words: usize,
    /// Words before the first heading.
    preamble_words: usize,
    headings: usize,
    sections: Vec<Section>,
}

#[derive(Debug, Serialize)]
struct Section {
    level: u8,
    heading: String,
    slug: String,
    /// Line of the heading, from 1.
    line: usize,
    /// Words between this heading and the next one.
    words: usize,
    /// The same with all subsections.
    total_words: usize,
    children: Vec<Section>,
}

/// A stretch of the document from one heading to the next, as the parser meets it.
#[derive(Default)]
struct Stretch {
    level: u8,
    heading: String,
    line: usize,
    prose: String,
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
    println!("{}", serde_json::to_string(&outline(&input))?);
    Ok(())
}

fn outline(input: &Input) -> Outline {
    let mut stretches = stretches(&input.markdown, input.max_level);
    let headed = stretches.split_off(1);
    let preamble_words = words(&stretches[0].prose);

    let mut slugs = Slugs::default();
    let title = headed
        .iter()
        .find(|s| s.level == 1)
        .map(|s| s.heading.trim().to_owned());
    let headings = headed.len();
    let mut flat = headed.into_iter().map(|s| Section {
        level: s.level,
        heading: s.heading.trim().to_owned(),
        slug: slugs.next(s.heading.trim()),
        line: s.line,
        words: words(&s.prose),
        total_words: 0,
        children: Vec::new(),
    });
    let sections = nest(&mut flat.by_ref().peekable(), 0);
    let words = preamble_words + sections.iter().map(|s| s.total_words).sum::<usize>();
    Outline {
        title,
        words,
        preamble_words,
        headings,
        sections,
    }
}

/// The document cut at its headings. The first stretch is what stands before any heading.
fn stretches(markdown: &str, max_level: u8) -> Vec<Stretch> {
    let options = Options::ENABLE_GFM
        | Options::ENABLE_TABLES
        | Options::ENABLE_STRIKETHROUGH
        | Options::ENABLE_TASKLISTS
        | Options::ENABLE_FOOTNOTES
        | Options::ENABLE_YAML_STYLE_METADATA_BLOCKS;
    let mut done = Vec::new();
    let mut current = Stretch::default();
    let (mut in_heading, mut in_code) = (false, false);
    let (mut offset, mut line) = (0, 1);
    for (event, range) in Parser::new_ext(markdown, options).into_offset_iter() {
        let target = if in_heading {
            &mut current.heading
        } else {
            &mut current.prose
        };
        match event {
            Event::Start(Tag::Heading { level, .. }) if level as u8 <= max_level => {
                line += markdown[offset..range.start].matches('\n').count();
                offset = range.start;
                let next = Stretch {
                    level: level as u8,
                    line,
                    ..Stretch::default()
                };
                done.push(std::mem::replace(&mut current, next));
                in_heading = true;
            }
            Event::End(TagEnd::Heading(_)) if in_heading => in_heading = false,
            Event::Start(Tag::CodeBlock(_) | Tag::MetadataBlock(_)) => in_code = true,
            Event::End(TagEnd::CodeBlock | TagEnd::MetadataBlock(_)) => in_code = false,
            Event::Text(text) | Event::Code(text) if !in_code => target.push_str(&text),
            // The end of an inline element does not end a word: "**bold**ly".
            Event::End(
                TagEnd::Emphasis
                | TagEnd::Strong
                | TagEnd::Strikethrough
                | TagEnd::Link
                | TagEnd::Image,
            ) => {}
            Event::End(_) | Event::SoftBreak | Event::HardBreak => target.push(' '),
            _ => {}
        }
    }
    done.push(current);
    done
}

/// White-space separated tokens with at least one letter or digit.
fn words(prose: &str) -> usize {
    prose
        .split_whitespace()
        .filter(|token| token.contains(char::is_alphanumeric))
        .count()
}

/// Takes the sections deeper than `above` from the front of `flat`, each with its subsections.
fn nest(flat: &mut Peekable<impl Iterator<Item = Section>>, above: u8) -> Vec<Section> {
    let mut siblings = Vec::new();
    while let Some(mut section) = flat.next_if(|next| next.level > above) {
        section.children = nest(flat, section.level);
        section.total_words = section.words
            + section
                .children
                .iter()
                .map(|c| c.total_words)
                .sum::<usize>();
        siblings.push(section);
    }
    siblings
}

/// Anchors as GitHub makes them: lower case, punctuation dropped, a hyphen for each space, and
/// `-1`, `-2`, … when a slug was taken already.
#[derive(Default)]
struct Slugs {
    /// Every slug given, with the last number appended to it.
    given: BTreeMap<String, usize>,
}

impl Slugs {
    fn next(&mut self, heading: &str) -> String {
        let kept = heading
            .chars()
            .filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
        let base = kept.collect::<String>().to_lowercase().replace(' ', "-");
        let mut slug = base.clone();
        let mut number = self.given.get(&base).copied().unwrap_or(0);
        while self.given.contains_key(&slug) {
            number += 1;
            slug = format!("{base}-{number}");
        }
        self.given.insert(base, number);
        self.given.entry(slug.clone()).or_insert(0);
        slug
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(markdown: &str) -> Outline {
        outline(&Input {
            markdown: markdown.into(),
            max_level: 6,
        })
    }

    /// Slugs, children in brackets.
    fn tree(sections: &[Section]) -> String {
        let show = |s: &Section| {
            if s.children.is_empty() {
                s.slug.clone()
            } else {
                format!("{}[{}]", s.slug, tree(&s.children))
            }
        };
        sections.iter().map(show).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn levels_nest_also_when_one_is_skipped() {
        assert_eq!(tree(&read("# a\n### b\n## c\n# d\n").sections), "a[b c] d");
    }

    #[test]
    fn slugs_are_unique_as_on_github() {
        assert_eq!(
            tree(&read("# A b!\n# a-b\n# A B\n# a-b-1\n# C & `d_e`\n").sections),
            "a-b a-b-1 a-b-2 a-b-1-1 c--d_e"
        );
    }

    #[test]
    fn code_and_front_matter_hold_no_headings_and_no_words() {
        let outline = read(
            "---\nname: x\n---\none two\n\n```sh\n# not a heading\n```\n\nTitle\n=====\nthree **fo**ur - `five`\n",
        );
        assert_eq!(
            (
                tree(&outline.sections).as_str(),
                outline.preamble_words,
                outline.words
            ),
            ("title", 2, 5)
        );
        assert_eq!(outline.sections[0].line, 10);
    }

    #[test]
    fn headings_below_the_limit_are_text() {
        let outline = outline(&Input {
            markdown: "# a\none\n## b c\ntwo\n".into(),
            max_level: 1,
        });
        assert_eq!((outline.headings, outline.sections[0].words), (1, 4));
    }
}
