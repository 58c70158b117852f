//! What is allowed in a package and worth knowing: keys that are not read, a name that was made.
//!
//! Notes are for authors. They are not part of a skill: two packages with the same files have the
//! same digest whatever was noted about them.

/// One remark about a package.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// How much it matters.
    pub level: NoteLevel,
    /// The remark: one line, with what the author can do.
    pub message: String,
}

/// How much a [`Note`] matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum NoteLevel {
    /// Everything works; this is what was done about it.
    Information,
    /// Probably not what the author meant.
    Warning,
}

impl Note {
    pub(crate) fn information(message: impl Into<String>) -> Self {
        Self {
            level: NoteLevel::Information,
            message: message.into(),
        }
    }

    pub(crate) fn warning(message: impl Into<String>) -> Self {
        Self {
            level: NoteLevel::Warning,
            message: message.into(),
        }
    }

    /// About a key that is not read. `place` is the mapping it stands in, `known` are the keys that
    /// are read there.
    pub(crate) fn unknown_key(key: &str, place: &str, known: &[&str]) -> Self {
        let shown = shortened(key);
        match known.iter().find(|known| is_misspelt(key, known)) {
            Some(near) => Self::warning(format!(
                "{place} has the key {shown}, which is not read; is it {near:?}?"
            )),
            None => Self::information(format!("{place} has the key {shown}, which is not read")),
        }
    }
}

/// A key as it may stand in a message: quoted, escaped, of bounded length.
fn shortened(key: &str) -> String {
    let mut cut: String = key.chars().take(80).collect();
    if cut.len() < key.len() {
        cut.push('…');
    }
    format!("{cut:?}")
}

/// Whether `key` is `known` with one letter wrong, missing, added or swapped; with two in a long
/// word.
fn is_misspelt(key: &str, known: &str) -> bool {
    // `io` is one step from any short word.
    if known.len() < 4 || key.len() > 2 * known.len() {
        return false;
    }
    let folded = |text: &str| text.to_lowercase().replace(['_', ' '], "-");
    let distance = strsim::osa_distance(&folded(key), &folded(known));
    distance <= if known.len() < 8 { 1 } else { 2 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_misses_of_a_known_key_are_warnings() {
        let known = ["runtime", "io", "annotations", "description", "version"];
        for (key, near) in [
            ("anotations", Some("annotations")),
            ("Runtime", Some("runtime")),
            ("runtmie", Some("runtime")),
            ("descripton", Some("description")),
            ("id", None),
            ("author", None),
            ("homepage", None),
            ("triggers", None),
        ] {
            let note = Note::unknown_key(key, "SKILL.md", &known);
            match near {
                Some(near) => {
                    assert_eq!(note.level, NoteLevel::Warning, "{key}");
                    assert!(note.message.contains(near), "{}", note.message);
                }
                None => assert_eq!(note.level, NoteLevel::Information, "{key}"),
            }
        }
    }
}
