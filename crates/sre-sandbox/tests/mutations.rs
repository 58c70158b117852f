//! Valid programs with bytes changed at random: whatever comes of them, the host survives and stays
//! healthy.
//!
//! The mutations are the same in every run. `SRE_MUTATIONS=1000000` makes more of them;
//! `SRE_MUTATION_SEED` others.

mod common;

use std::collections::BTreeMap;

use common::{PRELUDE, Program, profile_with, run, shared, skill};
use serde_json::json;
use sre_sandbox::ErrorKind;

/// xorshift64*: small, and the same on every machine and in every version.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    fn below(&mut self, limit: usize) -> usize {
        (self.next() >> 11) as usize % limit
    }
}

fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name)
        .ok()
        .map_or(default, |text| text.parse().expect("a number"))
}

/// Changes a byte or a few; sometimes inserts, removes or swaps some, which few programs survive.
fn mutate(program: &[u8], random: &mut Random) -> Vec<u8> {
    let mut bytes = program.to_vec();
    let (edits, kinds) = if random.below(4) == 0 {
        (1 + random.below(4), 6)
    } else {
        (1, 3)
    };
    for _ in 0..edits {
        // The header stays: without it nothing is tried.
        let at = 8 + random.below(bytes.len() - 8);
        match random.below(kinds) {
            0 => bytes[at] ^= 1 << random.below(8),
            1 => bytes[at] = [0, 1, 0x7f, 0x80, 0xff][random.below(5)],
            2 => bytes[at] = random.next() as u8,
            3 => bytes.insert(at, random.next() as u8),
            4 => drop(bytes.remove(at)),
            _ => bytes.swap(at, 8 + at % 8),
        }
    }
    bytes
}

fn survive(name: &str, text: &str, seed: u64) {
    let program = wat::parse_str(text).expect("a program");
    let profile =
        profile_with(json!({"fuel": 1_000_000, "mem_limit_bytes": 80 << 20, "timeout_ms": 10_000}));
    let good = skill(Program::Binary(&program));
    let expected = run(shared(), &good, &json!({}), &profile)
        .expect("an outcome")
        .output;
    assert!(expected.is_some(), "the program itself does not work");

    let mut random = Random(setting("SRE_MUTATION_SEED", seed));
    let mut tally = BTreeMap::new();
    for number in 0..setting("SRE_MUTATIONS", 2_000) / 2 {
        let mutant = skill(Program::Binary(&mutate(&program, &mut random)));
        let kind = match run(shared(), &mutant, &json!({}), &profile) {
            Ok(execution) => execution
                .outcome
                .error_code(None)
                .map_or("returned", |code| code.as_str()),
            Err(error) => match error.kind() {
                ErrorKind::Rejected => "rejected",
                ErrorKind::Timeout => "timeout",
                _ => panic!("mutation {number}: {error}"),
            },
        };
        *tally.entry(kind).or_insert(0) += 1;
    }
    println!("{name}: {tally:?}");
    // Some got past the door, or nothing was tried.
    assert!(tally.keys().any(|&kind| kind != "rejected"));
    assert_eq!(
        run(shared(), &good, &json!({}), &profile)
            .expect("an outcome")
            .output,
        expected
    );
}

#[test]
fn mutated_modules() {
    let program = include_str!("programs/tmp.wat");
    survive(
        "modules",
        &format!("(module {PRELUDE} {program})"),
        0x5eed_0001,
    );
}

#[test]
fn mutated_components() {
    let body = "(func $run (result i32)
        (call $random (i64.const 9) (i32.const 512)) (drop (call $now))
        (i32.store (i32.const 1024) (call $subscribe (i64.const 1000)))
        (call $poll (i32.const 1024) (i32.const 1) (i32.const 512))
        (call $print (i32.const 0) (i32.const 1)) (i32.const 0))\n";
    survive(
        "components",
        &include_str!("programs/component.wat").replace("BODY\n", body),
        0x5eed_0002,
    );
}
