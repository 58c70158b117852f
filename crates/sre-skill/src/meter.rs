//! Bounds the work of checking one value against a schema.
//!
//! The `jsonschema` crate has no limit of its own, and a recursive schema can make it work for ever or overflow the
//! stack. So [`schema_graph`](crate::schema_graph) plants a keyword that always holds wherever a schema leads to
//! another one; each time it is reached it takes a step from the thread's meter. When the steps or the stack are used
//! up, the check is unwound (without the panic hook, so nothing is printed) and [`run`] says so.
//!
//! Invariant: the meter is set only while [`run`] is on the stack.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use jsonschema::{Keyword, ValidationError};
use serde_json::Value;

/// The planted keyword. No schema of a package may use it.
pub(crate) const METER_KEYWORD: &str = "x-sre-meter";

/// Stack that one check may use, in bytes: well below the 2 MiB of a worker thread.
const STACK_LIMIT_BYTES: usize = 768 * 1024;

thread_local! {
    static METER: Cell<Option<Meter>> = const { Cell::new(None) };
}

#[derive(Clone, Copy)]
struct Meter {
    steps_left: u64,
    stack_start: usize,
}

/// The check was stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Exhausted;

/// Runs `check` for at most `steps` steps.
pub(crate) fn run<T>(steps: u64, check: impl FnOnce() -> T) -> Result<T, Exhausted> {
    METER.set(Some(Meter { steps_left: steps, stack_start: stack_position() }));
    let result = catch_unwind(AssertUnwindSafe(check));
    METER.set(None);
    // A panic of the library itself ends here too: a value that it cannot check is not valid.
    result.map_err(|_| Exhausted)
}

/// The keyword that takes the steps.
pub(crate) struct Step;

impl<'i> Keyword<'i> for Step {
    fn validate(&self, _: &'i Value) -> Result<(), ValidationError<'i>> {
        take_step();
        Ok(())
    }

    fn is_valid(&self, _: &'i Value) -> bool {
        take_step();
        true
    }
}

fn take_step() {
    let Some(mut meter) = METER.get() else { return };
    let stack = stack_position().abs_diff(meter.stack_start);
    if meter.steps_left == 0 || stack > STACK_LIMIT_BYTES {
        resume_unwind(Box::new(Exhausted));
    }
    meter.steps_left -= 1;
    METER.set(Some(meter));
}

/// About where the stack ends now.
#[inline(never)]
fn stack_position() -> usize {
    let here = 0u8;
    std::hint::black_box(&raw const here) as usize
}
