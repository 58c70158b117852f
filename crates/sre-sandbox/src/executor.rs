//! The asynchronous face of the blocking backends: chooses the backend of a profile and runs no more guests at once
//! than there are slots.

use std::sync::Arc;
use std::time::Duration;

use sre_core::{Backend, Canonical, Engine, Profile};
use sre_skill::Skill;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::{Execution, Job, Sandbox, SandboxError, Stop};

/// Runs jobs on the backends it was given. Cheap to clone; clones share the slots.
#[derive(Clone)]
pub struct Executor {
    backends: Arc<[Arc<dyn Sandbox>]>,
    slots: Arc<Semaphore>,
}

/// The right to run one guest. Waiting for it is queueing; a caller's time limit starts when it has one.
#[derive(Debug)]
pub struct Slot {
    _permit: OwnedSemaphorePermit,
}

/// A [`Job`] that owns what it needs.
#[derive(Debug, Clone)]
pub struct OwnedJob {
    /// What to run.
    pub skill: Arc<Skill>,
    /// The input as canonical JSON.
    pub input: Arc<[u8]>,
    /// Limits, clock and seed.
    pub profile: Arc<Canonical<Profile>>,
    /// Wall-clock limit of this host.
    pub time_limit: Duration,
}

impl Executor {
    /// An executor over `backends`, which runs up to `slots` guests at once (at least 1).
    #[must_use]
    pub fn new(backends: Vec<Arc<dyn Sandbox>>, slots: usize) -> Self {
        Self { backends: backends.into(), slots: Arc::new(Semaphore::new(slots.max(1))) }
    }

    /// Waits for a slot.
    ///
    /// # Errors
    /// Never while an executor exists; [`SandboxError::Cancelled`] stands for the impossible.
    pub async fn slot(&self) -> Result<Slot, SandboxError> {
        let permit = Arc::clone(&self.slots).acquire_owned().await.map_err(|_| SandboxError::Cancelled)?;
        Ok(Slot { _permit: permit })
    }

    /// The backend with this name.
    ///
    /// # Errors
    /// [`SandboxError::Rejected`] when this installation has none.
    pub fn backend(&self, backend: Backend) -> Result<&Arc<dyn Sandbox>, SandboxError> {
        self.backends
            .iter()
            .find(|candidate| candidate.backend() == backend)
            .ok_or_else(|| SandboxError::Rejected(format!("the {backend} backend is not available in this version")))
    }

    /// The engine of a backend, as commitments name it.
    ///
    /// # Errors
    /// As [`Executor::backend`].
    pub fn engine(&self, backend: Backend) -> Result<&Canonical<Engine>, SandboxError> {
        self.backend(backend).map(|backend| backend.engine())
    }

    /// Makes `skill` ready on `backend`; see [`Sandbox::prepare`].
    ///
    /// # Errors
    /// As [`Sandbox::prepare`].
    pub async fn prepare(&self, backend: Backend, skill: Arc<Skill>) -> Result<(), SandboxError> {
        let backend = Arc::clone(self.backend(backend)?);
        blocking(move || backend.prepare(&skill)).await
    }

    /// Runs `job` on its profile's backend. Dropping the future stops the guest; the slot is free once it has stopped.
    ///
    /// # Errors
    /// As [`Sandbox::execute`].
    pub async fn execute(&self, slot: Slot, job: OwnedJob) -> Result<Execution, SandboxError> {
        let backend = Arc::clone(self.backend(job.profile.backend)?);
        let stop = Stop::new();
        let _stop_when_dropped = stop.on_drop();
        blocking(move || {
            let _slot = slot;
            let OwnedJob { skill, input, profile, time_limit } = &job;
            backend.execute(&Job { skill, input, profile, time_limit: *time_limit }, &stop)
        })
        .await
    }
}

/// Runs `work` on a thread that may block.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, SandboxError> + Send + 'static,
) -> Result<T, SandboxError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(error) if error.is_panic() => Err(SandboxError::Bug(format!("the backend panicked: {error}"))),
        Err(_) => Err(SandboxError::Cancelled),
    }
}
