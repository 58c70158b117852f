//! What the operator allows.

use std::time::Duration;

use sre_skill::PackageLimits;
use sre_verify::ReplayLimits;

/// Caps and defaults of an installation. An order may ask for less than a cap and never for more.
#[derive(Debug, Clone)]
pub struct OperatorLimits {
    /// Input as canonical JSON, in bytes. Default 100,000.
    pub input_limit_bytes: usize,
    /// Top-level fields of the input. Default 20.
    pub input_limit_fields: usize,
    /// Size of packages.
    pub package: PackageLimits,
    /// Cap of an attempt. Default 3600 s.
    pub attempt_time_cap: Duration,
    /// Default limit of one execution. Default 30 s.
    pub execution_time: Duration,
    /// Cap of one execution. Default 300 s.
    pub execution_time_cap: Duration,
    /// Cap of `max_retries`. Default 10.
    pub retries_cap: u32,
    /// Default instructions of a Wasm guest. Default 10¹⁰: some ten seconds.
    pub fuel: u64,
    /// Cap of instructions. Default 10¹².
    pub fuel_cap: u64,
    /// Default memory of a guest, in bytes. Default 512 MiB.
    pub mem_bytes: u64,
    /// Cap of a guest's memory, in bytes. Default 1 GiB.
    pub mem_cap_bytes: u64,
    /// Default standard output of a guest, in bytes. Default 1 MiB.
    pub output_bytes: u64,
    /// Cap of a guest's standard output, in bytes. Default 16 MiB.
    pub output_cap_bytes: u64,
    /// Files in a guest's `/tmp`, in bytes. Default 64 MiB.
    pub tmp_bytes: u64,
    /// Default of a guest's files in all its writable folders together, in bytes, those it starts
    /// with included. Default 64 MiB.
    pub files_bytes: u64,
    /// Cap of a guest's files, in bytes. Default 512 MiB.
    pub files_cap_bytes: u64,
    /// Default number of files, folders and links that a guest may make. Default 10,000.
    pub files_count: u64,
    /// Cap of that number. Default 100,000.
    pub files_cap_count: u64,
    /// Cap of the files that `/workspace` and `$HOME` hold at the start. Default 100,000.
    pub initial_files_cap: u64,
    /// Cap of standard input in the command contract, in bytes. Default 64 MiB.
    pub stdin_cap_bytes: u64,
    /// Default processes and threads of a native guest. Default 64.
    pub pids: u64,
    /// Cap of processes and threads. Default 1,024.
    pub pids_cap: u64,
    /// Default processor time of a native guest per period, in microseconds. Default 50,000.
    pub cpu_quota_us: u64,
    /// Default period, in microseconds. Default 100,000.
    pub cpu_period_us: u64,
    /// Cap of the period, in microseconds. Default 1,000,000.
    pub cpu_period_cap_us: u64,
    /// Processors that a native guest may keep busy. Default: those of this machine.
    pub processors_cap: u64,
}

impl Default for OperatorLimits {
    fn default() -> Self {
        Self {
            input_limit_bytes: 100_000,
            input_limit_fields: 20,
            package: PackageLimits::default(),
            attempt_time_cap: Duration::from_secs(3600),
            execution_time: Duration::from_secs(30),
            execution_time_cap: Duration::from_secs(300),
            retries_cap: 10,
            fuel: 10_000_000_000,
            fuel_cap: 1_000_000_000_000,
            mem_bytes: 512 << 20,
            mem_cap_bytes: 1 << 30,
            output_bytes: 1 << 20,
            output_cap_bytes: 16 << 20,
            tmp_bytes: 64 << 20,
            files_bytes: 64 << 20,
            files_cap_bytes: 512 << 20,
            files_count: 10_000,
            files_cap_count: 100_000,
            initial_files_cap: 100_000,
            stdin_cap_bytes: 64 << 20,
            pids: 64,
            pids_cap: 1024,
            cpu_quota_us: 50_000,
            cpu_period_us: 100_000,
            cpu_period_cap_us: 1_000_000,
            processors_cap: std::thread::available_parallelism()
                .map_or(1, |count| count.get() as u64),
        }
    }
}

impl OperatorLimits {
    /// What a verifier grants that replays what these limits let orders ask for.
    #[must_use]
    pub fn replay(&self) -> ReplayLimits {
        ReplayLimits {
            package: self.package,
            input_bytes: self.input_limit_bytes,
            fuel: self.fuel_cap,
            mem_bytes: self.mem_cap_bytes,
            output_bytes: self.output_cap_bytes,
            tmp_bytes: self.tmp_bytes,
            files_bytes: self.files_cap_bytes,
            files_count: self.files_cap_count,
            initial_files: self.initial_files_cap,
            stdin_bytes: self.stdin_cap_bytes,
            time: self.execution_time_cap,
            pids: self.pids_cap,
        }
    }
}
