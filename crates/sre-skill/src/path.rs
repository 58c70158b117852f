//! Which names a package may contain.
//!
//! A path is relative, UTF-8, at most 255 bytes long, has `/` between its parts and no part that is
//! empty, `.` or `..`; it has neither backslashes nor control characters. Names that Unicode
//! normalisation makes equal are *not* detected (a known hole: such a package can be ambiguous on
//! file systems that normalise).

use crate::limits::PATH_LIMIT_BYTES;

/// Names that are left out of a package, wherever they stand in a path, in every form: version
/// control, files that operating systems leave behind, Python's compiled files. Besides these, only
/// AppleDouble files (`._name`), which macOS writes beside every file of an archive, are left out.
pub const IGNORED_NAMES: [&str; 6] = [
    ".git",
    ".DS_Store",
    "__pycache__",
    "__MACOSX",
    "Thumbs.db",
    "desktop.ini",
];

/// Why a path is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum PathProblem {
    #[error("is not UTF-8; rename it")]
    NotUtf8,
    #[error("is absolute; paths in a package are relative to its root")]
    Absolute,
    #[error("contains \"..\"; paths in a package stay inside it")]
    Parent,
    #[error("has an empty or \".\" part; write it without")]
    EmptyPart,
    #[error("contains a backslash; separate the parts with \"/\"")]
    Backslash,
    #[error("contains a control character; rename it")]
    Control,
    #[error("is longer than {PATH_LIMIT_BYTES} bytes; shorten it")]
    TooLong,
}

/// Checks `raw`, except for its length (an archive's top folder may still be stripped).
pub(crate) fn check(raw: &[u8]) -> Result<&str, PathProblem> {
    let path = std::str::from_utf8(raw).map_err(|_| PathProblem::NotUtf8)?;
    if path.chars().any(char::is_control) {
        return Err(PathProblem::Control);
    }
    if path.contains('\\') {
        return Err(PathProblem::Backslash);
    }
    let bytes = path.as_bytes();
    let drive = bytes.len() >= 2 && bytes[1] == b':' && bytes[0].is_ascii_alphabetic();
    if path.starts_with('/') || drive {
        return Err(PathProblem::Absolute);
    }
    for part in path.split('/') {
        match part {
            ".." => return Err(PathProblem::Parent),
            "" | "." => return Err(PathProblem::EmptyPart),
            _ => {}
        }
    }
    Ok(path)
}

/// A name as archives write it, without the `./` that `tar -C folder .` puts before every name.
pub(crate) fn without_dot(mut raw: &[u8]) -> &[u8] {
    while let Some(rest) = raw.strip_prefix(b"./") {
        raw = rest;
    }
    raw
}

/// Checks the length of a path that [`check`] accepted.
pub(crate) fn check_length(path: &str) -> Result<(), PathProblem> {
    if path.len() > PATH_LIMIT_BYTES {
        Err(PathProblem::TooLong)
    } else {
        Ok(())
    }
}

/// Whether a part of `path` is left out of packages; see [`IGNORED_NAMES`].
pub(crate) fn is_ignored(path: &str) -> bool {
    path.split('/')
        .any(|part| IGNORED_NAMES.contains(&part) || part.starts_with("._"))
}

/// The form under which names that differ in case only are equal. Upper case first, so that `ß` and
/// `SS`, `ſ` and `s` meet; character by character, so that it does not depend on context.
pub(crate) fn fold_case(path: &str) -> String {
    path.chars()
        .flat_map(char::to_uppercase)
        .flat_map(char::to_lowercase)
        .collect()
}

/// A name as it may stand in a message: escaped and of bounded length.
pub(crate) fn shown(raw: &[u8]) -> String {
    let text = String::from_utf8_lossy(raw);
    let mut cut: String = text.chars().take(400).collect();
    if cut.len() < text.len() {
        cut.push('…');
    }
    format!("{cut:?}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folding_joins_what_a_case_insensitive_file_system_joins() {
        for (a, b) in [
            ("README.md", "readme.MD"),
            ("straße", "STRASSE"),
            ("ſ", "S"),
            ("\u{212a}", "k"),
            ("Σς", "σΣ"),
        ] {
            assert_eq!(fold_case(a), fold_case(b), "{a} {b}");
        }
        assert_ne!(fold_case("a"), fold_case("b"));
    }

    #[test]
    fn ignored_names_are_whole_parts() {
        assert!(
            is_ignored("a/.git/config")
                && is_ignored(".DS_Store")
                && is_ignored("x/__pycache__/y.pyc")
        );
        assert!(is_ignored("a/._b.py") && is_ignored("Thumbs.db") && is_ignored("a/desktop.ini"));
        assert!(!is_ignored("_private.py") && !is_ignored("a/b._c"));
        assert!(!is_ignored(".gitignore") && !is_ignored("my.git/x") && !is_ignored("target/x"));
    }
}
