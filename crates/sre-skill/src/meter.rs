//! Bounds the work of checking one value against a schema.
//!
//! The `jsonschema` crate has no limit of its own, and a schema can make it work for hours or
//! overflow the stack. So [`schema_graph`](crate::schema_graph) plants a keyword before everything
//! in a schema that can cost more than a moment; each time it is reached it takes what the schema
//! [weighs](crate::weight) for that value from the thread's meter. When that is used up, the check
//! is unwound (without the panic hook, so nothing is printed) and [`run`] says so.
//!
//! Invariants: the meter is set only while [`run`] is on the stack. Whether a check is
//! [`Halt::Exhausted`] depends on schema and value alone; time, the caller's wish and the stack end
//! it in ways that are no verdict on the value.

use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;

use jsonschema::{Keyword, ValidationError};
use serde_json::Value;

use crate::weight::Weight;

/// The planted keyword. No schema of a package may use it.
pub(crate) const METER_KEYWORD: &str = "x-sre-meter";

/// After how many units the caller is asked whether to go on: well below a hundredth of a second.
const UNITS_PER_QUESTION: u64 = 1 << 16;

thread_local! {
    static METER: RefCell<Option<Meter>> = const { RefCell::new(None) };
}

/// Whether a check should end before it is done.
pub(crate) type ShouldStop = Arc<dyn Fn() -> bool + Send + Sync>;

/// What a check may use.
pub(crate) struct Allowance {
    /// Work, in units of [`Weight`].
    pub(crate) units: u64,
    /// Stack from where the check begins, in bytes.
    pub(crate) stack_bytes: usize,
    pub(crate) should_stop: ShouldStop,
}

struct Meter {
    allowed: Allowance,
    units_to_question: u64,
    stack_start: usize,
}

/// Why a check was stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Halt {
    /// It takes more work than any check may.
    Exhausted,
    /// The caller wished so.
    Stopped,
    /// The stack is nearly used up.
    Stack,
}

/// Runs `check` within `allowed`.
pub(crate) fn run<T>(allowed: Allowance, check: impl FnOnce() -> T) -> Result<T, Halt> {
    let meter = Meter {
        allowed,
        units_to_question: 0,
        stack_start: stack_position(),
    };
    METER.set(Some(meter));
    let result = catch_unwind(AssertUnwindSafe(check));
    METER.set(None);
    // A panic of the library itself ends here too: a value that it cannot check is not valid.
    result.map_err(|thrown| thrown.downcast().map_or(Halt::Exhausted, |halt| *halt))
}

/// The keyword that takes the units.
pub(crate) struct Step(pub(crate) Weight);

impl<'i> Keyword<'i> for Step {
    fn validate(&self, value: &'i Value) -> Result<(), ValidationError<'i>> {
        self.take(value);
        Ok(())
    }

    fn is_valid(&self, value: &'i Value) -> bool {
        self.take(value);
        true
    }
}

impl Step {
    fn take(&self, value: &Value) {
        let halt = METER
            .with_borrow_mut(|meter| meter.as_mut().and_then(|meter| meter.take(&self.0, value)));
        if let Some(halt) = halt {
            resume_unwind(Box::new(halt));
        }
    }
}

impl Meter {
    fn take(&mut self, weight: &Weight, value: &Value) -> Option<Halt> {
        if stack_position().abs_diff(self.stack_start) > self.allowed.stack_bytes {
            return Some(Halt::Stack);
        }
        let units = weight.of(value, self.allowed.units);
        let Some(left) = self.allowed.units.checked_sub(units) else {
            return Some(Halt::Exhausted);
        };
        self.allowed.units = left;
        match self.units_to_question.checked_sub(units) {
            Some(left) => self.units_to_question = left,
            None if (self.allowed.should_stop)() => return Some(Halt::Stopped),
            None => self.units_to_question = UNITS_PER_QUESTION,
        }
        None
    }
}

/// About where the stack ends now.
#[inline(never)]
fn stack_position() -> usize {
    let here = 0u8;
    std::hint::black_box(&raw const here) as usize
}
