//! What an order may ask of the sandbox.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{ByteSize, Seed};

/// Overrides of the sandbox's defaults. Every field is optional; none may exceed the operator's
/// caps.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SandboxConfig {
    /// Memory limit of the guest. Default 512 MiB.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mem_limit: Option<ByteSize>,
    /// Scheduling period in microseconds (native and Docker). Default 100,000.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu_period: Option<u64>,
    /// CPU time per period in microseconds (native and Docker). Default 50,000.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu_quota: Option<u64>,
    /// Limit of one execution in seconds. Default 30.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout_seconds: Option<f64>,
    /// Whether the network is cut off. Default true; false is refused by every backend of this
    /// version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub network_disabled: Option<bool>,
    /// Instructions a Wasm guest may execute. Default 10,000,000,000.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fuel: Option<u64>,
    /// Limit of what the skill prints to standard output. Default 1 MiB.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output_limit: Option<ByteSize>,
    /// Limit of the files in `/workspace`, `$HOME` and `/tmp` together, those of the start
    /// included. Default 64 MiB.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub files_limit: Option<ByteSize>,
    /// How many files, folders and links the skill may make there. Default 10,000.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub files_limit_count: Option<u64>,
    /// Processes and threads (native and Docker). Default 64.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pids_limit: Option<u64>,
    /// Which backend runs the skill. Default `auto`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backend: Option<BackendChoice>,
    /// Refuses the order where less than this would hold the skill. Default: whatever the operator
    /// allows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_isolation: Option<MinIsolation>,
    /// The moment at which the guest's clock starts, in whole seconds. Default: the moment of
    /// acceptance.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clock_start: Option<Timestamp>,
    /// Seed of the guest's randomness. Default: the SHA-256 of the order id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub random_seed: Option<Seed>,
}

/// The least that must hold a skill, from weak to strong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MinIsolation {
    /// A jail, with layers missing that the operator allowed to be missing.
    Process,
    /// A jail with every layer.
    Jail,
    /// WebAssembly: no process at all.
    Wasm,
}

/// Which backend an order asks for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum BackendChoice {
    /// The safest backend that can run the skill.
    #[default]
    Auto,
    /// WebAssembly.
    Wasm,
    /// A process in the jail.
    Native,
    /// A Docker container.
    Docker,
}
