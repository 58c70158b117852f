//! Where two values part.

use serde_json::Value;

/// Longest pointer, and longest value, in characters: both are a stranger's, and are signed with
/// the verdict.
const POINTER_LIMIT_CHARS: usize = 200;
const VALUE_LIMIT_CHARS: usize = 60;

/// The JSON pointer (RFC 6901) of the first place, in canonical order, where `expected` and
/// `actual` differ, and what stands there; `None` when they are equal.
pub(crate) fn first_difference(expected: &Value, actual: &Value) -> Option<Place> {
    let mut pointer = String::new();
    let (expected, actual) = descend(expected, actual, &mut pointer)?;
    Some(Place {
        pointer: shortened(&pointer, POINTER_LIMIT_CHARS),
        expected,
        actual,
    })
}

/// A place and what stands there.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Place {
    /// A JSON pointer, empty for the whole value; shortened.
    pub(crate) pointer: String,
    /// What stands there in the one that is expected, shortened.
    pub(crate) expected: String,
    /// The same of the other.
    pub(crate) actual: String,
}

fn descend(expected: &Value, actual: &Value, place: &mut String) -> Option<(String, String)> {
    let step = |name: &str, ours: Option<&Value>, theirs: Option<&Value>, place: &mut String| {
        let length = place.len();
        place.push('/');
        place.push_str(&name.replace('~', "~0").replace('/', "~1"));
        let found = match (ours, theirs) {
            (Some(ours), Some(theirs)) => descend(ours, theirs, place),
            (ours, theirs) => Some((shown(ours), shown(theirs))),
        };
        if found.is_none() {
            place.truncate(length);
        }
        found
    };
    match (expected, actual) {
        (Value::Array(ours), Value::Array(theirs)) => {
            (0..ours.len().max(theirs.len())).find_map(|index| {
                step(
                    &index.to_string(),
                    ours.get(index),
                    theirs.get(index),
                    place,
                )
            })
        }
        (Value::Object(ours), Value::Object(theirs)) => {
            let names: std::collections::BTreeSet<&String> =
                ours.keys().chain(theirs.keys()).collect();
            names
                .into_iter()
                .find_map(|name| step(name, ours.get(name), theirs.get(name), place))
        }
        _ if expected == actual => None,
        _ => Some((shown(Some(expected)), shown(Some(actual)))),
    }
}

/// Some bytes for people, from `at` on: where they differ.
pub(crate) fn shown_bytes(bytes: &[u8], at: usize) -> String {
    const SHOWN_BYTES: usize = 40;
    match bytes.get(at..) {
        None | Some([]) => String::from("its end"),
        Some(rest) => {
            let shown = &rest[..rest.len().min(SHOWN_BYTES)];
            format!("{:?}", String::from_utf8_lossy(shown))
        }
    }
}

/// A value for people: the beginning of its JSON.
fn shown(value: Option<&Value>) -> String {
    value.map_or_else(
        || String::from("nothing"),
        |value| shortened(&value.to_string(), VALUE_LIMIT_CHARS),
    )
}

fn shortened(text: &str, limit_chars: usize) -> String {
    match text.char_indices().nth(limit_chars) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_first_place_is_named() {
        let place = |ours: Value, theirs: Value| {
            first_difference(&ours, &theirs)
                .map(|found| (found.pointer, found.expected, found.actual))
        };
        let at = |place: &str, ours: &str, theirs: &str| {
            Some((place.to_owned(), ours.to_owned(), theirs.to_owned()))
        };
        assert_eq!(place(json!({"a": [1, 2]}), json!({"a": [1, 2]})), None);
        assert_eq!(place(json!(1), json!(2)), at("", "1", "2"));
        assert_eq!(
            place(json!({"a": [1, {"b/c": 2}]}), json!({"a": [1, {"b/c": 3}]})),
            at("/a/1/b~1c", "2", "3")
        );
        assert_eq!(
            place(json!({"a": 1, "z": 1}), json!({"b": 1, "z": 2})),
            at("/a", "1", "nothing")
        );
        assert_eq!(
            place(json!([1]), json!([1, [2]])),
            at("/1", "nothing", "[2]")
        );
        assert_eq!(
            place(json!({"a": {}}), json!({"a": []})),
            at("/a", "{}", "[]")
        );
        let name = "é".repeat(250_000);
        let (short, value) = (
            format!("/{}…", "é".repeat(199)),
            format!("\"{}…", "é".repeat(59)),
        );
        assert_eq!(
            place(json!({ &name: 1 }), json!({ &name: name })),
            at(&short, "1", &value)
        );
    }
}
