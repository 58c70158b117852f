//! Runs a skill on an input under limits and says what it did.
//!
//! A backend takes a [`Job`] and returns an [`Execution`], whose [`Outcome`](sre_core::Outcome) is
//! a value: the skill returned, exited, trapped, ran out of something, or printed no result.
//! Whatever kept the backend from finding out is a [`SandboxError`] and never an outcome. The
//! rooms:
//!
//! - [`Sandbox`], [`Job`], [`Execution`]: the interface that every backend implements.
//! - [`Executor`]: the same for asynchronous callers, with a bound on how many guests run at once.
//! - [`LanguageRuntimes`]: interpreters for scripts, by digest.
//! - `contract`: what a skill sees and what it must print; the same for every backend.
//! - [`wasm`] (feature `wasm`): the WebAssembly backend. `wasi` translates the two WASI versions to
//!   the calls of `machine`, the deterministic machine the guest lives in.
//! - `native` (feature `native`, Linux): processes in the jail of `sre-jail`.
//!
//! This crate stores nothing and decides nothing about trust: see `sre-commit` and `sre-verify`.

mod backend;
mod call;
#[cfg_attr(
    not(any(feature = "wasm", all(feature = "native", target_os = "linux"))),
    expect(dead_code, reason = "without a backend nothing runs")
)]
mod collect;
mod contract;
mod error;
mod executor;
mod files;
mod language;
#[cfg(feature = "wasm")]
mod machine;
#[cfg(all(feature = "native", target_os = "linux"))]
pub mod native;
#[cfg(any(feature = "wasm", all(feature = "native", target_os = "linux")))]
mod private;
mod trace;
#[cfg(feature = "wasm")]
mod wasi;
#[cfg(feature = "wasm")]
pub mod wasm;

pub use backend::{Execution, Job, Sandbox, Stop};
pub use call::{Call, Command, OwnedCall};
pub use contract::{CONTRACT_VERSION, LOG_LIMIT_BYTES, Printed, environment, judge, judge_command};
pub use error::{ErrorKind, SandboxError};
pub use executor::{Executor, OwnedJob, Slot};
pub use files::{FileNode, Files, LeftFiles};
pub use language::{LanguageRuntime, LanguageRuntimes, SupplyError};
pub use trace::{CallTrace, HostCall};
