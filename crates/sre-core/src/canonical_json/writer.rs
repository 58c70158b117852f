//! RFC 8785 as a formatter of serde_json's serialiser.
//!
//! Everything is appended to one buffer as it comes. An object whose members came in order stays as
//! it was written; one whose members did not is put in order when it ends. An order brings a dozen
//! small values, so what a value costs is mostly allocations, and this makes none per member.
//! *Rejected:* the crate `serde_json_canonicalizer`, which keeps each key and each value in a
//! buffer of its own and takes eight times as long for a receipt (17 against 2.2 µs); it is the
//! judge in the tests.

use std::cmp::Ordering;
use std::io::{self, ErrorKind};

use serde::Serialize;
use serde_json::Serializer;
use serde_json::ser::{CharEscape, CompactFormatter, Formatter};

use super::INTEGER_LIMIT;

/// Writes `value` in canonical form.
///
/// # Errors
/// Two members of one name, a key that is no string, or whatever `value` refuses with.
pub(super) fn to_vec<T: Serialize>(value: &T) -> serde_json::Result<Vec<u8>> {
    let mut text = Text::default();
    value.serialize(&mut Serializer::with_formatter(
        io::sink(),
        Canonical(&mut text),
    ))?;
    Ok(text.out)
}

/// A finite double as ECMAScript's `Number::toString` writes it.
pub(super) fn number(value: f64) -> String {
    ryu_js::Buffer::new().format_finite(value).to_owned()
}

/// What was written so far.
#[derive(Default)]
struct Text {
    out: Vec<u8>,
    /// Where the members of each open object begin in `members`.
    objects: Vec<usize>,
    /// The members of all open objects, those of the innermost last.
    members: Vec<Member>,
    /// Their names without escapes, one after the other.
    names: String,
    in_name: bool,
    /// An object's members while they are put in order.
    sorted: Vec<u8>,
}

/// Where one member is: in `names`, and in `out` from the quotation mark of its name to the end of
/// its value.
#[derive(Clone, Copy)]
struct Member {
    name: (usize, usize),
    text: (usize, usize),
}

impl Text {
    /// Puts the members of the innermost object in order, and forgets them.
    fn end_object(&mut self) -> io::Result<()> {
        let first = self.objects.pop().unwrap_or(0);
        let members = &mut self.members[first..];
        let Some(Member {
            name: (names, _),
            text: (start, _),
        }) = members.first().copied()
        else {
            return Ok(());
        };
        let name = |member: &Member| &self.names[member.name.0..member.name.1];
        let order = |a: &Member, b: &Member| compare(name(a), name(b));
        if !members.is_sorted_by(|a, b| order(a, b).is_lt()) {
            members.sort_by(order);
            if members
                .windows(2)
                .any(|pair| name(&pair[0]) == name(&pair[1]))
            {
                return Err(io::Error::new(
                    ErrorKind::InvalidData,
                    "two members of one name",
                ));
            }
            self.sorted.clear();
            for (
                index,
                Member {
                    text: (from, to), ..
                },
            ) in members.iter().enumerate()
            {
                if index > 0 {
                    self.sorted.push(b',');
                }
                self.sorted.extend_from_slice(&self.out[*from..*to]);
            }
            self.out.truncate(start);
            self.out.append(&mut self.sorted);
        }
        self.members.truncate(first);
        self.names.truncate(names);
        Ok(())
    }
}

/// RFC 8785, section 3.2.3: by the units of UTF-16, which is not the order of UTF-8.
fn compare(a: &str, b: &str) -> Ordering {
    if a.is_ascii() && b.is_ascii() {
        a.cmp(b)
    } else {
        a.encode_utf16().cmp(b.encode_utf16())
    }
}

/// Writes to the text; the writer that serde_json hands around is a sink.
struct Canonical<'a>(&'a mut Text);

/// Whole numbers of few bits, as those of many.
macro_rules! widen {
    ($($name:ident: $from:ty => $to:ident),*) => {$(
        fn $name<W: ?Sized + io::Write>(&mut self, writer: &mut W, value: $from) -> io::Result<()> {
            self.$to(writer, value.into())
        }
    )*};
}

