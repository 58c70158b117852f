//! Makes text that others wrote safe on a terminal.
//!
//! A skill's log could otherwise move the cursor, rename the window, or reverse the text of the
//! line that says "failed".

use std::fmt::Write;

/// Control characters (C0 without tab and line feed, DEL, C1), the characters that change the
/// writing direction, and the separators that some terminals take for line ends.
fn is_hostile(c: char) -> bool {
    (c.is_control() && !matches!(c, '\n' | '\t'))
        || matches!(c, '\u{061c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// `text` with every hostile character as `\u{…}`. Line feeds and tabs stay.
#[must_use]
pub fn escape(text: &str) -> String {
    escape_as(text, |safe, c| write!(safe, "\\u{{{:x}}}", u32::from(c)))
}

/// JSON with every hostile character as `\uXXXX`: the same value, safe on a terminal. In JSON that
/// `serde_json` wrote, such characters stand in strings only, and all of them take four digits.
#[must_use]
pub fn escape_json(json: &str) -> String {
    escape_as(json, |safe, c| write!(safe, "\\u{:04x}", u32::from(c)))
}

fn escape_as(text: &str, mut spell: impl FnMut(&mut String, char) -> std::fmt::Result) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        if is_hostile(c) {
            // Writing to a String does not fail.
            let _ = spell(&mut safe, c);
        } else {
            safe.push(c);
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_hostile_is_left_and_nothing_else_is_changed() {
        let hostile = "\u{1b}[2J\r\u{7}\u{7f}\u{9b}31m\u{202e}\u{2066}\u{200f}\u{2028}";
        for safe in [escape(hostile), escape_json(hostile)] {
            assert!(!safe.chars().any(is_hostile), "{safe}");
        }
        assert_eq!(escape("\u{1b}[0m"), "\\u{1b}[0m");
        let plain = "ä 日本 👍🏽\n\t{\"a\": 1}";
        assert_eq!(escape(plain), plain);
        assert_eq!(escape_json(plain), plain);
    }

    #[test]
    fn escaped_json_is_the_same_value() {
        let value = serde_json::json!({"\u{202e}a": "\u{9b}\u{7f}\u{1b}\"\\", "b": ["\u{2029}"]});
        let text = escape_json(&value.to_string());
        assert_eq!(
            serde_json::from_str::<serde_json::Value>(&text).expect("JSON"),
            value
        );
    }
}
