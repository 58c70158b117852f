//! From the table to the kernel's filter program.
//!
//! A balanced tree over call numbers, not a chain: when a filter is put on a process, the kernel
//! runs it once for every call number to learn which answers are constant. With a chain that is
//! some 400 walks over some 300 comparisons for every jail, with a tree some 400 walks over ten.

use std::collections::BTreeMap;

use libc::{
    BPF_ABS, BPF_ALU, BPF_AND, BPF_JA, BPF_JEQ, BPF_JGE, BPF_JMP, BPF_JSET, BPF_K, BPF_LD, BPF_RET,
    BPF_W, sock_filter,
};

use super::table::Rule;

/// Offsets in `struct seccomp_data`.
const CALL: u32 = 0;
const ARCHITECTURE: u32 = 4;
const ARGUMENTS: u32 = 16;

#[cfg(target_arch = "x86_64")]
const AUDIT_ARCHITECTURE: u32 = 0xc000_003e;
#[cfg(target_arch = "aarch64")]
const AUDIT_ARCHITECTURE: u32 = 0xc000_00b7;

/// Calls of the x32 interface carry this bit; there is no table for them.
const X32_BIT: u32 = 0x4000_0000;

const SIGN_BIT: u32 = 1 << 31;

/// The program for `rules`; calls without a rule answer `ENOSYS`.
#[must_use]
pub fn compile(rules: &BTreeMap<u32, Rule>) -> Vec<sock_filter> {
    let mut program = vec![
        load(ARCHITECTURE),
        jump(BPF_JEQ, AUDIT_ARCHITECTURE, 1, 0),
        answer(Rule::Kill),
        load(CALL),
        jump(BPF_JGE, X32_BIT, 0, 1),
        answer(Rule::Kill),
    ];
    tree(&mut program, &ranges(rules));
    program
}

/// Ranges of call numbers with one rule: where each starts. The first starts at 0, the last has no
/// end.
fn ranges(rules: &BTreeMap<u32, Rule>) -> Vec<(u32, Rule)> {
    let unknown = Rule::Fail(libc::ENOSYS);
    let mut ranges: Vec<(u32, Rule)> = vec![(0, unknown)];
    let mut next = 0;
    let mut add = |start: u32, rule: Rule| match ranges.last_mut() {
        Some(last) if last.0 == start => last.1 = rule,
        Some(last) if last.1 == rule => {}
        _ => ranges.push((start, rule)),
    };
    for (&call, &rule) in rules {
        if call > next {
            add(next, unknown);
        }
        add(call, rule);
        next = call + 1;
    }
    add(next, unknown);
    ranges
}

fn tree(program: &mut Vec<sock_filter>, ranges: &[(u32, Rule)]) {
    if let [(_, rule)] = ranges {
        leaf(program, *rule);
        return;
    }
    let (low, high) = ranges.split_at(ranges.len() / 2);
    // At or above the middle: jump over the lower half. Conditional jumps reach 255 instructions,
    // plain ones any.
    let mut lower = Vec::new();
    tree(&mut lower, low);
    match u8::try_from(lower.len()) {
        Ok(length) => program.push(jump(BPF_JGE, high[0].0, length, 0)),
        Err(_) => {
            program.push(jump(BPF_JGE, high[0].0, 0, 1));
            program.push(jump(
                BPF_JA,
                u32::try_from(lower.len()).unwrap_or(u32::MAX),
                0,
                0,
            ));
        }
    }
    program.append(&mut lower);
    tree(program, high);
}

