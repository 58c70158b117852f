//! Refuses programs that would keep the compiler busy for minutes.
//!
//! A compilation cannot be interrupted and no fuel pays for it, and the compiler's time grows with
//! the square of some things a program can have: two `br_table`s of 65,000 targets each, 130 KB of
//! code, take it more than a minute. So each thing has a limit for one function, which bounds the
//! square, and one for all functions, which bounds how many functions may be at the first. What
//! stays within both costs some seconds at most beyond time in proportion to its size.
//!
//! Compilers of real languages stay far below. The largest that was measured, in one function / in
//! the program: CPython 3.14 (29 MB, clang), QuickJS-ng (1.7 MB, clang), and the examples of the
//! repository, built by rustc as they are shipped (up to 434 KB) and without optimisation (up to
//! 7.6 MB):
//!
//! | | CPython | QuickJS | Rust, optimised | Rust, not optimised |
//! |---|---|---|---|---|
//! | loops inside each other | 6 | 10 | 6 | 3 |
//! | loops | 81 / 9,574 | 70 / 1,610 | 69 / 656 | 28 / 547 |
//! | blocks, loops and branches | 3,112 / 124,613 | 1,167 / 20,687 | 636 / 6,846 | 449 / 10,763 |
//! | `br_table` targets | 15,849 / 46,344 | 339 / 10,139 | 356 / 2,889 | 420 / 1,942 |
//! | … times locals | 31,698 / 471,802 | 19,323 / 151,152 | 21,016 / 68,964 | 134,400 / 216,001 |
//! | … times values they hand over | 0 | 0 | 0 | 0 |
//! | values handed over | 7,780 / 249,494 | 1,827 / 39,291 | 852 / 9,744 | 590 / 25,836 |
//! | ways times locals | 188,160 / 5,085,487 | 190,950 / 1,029,891 | 120,916 / 520,438 | 476,800 / 1,363,560 |

mod signatures;
mod weight;

use wasmparser::{Parser, Payload};

use signatures::Signatures;
use weight::Weight;

/// How much of one thing there may be. The comments give what a function at the limit takes one
/// core, measured.
struct Limit {
    what: &'static str,
    of: fn(&Weight) -> u64,
    function: u64,
    program: u64,
}

const LIMITS: &[Limit] = &[
    // 1,000 loops, one after another or nested 64 deep: 0.3 s.
    Limit {
        what: "loops inside each other",
        of: |weight| weight.nested_loops,
        function: 64,
        program: u64::MAX,
    },
    Limit {
        what: "loops",
        of: |weight| weight.loops,
        function: 1_000,
        program: 50_000,
    },
    // A `switch` of n cases nests n blocks. 0.2 s to 2 s.
    Limit {
        what: "blocks, loops and branches",
        of: |weight| weight.blocks,
        function: 10_000,
        program: 500_000,
    },
    // In tables of 250 to 1,000 targets: 2 s to 3 s.
    Limit {
        what: "br_table targets",
        of: |weight| weight.targets,
        function: 24_000,
        program: 100_000,
    },
    // Each target hands over each local that changes: 2 s to 8 s.
    Limit {
        what: "br_table targets times locals",
        of: |weight| weight.targets.saturating_mul(weight.locals),
        function: 300_000,
        program: 1_000_000,
    },
    // 4 tables of 1,000 targets: 0.3 s.
    Limit {
        what: "values that br_table targets hand over",
        of: |weight| weight.target_values,
        function: 4_000,
        program: 20_000,
    },
    // 25 calls that take and return 1,000 values each, or 5,000 of 5: 0.1 s to 1.1 s.
    Limit {
        what: "values that blocks, branches and calls hand over",
        of: |weight| weight.values,
        function: 50_000,
        program: 1_000_000,
    },
    // 1,500 branches over 1,000 locals, 15,000 over 100: 2 s to 4 s.
    Limit {
        what: "blocks and branches times locals",
        of: |weight| weight.ways.saturating_mul(weight.locals),
        function: 1_500_000,
        program: 15_000_000,
    },
];

/// Checks every function of a module, or of all modules inside a component.
///
/// What is malformed passes: the compiler says better what is wrong, and reads no further either.
pub(super) fn check(binary: &[u8]) -> Result<(), String> {
    let mut totals = [0; LIMITS.len()];
    weigh(binary, |start, weight| {
        for (limit, total) in LIMITS.iter().zip(&mut totals) {
            let has = (limit.of)(weight);
            *total += has;
            let (who, most) = match (has > limit.function, *total > limit.program) {
                (true, _) => (format!("the function at byte {start} has"), limit.function),
                (_, true) => (String::from("its functions together have"), limit.program),
                _ => continue,
            };
            return Err(format!(
                "{who} more than {most} {}; it would take too long to compile",
                limit.what
            ));
        }
        Ok(())
    })
}

