//! Canonical JSON: the public vectors, the refusals, and properties over random values.

use std::fs;
use std::path::Path;

use proptest::prelude::*;
use serde_json::{Map, Number, Value, json};
use sre_core::canonical_json::{parse, to_vec};

#[test]
fn the_vectors_of_rfc_8785() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/rfc8785");
    let mut seen = 0;
    for entry in fs::read_dir(folder.join("input")).expect("the vectors") {
        let path = entry.expect("an entry").path();
        let value = parse(&fs::read(&path).expect("a vector"))
            .unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        let expected = fs::read(
            folder
                .join("output")
                .join(path.file_name().expect("a name")),
        )
        .expect("its answer");
        assert_eq!(
            String::from_utf8(to_vec(&value)),
            String::from_utf8(expected),
            "{}",
            path.display()
        );
        seen += 1;
    }
    assert_eq!(seen, 6);
}

/// RFC 8785, appendix B: IEEE 754 bits and their canonical form.
#[test]
fn the_numbers_of_rfc_8785_appendix_b() {
    for (bits, text) in [
        (0x0000_0000_0000_0000, "0"),
        (0x8000_0000_0000_0000, "0"),
        (0x0000_0000_0000_0001, "5e-324"),
        (0x8000_0000_0000_0001, "-5e-324"),
        (0x7fef_ffff_ffff_ffff, "1.7976931348623157e+308"),
        (0xffef_ffff_ffff_ffff, "-1.7976931348623157e+308"),
        (0x4340_0000_0000_0000, "9007199254740992"),
        (0xc340_0000_0000_0000, "-9007199254740992"),
        (0x4430_0000_0000_0000, "295147905179352830000"),
        (0x44b5_2d02_c7e1_4af5, "9.999999999999997e+22"),
        (0x44b5_2d02_c7e1_4af6, "1e+23"),
        (0x44b5_2d02_c7e1_4af7, "1.0000000000000001e+23"),
        (0x444b_1ae4_d6e2_ef4e, "999999999999999700000"),
        (0x444b_1ae4_d6e2_ef4f, "999999999999999900000"),
        (0x444b_1ae4_d6e2_ef50, "1e+21"),
        (0x3eb0_c6f7_a0b5_ed8c, "9.999999999999997e-7"),
        (0x3eb0_c6f7_a0b5_ed8d, "0.000001"),
        (0x41b3_de43_5555_5553, "333333333.3333332"),
        (0x41b3_de43_5555_5554, "333333333.33333325"),
        (0x41b3_de43_5555_5555, "333333333.3333333"),
        (0x41b3_de43_5555_5556, "333333333.3333334"),
        (0x41b3_de43_5555_5557, "333333333.33333343"),
        (0xbecb_f647_612f_3696, "-0.0000033333333333333333"),
        (0x4314_3ff3_c1cb_0959, "1424953923781206.2"),
    ] {
        let number = Number::from_f64(f64::from_bits(bits)).expect("a finite number");
        assert_eq!(
            String::from_utf8(to_vec(&Value::Number(number))).as_deref(),
            Ok(text),
            "{bits:016x}"
        );
    }
}

#[test]
fn what_i_json_leaves_ambiguous_is_refused_with_its_place() {
    for (text, message) in [
        (
            r#"{"a":1,"b":2,"a":3}"#,
            "duplicate key \"a\" at line 1 column 16",
        ),
        (r#"{"x":{"a":1,"\u0061":2}}"#, "duplicate key \"a\""),
        (
            "9007199254740993",
            "integer 9007199254740993 at byte 0 is beyond ±2^53",
        ),
        (
            "[1, -9007199254740993]",
            "integer -9007199254740993 at byte 4",
        ),
        ("18446744073709551616", "beyond ±2^53"),
        (
            "100000000000000000000000",
            "integer 100000000000000000000000 at byte 0",
        ),
        ("9460730472580801", "no double holds it exactly"),
        (
            r#""\ud800""#,
            "lone surrogate in a \\u escape at line 1 column 8",
        ),
        (r#""\udc00\ud800""#, "lone surrogate"),
        ("1e400", "number out of range"),
        ("NaN", "expected"),
        ("{\"a\":1,}", "trailing comma"),
        ("", "EOF"),
        ("{} {}", "trailing characters"),
        ("\"\u{1}\"", "control character"),
    ] {
        let error = parse(text.as_bytes()).expect_err(text).to_string();
        assert!(error.contains(message), "{text}: {error}");
    }
    assert!(parse(b"\"\xff\"").is_err(), "bytes that are not UTF-8");
    assert!(parse("[".repeat(200).as_bytes()).is_err(), "deep nesting");
    let limit = "[9007199254740992,-9007199254740992,1e21,\"9007199254740993\",1.5]";
    assert_eq!(
        parse(limit.as_bytes())
            .map(|v| to_vec(&v))
            .expect("the limits themselves")
            .len(),
        limit.len() + 1
    );
}

#[test]
fn a_byte_order_mark_and_utf_16_are_named() {
    let bom = "\u{feff}{}".as_bytes();
    for (text, message) in [
        (bom, "byte order mark"),
        (b"\xff\xfe{\0}\0", "UTF-16"),
        (b"{\0}\0", "UTF-16"),
        (b"\0{\0}", "UTF-16"),
    ] {
        let error = parse(text).expect_err(message).to_string();
        assert!(error.contains(message), "{error}");
    }
    assert!(parse(sre_core::canonical_json::without_bom(bom)).is_ok());
}

/// RFC 8785 is defined over doubles: each of them is a value, whichever way it was written.
#[test]
fn every_finite_double_is_a_value() {
    for (text, canonical) in [
        ("9460730472580800.0", "9460730472580800"),
        ("9460730472580800", "9460730472580800"),
        ("1.5e+16", "15000000000000000"),
        ("1e18", "1000000000000000000"),
        ("-9007199254740994", "-9007199254740994"),
        ("1e20", "100000000000000000000"),
        ("100000000000000000000", "100000000000000000000"),
        ("295147905179352830000", "295147905179352830000"),
        ("2.9514790517935283e20", "295147905179352830000"),
        ("9007199254740993.0", "9007199254740992"),
        ("1e21", "1e+21"),
    ] {
        let value = parse(text.as_bytes()).expect(text);
        assert_eq!(String::from_utf8(to_vec(&value)).as_deref(), Ok(canonical));
    }
}

/// Any value that strict parsing accepts.
fn any_value() -> impl Strategy<Value = Value> {
    let number = prop_oneof![
        (-(1i64 << 53)..=1 << 53).prop_map(Value::from),
        any::<f64>()
            .prop_filter("JSON has finite numbers only", |n| n.is_finite())
            .prop_map(Value::from),
    ];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        number,
        any::<String>().prop_map(Value::from)
    ];
    leaf.prop_recursive(4, 48, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::btree_map(any::<String>(), inner, 0..6)
                .prop_map(|members| Value::Object(members.into_iter().collect::<Map<_, _>>())),
        ]
    })
}

