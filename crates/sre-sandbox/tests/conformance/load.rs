//! Many runs, one after another and at once: all alike, nothing used up.

use crate::common::{profile, profile_with};
use crate::{Bench, Program, Ran, assert_healthy, run};
use serde_json::json;

/// Failing runs between good ones, so that what one leaves behind would meet another.
const MIX: [Program; 8] = [
    Program::Echo,
    Program::Trap,
    Program::Tmp,
    Program::Exit3,
    Program::Remember,
    Program::Recurse,
    Program::Print(b"{"),
    Program::Allocate,
];

fn told(ran: Ran) -> String {
    let execution = ran.expect("an outcome");
    format!(
        "{} {:?} {:?} {}",
        execution.outcome, execution.output, execution.failure, execution.resources.fuel
    )
}

pub fn a_hundred_runs_in_a_row(bench: &impl Bench) {
    let first: Vec<String> = MIX
        .map(|program| told(run(bench, program, &profile())))
        .into();
    for round in 0..12 {
        let again: Vec<String> = MIX
            .map(|program| told(run(bench, program, &profile())))
            .into();
        assert_eq!(again, first, "round {round}");
    }
    assert_healthy(bench);
}

pub fn thirty_two_at_once(bench: &(impl Bench + Sync)) {
    let expected: Vec<String> = MIX
        .map(|program| told(run(bench, program, &profile())))
        .into();
    std::thread::scope(|scope| {
        let (bench, expected) = (&bench, &expected);
        for thread in 0..32 {
            scope.spawn(move || {
                for turn in 0..MIX.len() {
                    let which = (thread + turn) % MIX.len();
                    assert_eq!(told(run(*bench, MIX[which], &profile())), expected[which]);
                }
                if bench.counts_instructions() {
                    let endless = profile_with(json!({"fuel": 2_000_000}));
                    run(*bench, Program::Loop, &endless).expect("out of fuel is an outcome");
                }
            });
        }
    });
    assert_healthy(bench);
}