fn leaf(program: &mut Vec<sock_filter>, rule: Rule) {
    match rule {
        Rule::Allow | Rule::Fail(_) | Rule::Kill | Rule::Ask => program.push(answer(rule)),
        Rule::AllowOnly(argument, values, error) => {
            listed(program, argument, values, Rule::Fail(error), Rule::Allow)
        }
        Rule::AllowExcept(argument, values, error) => {
            listed(program, argument, values, Rule::Allow, Rule::Fail(error));
        }
        Rule::AllowZeros(arguments, error) => {
            for argument in arguments {
                program.extend([
                    load_argument(*argument),
                    jump(BPF_JEQ, 0, 1, 0),
                    answer(Rule::Fail(error)),
                ]);
            }
            program.push(answer(Rule::Allow));
        }
        Rule::AllowWithout(argument, bits) => {
            program.extend([
                load_argument(argument),
                jump(BPF_JSET, bits, 0, 1),
                answer(Rule::Kill),
                answer(Rule::Allow),
            ]);
        }
        Rule::AskUnlessNull(argument) => ask_unless_null(program, argument),
        Rule::AskIfPositive(argument) => program.extend([
            load_argument(argument),
            jump(BPF_JEQ, 0, 2, 0),
            jump(BPF_JGE, SIGN_BIT, 1, 0),
            answer(Rule::Ask),
            answer(Rule::Allow),
        ]),
        Rule::AskIfTimedFutex => {
            program.extend([
                load_argument(1),
                statement(BPF_ALU | BPF_AND | BPF_K, libc::FUTEX_CMD_MASK as u32),
                jump(BPF_JEQ, libc::FUTEX_WAIT as u32, 2, 0),
                jump(BPF_JEQ, libc::FUTEX_WAIT_BITSET as u32, 1, 0),
                answer(Rule::Allow),
            ]);
            ask_unless_null(program, 3);
        }
    }
}

/// Asks unless a 64-bit argument is zero.
fn ask_unless_null(program: &mut Vec<sock_filter>, argument: u32) {
    program.extend([
        load_argument(argument),
        jump(BPF_JEQ, 0, 0, 2),
        load_high_half(argument),
        jump(BPF_JEQ, 0, 1, 0),
        answer(Rule::Ask),
        answer(Rule::Allow),
    ]);
}

/// One answer if the argument is listed, another if not. The kernel looks at the low 32 bits of
/// these arguments too.
fn listed(
    program: &mut Vec<sock_filter>,
    argument: u32,
    values: &[u32],
    unlisted: Rule,
    found: Rule,
) {
    program.push(load_argument(argument));
    for (at, value) in values.iter().enumerate() {
        let to_found = u8::try_from(values.len() - at).unwrap_or(u8::MAX);
        program.push(jump(BPF_JEQ, *value, to_found, 0));
    }
    program.extend([answer(unlisted), answer(found)]);
}

fn load(offset: u32) -> sock_filter {
    statement(BPF_LD | BPF_W | BPF_ABS, offset)
}

fn load_argument(index: u32) -> sock_filter {
    let low = if cfg!(target_endian = "little") { 0 } else { 4 };
    load(ARGUMENTS + 8 * index + low)
}

fn load_high_half(index: u32) -> sock_filter {
    let high = if cfg!(target_endian = "little") { 4 } else { 0 };
    load(ARGUMENTS + 8 * index + high)
}

fn jump(kind: u32, value: u32, if_true: u8, if_false: u8) -> sock_filter {
    sock_filter {
        jt: if_true,
        jf: if_false,
        ..statement(BPF_JMP | kind | BPF_K, value)
    }
}

fn answer(rule: Rule) -> sock_filter {
    let value = match rule {
        Rule::Fail(error) => libc::SECCOMP_RET_ERRNO | u32::try_from(error).unwrap_or(0),
        Rule::Kill => libc::SECCOMP_RET_KILL_PROCESS,
        Rule::Ask => libc::SECCOMP_RET_USER_NOTIF,
        _ => libc::SECCOMP_RET_ALLOW,
    };
    statement(BPF_RET | BPF_K, value)
}

