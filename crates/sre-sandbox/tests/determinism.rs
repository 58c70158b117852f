//! One skill, one input, one profile: one outcome, whatever else is different.

mod common;

use std::time::Duration;

use common::{
    PRELUDE, PROBE, Program, component, probe, profile, profile_with, run, sandbox, sandbox_with,
    shared, skill,
};
use serde_json::{Value, json};
use sre_core::{Ending, canonical_json};
use sre_sandbox::wasm::{WasmOptions, WasmSandbox};
use sre_sandbox::{Call, Job, Sandbox, Stop};

/// Everything that could differ between two machines or two moments.
/// Descriptors: 4 is the package, 7 is `/tmp`, and the first two files are 9 and 10.
const OBSERVATIONS: &[&str] = &[
    "clock_time_get 0 0 &8",
    "clock_time_get 1 0 &8",
    "clock_time_get 2 0 &8",
    "clock_time_get 3 0 &8",
    "clock_res_get 0 &8",
    "clock_res_get 1 &8",
    "random_get &32 32",
    "random_get &5 5",
    "environ_sizes_get &4 &4",
    "args_sizes_get &4 &4",
    "fd_filestat_get 0 &64",
    "fd_fdstat_get 0 &24",
    "fd_filestat_get 4 &64",
    "fd_filestat_get 7 &64",
    "fd_readdir 4 @300 0 &4",
    "path_open 7 0 'zeta 1 66 0 0 &4",
    "path_open 7 0 'alpha 1 66 0 0 &4",
    "fd_write 9 <hello &4",
    "fd_filestat_get 9 &64",
    "fd_filestat_get 10 &64",
    "fd_readdir 7 @200 0 &4",
    "fd_close 9",
    "path_open 4 0 'data/note.txt 0 2 0 0 &4",
    "fd_filestat_get 9 &64",
    // Five milliseconds of the monotonic clock.
    "poll_oneoff =000000000000000000000000000000000100000000000000\
     404b4c00000000000000000000000000000000000000000000 &32 1 &4",
    "clock_time_get 0 0 &8",
    "fd_write 2 <logged%0a &4",
];

/// All that a run shows, as one text.
fn observe(sandbox: &WasmSandbox, skill: &sre_skill::Skill, input: &Value) -> String {
    let execution = run(sandbox, skill, input, &profile()).expect("an outcome");
    let outcome = String::from_utf8(execution.outcome.to_canonical()).expect("UTF-8");
    let output = execution
        .output_canonical
        .map(|bytes| String::from_utf8(bytes).expect("UTF-8"));
    let (fuel, memory) = (
        execution.resources.fuel,
        execution.resources.peak_memory_bytes,
    );
    format!(
        "{outcome} {output:?} {:?} {:?} {fuel} {memory}",
        execution.failure, execution.logs
    )
}

#[test]
fn runs_are_alike_across_sandboxes_caches_and_threads() {
    let probe = skill(Program::Binary(PROBE));
    let small = component(
        "(func $run (result i32) (call $random (i64.const 9) (i32.const 512)) (drop (call $now))
         (call $print (i32.const 0) (i32.const 1)) (i32.const 0))",
    );
    let calls = json!({"calls": OBSERVATIONS});
    let all = |sandbox: &WasmSandbox| {
        [
            observe(sandbox, &probe, &calls),
            observe(sandbox, &small, &json!({})),
        ]
    };

    let expected = all(&sandbox());
    assert!(expected[0].contains("logged"), "{}", expected[0]);
    for _ in 0..3 {
        assert_eq!(all(shared()), expected, "the same process again");
    }
    let folder = tempfile::tempdir().expect("a folder");
    let cache_folder = Some(folder.path().join("cache"));
    let options = WasmOptions {
        cache_folder,
        slots: 3,
        ..WasmOptions::default()
    };
    assert_eq!(
        all(&sandbox_with(options.clone())),
        expected,
        "a cold cache"
    );
    assert_eq!(
        all(&sandbox_with(options.clone())),
        expected,
        "a warm cache"
    );
    assert_eq!(
        all(&sandbox_with(WasmOptions {
            pooling: false,
            ..options
        })),
        expected,
        "memory from the system"
    );
    std::thread::scope(|scope| {
        for number in 0..4 {
            let (all, expected) = (&all, &expected);
            let thread = std::thread::Builder::new().stack_size((number + 2) << 21);
            let spawned = thread.spawn_scoped(scope, move || {
                assert_eq!(&all(shared()), expected, "another thread")
            });
            spawned.expect("a thread");
        }
    });
}

