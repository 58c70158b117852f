//! What every backend must do: the contract of a skill, as one suite.
//!
//! The cases are generic over [`Bench`]: a backend and the programs that show it. Cases of
//! `contract` hold for every backend; those of `metered` for backends that count instructions and
//! memory exactly. A new backend adds a bench and one line at the end of this file. Without a
//! feature there is no backend and nothing to test.

#![cfg(any(feature = "wasm", all(feature = "native", target_os = "linux")))]

mod commands;
#[path = "../common/mod.rs"]
mod common;
mod contract;
mod failures;
mod load;
#[cfg(feature = "wasm")]
mod metered;
#[cfg(all(feature = "native", target_os = "linux"))]
mod native;
#[cfg(feature = "wasm")]
mod wasm;

use std::time::Duration;

use serde_json::{Value, json};
use sre_core::{BadOutputReason, JsonResult, Profile, canonical_json};
use sre_sandbox::{Call, Execution, Job, Sandbox, SandboxError, Stop};
use sre_skill::Skill;

use commands::Step;

/// A backend under test.
trait Bench {
    fn sandbox(&self) -> &(dyn Sandbox + Sync);

    /// The backend's version of a program, in a package with the files `data/note.txt` ("a note"),
    /// `b.txt` and `a.txt`. `package` replaces fields of the package.
    fn skill(&self, program: Program, package: Value) -> Skill;

    /// A program that carries out steps, and what it reads from standard input for that.
    fn steps(&self, steps: &[Step]) -> (Skill, Vec<u8>);

    /// What came of each step: `ok`, the name of the error, or what was read instead.
    fn answers(&self, steps: &[Step], stdout: &[u8]) -> Vec<String>;

    /// Environment besides that of the contract.
    fn more_environment(&self) -> Vec<(String, String)> {
        Vec::new()
    }

    /// The names in the package's top folder: the files above and the program.
    fn names(&self) -> Vec<&'static str>;

    /// The arguments of a program.
    fn arguments(&self) -> Vec<&'static str>;

    /// Whether a program without an end runs out of fuel.
    fn counts_instructions(&self) -> bool;
}

/// What the programs do. "In hexadecimal" is a JSON string of hexadecimal digits.
#[derive(Debug, Clone, Copy)]
enum Program {
    /// Copies standard input to standard output.
    Echo,
    /// Returns its environment in hexadecimal, `NAME=value` and a zero byte each, in the order
    /// found.
    Environment,
    /// Returns its arguments in hexadecimal, with a zero byte after each.
    Arguments,
    /// Returns the names in the package's top folder in the order found.
    ListPackage,
    /// Returns the content of `data/note.txt` in hexadecimal.
    ReadPackage,
    /// Tries four ways to change the package; returns how many were refused.
    WritePackage,
    /// Returns a list: names in `/tmp`; the names after a file `note` was written; its content in
    /// hexadecimal.
    Tmp,
    /// Returns 0 if fresh memory holds nothing of an earlier run, and leaves something there.
    Remember,
    /// Prints `1` and exits 3.
    Exit3,
    /// Is ended by a fault.
    Trap,
    /// Prints these bytes and exits 0.
    Print(&'static [u8]),
    /// Prints 1 GiB.
    Flood,
    /// Logs 64 MiB of the letter `a` and returns 1.
    FloodLog,
    /// Never ends.
    Loop,
    /// Sleeps without end.
    Sleep,
    /// Reads the clock without end.
    #[cfg_attr(
        not(feature = "wasm"),
        expect(dead_code, reason = "only backends that meter exactly end it")
    )]
    Spin,
    /// Takes memory until it is refused, and then fails.
    Allocate,
    /// Calls itself without end.
    Recurse,
}

type Ran = Result<Execution, SandboxError>;

fn run(bench: &dyn Bench, program: Program, profile: &Profile) -> Ran {
    run_within(bench, program, profile, common::PATIENCE)
}

fn run_within(bench: &dyn Bench, program: Program, profile: &Profile, time_limit: Duration) -> Ran {
    let skill = bench.skill(program, json!({}));
    let job = Job {
        skill: &skill,
        entry: &skill.default_entry().expect("a program"),
        call: Call::Json {
            input: br#"{"n":1}"#,
        },
        profile,
        time_limit,
        language_runtime: None,
    };
    bench.sandbox().execute(&job, &Stop::new())
}