fn statement(code: u32, value: u32) -> sock_filter {
    sock_filter {
        code: u16::try_from(code).unwrap_or(u16::MAX),
        jt: 0,
        jf: 0,
        k: value,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::{repeatable_rules, rules};
    use super::*;

    /// Runs a program as the kernel does; returns the answer and how many instructions it took.
    fn run(
        program: &[sock_filter],
        architecture: u32,
        call: u32,
        arguments: [u64; 6],
    ) -> (u32, usize) {
        let (mut at, mut loaded, mut steps) = (0, 0_u32, 0);
        loop {
            let instruction = program[at];
            at += 1;
            steps += 1;
            match u32::from(instruction.code) {
                code if code == BPF_LD | BPF_W | BPF_ABS => {
                    loaded = match instruction.k {
                        CALL => call,
                        ARCHITECTURE => architecture,
                        offset => {
                            (arguments[((offset - ARGUMENTS) / 8) as usize] >> (8 * (offset % 8)))
                                as u32
                        }
                    }
                }
                code if code == BPF_RET | BPF_K => return (instruction.k, steps),
                code if code == BPF_ALU | BPF_AND | BPF_K => loaded &= instruction.k,
                code if code == BPF_JMP | BPF_JA | BPF_K => at += instruction.k as usize,
                code => {
                    let holds = match code & !(BPF_JMP | BPF_K) {
                        BPF_JEQ => loaded == instruction.k,
                        BPF_JGE => loaded >= instruction.k,
                        BPF_JSET => loaded & instruction.k != 0,
                        other => panic!("an instruction {other:#x}"),
                    };
                    at += usize::from(if holds {
                        instruction.jt
                    } else {
                        instruction.jf
                    });
                }
            }
        }
    }

    fn ask_if(holds: bool) -> Rule {
        if holds { Rule::Ask } else { Rule::Allow }
    }

    fn expected(rule: Option<&Rule>, arguments: [u64; 6]) -> u32 {
        let argument = |index: u32| arguments[index as usize] as u32;
        let simple = match rule {
            None => Rule::Fail(libc::ENOSYS),
            Some(Rule::AllowOnly(index, values, error)) => {
                if values.contains(&argument(*index)) {
                    Rule::Allow
                } else {
                    Rule::Fail(*error)
                }
            }
            Some(Rule::AllowExcept(index, values, error)) => {
                if values.contains(&argument(*index)) {
                    Rule::Fail(*error)
                } else {
                    Rule::Allow
                }
            }
            Some(Rule::AllowZeros(indexes, error)) => {
                let all = indexes.iter().all(|index| argument(*index) == 0);
                if all { Rule::Allow } else { Rule::Fail(*error) }
            }
            Some(Rule::AllowWithout(index, bits)) => {
                if argument(*index) & bits == 0 {
                    Rule::Allow
                } else {
                    Rule::Kill
                }
            }
            Some(Rule::AskUnlessNull(index)) => ask_if(arguments[*index as usize] != 0),
            Some(Rule::AskIfPositive(index)) => ask_if(argument(*index) as i32 > 0),
            Some(Rule::AskIfTimedFutex) => {
                ask_if(matches!(argument(1) & 0xffff_fe7f, 0 | 9) && arguments[3] != 0)
            }
            Some(simple) => *simple,
        };
        answer(simple).k
    }

    #[test]
    fn every_call_has_the_answer_of_the_table_in_few_steps() {
        for rules in [rules(), repeatable_rules()] {
            let program = compile(&rules);
            assert!(program.len() < 4096, "the kernel's limit");
            for call in 0..1024 {
                let (found, steps) = run(&program, AUDIT_ARCHITECTURE, call, [0; 6]);
                assert_eq!(found, expected(rules.get(&call), [0; 6]), "call {call}");
                assert!(steps < 64, "{steps} steps for call {call}");
            }
        }
    }

    #[test]
    fn other_architectures_are_killed() {
        let program = compile(&rules());
        for architecture in [0x4000_0003, 0xc000_0028, 0] {
            let (found, _) = run(&program, architecture, libc::SYS_read as u32, [0; 6]);
            assert_eq!(found, libc::SECCOMP_RET_KILL_PROCESS);
        }
        let (found, _) = run(
            &program,
            AUDIT_ARCHITECTURE,
            X32_BIT | libc::SYS_read as u32,
            [0; 6],
        );
        assert_eq!(found, libc::SECCOMP_RET_KILL_PROCESS);
    }

    proptest! {
        #[test]
        fn arguments_decide_as_the_table_says(
            value in prop_oneof![0..64_u64, any::<u64>(), Just(0x5412), Just(1 << 32), Just(1 << 31), Just(0x109)],
            first in proptest::option::of(Just(0_u64)),
            at in 0..32_usize,
            is_repeatable: bool,
        ) {
            let rules = if is_repeatable { repeatable_rules() } else { rules() };
            let program = compile(&rules);
            let special: Vec<u32> = rules
                .iter()
                .filter(|(_, rule)| !matches!(rule, Rule::Allow | Rule::Kill | Rule::Fail(_) | Rule::Ask))
                .map(|(call, _)| *call)
                .collect();
            let call = special[at % special.len()];
            let mut arguments = [value; 6];
            arguments[0] = first.unwrap_or(value);
            prop_assert_eq!(run(&program, AUDIT_ARCHITECTURE, call, arguments).0, expected(rules.get(&call), arguments));
        }
    }
}
