//! Spellings of a value, and texts that are not one.

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
        assert_eq!(
            read(text, &value),
            Reading::Complete,
            "{}",
            String::from_utf8_lossy(text)
        );
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
        (
            json!({ "n": 1_000_000 }),
            r#"{"n":7000000}"#,
            Contradicts(5),
        ),
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
        (
            json!({ "a": 1, "b": 2 }),
            r#"{"b":2,"b":2}"#,
            Contradicts(7),
        ),
        (
            json!({ "ab": 1, "b": 2 }),
            r#"{"b":2,"ac":1}"#,
            Contradicts(9),
        ),
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
        assert_eq!(
            read(text.as_bytes(), &value),
            expected,
            "{text} for {value}"
        );
    }
    assert_eq!(read(b"\xff", &json!("a")), Contradicts(0));
    assert_eq!(read(b"\"\xff", &json!("a")), Contradicts(1));
}

/// Whatever becomes of a spelling: it is read as the value where the strict parser reads it as the
/// value and nowhere else, and what stands before a byte that contradicts does not.
#[test]
fn mutated_spellings_are_read_as_the_parser_reads_them() {
    const PUT: &[u8] = b" \n\t\r\"\\,:[]{}019eE+-./u\x00\xc3";
    let value = json!({ "a/b": [1, -2.5, true, null, "\u{e9}\n\u{1f600}", 1e21], "ab": {}, "a": 1_000_000, "s": "" });
    let canonical = canonical_json::to_vec(&value);
    let spellings = [
        canonical.clone(),
        serde_json::to_vec_pretty(&value).expect("JSON"),
        r#"{"ab":{},"a":1e6,"s":"","a\/b":[1.0,-25e-1,true,null,"\u00e9\n\ud83d\ude00",1e+21]}"#
            .into(),
    ];
    let mut state = 1_u64;
    let mut random = |limit: usize| {
        // Knuth's MMIX generator; its high bits are good enough here.
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(state >> 33).expect("31 bits") % limit
    };
    let mut complete = 0;
    for round in 0..30_000 {
        let mut text = spellings[round % spellings.len()].clone();
        for _ in 0..=random(2) {
            let at = random(text.len());
            match random(4) {
                0 => text[at] = PUT[random(PUT.len())],
                1 => text.insert(at, PUT[random(PUT.len())]),
                2 => drop(text.remove(at)),
                _ => text.truncate(at.max(1)),
            }
        }
        let reading = read(&text, &value);
        let same = canonical_json::parse(&text)
            .is_ok_and(|parsed| canonical_json::to_vec(&parsed) == canonical);
        assert_eq!(
            reading == Reading::Complete,
            same,
            "{reading:?}: {}",
            String::from_utf8_lossy(&text)
        );
        complete += u32::from(same);
        if let Reading::Contradicts(at) = reading {
            let before = read(&text[..at], &value);
            assert!(
                !matches!(before, Reading::Contradicts(_)),
                "{before:?}: {}",
                String::from_utf8_lossy(&text)
            );
        }
    }
    assert!(complete > 500, "{complete} of them were still the value");
}
