//! Reads what a guest printed against the value it is said to have printed.
//!
//! What is committed is a value, and a value has many spellings: white space, the order of members,
//! escapes, numbers. So the first byte that contradicts it is the first one after which nothing
//! that could follow makes it the value. Numbers are judged as a whole, at the byte where they
//! leave the canonical spelling.

use std::collections::HashSet;

use serde_json::{Map, Value};
use sre_core::canonical_json;

/// What became of the reading.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reading {
    /// The byte at this place cannot be part of the value.
    Contradicts(usize),
    /// It ends before the value is complete.
    Unfinished,
    /// It is the value and nothing else.
    Complete,
}

/// Reads `text`, which is all that was printed and is to be `expected`.
pub(crate) fn read(text: &[u8], expected: &Value) -> Reading {
    let mut reader = Reader { text, at: 0 };
    match reader.value(expected) {
        Err(Stop::Contradicts(at)) => Reading::Contradicts(at),
        Err(Stop::Unfinished) => Reading::Unfinished,
        Ok(()) => {
            reader.skip_space();
            if reader.at == text.len() {
                Reading::Complete
            } else {
                Reading::Contradicts(reader.at)
            }
        }
    }
}

/// Why it does not go on.
enum Stop {
    Contradicts(usize),
    Unfinished,
}

struct Reader<'a> {
    text: &'a [u8],
    at: usize,
}

/// A part of a string: its end, or the bytes of one character.
enum Piece {
    End,
    Bytes([u8; 4], usize),
}

impl Reader<'_> {
    fn value(&mut self, expected: &Value) -> Result<(), Stop> {
        self.skip_space();
        match expected {
            Value::Null => self.literal(b"null"),
            Value::Bool(true) => self.literal(b"true"),
            Value::Bool(false) => self.literal(b"false"),
            Value::Number(_) => self.number(expected),
            Value::String(text) => {
                self.literal(b"\"")?;
                self.string(&[text]).map(drop)
            }
            Value::Array(items) => self.array(items),
            Value::Object(members) => self.object(members),
        }
    }

    fn array(&mut self, items: &[Value]) -> Result<(), Stop> {
        self.literal(b"[")?;
        for (index, item) in items.iter().enumerate() {
            if index > 0 {
                self.skip_space();
                self.literal(b",")?;
            }
            self.value(item)?;
        }
        self.skip_space();
        self.literal(b"]")
    }

    fn object(&mut self, members: &Map<String, Value>) -> Result<(), Stop> {
        self.literal(b"{")?;
        let mut names: Vec<&str> = members.keys().map(String::as_str).collect();
        names.sort_unstable();
        let mut seen = HashSet::new();
        for index in 0..names.len() {
            self.skip_space();
            if index > 0 {
                self.literal(b",")?;
                self.skip_space();
            }
            let start = self.at;
            self.literal(b"\"")?;
            let name = names[self.string(&names)?];
            if !seen.insert(name) {
                return Err(Stop::Contradicts(start));
            }
            self.skip_space();
            self.literal(b":")?;
            self.value(&members[name])?;
        }
        self.skip_space();
        self.literal(b"}")
    }

    /// The rest of a string that is to be one of `sorted`; which one.
    fn string(&mut self, sorted: &[&str]) -> Result<usize, Stop> {
        let (mut low, mut high, mut depth) = (0, sorted.len(), 0);
        loop {
            let start = self.at;
            let Piece::Bytes(bytes, length) = self.piece()? else {
                // The shortest of those that begin alike comes first.
                let found = sorted[low..high]
                    .first()
                    .is_some_and(|text| text.len() == depth);
                return if found {
                    Ok(low)
                } else {
                    Err(Stop::Contradicts(start))
                };
            };
            for byte in &bytes[..length] {
                let range = &sorted[low..high];
                let before = range.partition_point(|text| text.as_bytes().get(depth) < Some(byte));
                let upto = range.partition_point(|text| text.as_bytes().get(depth) <= Some(byte));
                (low, high, depth) = (low + before, low + upto, depth + 1);
            }
            if low == high {
                return Err(Stop::Contradicts(start));
            }
        }
    }

    fn piece(&mut self) -> Result<Piece, Stop> {
        let start = self.at;
        match self.next()? {
            b'"' => Ok(Piece::End),
            b'\\' => {
                let character = self.escape(start)?;
                let mut bytes = [0; 4];
                let length = character.encode_utf8(&mut bytes).len();
                Ok(Piece::Bytes(bytes, length))
            }
            // Byte by byte: the value is UTF-8, so what is like it is too.
            byte if byte >= b' ' => Ok(Piece::Bytes([byte, 0, 0, 0], 1)),
            _ => Err(Stop::Contradicts(start)),
        }
    }

    fn escape(&mut self, start: usize) -> Result<char, Stop> {
        Ok(match self.next()? {
            byte @ (b'"' | b'\\' | b'/') => char::from(byte),
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => {
                let first = self.unit(start)?;
                let mut units = vec![first];
                if (0xd800..0xdc00).contains(&first) {
                    self.literal(b"\\u")?;
                    units.push(self.unit(start)?);
                }
                let text = String::from_utf16(&units).map_err(|_| Stop::Contradicts(start))?;
                text.chars().next().ok_or(Stop::Contradicts(start))?
            }
            _ => return Err(Stop::Contradicts(start)),
        })
    }

    /// Four hexadecimal digits.
    fn unit(&mut self, start: usize) -> Result<u16, Stop> {
        let mut unit = 0;
        for _ in 0..4 {
            let digit = char::from(self.next()?)
                .to_digit(16)
                .ok_or(Stop::Contradicts(start))?;
            unit = unit * 16 + digit;
        }
        u16::try_from(unit).map_err(|_| Stop::Contradicts(start))
    }

    fn number(&mut self, expected: &Value) -> Result<(), Stop> {
        let rest = &self.text[self.at..];
        let length = rest
            .iter()
            .take_while(|byte| matches!(byte, b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E'))
            .count();
        let token = &rest[..length];
        if canonical_json::parse(token)
            .is_ok_and(|value| canonical_json::to_vec(&value) == canonical_json::to_vec(expected))
        {
            self.at += length;
            return Ok(());
        }
        let spelling = canonical_json::to_vec(expected);
        if length == rest.len() && spelling.starts_with(token) {
            return Err(Stop::Unfinished);
        }
        let alike = token
            .iter()
            .zip(&spelling)
            .take_while(|(a, b)| a == b)
            .count();
        Err(Stop::Contradicts(self.at + alike))
    }

    fn literal(&mut self, word: &[u8]) -> Result<(), Stop> {
        for byte in word {
            let start = self.at;
            if self.next()? != *byte {
                return Err(Stop::Contradicts(start));
            }
        }
        Ok(())
    }

    fn next(&mut self) -> Result<u8, Stop> {
        let byte = *self.text.get(self.at).ok_or(Stop::Unfinished)?;
        self.at += 1;
        Ok(byte)
    }

    fn skip_space(&mut self) {
        let space = self.text[self.at..]
            .iter()
            .take_while(|byte| matches!(byte, b' ' | b'\t' | b'\n' | b'\r'))
            .count();
        self.at += space;
    }
}

#[cfg(test)]
mod tests;
