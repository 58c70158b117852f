//! The asynchronous face of the blocking backends: chooses the backend of a profile and runs no
//! more guests at once than there are slots.
//!
//! A guest that may run for seconds belongs on a thread that may block. But handing a job to such a
//! thread and its result back costs more than most skills take. So a skill whose last run was brief
//! runs where the caller stands, with [`BRIEF_LIMIT`] to do it in. If it takes longer this time, it
//! is stopped, forgotten and repeated on a thread that may block, which only a deterministic
//! backend allows; and its next run goes there at once. So does a run that cannot start at once,
//! because its program must be compiled or read from disk first.

use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use lru::LruCache;
use sre_core::{Backend, Canonical, Digest, Engine, Profile, SkillDigest};
use sre_skill::{Entry, Skill};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::{CallTrace, Execution, Job, OwnedCall, Sandbox, SandboxError, Stop};

/// How long a guest may keep an asynchronous thread, in wall-clock time. Twice the backend's own
/// granularity.
const BRIEF_LIMIT: Duration = Duration::from_millis(10);

/// What counts as brief.
const BRIEF: Duration = Duration::from_millis(1);

/// Skills that are known to be brief.
const BRIEF_SKILLS: NonZeroUsize = NonZeroUsize::new(1024).expect("not zero");

/// Skills that are made ready at once. Others wait without a thread: there are not many threads
/// that may block, and guests run on them too.
const PREPARATIONS: usize = 16;

/// A program of a skill.
type Program = (SkillDigest, Digest);

/// Runs jobs on the backends it was given. Cheap to clone; clones share the slots.
#[derive(Clone)]
pub struct Executor {
    backends: Arc<[Arc<dyn Sandbox>]>,
    slots: Arc<Semaphore>,
    preparations: Arc<Semaphore>,
    brief: Arc<Mutex<LruCache<Program, ()>>>,
}

/// The right to run one guest. Waiting for it is queueing; a caller's time limit starts when it has
/// one.
#[derive(Debug)]
pub struct Slot {
    _permit: OwnedSemaphorePermit,
}

/// A [`Job`] that owns what it needs.
#[derive(Debug, Clone)]
pub struct OwnedJob {
    /// The package.
    pub skill: Arc<Skill>,
    /// Which of its programs to start.
    pub entry: Arc<Entry>,
    /// How to call it.
    pub call: OwnedCall,
    /// Limits, clock and seed.
    pub profile: Arc<Canonical<Profile>>,
    /// Wall-clock limit of this host.
    pub time_limit: Duration,
    /// As in [`Job`].
    pub language_runtime: Option<Digest>,
}

impl OwnedJob {
    fn borrowed(&self, time_limit: Duration) -> Job<'_> {
        Job {
            skill: &self.skill,
            entry: &self.entry,
            call: self.call.borrowed(),
            profile: &self.profile,
            time_limit,
            language_runtime: self.language_runtime,
        }
    }

    /// The program by its content; `None` for one that is not in the package.
    fn program(&self) -> Option<Program> {
        let file = self.skill.file(&self.entry.path)?;
        Some((self.skill.digest(), file.sha256))
    }
}

impl Executor {
    /// An executor over `backends`, which runs up to `slots` guests at once (at least 1).
    #[must_use]
    pub fn new(backends: Vec<Arc<dyn Sandbox>>, slots: usize) -> Self {
        let brief = Arc::new(Mutex::new(LruCache::new(BRIEF_SKILLS)));
        let semaphore = |permits: usize| Arc::new(Semaphore::new(permits));
        let (slots, preparations) = (semaphore(slots.max(1)), semaphore(PREPARATIONS));
        Self {
            backends: backends.into(),
            slots,
            preparations,
            brief,
        }
    }

    /// Waits for a slot.
    ///
    /// # Errors
    /// Never while an executor exists; [`SandboxError::Cancelled`] stands for the impossible.
    pub async fn slot(&self) -> Result<Slot, SandboxError> {
        let permit = Arc::clone(&self.slots)
            .acquire_owned()
            .await
            .map_err(|_| SandboxError::Cancelled)?;
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
            .ok_or_else(|| {
                SandboxError::Rejected(match backend {
                    Backend::Native => String::from(
                        "native skills are not allowed here; --allow-native allows them",
                    ),
                    other => format!("the {other} backend is not available in this version"),
                })
            })
    }

