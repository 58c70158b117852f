//! Which system calls a guest may make.
//!
//! | file | holds |
//! |---|---|
//! | `table` | the decision per call, with its reason |
//! | `compiler` | from the table to the kernel's filter program |
//!
//! In a repeatable world, calls that ask for time or randomness wait for an answer of the jail's
//! first process (`init::world`).
//!
//! Three answers: allowed; refused as if the kernel did not have the call (`ENOSYS`), which
//! programs expect of old kernels; and killed, for calls no ordinary program makes without
//! privileges. Calls of another architecture kill.

mod compiler;
mod table;

pub use compiler::compile;
pub use table::{repeatable_rules, rules};