/// The value as JSON with members in reverse order and white space wherever it may stand.
fn respelled(value: &Value) -> String {
    match value {
        Value::Object(members) => {
            let members: Vec<String> = members
                .iter()
                .rev()
                .map(|(name, value)| format!(" {} :\n{}", json!(name), respelled(value)))
                .collect();
            format!("{{{} }}", members.join(" ,\t"))
        }
        Value::Array(items) => format!(
            "[ {} ]",
            items.iter().map(respelled).collect::<Vec<_>>().join(" , ")
        ),
        other => other.to_string(),
    }
}

/// Names that sort differently in UTF-8 and UTF-16, names that are written with escapes, and
/// objects in objects.
#[test]
fn members_are_sorted_by_utf_16_before_escaping() {
    let members = "{\"\u{10000}\":1,\"\u{fb33}\":2,\"\\\\\":{\"b\":[{\"z\":0,\"y\":{}}],\"a\":1},\"\\n\":3,\"]\":4,\"\":5}";
    let expected = "{\"\":5,\"\\n\":3,\"\\\\\":{\"a\":1,\"b\":[{\"y\":{},\"z\":0}]},\"]\":4,\"\u{10000}\":1,\"\u{fb33}\":2}";
    let value = parse(members.as_bytes()).expect("JSON");
    assert_eq!(String::from_utf8(to_vec(&value)).as_deref(), Ok(expected));
}

proptest! {
    /// Structs, like objects, may have their members in any order; serde_json's own objects are
    /// sorted in UTF-8.
    #[test]
    fn another_implementation_writes_the_same(value in any_value(), whole in any::<i64>(), large in any::<u64>()) {
        #[derive(serde::Serialize)]
        struct Unsorted<'a> {
            zeta: &'a Value,
            whole: (i64, u64, i32, u8),
            beta: Option<&'a str>,
            list: [&'a Value; 2],
            alpha: f64,
        }
        let whole = (whole, large, whole as i32, large as u8);
        let unsorted = Unsorted { zeta: &value, whole, beta: None, list: [&value; 2], alpha: large as f64 / 8.0 };
        let other = serde_json_canonicalizer::to_vec(&unsorted).expect("canonical JSON");
        prop_assert_eq!(String::from_utf8(to_vec(&unsorted)), String::from_utf8(other));
    }

    #[test]
    fn canonicalising_twice_changes_nothing(value in any_value()) {
        let once = to_vec(&value);
        let twice = to_vec(&parse(&once).expect("canonical JSON is JSON"));
        prop_assert_eq!(once, twice);
    }

    #[test]
    fn order_of_keys_and_white_space_do_not_matter(value in any_value()) {
        let other = parse(respelled(&value).as_bytes()).expect("the same value, spelt otherwise");
        prop_assert_eq!(to_vec(&value), to_vec(&other));
    }

    #[test]
    fn no_bytes_make_the_parser_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        drop(parse(&bytes));
    }

    #[test]
    fn near_json_is_parsed_or_refused_but_what_is_parsed_is_stable(text in "[\\[\\]{}\",:0-9eE+.\\\\u-]{0,40}") {
        if let Ok(value) = parse(text.as_bytes()) {
            let canonical = to_vec(&value);
            prop_assert_eq!(parse(&canonical).map(|v| to_vec(&v)).expect("stable"), canonical);
        }
    }
}