/// The time limit, the number of slots and an idle stop token are the host's own business.
#[test]
fn what_is_not_in_the_profile_has_no_effect() {
    let skill = skill(Program::Binary(PROBE));
    let input = canonical_json::to_vec(&json!({"calls": OBSERVATIONS}));
    let profile = profile();
    let outcome = |seconds| {
        let time_limit = Duration::from_secs(seconds);
        let job = Job {
            skill: &skill,
            entry: &skill.default_entry().expect("a program"),
            call: Call::Json { input: &input },
            profile: &profile,
            time_limit,
            language_runtime: None,
        };
        shared()
            .execute(&job, &Stop::new())
            .expect("an outcome")
            .outcome
    };
    assert_eq!(outcome(100), outcome(100_000));
    let time_limit = Duration::MAX;
    let forever = Job {
        skill: &skill,
        entry: &skill.default_entry().expect("a program"),
        call: Call::Json { input: &input },
        profile: &profile,
        time_limit,
        language_runtime: None,
    };
    assert_eq!(
        shared()
            .execute(&forever, &Stop::new())
            .expect("an outcome")
            .outcome,
        outcome(100)
    );
}

#[test]
fn clock_and_seed_are_the_only_sources() {
    let all = |changes| probe(shared(), &profile_with(changes), OBSERVATIONS);
    let first = all(json!({}));
    // The seed decides the random bytes and nothing else.
    let reseeded = all(json!({"random_seed": "1".repeat(64)}));
    let differing: Vec<&str> = OBSERVATIONS
        .iter()
        .enumerate()
        .filter(|&(at, _)| first[at] != reseeded[at])
        .map(|(_, call)| *call)
        .collect();
    assert_eq!(differing, ["random_get &32 32", "random_get &5 5"]);
    // The start of the clock decides real time and the times of files.
    let moved = all(json!({"clock_start": "2031-12-31T23:59:59Z"}));
    for (at, call) in OBSERVATIONS.iter().enumerate() {
        let shows_time = call.starts_with("clock_time_get 0")
            || call.contains("filestat_get") && !call.contains(" 0 ");
        assert_eq!(
            first[at] != moved[at],
            shows_time,
            "{call}: {} {}",
            first[at],
            moved[at]
        );
    }
}

#[test]
fn the_clock_starts_where_the_profile_says() {
    let first = |start: &str| {
        let answer = probe(
            shared(),
            &profile_with(json!({"clock_start": start})),
            &["clock_time_get 0 0 &8"],
        );
        let digits = answer[0].strip_prefix("0 ").expect("success").to_owned();
        u64::from_str_radix(&digits, 16)
            .expect("digits")
            .swap_bytes()
    };
    assert_eq!(first("1970-01-01T00:00:00Z"), 1_000);
    assert_eq!(
        first("2026-01-02T03:04:05.000000789Z"),
        1_767_323_045_000_001_789
    );
    // Outside what WASI can say, the nearest moment it can.
    assert_eq!(first("1969-12-31T23:59:59Z"), 1_000);
    assert_eq!(first("9999-01-01T00:00:00Z"), u64::MAX);
}

