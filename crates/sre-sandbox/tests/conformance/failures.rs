//! Every way to fail: each is told apart, and the next run is as good as new.

use std::time::Duration;

use serde_json::json;
use sre_core::{BadOutputReason, Content, Ending, ErrorCode, JsonResult, Outcome};
use sre_sandbox::{Call, ErrorKind, Job, SandboxError, Stop};

use crate::common::{PATIENCE, profile, profile_with};
use crate::{Bench, Program, assert_healthy, bad_output, failed, run, run_within};

pub fn exit_codes_are_kept(bench: &impl Bench) {
    let execution = failed(bench, Program::Exit3, &profile());
    assert_eq!(execution.outcome.ending, Ending::Exited { code: 3 });
    assert_eq!(
        execution.outcome.error_code(None),
        Some(ErrorCode::SkillExited)
    );
}

pub fn faults_are_told(bench: &impl Bench) {
    let execution = failed(bench, Program::Trap, &profile());
    assert!(
        matches!(
            execution.outcome.ending,
            Ending::Trapped { .. } | Ending::Exited { .. }
        ),
        "{}",
        execution.outcome
    );
}

/// The reason, and the digest of exactly what was printed.
fn assert_bad(bench: &impl Bench, printed: &'static [u8], reason: BadOutputReason, told: &str) {
    let execution = failed(bench, Program::Print(printed), &profile());
    let expected = Outcome {
        result: Some(JsonResult::Invalid { reason }),
        ..Outcome::ended(Ending::Exited { code: 0 }, Content::of(printed))
    };
    assert_eq!(execution.outcome, expected);
    assert_eq!(execution.stdout.as_deref(), Some(printed));
    let failure = execution.failure.expect("words");
    assert!(failure.contains(told), "{failure:?} does not say {told:?}");
}

pub fn nothing_printed(bench: &impl Bench) {
    assert_bad(bench, b"", BadOutputReason::Empty, "nothing was printed");
    assert_bad(
        bench,
        b" \r\n\t",
        BadOutputReason::Empty,
        "nothing was printed",
    );
}

pub fn not_json(bench: &impl Bench) {
    assert_bad(
        bench,
        b"hello",
        BadOutputReason::NotJson,
        "it printed \"hello\"",
    );
    assert_bad(bench, b"{\"a\":", BadOutputReason::NotJson, "{\\\"a\\\":");
    assert_bad(bench, b"\x1b[2J", BadOutputReason::NotJson, "\\u{1b}[2J");
    assert_bad(bench, b"NaN", BadOutputReason::NotJson, "NaN");
    assert_bad(
        bench,
        b"\xef\xbb\xbf1",
        BadOutputReason::NotJson,
        "byte order mark",
    );
    assert_bad(
        bench,
        b"9007199254740993",
        BadOutputReason::NotJson,
        "beyond",
    );
}

pub fn two_values(bench: &impl Bench) {
    assert_bad(
        bench,
        b"1 2",
        BadOutputReason::TrailingData,
        "more than one JSON value",
    );
    assert_bad(
        bench,
        b"{}\n{}\n",
        BadOutputReason::TrailingData,
        "more than one JSON value",
    );
}

pub fn duplicate_names(bench: &impl Bench) {
    assert_bad(
        bench,
        br#"{"a":1,"a":1}"#,
        BadOutputReason::NotJson,
        "duplicate",
    );
}

pub fn not_utf8(bench: &impl Bench) {
    assert_bad(bench, b"\"\xff\"", BadOutputReason::NotUtf8, "byte at 1");
}

/// Of the GiB, the limit is kept and no more: that is what the digest is over.
pub fn a_flood_stops_at_the_limit(bench: &impl Bench) {
    let limit = 100_000;
    let execution = failed(
        bench,
        Program::Flood,
        &profile_with(json!({"output_limit_bytes": limit})),
    );
    assert_eq!(
        execution.outcome,
        Outcome::ended(Ending::OutputLimit, Content::of(&vec![0; limit]))
    );
    let exactly = run(
        bench,
        Program::Print(b"[12]"),
        &profile_with(json!({"output_limit_bytes": 4})),
    );
    assert_eq!(exactly.expect("an outcome").output, Some(json!([12])));
    let execution = failed(
        bench,
        Program::Print(b"[12]"),
        &profile_with(json!({"output_limit_bytes": 3})),
    );
    assert_eq!(execution.outcome.ending, Ending::OutputLimit);
    assert_eq!(execution.stdout.as_deref(), Some(&b"[12"[..]));
}

pub fn a_schema_violation(bench: &impl Bench) {
    let schema = json!({"io": {"output_schema": {"type": "object", "required": ["total"]}}});
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
    assert_eq!(bad_output(&execution), BadOutputReason::Schema);
    assert!(execution.failure.expect("words").contains("total"));
    assert_healthy(bench);
}

pub fn time_is_limited(bench: &impl Bench) {
    let limit = Duration::from_millis(50);
    let profile = profile_with(json!({"fuel": u64::MAX}));
    match run_within(bench, Program::Loop, &profile, limit) {
        Err(SandboxError::Timeout(told)) => assert_eq!(told, limit),
        other => panic!("{other:?}"),
    }
    assert_healthy(bench);
}

pub fn sleep_is_limited(bench: &impl Bench) {
    let profile = profile_with(json!({"fuel": u64::MAX, "timeout_ms": 1_000}));
    let error =
        run_within(bench, Program::Sleep, &profile, Duration::from_secs(1)).expect_err("a timeout");
    assert_eq!(error.kind(), ErrorKind::Timeout);
    assert_healthy(bench);
}

pub fn a_stop_is_obeyed(bench: &impl Bench) {
    let (skill, profile) = (
        bench.skill(Program::Loop, json!({})),
        profile_with(json!({"fuel": u64::MAX})),
    );
    bench
        .sandbox()
        .prepare(&skill, &skill.default_entry().expect("a program"))
        .expect("a good program");
    let stop = Stop::new();
    std::thread::scope(|scope| {
        let guard = stop.on_drop();
        // Whether it stops the guest on its way or before it starts, the answer is the same.
        scope.spawn(move || {
            std::thread::sleep(Duration::from_millis(20));
            drop(guard);
        });
        let job = Job {
            skill: &skill,
            entry: &skill.default_entry().expect("a program"),
            call: Call::Json { input: b"{}" },
            profile: &profile,
            time_limit: PATIENCE,
            language_runtime: None,
        };
        let error = bench
            .sandbox()
            .execute(&job, &stop)
            .expect_err("it never ends by itself");
        assert_eq!(error.kind(), ErrorKind::Cancelled);
    });
    assert_healthy(bench);
}

pub fn a_stop_before_the_start_is_obeyed(bench: &impl Bench) {
    let (skill, profile) = (bench.skill(Program::Echo, json!({})), profile());
    let stop = Stop::new();
    stop.stop();
    let job = Job {
        skill: &skill,
        entry: &skill.default_entry().expect("a program"),
        call: Call::Json { input: b"{}" },
        profile: &profile,
        time_limit: PATIENCE,
        language_runtime: None,
    };
    assert_eq!(
        bench
            .sandbox()
            .execute(&job, &stop)
            .expect_err("stopped")
            .kind(),
        ErrorKind::Cancelled
    );
}