fn returned(bench: &dyn Bench, program: Program) -> Value {
    let execution = run(bench, program, &common::profile()).expect("an outcome");
    assert_eq!(execution.failure, None, "{program:?}: {}", execution.logs);
    execution.output.expect("an output")
}

/// A run that fails as it should and leaves the backend healthy.
fn failed(bench: &dyn Bench, program: Program, profile: &Profile) -> Execution {
    let execution = run(bench, program, profile).expect("an outcome");
    assert!(
        execution.output.is_none() && execution.output_canonical.is_none(),
        "{program:?} returned something"
    );
    assert!(
        execution.failure.is_some(),
        "{program:?} failed without a word"
    );
    assert_healthy(bench);
    execution
}

fn assert_healthy(bench: &dyn Bench) {
    assert_eq!(returned(bench, Program::Echo), json!({"n": 1}));
}

fn bad_output(execution: &Execution) -> BadOutputReason {
    match execution.outcome.result {
        Some(JsonResult::Invalid { reason }) => reason,
        _ => panic!("not a bad output: {}", execution.outcome),
    }
}

/// Bytes that a program returned in hexadecimal.
fn unhex(value: &Value) -> Vec<u8> {
    let digits = value.as_str().expect("a string").as_bytes();
    let digit = |d: u8| (d as char).to_digit(16).expect("a digit") as u8;
    digits
        .chunks(2)
        .map(|pair| digit(pair[0]) << 4 | digit(pair[1]))
        .collect()
}

fn canonical(value: &Value) -> Vec<u8> {
    canonical_json::to_vec(value)
}

macro_rules! cases {
    ($bench:expr; $($room:ident: $($case:ident)*;)*) => {$(
        mod $room {
            $(#[test]
            fn $case() {
                // A backend that this machine cannot run has said so aloud.
                if let Some(bench) = $bench {
                    crate::$room::$case(&bench);
                }
            })*
        }
    )*};
}

/// The cases of every backend.
macro_rules! suite {
    ($bench:expr) => {
        cases! { $bench;
            contract:
                input_is_the_same_on_every_way input_survives_any_text the_environment_is_the_documented_one
                arguments_are_the_entrypoint the_package_is_listed_sorted the_package_is_readable
                the_package_is_not_writable tmp_is_writable_and_private_and_empty nothing_is_left_of_an_earlier_run
                output_is_canonical the_output_schema_is_applied logs_are_cut_with_a_mark;
            failures:
                exit_codes_are_kept faults_are_told nothing_printed not_json two_values duplicate_names not_utf8
                a_flood_stops_at_the_limit a_schema_violation time_is_limited sleep_is_limited a_stop_is_obeyed
                a_stop_before_the_start_is_obeyed;
            commands:
                files_are_found_changed_and_left a_run_changes_nothing_of_the_next
                home_is_part_of_the_outcome_if_it_is_given only_collected_changes_are_left
                paths_lead_nowhere_else links_lead_nowhere_else bytes_are_limited names_are_limited
                ten_thousand_files what_is_no_tree_is_refused arguments_and_environment_are_exact
                streams_and_exit_codes_are_exact output_has_its_limit;
            load: a_hundred_runs_in_a_row thirty_two_at_once;
        }
    };
}

/// The cases of backends that meter exactly.
#[cfg(feature = "wasm")]
macro_rules! metered_suite {
    ($bench:expr) => {
        mod exactly {
            cases! { $bench;
                metered: fuel_is_limited fuel_is_counted waiting_by_the_clock_ends memory_is_limited
                    recursion_is_limited;
            }
        }
    };
}

#[cfg(feature = "wasm")]
mod wasm_backend {
    suite!(Some(crate::wasm::WasmBench::get()));
    metered_suite!(Some(crate::wasm::WasmBench::get()));
}

#[cfg(all(feature = "native", target_os = "linux"))]
mod native_backend {
    suite!(crate::native::NativeBench::get());
}
