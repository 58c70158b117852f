//! Which system calls a guest may make.
//!
//! | file | holds |
//! |---|---|
//! | `table` | the decision per call, with its reason |
//! | `compiler` | from the table to the kernel's filter program |
//!
//! Three answers: allowed; refused as if the kernel did not have the call (`ENOSYS`), which programs expect of old
//! kernels; and killed, for calls no ordinary program makes without privileges. Calls of another architecture kill.

mod compiler;
mod table;

pub use compiler::compile;
pub use table::rules;