/// Calls `visit` with the place of every function and its weight, until that fails.
fn weigh(
    binary: &[u8],
    mut visit: impl FnMut(usize, &Weight) -> Result<(), String>,
) -> Result<(), String> {
    // What is open, components and the modules in them, each with the number of bodies that were
    // read.
    let mut open: Vec<(Signatures, usize)> = Vec::new();
    for payload in Parser::new(0).parse_all(binary).map_while(Result::ok) {
        if let Payload::Version { .. } = payload {
            open.push((Signatures::default(), 0));
            continue;
        }
        let Some((signatures, bodies)) = open.last_mut() else {
            break;
        };
        match payload {
            Payload::TypeSection(section) => signatures.read_types(section),
            Payload::ImportSection(section) => signatures.read_imports(section),
            Payload::FunctionSection(section) => signatures.read_functions(section),
            Payload::CodeSectionEntry(body) => {
                let weight = Weight::of(&body, signatures.of_body(*bodies), signatures);
                *bodies += 1;
                visit(body.range().start, &weight)?;
            }
            Payload::End(_) => drop(open.pop()),
            _ => {}
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(functions: &str) -> Option<String> {
        let wide = format!(
            "(type $wide (func (param {0}) (result {0})))",
            "i32 ".repeat(100)
        );
        let module = wat::parse_str(format!(
            "(module {wide} (func $wide (type $wide) unreachable) {functions})"
        ));
        check(&module.expect("a module")).err()
    }

    fn function(body: &str) -> String {
        format!("(func {body})")
    }

    /// What repeats `what` `most` times passes, and once more does not, with these words.
    fn assert_most(most: usize, what: impl Fn(usize) -> String, words: &str) {
        assert_eq!(told(&what(most)), None, "{words}");
        let why = told(&what(most + 1)).unwrap_or_default();
        assert!(why.contains(words), "{why:?} does not say {words:?}");
    }

    fn nested(what: &str, count: usize) -> String {
        format!(
            "{} {}",
            format!("({what} ").repeat(count),
            ")".repeat(count)
        )
    }

    fn table(targets: usize) -> String {
        format!("(br_table {} (i32.const 0))", "0 ".repeat(targets))
    }

    #[test]
    fn each_limit_of_a_function_is_exact() {
        assert_most(
            64,
            |count| function(&nested("loop", count)),
            "64 loops inside each other",
        );
        assert_most(
            1_000,
            |count| function(&"(loop)".repeat(count)),
            "1000 loops",
        );
        assert_most(
            10_000,
            |count| function(&nested("block", count)),
            "10000 blocks, loops and branches",
        );
        assert_most(
            10_000,
            |count| function(&"(if (i32.const 0) (then))".repeat(count)),
            "10000 blocks",
        );
        assert_most(
            24_000,
            |count| function(&table(count)),
            "24000 br_table targets",
        );
        assert_most(
            20_000,
            |count| format!("(func (local {}) {})", "i32 ".repeat(15), table(count)),
            "targets times locals",
        );
        let calls = |count| {
            function(&format!(
                "unreachable {} (unreachable)",
                "(call $wide) ".repeat(count)
            ))
        };
        assert_most(250, calls, "50000 values");
        let results = "i32 ".repeat(100);
        let branches = |count| {
            format!(
                "(func (block (result {results}) unreachable {}) unreachable)",
                "br 0 ".repeat(count)
            )
        };
        assert_most(499, branches, "50000 values");
        let values = |count| {
            format!(
                "(func (block (result {results}) unreachable {}) unreachable)",
                table(count)
            )
        };
        assert_most(40, values, "4000 values that br_table targets hand over");
        let locals = "i32 ".repeat(1_000);
        assert_most(
            1_500,
            |count| format!("(func (local {locals}) {})", "(block)".repeat(count)),
            "1500000 blocks and branches times locals",
        );
    }

    #[test]
    fn many_functions_have_limits_together() {
        let full = function(&"(loop)".repeat(1_000));
        assert_most(
            50,
            |count| full.repeat(count),
            "together have more than 50000 loops",
        );
        let full = function(&table(10_000));
        assert_most(
            10,
            |count| full.repeat(count),
            "together have more than 100000 br_table targets",
        );
    }

    #[test]
    fn modules_inside_components_are_checked() {
        let loops = nested("loop", 1_000);
        let inside = format!("(component (component (core module) (core module (func {loops}))))");
        assert!(check(&wat::parse_str(inside).expect("a component")).is_err());
    }

    #[test]
    fn what_is_malformed_passes() {
        for bytes in [
            &b""[..],
            b"\0asm",
            b"\0asm\x01\0\0\0\x0a\xff",
            b"\0asm\x0d\0\x01\0\x01\x20\0asm",
        ] {
            assert_eq!(check(bytes), Ok(()));
        }
    }
}
