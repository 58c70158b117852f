//! A backend that does what a test tells it, for what no real one can be made to do; and the
//! smallest order for it.
//!
//! Other crates' tests include this file by its path.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::json;
use sre_core::{Backend, Canonical, Digest, Engine, Profile, Seed};
use sre_sandbox::{Execution, Job, Sandbox, SandboxError, Stop};
use sre_skill::{Entry, PackageLimits, Skill};

/// What it does in one execution.
pub type Play = dyn Fn(&Job<'_>, &Stop) -> Result<Execution, SandboxError> + Send + Sync;

/// The backend.
pub struct Played {
    engine: Arc<Canonical<Engine>>,
    pub deterministic: bool,
    /// Whether it can start at once.
    pub ready: Arc<AtomicBool>,
    play: Box<Play>,
}

impl Played {
    pub fn new(
        name: &str,
        version: &str,
        play: impl Fn(&Job<'_>, &Stop) -> Result<Execution, SandboxError> + Send + Sync + 'static,
    ) -> Self {
        let engine = Engine {
            backend: Backend::Wasm,
            name: name.to_owned(),
            version: version.to_owned(),
            configuration: BTreeMap::new(),
        };
        let ready = Arc::new(AtomicBool::new(true));
        Self {
            engine: Arc::new(Canonical::new(engine)),
            deterministic: true,
            ready,
            play: Box::new(play),
        }
    }
}

impl Sandbox for Played {
    fn backend(&self) -> Backend {
        Backend::Wasm
    }

    fn engine(
        &self,
        _: &Skill,
        _: &Entry,
        _: Option<Digest>,
    ) -> Result<Arc<Canonical<Engine>>, SandboxError> {
        Ok(Arc::clone(&self.engine))
    }

    fn is_deterministic(&self) -> bool {
        self.deterministic
    }

    fn prepare(&self, _: &Skill, _: &Entry) -> Result<(), SandboxError> {
        Ok(())
    }

    fn execute_if_ready(
        &self,
        job: &Job<'_>,
        stop: &Stop,
    ) -> Option<Result<Execution, SandboxError>> {
        self.ready
            .load(Ordering::SeqCst)
            .then(|| self.execute(job, stop))
    }

    fn execute(&self, job: &Job<'_>, stop: &Stop) -> Result<Execution, SandboxError> {
        (self.play)(job, stop)
    }
}

/// A skill of two files; its program is never read.
pub fn skill() -> Arc<Skill> {
    let package = json!({
        "name": "played", "version": "1", "runtime": { "entrypoint": "main.wat" }, "io": {}, "annotations": {},
        "files": { "main.wat": "(module)", "notes.txt": "a second file" }
    });
    Arc::new(Skill::from_object(&package, &PackageLimits::default()).expect("a skill"))
}

/// A profile of which only the output's limit means anything here.
pub fn profile() -> Arc<Canonical<Profile>> {
    Arc::new(Canonical::new(Profile {
        backend: Backend::Wasm,
        fuel: 1,
        mem_limit_bytes: 1,
        output_limit_bytes: 100,
        tmp_limit_bytes: 0,
        files_limit_bytes: 0,
        files_limit_count: 0,
        timeout_ms: 1,
        clock_start: "2026-01-01T00:00:00Z".parse().expect("a time"),
        random_seed: Seed::from_bytes([0; 32]),
        processes: None,
    }))
}
