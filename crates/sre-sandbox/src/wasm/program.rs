//! From a skill to what is instantiated for it.

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use lru::LruCache;
use sre_core::{Canonical, Digest, Engine as EngineDescription, RuntimeKind, SkillDigest};
use sre_skill::Skill;

use super::engine::{self, Tuning};
use super::interpreter::Interpreters;
use super::machine::{Author, Code, Machine};
use crate::backend::entry;
use crate::world::PackageTree;
use crate::{LanguageRuntime, SandboxError};

/// Programs kept ready in memory.
const READY_LIMIT: NonZeroUsize = NonZeroUsize::new(64).expect("not zero");

/// Engine descriptions kept in memory.
const DESCRIBED_LIMIT: NonZeroUsize = NonZeroUsize::new(64).expect("not zero");

/// A skill, ready to be instantiated.
pub(super) struct Program {
    pub(super) code: Arc<Code>,
    pub(super) package: Arc<PackageTree>,
    pub(super) machine: Arc<Machine>,
}

/// Prepares skills and keeps the most recently used ready.
pub(super) struct Programs {
    /// Runs compiled programs and small interpreters.
    plain: Arc<Machine>,
    /// Runs interpreters that need stack and memory; made at the first use.
    roomy: OnceLock<Arc<Machine>>,
    machines: MachineOptions,
    pub(super) interpreters: Interpreters,
    ready: Mutex<LruCache<Key, Slot>>,
    described: Mutex<LruCache<Option<Digest>, Arc<Canonical<EngineDescription>>>>,
}

/// A skill, and the interpreter it runs in.
type Key = (SkillDigest, Option<Digest>);

/// Filled once: whoever comes second waits for the first one's compilation.
type Slot = Arc<OnceLock<Result<Arc<Program>, String>>>;

/// How machines are made.
pub(super) struct MachineOptions {
    pub(super) slots: u32,
    pub(super) pooling: bool,
    pub(super) cache_folder: Option<PathBuf>,
    pub(super) cache_limit_bytes: u64,
}

impl MachineOptions {
    fn build(&self, tuning: Tuning) -> Result<Arc<Machine>, SandboxError> {
        Machine::new(tuning, self).map(Arc::new)
    }
}

impl Programs {
    pub(super) fn new(
        machines: MachineOptions,
        interpreters: Interpreters,
    ) -> Result<Self, SandboxError> {
        Ok(Self {
            plain: machines.build(engine::PLAIN)?,
            roomy: OnceLock::new(),
            machines,
            interpreters,
            ready: Mutex::new(LruCache::new(READY_LIMIT)),
            described: Mutex::new(LruCache::new(DESCRIBED_LIMIT)),
        })
    }

    /// The program of `skill`, compiled if need be.
    pub(super) fn get(
        &self,
        skill: &Skill,
        language_runtime: Option<Digest>,
    ) -> Result<Arc<Program>, SandboxError> {
        let interpreter = self.interpreter(skill, language_runtime)?;
        let slot = self.slot((skill.digest(), interpreter.map(|runtime| runtime.digest)));
        let program = match (slot.get(), interpreter) {
            (Some(program), _) => program.clone(),
            (None, None) => slot
                .get_or_init(|| self.compile(skill).map(Arc::new))
                .clone(),
            (None, Some(runtime)) => {
                // A failure is not kept: it is about the runtime, which may be supplied later.
                let program = self.interpret(skill, runtime)?;
                slot.get_or_init(|| Ok(program)).clone()
            }
        };
        program.map_err(SandboxError::Rejected)
    }

    /// The program of `skill`, if nothing need be done for it. Does not block.
    pub(super) fn ready(
        &self,
        skill: &Skill,
        language_runtime: Option<Digest>,
    ) -> Option<Arc<Program>> {
        let interpreter = self.interpreter(skill, language_runtime).ok()?;
        let key = (skill.digest(), interpreter.map(|runtime| runtime.digest));
        self.slots().get(&key)?.get()?.as_ref().ok().map(Arc::clone)
    }

