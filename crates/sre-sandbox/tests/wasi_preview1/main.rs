//! WASI preview 1, function by function, through a scripted program: see `programs/src/probe`.
//!
//! A step is a call and what it must answer: the errno by name, then what the call filled in, as
//! hexadecimal digits. Before the steps, descriptor 3 is made the package, 4 `/tmp`, and all
//! other folders are closed: the first that a script opens is 5.

#[path = "../common/mod.rs"]
mod common;
mod descriptors;
mod folders;
mod listings;
mod paths;
mod positions;
mod quotas;
mod rest;
mod waiting;

use serde_json::json;
use sre_core::Profile;

const READ: u64 = 1 << 1;
const WRITE: u64 = 1 << 6;

const CREATE: u32 = 1;
const FOLDER: u32 = 2;
const EXCLUSIVE: u32 = 4;
const TRUNCATE: u32 = 8;

/// `path_open` with both rights.
fn open(folder: u32, path: &str, flags: u32) -> String {
    open_with(folder, path, flags, READ | WRITE, 0)
}

fn open_with(folder: u32, path: &str, flags: u32, rights: u64, fdflags: u32) -> String {
    format!("path_open {folder} 0 '{path} {flags} {rights} 0 {fdflags} &4")
}

/// What a successful `path_open` answers.
fn opened(fd: u32) -> String {
    format!("ok {}", little(fd))
}

/// A number as it stands in memory.
fn little(number: u32) -> String {
    number
        .to_le_bytes()
        .map(|byte| format!("{byte:02x}"))
        .concat()
}

fn little64(number: u64) -> String {
    number
        .to_le_bytes()
        .map(|byte| format!("{byte:02x}"))
        .concat()
}

fn hex(text: &str) -> String {
    text.bytes().map(|byte| format!("{byte:02x}")).collect()
}

/// From the folders as a guest finds them to the two that the steps use.
const PRELUDE: [&str; 4] = [
    "fd_renumber 8 3",
    "fd_renumber 7 4",
    "fd_close 5",
    "fd_close 6",
];

/// Runs calls after the prelude and gives their answers with errnos by name.
fn answers<S: AsRef<str>>(profile: &Profile, calls: &[S]) -> Vec<String> {
    let calls = calls.iter().map(AsRef::as_ref);
    let calls: Vec<&str> = PRELUDE.into_iter().chain(calls).collect();
    let answers = plain_answers(profile, &calls);
    for answer in &answers[..PRELUDE.len()] {
        assert!(answer.starts_with("ok"), "{answer}");
    }
    answers[PRELUDE.len()..].to_vec()
}

/// The same without the prelude.
fn plain_answers(profile: &Profile, calls: &[&str]) -> Vec<String> {
    let named = |answer: String| {
        let (errno, rest) = answer.split_at(answer.find(' ').unwrap_or(answer.len()));
        format!("{}{rest}", common::errno_name(errno))
    };
    common::probe(common::shared(), profile, calls)
        .into_iter()
        .map(named)
        .collect()
}

/// Runs the calls in order and compares what each answered.
fn check<C: AsRef<str>, A: AsRef<str>>(steps: &[(C, A)]) {
    check_under(
        &common::profile_with(json!({"tmp_limit_bytes": 1 << 20})),
        steps,
    );
}

fn check_under<C: AsRef<str>, A: AsRef<str>>(profile: &Profile, steps: &[(C, A)]) {
    let calls: Vec<&str> = steps.iter().map(|(call, _)| call.as_ref()).collect();
    for (number, (answer, (call, expected))) in
        answers(profile, &calls).iter().zip(steps).enumerate()
    {
        let (call, expected) = (call.as_ref(), expected.as_ref());
        assert_eq!(
            answer,
            expected,
            "call {number}: {}",
            &call[..call.len().min(80)]
        );
    }
}

/// Steps from calls and answers of mixed kinds.
macro_rules! steps {
    ($($call:expr => $answer:expr;)*) => {
        [$((String::from($call), String::from($answer)),)*]
    };
}
use steps;
