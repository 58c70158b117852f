//! The name a skill is known by: 1 to 64 lower-case letters, digits and single hyphens, with no
//! hyphen at either end (Agent Skills).
//!
//! Published skills often break that rule. Their name is then made from what is there: from the
//! name that was written, so that it does not depend on the form a package came in, or else from
//! the folder's.

use crate::Note;
use crate::path::shown;

const NAME_LIMIT_BYTES: usize = 64;
/// The name of a package that has no letter to make one from.
const UNNAMED: &str = "skill";

/// Whether a skill may have this name.
pub(crate) fn is_valid(name: &str) -> bool {
    (1..=NAME_LIMIT_BYTES).contains(&name.len())
        && name
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
        && !name.starts_with('-')
        && !name.ends_with('-')
        && !name.contains("--")
}

/// The written name if a skill may have it, otherwise one that is made, with a note.
pub(crate) fn choose(written: Option<&str>, folder: Option<&str>, notes: &mut Vec<Note>) -> String {
    if let Some(name) = written.filter(|name| is_valid(name)) {
        return name.to_owned();
    }
    let made = [written, folder]
        .into_iter()
        .flatten()
        .find_map(made_from)
        .unwrap_or_else(|| UNNAMED.to_owned());
    if let Some(written) = written {
        let written = shown(written.as_bytes());
        notes.push(Note::information(format!(
            "the name {written} has other characters than lower-case letters, digits and single \
             hyphens, or more than 64; the skill is called {made:?}"
        )));
    } else {
        notes.push(Note::information(format!("the skill is called {made:?}")));
    }
    made
}

/// The letters and digits of a text, in lower case, with hyphens for what stands between them.
fn made_from(text: &str) -> Option<String> {
    let mut made = String::new();
    for c in text.chars() {
        if c.is_ascii_alphanumeric() {
            made.push(c.to_ascii_lowercase());
        } else if !made.is_empty() && !made.ends_with('-') {
            made.push('-');
        }
        if made.len() == NAME_LIMIT_BYTES {
            break;
        }
    }
    let made = made.trim_end_matches('-');
    (!made.is_empty()).then(|| made.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_kept_or_made() {
        for (written, folder, name) in [
            (Some("word-count"), Some("x"), "word-count"),
            (Some("Word_Count v2!"), Some("x"), "word-count-v2"),
            (Some("名前"), Some("My Skill"), "my-skill"),
            (None, Some("folder"), "folder"),
            (None, None, "skill"),
            (Some("--"), None, "skill"),
        ] {
            let mut notes = Vec::new();
            assert_eq!(choose(written, folder, &mut notes), name);
            assert!(is_valid(name));
            assert_eq!(notes.is_empty(), written == Some(name));
        }
        let long = "ab-".repeat(60);
        assert!(is_valid(&choose(Some(&long), None, &mut Vec::new())));
    }
}