    /// The engine that runs a program on a backend; see [`Sandbox::engine`].
    ///
    /// # Errors
    /// As [`Executor::backend`] and [`Sandbox::engine`].
    pub async fn engine(
        &self,
        backend: Backend,
        skill: &Arc<Skill>,
        entry: &Arc<Entry>,
        language_runtime: Option<Digest>,
    ) -> Result<Arc<Canonical<Engine>>, SandboxError> {
        let backend = self.backend(backend)?;
        // A deterministic backend knows its engine; others may have to start a process, or read
        // interpreters and root folders.
        if backend.is_deterministic() {
            return backend.engine(skill, entry, language_runtime);
        }
        let (backend, skill) = (Arc::clone(backend), Arc::clone(skill));
        let entry = Arc::clone(entry);
        blocking(move || backend.engine(&skill, &entry, language_runtime)).await
    }

    /// Makes the program `entry` of `skill` ready on `backend`; see [`Sandbox::prepare`].
    ///
    /// # Errors
    /// As [`Sandbox::prepare`].
    pub async fn prepare(
        &self,
        backend: Backend,
        skill: Arc<Skill>,
        entry: Arc<Entry>,
    ) -> Result<(), SandboxError> {
        let backend = Arc::clone(self.backend(backend)?);
        if backend.is_ready(&skill, &entry) {
            return Ok(());
        }
        let permit = Arc::clone(&self.preparations)
            .acquire_owned()
            .await
            .map_err(|_| SandboxError::Cancelled)?;
        blocking(move || {
            let _permit = permit;
            backend.prepare(&skill, &entry)
        })
        .await
    }

    /// Whether this installation has a backend.
    #[must_use]
    pub fn has(&self, backend: Backend) -> bool {
        self.backend(backend).is_ok()
    }

    /// What a backend lacks on this host; see [`Sandbox::lacking`].
    ///
    /// # Errors
    /// As [`Executor::backend`] and [`Sandbox::lacking`].
    pub async fn lacking(&self, backend: Backend) -> Result<Vec<(String, String)>, SandboxError> {
        let backend = Arc::clone(self.backend(backend)?);
        blocking(move || backend.lacking()).await
    }

    /// Runs `job` on its profile's backend. Dropping the future stops the guest; the slot is free
    /// once it has stopped.
    ///
    /// # Errors
    /// As [`Sandbox::execute`].
    pub async fn execute(&self, slot: Slot, job: OwnedJob) -> Result<Execution, SandboxError> {
        let backend = self.backend(job.profile.backend)?;
        if backend.is_deterministic()
            && let Some(execution) = self.execute_briefly(&**backend, &job)
        {
            return execution;
        }
        let backend = Arc::clone(backend);
        let program = job.program();
        let stop = Stop::new();
        let _stop_when_dropped = stop.on_drop();
        let execution = blocking(move || {
            let _slot = slot;
            backend.execute(&job.borrowed(job.time_limit), &stop)
        })
        .await?;
        if let Some(program) = program
            && execution.elapsed < BRIEF
        {
            self.brief().put(program, ());
        }
        Ok(execution)
    }

    /// As [`Executor::execute`], and keeps what the guest told its host; see
    /// [`Sandbox::execute_recorded`].
    ///
    /// # Errors
    /// As [`Sandbox::execute`].
    pub async fn execute_recorded(
        &self,
        slot: Slot,
        job: OwnedJob,
    ) -> Result<(Execution, Option<CallTrace>), SandboxError> {
        let backend = Arc::clone(self.backend(job.profile.backend)?);
        let stop = Stop::new();
        let _stop_when_dropped = stop.on_drop();
        blocking(move || {
            let _slot = slot;
            backend.execute_recorded(&job.borrowed(job.time_limit), &stop)
        })
        .await
    }

    /// Runs a skill that is known to be brief, and whose program is ready, here and now; `None` if
    /// not, or not this time.
    fn execute_briefly(
        &self,
        backend: &dyn Sandbox,
        job: &OwnedJob,
    ) -> Option<Result<Execution, SandboxError>> {
        let program = job.program()?;
        self.brief().get(&program)?;
        let execution = backend
            .execute_if_ready(&job.borrowed(job.time_limit.min(BRIEF_LIMIT)), &Stop::new())?;
        if !matches!(&execution, Ok(execution) if execution.elapsed < BRIEF) {
            self.brief().pop(&program);
        }
        match execution {
            Err(SandboxError::Timeout(_)) => None,
            other => Some(other),
        }
    }

    fn brief(&self) -> MutexGuard<'_, LruCache<Program, ()>> {
        self.brief.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Runs `work` on a thread that may block.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, SandboxError> + Send + 'static,
) -> Result<T, SandboxError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(error) if error.is_panic() => {
            Err(SandboxError::Bug(format!("the backend panicked: {error}")))
        }
        Err(_) => Err(SandboxError::Cancelled),
    }
}
