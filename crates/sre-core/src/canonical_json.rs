//! JSON with one spelling: parsed strictly, written as RFC 8785 (JSON Canonicalization Scheme).
//!
//! RFC 8785 is defined over I-JSON (RFC 7493). What I-JSON leaves ambiguous is refused at parse
//! time, where the position can still be named: duplicate member names, lone surrogates, and
//! integers that would change. Nesting beyond [`DEPTH_LIMIT`] levels is refused as well.
//!
//! Every finite double is a value (RFC 8785, section 3.2.2.3). A number with a point or an exponent
//! is always read as the nearest double. An integer without either looks exact, so it is accepted
//! only if it stays what it says: if it lies within ±2⁵³, or is the canonical form of its double.

mod writer;

use std::fmt;

use serde::Serialize;
use serde::de::{self, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

/// Largest magnitude of an integer, 2⁵³: beyond it IEEE 754 doubles skip integers.
pub const INTEGER_LIMIT: u64 = 1 << 53;

/// Deepest nesting of arrays and objects that [`parse`] reads.
pub const DEPTH_LIMIT: usize = 127;

/// Deepest nesting of a value that others will wrap: a skill's input and output. An order, its
/// result, a list of results and an event hold it some levels down, and programs that read those,
/// ourselves and receivers of callbacks included, stops at about [`DEPTH_LIMIT`].
pub const VALUE_DEPTH_LIMIT: usize = 100;

/// The byte order mark in UTF-8.
const BOM: &[u8] = "\u{feff}".as_bytes();

/// JSON text that was refused.
#[derive(Debug, thiserror::Error)]
pub enum JsonError {
    /// Not JSON, or I-JSON ambiguity. The message names line and column.
    #[error("{0}")]
    Syntax(#[from] serde_json::Error),
    /// Text in another encoding than UTF-8, or with a byte order mark, which JSON does not allow.
    #[error("{0}")]
    Encoding(&'static str),
    /// Half of a character that JSON writes as a pair of escapes.
    #[error("lone surrogate in a \\u escape at line {line} column {column}")]
    Surrogate {
        /// The line, from 1.
        line: usize,
        /// The column, from 1.
        column: usize,
    },
    /// An integer that a double cannot hold exactly.
    #[error(
        "integer {token} at byte {offset} is beyond ±2^53 and no double holds it exactly; write it as a string"
    )]
    Integer {
        /// The first 40 characters of the number as written.
        token: String,
        /// Where it starts, in bytes from the start of the text.
        offset: usize,
    },
}

impl JsonError {
    /// Whether a complete value was followed by something other than white space.
    #[must_use]
    pub fn is_trailing(&self) -> bool {
        // serde_json has no category of its own for this; the message is part of its tested
        // interface.
        matches!(self, Self::Syntax(e) if e.to_string().starts_with("trailing characters"))
    }

    /// Whether the text ended before the value did.
    #[must_use]
    pub fn is_eof(&self) -> bool {
        matches!(self, Self::Syntax(e) if e.is_eof())
    }
}

/// Parses one JSON value, strictly; see the module's documentation for what is refused.
///
/// # Errors
/// [`JsonError`] names the place in the text.
pub fn parse(text: &[u8]) -> Result<Value, JsonError> {
    let mut deserializer = serde_json::Deserializer::from_slice(text);
    let value = Strict
        .deserialize(&mut deserializer)
        .map_err(|error| name_encoding(text).unwrap_or_else(|| name_surrogates(error)))?;
    deserializer.end()?;
    check_integers(text)?;
    Ok(value)
}

/// Whether arrays and objects of `value` are nested at most `levels` deep; a number has none. Looks
/// no deeper than that.
#[must_use]
pub fn is_within_depth(value: &Value, levels: usize) -> bool {
    let within = |inner: &Value| levels > 0 && is_within_depth(inner, levels - 1);
    match value {
        Value::Array(items) => levels > 0 && items.iter().all(within),
        Value::Object(members) => levels > 0 && members.values().all(within),
        _ => true,
    }
}

/// Whether an integer, written in decimal without a point or an exponent, stays the same number in
/// canonical JSON: it lies within ±[`INTEGER_LIMIT`], or it is the canonical form of its double.
#[must_use]
pub fn is_exact_integer(decimal: &str) -> bool {
    let digits = decimal.strip_prefix('-').unwrap_or(decimal);
    // Fifteen digits always fit; RFC 8785 writes no integer of more than 21.
    match digits.len() {
        ..=15 => true,
        16..=21 => decimal
            .parse::<f64>()
            .is_ok_and(|double| writer::number(double) == decimal),
        _ => false,
    }
}

/// Writes `value` as RFC 8785 canonical JSON.
///
/// # Panics
/// Never for values that [`parse`] returned or that were built from strings, booleans, finite
/// numbers and maps with string keys, which is all that this project serialises. Numbers that are
/// not finite become null.
#[must_use]
pub fn to_vec<T: Serialize>(value: &T) -> Vec<u8> {
    writer::to_vec(value).expect("values with string keys, each there once, serialise")
}

/// The text without one UTF-8 byte order mark at its start, for files that people wrote with an
/// editor that adds one.
#[must_use]
pub fn without_bom(text: &[u8]) -> &[u8] {
    text.strip_prefix(BOM).unwrap_or(text)
}

/// What the first bytes of a refused text say about its encoding. JSON begins with an ASCII
/// character, so a NUL beside the first one is UTF-16 (or UTF-32).
fn name_encoding(text: &[u8]) -> Option<JsonError> {
    Some(JsonError::Encoding(match text {
        [0xEF, 0xBB, 0xBF, ..] => {
            "the text starts with a byte order mark (BOM); save it as UTF-8 without BOM"
        }
        [0xFF, 0xFE, ..] | [0xFE, 0xFF, ..] | [0, _, ..] | [_, 0, ..] => {
            "the text is UTF-16, not UTF-8; save it as UTF-8"
        }
        _ => return None,
    }))
}

/// serde_json has two wordings for a lone surrogate; the one at the end of a string talks about
/// something else.
fn name_surrogates(error: serde_json::Error) -> JsonError {
    let text = error.to_string();
    if text.starts_with("lone leading surrogate")
        || text.starts_with("unexpected end of hex escape")
    {
        return JsonError::Surrogate {
            line: error.line(),
            column: error.column(),
        };
    }
    error.into()
}

/// Integers are checked in the text, because a parsed double no longer says whether it was written
/// as an integer. `text` is known to be valid JSON.
fn check_integers(text: &[u8]) -> Result<(), JsonError> {
    let mut at = 0;
    while at < text.len() {
        match text[at] {
            b'"' => at = end_of_string(text, at),
            b'-' | b'0'..=b'9' => {
                let length = text[at..]
                    .iter()
                    .take_while(|b| matches!(b, b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E'))
                    .count();
                check_integer(&text[at..at + length], at)?;
                at += length;
            }
            _ => at += 1,
        }
    }
    Ok(())
}

fn end_of_string(text: &[u8], start: usize) -> usize {
    let mut at = start + 1;
    while at < text.len() && text[at] != b'"' {
        at += if text[at] == b'\\' { 2 } else { 1 };
    }
    at + 1
}

fn check_integer(token: &[u8], offset: usize) -> Result<(), JsonError> {
    let text = String::from_utf8_lossy(token);
    let is_integer = !token.iter().any(|b| matches!(b, b'.' | b'e' | b'E'));
    if !is_integer || is_exact_integer(&text) {
        return Ok(());
    }
    Err(JsonError::Integer {
        token: text.chars().take(40).collect(),
        offset,
    })
}

struct Strict;

impl<'de> DeserializeSeed<'de> for Strict {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<Value, E> {
        Number::from_f64(value)
            .map(Value::Number)
            .ok_or_else(|| E::custom("number out of range"))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = access.next_element_seed(Strict)? {
            items.push(item);
        }
        Ok(Value::Array(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        let mut members = Map::new();
        while let Some(name) = access.next_key::<String>()? {
            if members.contains_key(&name) {
                let shown: String = name.chars().take(80).collect();
                return Err(de::Error::custom(format_args!("duplicate key {shown:?}")));
            }
            let value = access.next_value_seed(Strict)?;
            members.insert(name, value);
        }
        Ok(Value::Object(members))
    }
}
