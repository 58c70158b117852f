//! Refuses programs that would keep the compiler busy for minutes.
//!
//! A compilation cannot be interrupted and no fuel pays for it, and the compiler's time grows with the square of some
//! things a program can have: 50,000 nested loops, 150 KB of code, take it more than four minutes. Compilers of real
//! languages stay far below these limits; programs without such functions take time in proportion to their size.

use wasmparser::{Operator, Parser, Payload};

/// Loops inside loops, in one function.
const NESTED_LOOPS_LIMIT: usize = 256;

/// Blocks, loops and branches inside each other, in one function. A `switch` of n cases nests n blocks.
const NESTING_LIMIT: usize = 10_000;

/// Blocks, loops and branches of one function.
const BLOCKS_LIMIT: usize = 30_000;

/// Checks every function of a module, or of all modules inside a component.
///
/// What is malformed passes: the compiler says better what is wrong, and reads no further either.
pub(super) fn check(binary: &[u8]) -> Result<(), String> {
    let bodies = Parser::new(0).parse_all(binary).map_while(Result::ok).filter_map(|payload| match payload {
        Payload::CodeSectionEntry(body) => Some(body),
        _ => None,
    });
    for body in bodies {
        let Ok(operators) = body.get_operators_reader() else { return Ok(()) };
        let start = body.range().start;
        check_function(operators.into_iter().map_while(Result::ok))
            .map_err(|what| format!("the function at byte {start} has {what}; it would take too long to compile"))?;
    }
    Ok(())
}

fn check_function<'a>(operators: impl Iterator<Item = Operator<'a>>) -> Result<(), String> {
    // Whether each open block is a loop.
    let mut open = Vec::new();
    let (mut loops, mut blocks) = (0, 0);
    for operator in operators {
        match operator {
            Operator::Loop { .. } => open.push(true),
            Operator::Block { .. } | Operator::If { .. } => open.push(false),
            Operator::End => {
                loops -= usize::from(open.pop() == Some(true));
                continue;
            }
            _ => continue,
        }
        blocks += 1;
        loops += usize::from(open.last() == Some(&true));
        for (count, limit, what) in [
            (loops, NESTED_LOOPS_LIMIT, "loops inside each other"),
            (open.len(), NESTING_LIMIT, "blocks inside each other"),
            (blocks, BLOCKS_LIMIT, "blocks, loops and branches"),
        ] {
            if count > limit {
                return Err(format!("more than {limit} {what}"));
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(body: &str) -> Option<String> {
        let module = wat::parse_str(format!("(module (func) (func {body}))")).expect("a module");
        check(&module).err()
    }

    fn nested(what: &str, count: usize) -> String {
        format!("{} {}", format!("({what} ").repeat(count), ")".repeat(count))
    }

    #[test]
    fn each_limit_is_exact() {
        assert_eq!(told(&nested("loop", NESTED_LOOPS_LIMIT)), None);
        assert!(told(&nested("loop", NESTED_LOOPS_LIMIT + 1)).is_some_and(|why| why.contains("256 loops")));
        assert_eq!(told(&nested("block", NESTING_LIMIT)), None);
        assert!(told(&nested("block", NESTING_LIMIT + 1)).is_some_and(|why| why.contains("10000 blocks")));
        assert_eq!(told(&"(if (i32.const 0) (then) (else))".repeat(BLOCKS_LIMIT)), None);
        let more = told(&"(if (i32.const 0) (then) (else))".repeat(BLOCKS_LIMIT + 1));
        assert!(more.is_some_and(|why| why.contains("30000 blocks, loops and branches")));
        // One after another, loops are as good as anything.
        assert_eq!(told(&"(loop (loop))".repeat(10_000)), None);
    }

    #[test]
    fn modules_inside_components_are_checked() {
        let loops = nested("loop", 1_000);
        let inside = format!("(component (component (core module) (core module (func {loops}))))");
        assert!(check(&wat::parse_str(inside).expect("a component")).is_err());
    }

    #[test]
    fn what_is_malformed_passes() {
        for bytes in [&b""[..], b"\0asm", b"\0asm\x01\0\0\0\x0a\xff", b"\0asm\x0d\0\x01\0\x01\x20\0asm"] {
            assert_eq!(check(bytes), Ok(()));
        }
    }
}
