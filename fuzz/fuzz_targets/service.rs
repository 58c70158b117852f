//! The service's small texts; see the file that does the work.
#![no_main]

#[path = "../../crates/sre-orchestrator/tests/mutations/check.rs"]
mod check;

libfuzzer_sys::fuzz_target!(|text: &str| check::check(text));
