//! The WebAssembly backend: WASI preview 1 command modules and WASI 0.2 command components,
//! deterministic.
//!
//! | file | holds |
//! |---|---|
//! | `engine` | wasmtime's configuration, and the part of it that is bound into commitments |
//! | `context` | one such engine, and from a program's bytes to a pre-instantiated module or component |
//! | `interpreter` | language runtimes, for skills that are scripts |
//! | `program` | from a skill to what is instantiated for it |
//! | `complexity` | what takes too long to compile is refused |
//! | `compilers` | how many programs are compiled at once |
//! | `image` | what a program's memory holds at its start, in pages of a good size |
//! | `cache` | compiled code on disk |
//! | `limits` | memory, tables, instances |
//! | `ticker` | the epoch that lets the host interrupt a guest |
//! | `run` | one execution |
//!
//! Why no call here is `async`: every host function works on memory of its own and returns at once;
//! sleeping moves the guest's virtual clock. So a guest is always either in its own code, which the
//! epoch interrupts, or in a short host call. There is nothing for an asynchronous timeout to
//! interrupt.

mod cache;
mod compilers;
mod complexity;
mod context;
mod engine;
mod image;
mod interpreter;
mod limits;
mod program;
mod run;
#[cfg(test)]
mod testsuite;
mod ticker;

pub use crate::machine::HostResponse;
pub use interpreter::CompilationNotice;
pub(crate) use limits::MemoryLimiter;
pub use run::{WasmOptions, WasmSandbox};
