//! WASI 0.2 components: a shipped example, and small ones that try to make the host hold more than
//! it should.

mod common;

use common::{component, example, profile, profile_with, run, shared};
use serde_json::{Value, json};
use sre_core::{Ending, TrapKind};
use sre_sandbox::ErrorKind;
use sre_skill::{PackageLimits, Skill};

fn ending(body: &str) -> Ending {
    let sandbox = shared();
    let outcome = run(
        sandbox,
        &component(body),
        &json!({}),
        &profile_with(json!({"fuel": 200_000_000})),
    );
    let ending = outcome.expect("an outcome").outcome.ending;
    let good = run(sandbox, &component(PRINT), &json!({}), &profile()).expect("an outcome");
    assert_eq!(good.output, Some(json!(1)), "{:?}", good.failure);
    ending
}

/// Prints `1` and succeeds.
const PRINT: &str =
    "(func $run (result i32) (call $print (i32.const 0) (i32.const 1)) (i32.const 0))";

const TRAPPED: Ending = Ending::Trapped {
    trap: TrapKind::Other,
};

fn read(path: &str) -> Value {
    serde_json::from_slice(&std::fs::read(example(path)).expect("an example")).expect("JSON")
}

/// Standard input, environment, arguments and output as Rust's standard library uses them.
#[test]
fn the_example_component_works() {
    let sandbox = shared();
    let skill = Skill::from_dir(&example("markdown-outline"), &PackageLimits::default())
        .expect("the example");
    for case in ["handbook", "two-levels", "empty"] {
        let input = read(&format!("cases/markdown-outline/{case}.input.json"));
        let execution = run(sandbox, &skill, &input, &profile()).expect("an outcome");
        let expected = read(&format!("cases/markdown-outline/{case}.expected.json"));
        assert_eq!(
            execution.output,
            Some(expected),
            "{case}: {:?} {}",
            execution.failure,
            execution.logs
        );
    }
    let input = read("cases/markdown-outline/unknown-field.fails.json");
    let execution = run(sandbox, &skill, &input, &profile()).expect("an outcome");
    assert!(execution.failure.is_some());
}

#[test]
fn an_error_of_run_is_exit_code_1() {
    assert_eq!(
        ending("(func $run (result i32) (i32.const 1))"),
        Ending::Exited { code: 1 }
    );
}

#[test]
fn a_trap_is_told() {
    let trapped = ending("(func $run (result i32) (unreachable))");
    assert_eq!(
        trapped,
        Ending::Trapped {
            trap: TrapKind::Unreachable
        }
    );
}

/// What a start function does wrong happens while the component is instantiated, and is the guest's
/// doing all the same.
#[test]
fn faults_before_run_are_the_guests() {
    let unreachable =
        "(func $run (result i32) (i32.const 0)) (func $early (unreachable)) (start $early)";
    assert_eq!(
        ending(unreachable),
        Ending::Trapped {
            trap: TrapKind::Unreachable
        }
    );
    let host_refuses = "(func $run (result i32) (i32.const 0))
        (func $early (call $poll (i32.const 0) (i32.const 0) (i32.const 512))) (start $early)";
    assert_eq!(ending(host_refuses), TRAPPED);
}

#[test]
fn a_loop_runs_out_of_fuel() {
    assert_eq!(
        ending("(func $run (result i32) (loop $more (br $more)) (unreachable))"),
        Ending::OutOfFuel
    );
}

/// Handles are never given back: the table is full long before the host's memory is.
#[test]
fn handles_are_limited() {
    let streams =
        "(func $run (result i32) (loop $more (drop (call $get-stdout)) (br $more)) (unreachable))";
    assert_eq!(ending(streams), TRAPPED);
    let pollables = "(func $run (result i32)
        (loop $more (drop (call $subscribe (i64.const 1))) (br $more)) (unreachable))";
    assert_eq!(ending(pollables), TRAPPED);
    let own = "(func $run (result i32) (loop $more (drop (call $new (i32.const 7))) (br $more)) (unreachable))";
    assert_eq!(ending(own), TRAPPED);
}

/// A list of one pollable, named a million times.
#[test]
fn long_polls_are_refused() {
    let body = "(func $run (result i32) (local $at i32) (local $pollable i32)
        (local.set $pollable (call $subscribe (i64.const 1)))
        (local.set $at (i32.const 1024))
        (loop $more
            (i32.store (local.get $at) (local.get $pollable))
            (local.set $at (i32.add (local.get $at) (i32.const 4)))
            (br_if $more (i32.lt_u (local.get $at) (i32.const 4195328))))
        (call $poll (i32.const 1024) (i32.const 1048576) (i32.const 512))
        (i32.const 0))";
    assert_eq!(ending(body), TRAPPED);
    // A length that no memory could hold.
    let body = "(func $run (result i32) (call $poll (i32.const 1024) (i32.const -1) (i32.const 512)) (i32.const 0))";
    assert_eq!(ending(body), TRAPPED);
}

/// 60 MiB in one call: the host refuses before it copies them.
#[test]
fn what_one_call_hands_over_is_limited() {
    let body =
        "(func $run (result i32) (call $print (i32.const 0) (i32.const 62914560)) (i32.const 0))";
    assert_eq!(ending(body), TRAPPED);
    let body = "(func $run (result i32)
        (call $zeroes (call $get-stdout) (i64.const 0x1000000000) (i32.const 512)) (i32.const 0))";
    assert_eq!(ending(body), TRAPPED);
    let body = "(func $run (result i32) (call $random (i64.const 0x1000000000) (i32.const 512)) (i32.const 0))";
    assert_eq!(ending(body), TRAPPED);
}

#[test]
fn output_is_limited() {
    let body = "(func $run (result i32)
        (loop $more (call $zeroes (call $get-stdout) (i64.const 65536) (i32.const 512)) (br $more)) (unreachable))";
    assert_eq!(ending(body), Ending::OutputLimit);
}

#[test]
fn waiting_moves_the_clock_and_ends() {
    let body = "(func $run (result i32)
        (i32.store (i32.const 1024) (call $subscribe (i64.const 9000000000)))
        (call $poll (i32.const 1024) (i32.const 1) (i32.const 512))
        (if (i64.ne (call $now) (i64.const 9000001000)) (then (unreachable)))
        (call $print (i32.const 0) (i32.const 1))
        (i32.const 0))";
    let sandbox = shared();
    let execution = run(sandbox, &component(body), &json!({}), &profile()).expect("an outcome");
    assert_eq!(execution.output, Some(json!(1)), "{:?}", execution.failure);
    let short = profile_with(json!({"timeout_ms": 8_000}));
    let error = run(sandbox, &component(body), &json!({}), &short).expect_err("a timeout");
    assert_eq!(error.kind(), ErrorKind::Timeout);
}

#[test]
fn memory_is_limited() {
    let sandbox = shared();
    // Its memory starts with 64 MiB.
    let small = profile_with(json!({"mem_limit_bytes": 32 << 20}));
    let execution = run(sandbox, &component(PRINT), &json!({}), &small).expect("an outcome");
    assert_eq!(execution.outcome.ending, Ending::OutOfMemory);
}
