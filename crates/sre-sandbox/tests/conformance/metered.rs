//! What backends that count instructions and memory exactly owe in addition.

use serde_json::json;
use sre_core::{Ending, TrapKind};
use sre_sandbox::ErrorKind;

use crate::common::{profile, profile_with};
use crate::{Bench, Program, assert_healthy, failed, run};

pub fn fuel_is_limited(bench: &impl Bench) {
    for fuel in [0, 1, 1_000_000] {
        let execution = failed(bench, Program::Loop, &profile_with(json!({"fuel": fuel})));
        assert_eq!(execution.outcome.ending, Ending::OutOfFuel);
        assert!(
            execution.resources.fuel <= fuel,
            "{} of {fuel}",
            execution.resources.fuel
        );
    }
}

/// What was used suffices, and half of it does not.
pub fn fuel_is_counted(bench: &impl Bench) {
    let used = run(bench, Program::Echo, &profile())
        .expect("an outcome")
        .resources
        .fuel;
    assert!(used > 0);
    let enough =
        run(bench, Program::Echo, &profile_with(json!({"fuel": used}))).expect("an outcome");
    assert_eq!(enough.output, Some(json!({"n": 1})));
    let execution = failed(
        bench,
        Program::Echo,
        &profile_with(json!({"fuel": used / 2})),
    );
    assert_eq!(execution.outcome.ending, Ending::OutOfFuel);
}

pub fn waiting_by_the_clock_ends(bench: &impl Bench) {
    let profile = profile_with(json!({"fuel": u64::MAX, "timeout_ms": 5}));
    let error = run(bench, Program::Spin, &profile).expect_err("a timeout");
    assert_eq!(error.kind(), ErrorKind::Timeout);
    assert_healthy(bench);
}

pub fn memory_is_limited(bench: &impl Bench) {
    let limit = 8 << 20;
    let execution = failed(
        bench,
        Program::Allocate,
        &profile_with(json!({"mem_limit_bytes": limit})),
    );
    assert_eq!(execution.outcome.ending, Ending::OutOfMemory);
    assert!((limit / 2..=limit).contains(&execution.resources.peak_memory_bytes));
    // Not even the memory it starts with is granted.
    let execution = failed(
        bench,
        Program::Loop,
        &profile_with(json!({"mem_limit_bytes": 65_536})),
    );
    assert_eq!(execution.outcome.ending, Ending::OutOfMemory);
}

pub fn recursion_is_limited(bench: &impl Bench) {
    let execution = failed(bench, Program::Recurse, &profile());
    assert_eq!(
        execution.outcome.ending,
        Ending::Trapped {
            trap: TrapKind::StackOverflow
        }
    );
}
