//! What a script says about its arguments, read without running it.
//!
//! Most published scripts declare their arguments with Python's `argparse` or with JavaScript's
//! `commander`. Where the declarations are plain calls with plain strings, their text can be read
//! from the source. This is help for people and decides nothing: a declaration in a loop or with a
//! computed string is not found.

use sre_core::RuntimeKind;

/// Sources beyond this are not read, in bytes.
const SOURCE_LIMIT_BYTES: usize = 1 << 20;
/// Arguments beyond this are not listed.
const ARGUMENTS_LIMIT: usize = 200;
/// How much of one text is kept, in characters.
const TEXT_LIMIT_CHARS: usize = 500;

/// What a script says about itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Usage {
    /// What it does.
    pub description: Option<String>,
    /// Its arguments, in the order of their declaration.
    pub arguments: Vec<Argument>,
}

/// One declared argument.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Argument {
    /// Its name or flags as they are written, for instance `-o, --output`.
    pub names: String,
    /// What it is for.
    pub help: Option<String>,
}

impl Usage {
    /// Reads the source of a script; `None` where it declares nothing that can be read.
    #[must_use]
    pub fn of_script(kind: RuntimeKind, source: &[u8]) -> Option<Self> {
        if source.len() > SOURCE_LIMIT_BYTES {
            return None;
        }
        let source = std::str::from_utf8(source).ok()?;
        let usage = match kind {
            RuntimeKind::Python if source.contains("argparse") => of_argparse(source),
            RuntimeKind::Javascript if source.contains("commander") => of_commander(source),
            _ => return None,
        };
        (usage != Self::default()).then_some(usage)
    }
}

fn of_argparse(source: &str) -> Usage {
    let parser = calls(source, "ArgumentParser").next();
    let description = parser.and_then(|arguments| keyword(&arguments, "description"));
    let arguments = calls(source, ".add_argument").filter_map(|arguments| {
        let names: Vec<String> = arguments
            .iter()
            .map_while(|argument| literal(argument))
            .collect();
        (!names.is_empty()).then(|| Argument {
            names: cut(&names.join(", ")),
            help: keyword(&arguments, "help"),
        })
    });
    Usage {
        description,
        arguments: arguments.take(ARGUMENTS_LIMIT).collect(),
    }
}

fn of_commander(source: &str) -> Usage {
    let description = calls(source, ".description")
        .next()
        .and_then(|arguments| literal(arguments.first()?));
    let mut found = Vec::new();
    for name in [".argument", ".option", ".requiredOption"] {
        for arguments in calls(source, name).take(ARGUMENTS_LIMIT) {
            let Some(names) = arguments.first().and_then(|first| literal(first)) else {
                continue;
            };
            let help = arguments.get(1).and_then(|second| literal(second));
            found.push(Argument {
                names: cut(&names),
                help: help.map(|help| cut(&help)),
            });
        }
    }
    found.truncate(ARGUMENTS_LIMIT);
    Usage {
        description: description.map(|text| cut(&text)),
        arguments: found,
    }
}

/// The arguments of every call of `name`, as they are written.
fn calls<'a>(source: &'a str, name: &'a str) -> impl Iterator<Item = Vec<&'a str>> {
    source.match_indices(name).filter_map(move |(at, _)| {
        let rest = source[at + name.len()..].trim_start();
        split(rest.strip_prefix('(')?)
    })
}

/// What stands between the commas up to the closing parenthesis; `None` where there is none.
fn split(text: &str) -> Option<Vec<&str>> {
    let bytes = text.as_bytes();
    let (mut parts, mut start, mut depth, mut at) = (Vec::new(), 0, 0usize, 0);
    while at < bytes.len() {
        match bytes[at] {
            b'"' | b'\'' | b'`' => {
                at = end_of_string(bytes, at)?;
                continue;
            }
            b'#' => {
                // A comment of Python may hold an apostrophe.
                at += bytes[at..].iter().position(|b| *b == b'\n')?;
            }
            b'(' | b'[' | b'{' => depth += 1,
            b')' if depth == 0 => {
                parts.push(text[start..at].trim());
                parts.retain(|part| !part.is_empty());
                return Some(parts);
            }
            b')' | b']' | b'}' => depth = depth.checked_sub(1)?,
            b',' if depth == 0 => {
                parts.push(text[start..at].trim());
                start = at + 1;
            }
            _ => {}
        }
        at += 1;
    }
    None
}

