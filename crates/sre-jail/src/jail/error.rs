//! Why there is no report.

use std::io;
use std::time::Duration;

use crate::jail::options::Layer;
use crate::step::StepError;

/// Why there is no report. None of these is the guest's doing, except that it may have used up its
/// time.
#[derive(Debug, thiserror::Error)]
pub enum JailError {
    /// The host lacks a layer, and the options do not allow that.
    #[error("this host cannot enforce {layer}: {why}; `sre doctor` says how to change that")]
    Lacking {
        /// Which layer.
        layer: Layer,
        /// What is in the way.
        why: String,
    },
    /// The order cannot be carried out as it stands.
    #[error("{0}")]
    Invalid(String),
    /// The launcher could not be started.
    #[error("the launcher of jails cannot start: {0}; `sre doctor` says what this host lacks")]
    Launcher(StepError),
    /// The launcher ended while the jail was alive, and the jail with it. The next order starts a
    /// new one.
    #[error("the launcher of jails ended unexpectedly, and this jail with it")]
    LauncherDied,
    /// A jail made ahead had ended before it took its order: nothing of the order was done, and it
    /// may run in another.
    #[error("the jail that was made ahead had ended before its order came")]
    Gone,
    /// A step between the order and the guest failed.
    #[error("the jail could not be made: {0}")]
    Setup(StepError),
    /// The program could not be started: it is missing, or nothing this machine can run.
    #[error("{0}")]
    NotStarted(StepError),
    /// The wall-clock limit was reached.
    #[error("it took longer than {0:?}")]
    TimedOut(Duration),
    /// The caller asked it to stop.
    #[error("it was stopped")]
    Stopped,
    /// The host lacks something at the moment: descriptors, memory, room for a group.
    #[error("{step}: {source}")]
    Host {
        /// What was done.
        step: &'static str,
        /// What the system said.
        source: io::Error,
    },
    /// The kernel killed a process of the jail for want of memory that was not the jail's own
    /// limit.
    #[error(
        "the machine, or the group this service runs in, ran out of memory, and the kernel killed a process of the skill"
    )]
    HostMemory,
    /// What was measured is not what was ordered.
    #[error("the jail is not what was ordered: {0}")]
    NotAsOrdered(String),
}

impl JailError {
    /// For `map_err`: what was done when the system said no.
    pub(super) fn host(step: &'static str) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Host { step, source }
    }
}
