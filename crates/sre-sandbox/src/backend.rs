//! The interface that every backend implements.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
#[cfg(any(feature = "wasm", feature = "native"))]
use std::time::Instant;

use serde_json::Value;
use sre_core::{Backend, Canonical, Digest, Engine, Isolation, Outcome, Profile, Resources};
use sre_skill::{Entry, Skill};

use crate::{Call, CallTrace, LanguageRuntimes, LeftFiles, Printed, SandboxError};

/// A way to run skills. Calls block; callers run them on threads that may block.
pub trait Sandbox: Send + Sync {
    /// Which backend this is.
    fn backend(&self) -> Backend;

    /// The engine that runs the program `entry` of `skill`, as it is bound into commitments.
    /// `language_runtime` is as in [`Job`].
    ///
    /// # Errors
    /// [`SandboxError::Rejected`] when the program cannot run here at all.
    fn engine(
        &self,
        skill: &Skill,
        entry: &Entry,
        language_runtime: Option<Digest>,
    ) -> Result<Arc<Canonical<Engine>>, SandboxError>;

    /// The interpreters this backend runs scripts in, if it brings any.
    fn language_runtimes(&self) -> Option<&LanguageRuntimes> {
        None
    }

    /// Whether the same job always has the same outcome, so that a run may be abandoned and
    /// repeated. Default false.
    fn is_deterministic(&self) -> bool {
        false
    }

    /// Layers of isolation that this host lacks although the backend has them elsewhere, each with
    /// the reason. Default none.
    ///
    /// # Errors
    /// When the backend cannot run anything here.
    fn lacking(&self) -> Result<Vec<(String, String)>, SandboxError> {
        Ok(Vec::new())
    }

    /// Whether [`Sandbox::prepare`] has nothing left to do for this program. Must not block.
    /// Default false.
    fn is_ready(&self, _skill: &Skill, _entry: &Entry) -> bool {
        false
    }

    /// Checks that the program `entry` of `skill` can run here and does what need only be done once
    /// for it (compilation, for instance).
    ///
    /// # Errors
    /// [`SandboxError::Rejected`] when it cannot run here.
    fn prepare(&self, skill: &Skill, entry: &Entry) -> Result<(), SandboxError>;

    /// Runs `job` in an instance of its own, which is gone when this returns.
    ///
    /// # Errors
    /// Whatever kept it from finding the outcome; see [`SandboxError`].
    fn execute(&self, job: &Job<'_>, stop: &Stop) -> Result<Execution, SandboxError>;

    /// As [`Sandbox::execute`], if the guest can start at once: nothing is compiled, read from disk
    /// or waited for first. `None` where it cannot, and then nothing ran. Default `None`.
    fn execute_if_ready(
        &self,
        _job: &Job<'_>,
        _stop: &Stop,
    ) -> Option<Result<Execution, SandboxError>> {
        None
    }

    /// As [`Sandbox::execute`], and keeps what the guest told its host. Slower. Default: `None`,
    /// because the backend does not see its guests' calls.
    ///
    /// # Errors
    /// As [`Sandbox::execute`].
    fn execute_recorded(
        &self,
        job: &Job<'_>,
        stop: &Stop,
    ) -> Result<(Execution, Option<CallTrace>), SandboxError> {
        Ok((self.execute(job, stop)?, None))
    }
}

/// One execution.
#[derive(Debug, Clone, Copy)]
pub struct Job<'a> {
    /// The package.
    pub skill: &'a Skill,
    /// Which of its programs to start.
    pub entry: &'a Entry,
    /// How to call it.
    pub call: Call<'a>,
    /// Limits, clock and seed.
    pub profile: &'a Profile,
    /// Wall-clock limit of this host. Not part of the profile: a replay may be given more time.
    pub time_limit: Duration,
    /// The digest of the language runtime to run a script in; `None` for the backend's own choice.
    pub language_runtime: Option<Digest>,
}

/// What a job did.
#[derive(Debug, Clone)]
pub struct Execution {
    /// What it did, as it is committed.
    pub outcome: Outcome,
    /// The returned value, where the outcome has one.
    pub output: Option<Value>,
    /// The returned value as canonical JSON: the bytes whose digest the outcome carries.
    pub output_canonical: Option<Vec<u8>>,
    /// What it printed, where the outcome names that.
    pub stdout: Option<Arc<[u8]>>,
    /// What `/workspace` held at the end: what was given, with the collected changes applied. Only
    /// in the command contract.
    pub workspace: Option<LeftFiles>,
    /// What `$HOME` held at the end. Only where the command gave one.
    pub home: Option<LeftFiles>,
    /// For people: what went wrong; `None` for a success. In the command contract every exit code
    /// but 0 is named here, also one that the order accepts.
    pub failure: Option<String>,
    /// Standard error, capped at [`LOG_LIMIT_BYTES`](crate::LOG_LIMIT_BYTES).
    pub logs: String,
    /// What it used.
    pub resources: Resources,
    /// Wall-clock time of the run.
    pub elapsed: Duration,
    /// What held its processes; `None` for a backend without any.
    pub isolation: Option<Isolation>,
}

impl Execution {
    /// What a run did under its contract, with what it logged and used.
    #[must_use]
    pub fn new(printed: Printed, logs: String, resources: Resources, elapsed: Duration) -> Self {
        let Printed {
            outcome,
            output,
            stdout,
            workspace,
            home,
            failure,
        } = printed;
        let (output, output_canonical) = output.unzip();
        Self {
            outcome,
            output,
            output_canonical,
            stdout,
            workspace,
            home,
            failure,
            logs,
            resources,
            elapsed,
            isolation: None,
        }
    }
}

/// Asks a running job to stop. Clones share one state; dropping one does nothing.
#[derive(Debug, Clone, Default)]
pub struct Stop(Arc<AtomicBool>);

impl Stop {
    /// A token that has not been asked to stop.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Asks the job to stop. It does within some milliseconds.
    pub fn stop(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Whether it was asked.
    #[must_use]
    pub fn is_stopped(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    /// A guard that asks the job to stop when it is dropped, for callers that may be dropped
    /// themselves.
    #[must_use]
    pub fn on_drop(&self) -> StopOnDrop {
        StopOnDrop(self.clone())
    }
}

/// See [`Stop::on_drop`].
#[derive(Debug)]
pub struct StopOnDrop(Stop);

impl Drop for StopOnDrop {
    fn drop(&mut self) {
        self.0.stop();
    }
}

/// When a run must end, and by whose wish. For backends, which are features.
#[cfg(any(feature = "wasm", feature = "native"))]
#[derive(Debug, Clone)]
pub(crate) struct Deadline {
    at: Option<Instant>,
    limit: Duration,
    stop: Stop,
}

#[cfg(any(feature = "wasm", feature = "native"))]
impl Deadline {
    pub(crate) fn new(limit: Duration, stop: &Stop) -> Self {
        Self {
            at: Instant::now().checked_add(limit),
            limit,
            stop: stop.clone(),
        }
    }

    /// An error once the run must end.
    pub(crate) fn check(&self) -> Result<(), SandboxError> {
        if self.stop.is_stopped() {
            return Err(SandboxError::Cancelled);
        }
        match self.at {
            Some(at) if Instant::now() >= at => Err(SandboxError::Timeout(self.limit)),
            _ => Ok(()),
        }
    }
}
