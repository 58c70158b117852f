//! The deterministic machine a Wasm guest lives in: clock, randomness, standard streams and files,
//! all in memory.
//!
//! No function here reads the host's clock, entropy, environment or file system, so nothing of them
//! can reach a guest through any import: determinism holds by construction, not by care. The WASI
//! adapters in [`crate::wasi`] translate calls to this machine and back and keep no state of their
//! own but handles.

mod clock;
mod files;
mod node;
mod path;
mod random;
mod stdio;
mod tmp;
mod tree;
mod witness;

pub(crate) use clock::{CLOCK_RESOLUTION_NS, VirtualClock};
pub(crate) use files::Files;
pub(crate) use node::{FileError, NodeId, OpenHow, Stat};
pub(crate) use path::PATH_LIMIT_BYTES;
pub(crate) use random::{REQUEST_LIMIT_BYTES, SeededRandom};
pub(crate) use stdio::{Log, Stdin, Stdout};
pub(crate) use tree::{NodeKind, PackageTree};
pub use witness::Seen;
pub(crate) use witness::Witness;

use std::sync::Arc;

use sre_core::Profile;

use crate::contract;

/// Everything a guest can reach.
pub(crate) struct World {
    pub(crate) arguments: Vec<String>,
    pub(crate) environment: Vec<(String, String)>,
    pub(crate) clock: VirtualClock,
    pub(crate) random: SeededRandom,
    pub(crate) stdin: Stdin,
    pub(crate) stdout: Stdout,
    pub(crate) stderr: Log,
    pub(crate) files: Files,
    pub(crate) witness: Witness,
}

impl World {
    pub(crate) fn new(
        entrypoint: &str,
        package: Arc<PackageTree>,
        input: &[u8],
        profile: &Profile,
        witness: &Witness,
    ) -> Self {
        let clock = VirtualClock::new(profile.clock_start, profile.timeout_ms, witness.clone());
        let environment = contract::environment(input);
        witness.saw("arguments", entrypoint.as_bytes());
        for (name, value) in &environment {
            witness.saw("environment", format!("{name}={value}").as_bytes());
        }
        let output_limit = usize::try_from(profile.output_limit_bytes).unwrap_or(usize::MAX);
        Self {
            arguments: vec![entrypoint.to_owned()],
            environment,
            random: SeededRandom::new(profile.random_seed, witness.clone()),
            stdin: Stdin::new(input.to_vec(), witness.clone()),
            stdout: Stdout::new(output_limit, witness.clone()),
            stderr: Log::new(contract::LOG_LIMIT_BYTES),
            files: Files::new(
                package,
                profile.tmp_limit_bytes,
                clock.start_ns(),
                witness.clone(),
            ),
            clock,
            witness: witness.clone(),
        }
    }

    /// What ends a guest that asks to exit.
    pub(crate) fn exit(&self, code: i32) -> Halt {
        self.witness.notes(|telling| telling.exits(code));
        Halt::Exit(code)
    }
}

/// Why the machine stopped a guest. Travels through the engine as an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Halt {
    /// The guest asked to exit.
    #[error("exit with code {0}")]
    Exit(i32),
    /// It printed more than its limit.
    #[error("output limit exceeded")]
    OutputLimit,
    /// Its own clock passed the profile's limit.
    #[error("the guest's clock passed its limit")]
    ClockLimit,
}
