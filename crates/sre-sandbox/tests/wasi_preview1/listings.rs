//! `fd_readdir`.

use serde_json::json;

use crate::{CREATE, READ, answers, common, open, open_with};

/// Bytes of an entry before its name: next cookie, inode, length of the name, type.
const HEADER: usize = 24;

/// Descriptor 4, listed with a buffer of `size` bytes as programs do: again from the last complete
/// entry's cookie.
fn list(prepare: &[String], size: usize, between: &[String]) -> Vec<String> {
    let mut calls: Vec<String> = prepare.to_vec();
    let mut names = Vec::new();
    let mut cookie = 0;
    loop {
        calls.push(format!("fd_readdir 4 @{size} {cookie} &4"));
        let all = answers(
            &common::profile_with(json!({"output_limit_bytes": 8 << 20})),
            &calls,
        );
        let answer = all.last().expect("an answer");
        let fields: Vec<&str> = answer.split(' ').collect();
        assert_eq!(fields[0], "ok", "{answer}");
        let bytes = unhex(fields[1]);
        let used = u32::from_le_bytes(unhex(fields[2]).try_into().expect("four bytes")) as usize;
        let mut rest = &bytes[..used];
        while rest.len() >= HEADER {
            let length = u32::from_le_bytes(rest[16..20].try_into().expect("four bytes")) as usize;
            let Some(name) = rest.get(HEADER..HEADER + length) else {
                break;
            };
            cookie = u64::from_le_bytes(rest[..8].try_into().expect("eight bytes"));
            names.push(String::from_utf8(name.to_vec()).expect("UTF-8"));
            rest = &rest[HEADER + length..];
        }
        if used < size {
            return names;
        }
        calls.extend_from_slice(between);
    }
}

fn unhex(digits: &str) -> Vec<u8> {
    let digit = |d: u8| (d as char).to_digit(16).expect("a digit") as u8;
    digits
        .as_bytes()
        .chunks(2)
        .map(|pair| digit(pair[0]) << 4 | digit(pair[1]))
        .collect()
}

fn files(names: &[&str]) -> Vec<String> {
    names
        .iter()
        .flat_map(|name| [open(4, name, CREATE), String::from("fd_close 5")])
        .collect()
}

#[test]
fn names_are_sorted_whatever_the_buffer() {
    let names = ["zeta", "B", "a", "alpha", "ä", "_", "a.b", "10", "9"];
    let mut expected = vec![
        ".", "..", "10", "9", "B", "_", "a", "a.b", "alpha", "zeta", "ä",
    ];
    for size in [29, 30, 31, 57, 64, 100, 4096] {
        assert_eq!(
            list(&files(&names), size, &[]),
            expected,
            "with {size} bytes"
        );
    }
    expected.truncate(2);
    assert_eq!(list(&[], 64, &[]), expected);
}

/// A buffer that holds no complete entry is filled with the start of one.
#[test]
fn an_entry_is_cut_where_the_buffer_ends() {
    let answers = answers(
        &common::profile(),
        &[
            "fd_readdir 4 @0 0 &4",
            "fd_readdir 4 @10 0 &4",
            "fd_readdir 4 @24 2 &4",
        ],
    );
    assert_eq!(answers[0], "ok  00000000");
    assert_eq!(answers[1], "ok 01000000000000000400 0a000000");
    assert_eq!(answers[2], format!("ok {} 00000000", "00".repeat(24)));
}

/// Removing what was listed, as `rm -r` does, must not make the listing pass over the rest.
#[test]
fn removing_on_the_way_passes_over_nothing() {
    let names: Vec<String> = (0..20).map(|number| format!("{number:02}")).collect();
    let borrowed: Vec<&str> = names.iter().map(String::as_str).collect();
    let removals: Vec<String> = names[..4]
        .iter()
        .map(|name| format!("path_unlink_file 4 '{name}"))
        .collect();
    let mut expected = vec![String::from("."), String::from("..")];
    expected.extend(names.clone());
    // The first call lists `.`, `..` and three names and a part of the fourth; that one is removed
    // before it is seen.
    expected.remove(5);
    assert_eq!(
        list(&files(&borrowed), 25 + 26 + 3 * 26 + 10, &removals),
        expected
    );
}

/// What comes in between, or is renamed in between, is there after a rewind at the latest.
#[test]
fn a_listing_is_a_snapshot_until_it_is_rewound() {
    let mut calls = files(&["b", "d", "e"]);
    calls.push(String::from("fd_readdir 4 @76 0 &4"));
    calls.extend(files(&["a"]));
    calls.push(String::from("path_rename 4 'd 4 'c"));
    calls.extend([
        String::from("fd_readdir 4 @50 3 &4"),
        String::from("fd_readdir 4 @200 0 &4"),
    ]);
    let answers = answers(&common::profile(), &calls);
    let [.., later, rewound] = answers.as_slice() else {
        panic!("answers")
    };
    assert!(
        later.contains(&format!("{:02x}", b'e')) && later.ends_with("19000000"),
        "{later}"
    );
    let bytes = unhex(rewound.split(' ').nth(1).expect("bytes"));
    let names: Vec<u8> = (0..4).map(|entry| bytes[51 + 25 * entry + 24]).collect();
    assert_eq!(names, b"abce");
}

#[test]
fn only_folders_are_listed() {
    let calls = [
        open_with(3, "a.txt", 0, READ, 0),
        String::from("fd_readdir 5 @8 0 &4"),
        String::from("fd_readdir 0 @8 0 &4"),
        String::from("fd_readdir 77 @8 0 &4"),
        String::from("fd_readdir 3 @8 18446744073709551615 &4"),
    ];
    let answers = answers(&common::profile(), &calls);
    let nothing = "0000000000000000 00000000";
    assert_eq!(
        answers[1..],
        [
            format!("notdir {nothing}"),
            format!("notdir {nothing}"),
            format!("badf {nothing}"),
            format!("ok {nothing}")
        ]
    );
}
