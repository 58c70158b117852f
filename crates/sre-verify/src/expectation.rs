//! Reads what a guest printed against the value it is said to have printed.
//!
//! What is committed is a value, and a value has many spellings: white space, the order of members, escapes, numbers. So the first
//! byte that contradicts it is the first one after which nothing that could follow makes it the value. Numbers are judged as a whole,
//! at the byte where they leave the canonical spelling.

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
            if reader.at == text.len() { Reading::Complete } else { Reading::Contradicts(reader.at) }
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
                let found = sorted[low..high].first().is_some_and(|text| text.len() == depth);
                return if found { Ok(low) } else { Err(Stop::Contradicts(start)) };
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
            let digit = char::from(self.next()?).to_digit(16).ok_or(Stop::Contradicts(start))?;
            unit = unit * 16 + digit;
        }
        u16::try_from(unit).map_err(|_| Stop::Contradicts(start))
    }

    fn number(&mut self, expected: &Value) -> Result<(), Stop> {
        let rest = &self.text[self.at..];
        let length =
            rest.iter().take_while(|byte| matches!(byte, b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E')).count();
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
        let alike = token.iter().zip(&spelling).take_while(|(a, b)| a == b).count();
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
        let space = self.text[self.at..].iter().take_while(|byte| matches!(byte, b' ' | b'\t' | b'\n' | b'\r')).count();
        self.at += space;
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_spelling_of_a_value_is_read_as_it() {
        let value = json!({ "a/b": [1, -2.5, true, null, "é\n😀\"", ""], "ab": {}, "a": 1_000_000, "empty": [] });
        let spellings = [
            canonical_json::to_vec(&value),
            serde_json::to_vec_pretty(&value).expect("JSON"),
            "\n{ \"empty\":[ ], \"a\" : 1e6 ,\"\\u0061b\":{ },\r\"a\\/b\":[1.0,-25E-1,true,null,\"\\u00e9\\n\\uD83D\\ude00\\\"\",\"\"]}\t"
                .into(),
        ];
        for text in &spellings {
            assert_eq!(read(text, &value), Reading::Complete, "{}", String::from_utf8_lossy(text));
        }
        // No beginning contradicts.
        for text in &spellings[..2] {
            for end in 0..text.len() {
                assert_eq!(
                    read(&text[..end], &value),
                    Reading::Unfinished,
                    "{end} of {}",
                    String::from_utf8_lossy(text)
                );
            }
        }
    }

    #[test]
    fn the_first_byte_that_contradicts_is_named() {
        use Reading::{Contradicts, Unfinished};
        let cases = [
            (json!({ "n": 1_000_000 }), r#"{"n":1}"#, Contradicts(6)),
            (json!({ "n": 1_000_000 }), r#"{"n":7000000}"#, Contradicts(5)),
            (json!({ "n": 1_000_000 }), r#"{"n":10"#, Unfinished),
            (json!(12), "123", Contradicts(2)),
            (json!(12), "123 ", Contradicts(2)),
            (json!(12), "12 3", Contradicts(3)),
            (json!("abc"), r#""abd""#, Contradicts(3)),
            (json!("abc"), r#""ab""#, Contradicts(3)),
            (json!("abc"), r#""ab\u0064""#, Contradicts(3)),
            (json!("é"), "\"è\"", Contradicts(2)),
            (json!("\n"), "\"\n\"", Contradicts(1)),
            (json!([1, 2]), "[1]", Contradicts(2)),
            (json!([1]), "[1,2]", Contradicts(2)),
            (json!([]), "{}", Contradicts(0)),
            (json!({ "a": 1, "b": 2 }), r#"{"b":2,"b":2}"#, Contradicts(7)),
            (json!({ "ab": 1, "b": 2 }), r#"{"b":2,"ac":1}"#, Contradicts(9)),
            (json!({ "ab": 1 }), r#"{"a":1}"#, Contradicts(3)),
            (json!({ "a": 1 }), r#"{"a":1,"b":2}"#, Contradicts(6)),
            (json!({ "a": 1 }), "{}", Contradicts(1)),
            (json!({}), r#"{"a":1}"#, Contradicts(1)),
            (json!(true), "null", Contradicts(0)),
            (json!(null), "nul", Unfinished),
            (json!(null), "  ", Unfinished),
            (json!(1), "", Unfinished),
        ];
        for (value, text, expected) in cases {
            assert_eq!(read(text.as_bytes(), &value), expected, "{text} for {value}");
        }
        assert_eq!(read(b"\xff", &json!("a")), Contradicts(0));
        assert_eq!(read(b"\"\xff", &json!("a")), Contradicts(1));
    }

    /// Whatever becomes of a spelling: it is read as the value where the strict parser reads it as the value and nowhere else, and
    /// what stands before a byte that contradicts does not.
    #[test]
    fn mutated_spellings_are_read_as_the_parser_reads_them() {
        let value =
            json!({ "a/b": [1, -2.5, true, null, "\u{e9}\n\u{1f600}", 1e21], "ab": {}, "a": 1_000_000, "s": "" });
        let canonical = canonical_json::to_vec(&value);
        let spellings = [
            canonical.clone(),
            serde_json::to_vec_pretty(&value).expect("JSON"),
            r#"{"ab":{},"a":1e6,"s":"","a\/b":[1.0,-25e-1,true,null,"\u00e9\n\ud83d\ude00",1e+21]}"#.into(),
        ];
        let mut state = 1_u64;
        let mut random = |limit: usize| {
            // Knuth's MMIX generator; its high bits are good enough here.
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            usize::try_from(state >> 33).expect("31 bits") % limit
        };
        let mut complete = 0;
        for round in 0..30_000 {
            let mut text = spellings[round % spellings.len()].clone();
            for _ in 0..=random(2) {
                let at = random(text.len());
                match random(4) {
                    0 => text[at] = b" \n\"\\,:[]{}01eE+-.u\x00\xc3"[random(21)],
                    1 => text.insert(at, b" \t0\"\\,}"[random(7)]),
                    2 => drop(text.remove(at)),
                    _ => text.truncate(at.max(1)),
                }
            }
            let reading = read(&text, &value);
            let same = canonical_json::parse(&text).is_ok_and(|parsed| canonical_json::to_vec(&parsed) == canonical);
            assert_eq!(reading == Reading::Complete, same, "{reading:?}: {}", String::from_utf8_lossy(&text));
            complete += u32::from(same);
            if let Reading::Contradicts(at) = reading {
                let before = read(&text[..at], &value);
                assert!(!matches!(before, Reading::Contradicts(_)), "{before:?}: {}", String::from_utf8_lossy(&text));
            }
        }
        assert!(complete > 500, "{complete} of them were still the value");
    }
}
