//! What a verifier grants: the receipt comes from the one whose word is in question, and so do the
//! limits in it.

use std::time::Duration;

use sre_core::{Profile, Verdict};
use sre_skill::PackageLimits;

use crate::report::Finding;

/// Longest manifest, profile, engine or outcome, in bytes of JSON. A manifest of 512 files has
/// 200,000.
pub(crate) const VALUE_LIMIT_BYTES: usize = 4 << 20;

/// What a replay may cost here at most. A commitment that asks for more is `unverifiable`, and
/// nothing of it is run.
///
/// The defaults are what the service lets orders ask for unless its operator says otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReplayLimits {
    /// Number and size of the skill's files. Nothing beyond is fetched.
    pub package: PackageLimits,
    /// Input, in bytes of canonical JSON. Default 100,000.
    pub input_bytes: usize,
    /// Instructions of a Wasm guest. Default 10¹².
    pub fuel: u64,
    /// Memory of the guest, in bytes. Default 1 GiB.
    pub mem_bytes: u64,
    /// Standard output of the guest, in bytes. Default 16 MiB.
    pub output_bytes: u64,
    /// Files in the guest's `/tmp`, in bytes. Default 64 MiB.
    pub tmp_bytes: u64,
    /// Files in all of the guest's writable folders together, in bytes. Default 512 MiB.
    pub files_bytes: u64,
    /// Files, folders and links that the guest may make. Default 100,000.
    pub files_count: u64,
    /// Files and links in `/workspace` and `$HOME` at the start. Default 100,000.
    pub initial_files: u64,
    /// Standard input in the command contract, in bytes. Default 64 MiB.
    pub stdin_bytes: u64,
    /// How far the guest's clock may advance; the replay itself may take twice that. Default 300 s.
    pub time: Duration,
    /// Processes and threads of a native guest. Default 1,024.
    pub pids: u64,
}

impl Default for ReplayLimits {
    fn default() -> Self {
        Self {
            package: PackageLimits::default(),
            input_bytes: 100_000,
            fuel: 1_000_000_000_000,
            mem_bytes: 1 << 30,
            output_bytes: 16 << 20,
            tmp_bytes: 64 << 20,
            files_bytes: 512 << 20,
            files_count: 100_000,
            initial_files: 100_000,
            stdin_bytes: 64 << 20,
            time: Duration::from_secs(300),
            pids: 1024,
        }
    }
}

impl ReplayLimits {
    /// That a replay under `profile` costs no more than is granted. Processor time of a native
    /// guest is bounded by its time.
    pub(crate) fn admit(&self, profile: &Profile) -> Result<(), Finding> {
        let time_ms = u64::try_from(self.time.as_millis()).unwrap_or(u64::MAX);
        let pids = profile
            .processes
            .map_or(0, |processes| processes.pids_limit);
        check("fuel", profile.fuel, self.fuel)?;
        check("bytes of memory", profile.mem_limit_bytes, self.mem_bytes)?;
        check(
            "bytes of output",
            profile.output_limit_bytes,
            self.output_bytes,
        )?;
        check("bytes in /tmp", profile.tmp_limit_bytes, self.tmp_bytes)?;
        check(
            "bytes of files",
            profile.files_limit_bytes,
            self.files_bytes,
        )?;
        check("files", profile.files_limit_count, self.files_count)?;
        check("milliseconds", profile.timeout_ms, time_ms)?;
        check("processes", pids, self.pids)
    }
}

/// That no more is asked for than is granted.
pub(crate) fn check(what: &str, asked: u64, granted: u64) -> Result<(), Finding> {
    if asked <= granted {
        return Ok(());
    }
    let message =
        format!("the commitment asks for {asked} {what}, and this verifier grants {granted}");
    Err(Finding::new(Verdict::Unverifiable, message))
}