    fn slot(&self, key: Key) -> Slot {
        let mut slots = self.slots();
        if let Some(slot) = slots.get(&key) {
            return Arc::clone(slot);
        }
        let slot = Slot::default();
        let evicted = slots.push(key, Arc::clone(&slot));
        drop(slots);
        // Its memory goes back to the system, which takes longer than anybody should hold the lock.
        drop(evicted);
        slot
    }

    fn slots(&self) -> MutexGuard<'_, LruCache<Key, Slot>> {
        self.ready.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The engine that runs `skill`.
    pub(super) fn describe(
        &self,
        skill: &Skill,
        language_runtime: Option<Digest>,
    ) -> Result<Arc<Canonical<EngineDescription>>, SandboxError> {
        let interpreter = self.interpreter(skill, language_runtime)?;
        let (_, kind) = entry(skill)?;
        let mut described = self
            .described
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let key = interpreter.map(|runtime| runtime.digest);
        let description = described.get_or_insert(key, || {
            let tuning = if is_roomy(kind) {
                engine::ROOMY
            } else {
                engine::PLAIN
            };
            Arc::new(Canonical::new(engine::describe(&tuning, interpreter)))
        });
        Ok(Arc::clone(description))
    }

    fn interpreter(
        &self,
        skill: &Skill,
        asked: Option<Digest>,
    ) -> Result<Option<&LanguageRuntime>, SandboxError> {
        let (entrypoint, kind) = entry(skill)?;
        let entrypoint = &entrypoint.path;
        match kind {
            RuntimeKind::Wasm => Ok(None),
            RuntimeKind::Native | RuntimeKind::Shell => Err(SandboxError::Rejected(format!(
                "{entrypoint}: the wasm backend runs .wasm, .wat, .py and .js programs, not native ones; compile the skill to a WASI command"
            ))),
            kind => self
                .interpreters
                .choose(kind, asked)
                .map(Some)
                .map_err(|error| SandboxError::Rejected(format!("{entrypoint}: {error}"))),
        }
    }

    fn compile(&self, skill: &Skill) -> Result<Program, String> {
        let (entrypoint, _) = entry(skill).map_err(|error| error.to_string())?;
        let code = wat::parse_bytes(&entrypoint.bytes)
            .map_err(|error| format!("not a WebAssembly text: {error}"))
            .and_then(|binary| {
                self.plain
                    .load(&binary, entrypoint.sha256, Author::Stranger)
            })
            .map_err(|error| format!("{}: {error}", entrypoint.path))?;
        Ok(Program::new(skill, Arc::new(code), &self.plain))
    }

    fn interpret(
        &self,
        skill: &Skill,
        runtime: &LanguageRuntime,
    ) -> Result<Arc<Program>, SandboxError> {
        let machine = if is_roomy(runtime.kind) {
            self.roomy()?
        } else {
            &self.plain
        };
        let code = self
            .interpreters
            .code(runtime, machine)
            .map_err(SandboxError::Rejected)?;
        Ok(Arc::new(Program::new(skill, code, machine)))
    }

    fn roomy(&self) -> Result<&Arc<Machine>, SandboxError> {
        if let Some(machine) = self.roomy.get() {
            return Ok(machine);
        }
        let machine = self.machines.build(engine::ROOMY)?;
        Ok(self.roomy.get_or_init(|| machine))
    }
}

impl Program {
    fn new(skill: &Skill, code: Arc<Code>, machine: &Arc<Machine>) -> Self {
        Self {
            code,
            package: Arc::new(PackageTree::new(skill)),
            machine: Arc::clone(machine),
        }
    }
}

/// Whether the interpreter of this language needs more stack and memory than a compiled program.
fn is_roomy(kind: RuntimeKind) -> bool {
    kind == RuntimeKind::Python
}
