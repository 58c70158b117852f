//! What an execution depends on besides skill and input.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::{Digest, DigestParseError};

/// The sandbox profile: everything an order decides about its execution that can change the
/// outcome.
///
/// Two executions of one skill on one input under one profile have one outcome. Wall-clock limits
/// of the host are not part of it, because a run that they stop is never committed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Profile {
    /// Which backend runs it.
    pub backend: Backend,
    /// Instructions the guest may execute, in wasmtime's fuel units.
    pub fuel: u64,
    /// Linear memory of the guest, in bytes.
    pub mem_limit_bytes: u64,
    /// Standard output of the guest, in bytes.
    pub output_limit_bytes: u64,
    /// Files the guest may keep in `/tmp`, in bytes.
    pub tmp_limit_bytes: u64,
    /// Files in `/workspace`, `$HOME` and `/tmp` together, in bytes, those of the start included.
    /// A write beyond it fails with ENOSPC, which is no ending of its own.
    pub files_limit_bytes: u64,
    /// Number of files, folders and links there, besides those of the start. One more fails with
    /// ENOSPC.
    pub files_limit_count: u64,
    /// How far the guest's clock may advance, in milliseconds: sleeping past it ends the run as a
    /// timeout.
    pub timeout_ms: u64,
    /// The moment at which the guest's clock starts.
    pub clock_start: Timestamp,
    /// Seed of the guest's randomness.
    pub random_seed: Seed,
    /// What only processes have; absent for the wasm backend.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub processes: Option<ProcessLimits>,
}

/// Limits of backends that run processes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProcessLimits {
    /// Processes and threads at once.
    pub pids_limit: u64,
    /// Processor time per period, in microseconds.
    pub cpu_quota_us: u64,
    /// The period, in microseconds.
    pub cpu_period_us: u64,
}

/// A way to run a skill.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Backend {
    /// WebAssembly: deterministic.
    Wasm,
    /// A process in the jail: best-effort reproducible.
    Native,
    /// A Docker container: best-effort reproducible.
    Docker,
}

impl fmt::Display for Backend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Wasm => "wasm",
            Self::Native => "native",
            Self::Docker => "docker",
        })
    }
}

/// The setting of an [`Engine`] that names the language runtime a script ran in: the SHA-256 of its
/// artefact.
pub const LANGUAGE_RUNTIME: &str = "language_runtime";

/// The engine that ran a skill: its exact version and every setting that can change an outcome.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Engine {
    /// Which backend it belongs to.
    pub backend: Backend,
    /// The engine's name, for instance `wasmtime`.
    pub name: String,
    /// The engine's full version.
    pub version: String,
    /// Settings by name.
    pub configuration: BTreeMap<String, String>,
}

impl Engine {
    /// The digest under [`LANGUAGE_RUNTIME`]; `None` for an engine that runs no scripts.
    ///
    /// # Errors
    /// What stands there is no digest.
    pub fn language_runtime(&self) -> Result<Option<Digest>, DigestParseError> {
        self.configuration
            .get(LANGUAGE_RUNTIME)
            .map(|digest| digest.parse())
            .transpose()
    }
}

/// Seed of the guest's randomness: 32 bytes, written as 64 hexadecimal digits.
///
/// Not a secret: it is published with the commitment, so that a replay sees the same randomness.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Seed([u8; 32]);

/// A text that is no seed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a random seed is 64 lower-case hexadecimal digits")]
pub struct SeedParseError;

impl Seed {
    /// A seed from its 32 bytes.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The 32 bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Display for Seed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Digest::from_bytes(self.0).fmt(f)
    }
}

impl FromStr for Seed {
    type Err = SeedParseError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse::<Digest>()
            .map(|d| Self(*d.as_bytes()))
            .map_err(|_| SeedParseError)
    }
}

impl Serialize for Seed {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Seed {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(de::Error::custom)
    }
}
