//! How a run ended and what held it.

use std::time::Duration;

use crate::left_files::LeftFiles;
use crate::measure::Measured;

/// A run that came to an end.
#[derive(Debug, Clone)]
pub struct Report {
    /// How the guest ended.
    pub ending: Ending,
    /// What it printed to standard output, up to the limit.
    pub stdout: Vec<u8>,
    /// What it printed to standard error.
    pub stderr: Output,
    /// What it left in its own folders: for those that the spec names, and where the jail could
    /// still say.
    pub left: Option<LeftFiles>,
    /// Processor time of all its processes.
    pub cpu: Duration,
    /// Most memory at one time, in bytes: of the whole jail where a cgroup counts it, else of its
    /// largest process.
    pub peak_memory_bytes: u64,
    /// From the order to the jail's end.
    pub elapsed: Duration,
    /// What the guest's process saw of itself right before it became the guest.
    pub measured: Measured,
    /// Whether time and randomness were the order's, as its first process saw when the guest's
    /// first program began.
    pub is_repeatable: bool,
    /// Limits of the whole jail, by the cgroup that keeps them: `memory`, `cpu`, `pids` and the
    /// version.
    pub group_limits: Vec<(&'static str, u32)>,
}

/// Kept bytes and how many more there were.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Output {
    /// The bytes up to the limit.
    pub kept: Vec<u8>,
    /// How many more there were.
    pub lost_bytes: u64,
}

/// How a guest ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// By itself, with this code.
    Exited(i32),
    /// By this signal.
    Signalled(i32),
    /// Because the jail's memory was used up.
    OutOfMemory,
    /// Because it printed more than the limit.
    OutputLimit,
}

impl Ending {
    /// From what `wait` says.
    pub(super) fn from_status(status: i32) -> Self {
        if libc::WIFSIGNALED(status) {
            Self::Signalled(libc::WTERMSIG(status))
        } else {
            Self::Exited(libc::WEXITSTATUS(status))
        }
    }
}
