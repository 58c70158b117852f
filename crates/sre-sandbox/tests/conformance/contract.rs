//! What a skill sees, and what becomes of what it returns.

use serde_json::{Value, json};
use sre_core::{Outcome, OutputDigest};
use sre_sandbox::{Call, Job, LOG_LIMIT_BYTES, Stop, environment};

use crate::common::{PATIENCE, profile};
use crate::{Bench, Program, canonical, returned, run, unhex};

/// Returns what `program` returns when it is given `input`.
fn given(bench: &dyn Bench, program: Program, input: &Value) -> Value {
    let (skill, input, profile) = (bench.skill(program, json!({})), canonical(input), profile());
    let job = Job {
        skill: &skill,
        entry: &skill.default_entry().expect("a program"),
        call: Call::Json { input: &input },
        profile: &profile,
        time_limit: PATIENCE,
        language_runtime: None,
    };
    let execution = bench
        .sandbox()
        .execute(&job, &Stop::new())
        .expect("an outcome");
    execution
        .output
        .unwrap_or_else(|| panic!("{:?}", execution.failure))
}

/// The environment of a program given `input`.
fn environment_given(bench: &dyn Bench, input: &Value) -> Vec<(String, String)> {
    let bytes = unhex(&given(bench, Program::Environment, input));
    let text = String::from_utf8(bytes).expect("UTF-8");
    let entries = text
        .strip_suffix('\0')
        .expect("a zero byte after each")
        .split('\0');
    entries
        .map(|entry| entry.split_once('=').expect("NAME=value"))
        .map(|(n, v)| (n.into(), v.into()))
        .collect()
}

pub fn input_is_the_same_on_every_way(bench: &impl Bench) {
    let input = json!({"b": [1, 2.5, null], "a": {"z": "ä", "y": "\u{0}\"\\"}});
    let canonical = canonical(&input);
    assert_eq!(given(bench, Program::Echo, &input), input);
    let environment = environment_given(bench, &input);
    let (_, in_environment) = environment
        .iter()
        .find(|(name, _)| name == "INPUT_JSON")
        .expect("INPUT_JSON");
    assert_eq!(in_environment.as_bytes(), canonical);
}

/// Standard input holds the canonical bytes themselves: what comes back untouched is canonical
/// already.
pub fn input_survives_any_text(bench: &impl Bench) {
    let long = "x".repeat(90_000);
    for text in [
        "",
        "\u{10ffff}\u{feff}",
        "line\r\nline\ttab",
        "</script>",
        &long,
    ] {
        let input = json!({"text": text});
        assert_eq!(given(bench, Program::Echo, &input), input);
        let found = environment_given(bench, &input);
        assert!(
            found
                .iter()
                .any(|(_, value)| value.as_bytes() == canonical(&input))
        );
    }
}

pub fn the_environment_is_the_documented_one(bench: &impl Bench) {
    let input = json!({"n": 1});
    let expected = [
        ("HOME", "/home/skill"),
        ("INPUT_JSON", r#"{"n":1}"#),
        ("LANG", "C.UTF-8"),
        ("PWD", "/skill"),
        ("TMPDIR", "/tmp"),
        ("TZ", "UTC"),
    ];
    let expected: Vec<(String, String)> = expected
        .map(|(name, value)| (name.into(), value.into()))
        .into();
    let mut found = expected.clone();
    found.extend(bench.more_environment());
    found.sort();
    assert_eq!(environment_given(bench, &input), found);
    let input = canonical(&input);
    assert_eq!(environment(&Call::Json { input: &input }), expected);
}

pub fn arguments_are_the_entrypoint(bench: &impl Bench) {
    let expected: String = bench
        .arguments()
        .iter()
        .map(|argument| format!("{argument}\0"))
        .collect();
    assert_eq!(
        unhex(&returned(bench, Program::Arguments)),
        expected.as_bytes()
    );
}

pub fn the_package_is_listed_sorted(bench: &impl Bench) {
    assert_eq!(returned(bench, Program::ListPackage), json!(bench.names()));
}

pub fn the_package_is_readable(bench: &impl Bench) {
    assert_eq!(unhex(&returned(bench, Program::ReadPackage)), b"a note");
}

pub fn the_package_is_not_writable(bench: &impl Bench) {
    assert_eq!(returned(bench, Program::WritePackage), json!(4));
    assert_eq!(unhex(&returned(bench, Program::ReadPackage)), b"a note");
}

pub fn tmp_is_writable_and_private_and_empty(bench: &impl Bench) {
    for _ in 0..2 {
        assert_eq!(
            returned(bench, Program::Tmp),
            json!([[], ["note"], "6b657074"])
        );
    }
}

pub fn nothing_is_left_of_an_earlier_run(bench: &impl Bench) {
    for _ in 0..3 {
        assert_eq!(returned(bench, Program::Remember), json!(0));
    }
}

pub fn output_is_canonical(bench: &impl Bench) {
    let printed = Program::Print(b" {\"b\" : 1.0e1, \"a\":[ true,\"\\u00e4\" ]}\n");
    let execution = run(bench, printed, &profile()).expect("an outcome");
    let expected = "{\"a\":[true,\"ä\"],\"b\":10}".as_bytes();
    assert_eq!(execution.output_canonical.as_deref(), Some(expected));
    assert_eq!(
        execution.outcome,
        Outcome::returned(OutputDigest::of(expected))
    );
    assert_eq!((execution.failure, execution.logs), (None, String::new()));
}

pub fn the_output_schema_is_applied(bench: &impl Bench) {
    let schema = json!({"io": {"output_schema": {"type": "object", "required": ["n"]}}});
    let (skill, profile) = (bench.skill(Program::Echo, schema), profile());
    let job = Job {
        skill: &skill,
        entry: &skill.default_entry().expect("a program"),
        call: Call::Json {
            input: b"{\"n\":1}",
        },
        profile: &profile,
        time_limit: PATIENCE,
        language_runtime: None,
    };
    let execution = bench
        .sandbox()
        .execute(&job, &Stop::new())
        .expect("an outcome");
    assert_eq!(execution.output, Some(json!({"n": 1})));
}

/// 64 MiB of log are no failure; what is kept says that it was cut.
pub fn logs_are_cut_with_a_mark(bench: &impl Bench) {
    let execution = run(bench, Program::FloodLog, &profile()).expect("an outcome");
    assert_eq!(execution.output, Some(json!(1)));
    let kept = execution.logs.trim_start_matches('a');
    assert_eq!(execution.logs.len() - kept.len(), LOG_LIMIT_BYTES);
    assert_eq!(
        kept,
        format!(
            "\n[log truncated: {} more bytes]\n",
            (64 << 20) - LOG_LIMIT_BYTES
        )
    );
}