/// Under the seed of 32 zero bytes the randomness is the ChaCha20 key stream for the all-zero key
/// and nonce, counter 0: RFC 8439, appendix A.1, test vector 1 (also
/// draft-agl-tls-chacha20poly1305, section 7), and from byte 64 on test vector 2.
#[test]
fn randomness_is_the_published_key_stream() {
    const VECTOR_1: &str = "76b8e0ada0f13d90405d6ae55386bd28bdd219b8a08ded1aa836efcc8b770dc7\
                            da41597c5157488d7724e03fb8d84a376a43b8f41518a11cc387b669b2ee6586";
    const VECTOR_2_START: &str = "9f07e7be5551387a98ba977c732d080d";
    let seed = json!({"random_seed": "0".repeat(64)});
    let at_once = probe(
        shared(),
        &profile_with(seed.clone()),
        &["random_get &80 80"],
    );
    assert_eq!(at_once[0], format!("0 {VECTOR_1}{VECTOR_2_START}"));
    let in_parts = probe(
        shared(),
        &profile_with(seed),
        &["random_get &32 32", "random_get &0 0", "random_get &48 48"],
    );
    assert_eq!(in_parts[0], format!("0 {}", &VECTOR_1[..64]));
    assert_eq!(
        in_parts[2],
        format!("0 {}{VECTOR_2_START}", &VECTOR_1[64..])
    );
}

/// Requests that are no multiple of four bytes use up whole words. A replay with another
/// implementation needs to know; a new version of the generator must not change it.
#[test]
fn odd_requests_use_up_whole_words() {
    let answers = probe(
        shared(),
        &profile(),
        &[
            "random_get &1 1",
            "random_get &3 3",
            "random_get &5 5",
            "random_get &4 4",
        ],
    );
    assert_eq!(answers, ["0 76", "0 a0f13d", "0 405d6ae553", "0 bdd219b8"]);
}

/// NaNs have one bit pattern, whatever operation made them.
#[test]
fn nans_are_canonical() {
    let text = format!(
        "(module {PRELUDE} (func (export \"_start\")
            (f64.store (i32.const 1024) (f64.div (f64.const 0) (f64.const 0)))
            (f64.store (i32.const 1032) (f64.add (f64.const nan:0x4000000000123) (f64.const 1)))
            (f64.store (i32.const 1040) (f64.sqrt (f64.const -1)))
            (f32.store (i32.const 1048) (f32.sub (f32.const inf) (f32.const inf)))
            (call $print_hex (i32.const 1024) (i32.const 28))))"
    );
    let execution = run(
        shared(),
        &skill(Program::Text(&text)),
        &json!({}),
        &profile(),
    )
    .expect("an outcome");
    let nan = "000000000000f87f";
    assert_eq!(
        execution.output,
        Some(json!(format!("{nan}{nan}{nan}0000c07f")))
    );
}

/// The stack is the guest's own: how deep it may go does not depend on the thread that runs it.
#[test]
fn stacks_end_at_the_same_depth() {
    let text = format!(
        "(module {PRELUDE} (global $depth (mut i32) (i32.const 0))
         (func $deeper (global.set $depth (i32.add (global.get $depth) (i32.const 1)))
            (if (i32.eqz (i32.rem_u (global.get $depth) (i32.const 1000)))
                (then (call $write (i32.const 2) (i32.const 1024) (i32.const 1))))
            (call $deeper) (global.set $depth (i32.sub (global.get $depth) (i32.const 1))))
         (data (i32.const 1024) \".\") (func (export \"_start\") (call $deeper)))"
    );
    let skill = skill(Program::Text(&text));
    let observe = || {
        let execution = run(shared(), &skill, &json!({}), &profile()).expect("an outcome");
        assert!(
            matches!(execution.outcome.ending, Ending::Trapped { .. }),
            "{}",
            execution.outcome
        );
        (execution.logs.len(), execution.resources.fuel)
    };
    let expected = observe();
    for megabytes in [2, 3, 16] {
        let thread = std::thread::Builder::new().stack_size(megabytes << 20);
        std::thread::scope(|scope| {
            assert_eq!(
                thread
                    .spawn_scoped(scope, observe)
                    .expect("a thread")
                    .join()
                    .expect("no panic"),
                expected
            );
        });
    }
}