impl Formatter for Canonical<'_> {
    widen!(write_i8: i8 => write_i64, write_i16: i16 => write_i64, write_i32: i32 => write_i64);
    widen!(write_u8: u8 => write_u64, write_u16: u16 => write_u64, write_u32: u32 => write_u64, write_f32: f32 => write_f64);

    fn write_null<W: ?Sized + io::Write>(&mut self, _: &mut W) -> io::Result<()> {
        CompactFormatter.write_null(&mut self.0.out)
    }

    fn write_bool<W: ?Sized + io::Write>(&mut self, _: &mut W, value: bool) -> io::Result<()> {
        CompactFormatter.write_bool(&mut self.0.out, value)
    }

    fn write_i64<W: ?Sized + io::Write>(&mut self, writer: &mut W, value: i64) -> io::Result<()> {
        match value.unsigned_abs() {
            ..=INTEGER_LIMIT => CompactFormatter.write_i64(&mut self.0.out, value),
            _ => self.write_f64(writer, value as f64),
        }
    }

    fn write_u64<W: ?Sized + io::Write>(&mut self, writer: &mut W, value: u64) -> io::Result<()> {
        match value {
            ..=INTEGER_LIMIT => CompactFormatter.write_u64(&mut self.0.out, value),
            // There is one kind of number, IEEE 754 doubles (section 3.2.2.3).
            _ => self.write_f64(writer, value as f64),
        }
    }

    fn write_i128<W: ?Sized + io::Write>(&mut self, writer: &mut W, value: i128) -> io::Result<()> {
        self.write_f64(writer, value as f64)
    }

    fn write_u128<W: ?Sized + io::Write>(&mut self, writer: &mut W, value: u128) -> io::Result<()> {
        self.write_f64(writer, value as f64)
    }

    fn write_f64<W: ?Sized + io::Write>(&mut self, _: &mut W, value: f64) -> io::Result<()> {
        // ECMAScript's form of a double. serde_json sends finite ones only.
        self.0
            .out
            .extend_from_slice(ryu_js::Buffer::new().format_finite(value).as_bytes());
        Ok(())
    }

    fn write_number_str<W: ?Sized + io::Write>(
        &mut self,
        writer: &mut W,
        value: &str,
    ) -> io::Result<()> {
        let number = value
            .parse()
            .map_err(|error| io::Error::new(ErrorKind::InvalidData, error))?;
        self.write_f64(writer, number)
    }

    fn begin_string<W: ?Sized + io::Write>(&mut self, _: &mut W) -> io::Result<()> {
        self.0.out.push(b'"');
        Ok(())
    }

    fn end_string<W: ?Sized + io::Write>(&mut self, _: &mut W) -> io::Result<()> {
        self.0.out.push(b'"');
        Ok(())
    }

    fn write_string_fragment<W: ?Sized + io::Write>(
        &mut self,
        _: &mut W,
        fragment: &str,
    ) -> io::Result<()> {
        if self.0.in_name {
            self.0.names.push_str(fragment);
        }
        self.0.out.extend_from_slice(fragment.as_bytes());
        Ok(())
    }

    fn write_char_escape<W: ?Sized + io::Write>(
        &mut self,
        _: &mut W,
        escape: CharEscape,
    ) -> io::Result<()> {
        if self.0.in_name {
            self.0.names.push(unescaped(&escape));
        }
        // The escapes of JSON's short forms and lower-case \u00xx, as section 3.2.2.2 wants them.
        CompactFormatter.write_char_escape(&mut self.0.out, escape)
    }

    fn begin_array<W: ?Sized + io::Write>(&mut self, _: &mut W) -> io::Result<()> {
        CompactFormatter.begin_array(&mut self.0.out)
    }

    fn end_array<W: ?Sized + io::Write>(&mut self, _: &mut W) -> io::Result<()> {
        CompactFormatter.end_array(&mut self.0.out)
    }

    fn begin_array_value<W: ?Sized + io::Write>(
        &mut self,
        _: &mut W,
        first: bool,
    ) -> io::Result<()> {
        CompactFormatter.begin_array_value(&mut self.0.out, first)
    }

    fn begin_object<W: ?Sized + io::Write>(&mut self, _: &mut W) -> io::Result<()> {
        self.0.objects.push(self.0.members.len());
        self.0.out.push(b'{');
        Ok(())
    }

    fn end_object<W: ?Sized + io::Write>(&mut self, _: &mut W) -> io::Result<()> {
        self.0.end_object()?;
        self.0.out.push(b'}');
        Ok(())
    }

    fn begin_object_key<W: ?Sized + io::Write>(
        &mut self,
        _: &mut W,
        first: bool,
    ) -> io::Result<()> {
        let text = &mut *self.0;
        if !first {
            text.out.push(b',');
        }
        let (name, start) = (text.names.len(), text.out.len());
        text.members.push(Member {
            name: (name, name),
            text: (start, start),
        });
        text.in_name = true;
        Ok(())
    }

    fn end_object_key<W: ?Sized + io::Write>(&mut self, _: &mut W) -> io::Result<()> {
        self.0.in_name = false;
        if let Some(member) = self.0.members.last_mut() {
            member.name.1 = self.0.names.len();
        }
        Ok(())
    }

    fn begin_object_value<W: ?Sized + io::Write>(&mut self, _: &mut W) -> io::Result<()> {
        self.0.out.push(b':');
        Ok(())
    }

    fn end_object_value<W: ?Sized + io::Write>(&mut self, _: &mut W) -> io::Result<()> {
        // Objects within this value have ended and taken their members along: the last one is this
        // value's.
        if let Some(member) = self.0.members.last_mut() {
            member.text.1 = self.0.out.len();
        }
        Ok(())
    }

    fn write_raw_fragment<W: ?Sized + io::Write>(&mut self, _: &mut W, _: &str) -> io::Result<()> {
        Err(io::Error::new(
            ErrorKind::InvalidInput,
            "raw JSON may have any form",
        ))
    }
}

fn unescaped(escape: &CharEscape) -> char {
    match escape {
        CharEscape::Quote => '"',
        CharEscape::ReverseSolidus => '\\',
        CharEscape::Solidus => '/',
        CharEscape::Backspace => '\u{8}',
        CharEscape::FormFeed => '\u{c}',
        CharEscape::LineFeed => '\n',
        CharEscape::CarriageReturn => '\r',
        CharEscape::Tab => '\t',
        CharEscape::AsciiControl(byte) => char::from(*byte),
    }
}