/// The place behind the string that begins at `start`, Python's triple quotes included.
fn end_of_string(bytes: &[u8], start: usize) -> Option<usize> {
    let quote = bytes[start];
    let triple = [quote; 3];
    let mark: &[u8] = if bytes[start..].starts_with(&triple) {
        &triple
    } else {
        &triple[..1]
    };
    let mut at = start + mark.len();
    while at < bytes.len() {
        if bytes[at] == b'\\' {
            at += 2;
        } else if bytes[at..].starts_with(mark) {
            return Some(at + mark.len());
        } else {
            at += 1;
        }
    }
    None
}

/// The value of `name=…` among the arguments, if it is a plain string.
fn keyword(arguments: &[&str], name: &str) -> Option<String> {
    let value = arguments.iter().find_map(|argument| {
        let rest = argument.strip_prefix(name)?.trim_start();
        rest.strip_prefix('=')
    })?;
    literal(value).map(|text| cut(&text))
}

/// A string literal, or several that stand beside each other, as one text.
fn literal(text: &str) -> Option<String> {
    let mut text = text.trim();
    while let Some(inner) = text
        .strip_prefix('(')
        .and_then(|text| text.strip_suffix(')'))
    {
        text = inner.trim();
    }
    let mut whole = String::new();
    while !text.is_empty() {
        // Python's raw and Unicode strings; an f-string is computed.
        let quoted = text.trim_start_matches(['r', 'R', 'u', 'U']);
        if !quoted.starts_with(['"', '\'', '`']) {
            return None;
        }
        let end = end_of_string(quoted.as_bytes(), 0)?;
        let quotes = if quoted.len() >= 6 && quoted.as_bytes()[..3] == [quoted.as_bytes()[0]; 3] {
            3
        } else {
            1
        };
        whole.push_str(&unescaped(quoted.get(quotes..end - quotes)?));
        text = quoted[end..].trim_start();
    }
    (!whole.is_empty()).then_some(whole)
}

fn unescaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut characters = text.chars();
    while let Some(c) = characters.next() {
        match (c, c == '\\') {
            (_, false) => out.push(c),
            _ => match characters.next() {
                Some('n') => out.push('\n'),
                Some('t') => out.push('\t'),
                Some('\n') | None => {}
                Some(other) => out.push(other),
            },
        }
    }
    out
}

/// On one line, of bounded length, without control characters.
fn cut(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let mut cut: String = line
        .chars()
        .filter(|c| !c.is_control())
        .take(TEXT_LIMIT_CHARS)
        .collect();
    if cut.len() < line.len() {
        cut.push('…');
    }
    cut
}

#[cfg(test)]
mod tests {
    use super::*;

    fn argument(names: &str, help: Option<&str>) -> Argument {
        Argument {
            names: names.to_owned(),
            help: help.map(str::to_owned),
        }
    }

    #[test]
    fn argparse_declarations_are_read() {
        let source = r##"
import argparse
parser = argparse.ArgumentParser(
    prog="merge", description="Merges files, "
    'one after the other (in "order").', epilog=f"{x}")
parser.add_argument("inputs", nargs="+", help="""what to
    merge""")  # the user's files
parser.add_argument('-o', "--output", default=(1, 2), help=("where to " "write"))
group.add_argument("--quiet", action="store_true")
group.add_argument(*names, help="computed")
"##;
        let usage = Usage::of_script(RuntimeKind::Python, source.as_bytes()).expect("a usage");
        assert_eq!(
            usage.description.as_deref(),
            Some("Merges files, one after the other (in \"order\").")
        );
        assert_eq!(
            usage.arguments,
            [
                argument("inputs", Some("what to merge")),
                argument("-o, --output", Some("where to write")),
                argument("--quiet", None),
            ]
        );
    }

    #[test]
    fn commander_declarations_are_read() {
        let source = r#"
import { program } from 'commander';
program.description('Sorts lines').argument('<file>', "what to sort")
  .option('-r, --reverse', `backwards`);
"#;
        let usage = Usage::of_script(RuntimeKind::Javascript, source.as_bytes()).expect("a usage");
        assert_eq!(usage.description.as_deref(), Some("Sorts lines"));
        assert_eq!(
            usage.arguments,
            [
                argument("<file>", Some("what to sort")),
                argument("-r, --reverse", Some("backwards")),
            ]
        );
    }

    proptest::proptest! {
        #[test]
        fn no_source_makes_it_panic(source in "(argparse|commander|\\.add_argument\\(|\\.option\\(|[\"'`(),\\\\#=rfé \n]){0,60}") {
            let source = format!("argparse commander {source}");
            drop(Usage::of_script(RuntimeKind::Python, source.as_bytes()));
            drop(Usage::of_script(RuntimeKind::Javascript, source.as_bytes()));
        }
    }
}
