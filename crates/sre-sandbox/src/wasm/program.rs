//! From a skill to what is instantiated for it.

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use lru::LruCache;
use sre_core::{Canonical, Digest, Engine as EngineDescription, RuntimeKind, SkillDigest};
use sre_skill::{Entry, Skill, SkillFile};

use super::context::{Code, EngineContext, Trust};
use super::engine::{self, Tuning};
use super::interpreter::Interpreters;
use crate::machine::PackageTree;
use crate::{LanguageRuntime, SandboxError};

/// Programs kept ready in memory.
const READY_LIMIT: NonZeroUsize = NonZeroUsize::new(64).expect("not zero");

/// Engine descriptions kept in memory.
const DESCRIBED_LIMIT: NonZeroUsize = NonZeroUsize::new(64).expect("not zero");

/// A skill, ready to be instantiated.
pub(super) struct Program {
    pub(super) code: Arc<Code>,
    pub(super) package: Arc<PackageTree>,
    pub(super) context: Arc<EngineContext>,
}

/// Prepares skills and keeps the most recently used ready.
pub(super) struct Programs {
    /// Runs compiled programs and small interpreters.
    default: Arc<EngineContext>,
    /// Runs interpreters that need stack and memory; made at the first use.
    large_stack: OnceLock<Arc<EngineContext>>,
    options: EngineOptions,
    pub(super) interpreters: Interpreters,
    ready: Mutex<LruCache<Key, Slot>>,
    described: Mutex<LruCache<Option<Digest>, Arc<Canonical<EngineDescription>>>>,
}

/// A skill, and what runs: the interpreter, or the program of its own.
type Key = (SkillDigest, Digest);

/// Filled once: a second caller waits for the compilation that the first one started.
type Slot = Arc<OnceLock<Result<Arc<Program>, String>>>;

/// How options are made.
pub(super) struct EngineOptions {
    pub(super) slots: u32,
    pub(super) pooling: bool,
    pub(super) cache_folder: Option<PathBuf>,
    pub(super) cache_limit_bytes: u64,
}

impl EngineOptions {
    fn build(&self, tuning: Tuning) -> Result<Arc<EngineContext>, SandboxError> {
        EngineContext::new(tuning, self).map(Arc::new)
    }
}

impl Programs {
    pub(super) fn new(
        options: EngineOptions,
        interpreters: Interpreters,
    ) -> Result<Self, SandboxError> {
        Ok(Self {
            default: options.build(engine::DEFAULT)?,
            large_stack: OnceLock::new(),
            options,
            interpreters,
            ready: Mutex::new(LruCache::new(READY_LIMIT)),
            described: Mutex::new(LruCache::new(DESCRIBED_LIMIT)),
        })
    }

    /// The program `entry` of `skill`, compiled if need be.
    pub(super) fn get(
        &self,
        skill: &Skill,
        entry: &Entry,
        language_runtime: Option<Digest>,
    ) -> Result<Arc<Program>, SandboxError> {
        let file = file(skill, entry)?;
        let interpreter = self.interpreter(entry, language_runtime)?;
        let slot = self.slot(key(skill, file, interpreter));
        let program = match (slot.get(), interpreter) {
            (Some(program), _) => program.clone(),
            (None, None) => slot
                .get_or_init(|| self.compile(skill, file).map(Arc::new))
                .clone(),
            (None, Some(runtime)) => {
                // A failure is not kept: it is about the runtime, which may be supplied later.
                let program = self.interpret(skill, runtime)?;
                slot.get_or_init(|| Ok(program)).clone()
            }
        };
        program.map_err(SandboxError::Rejected)
    }

    /// The program `entry` of `skill`, if nothing need be done for it. Does not block.
    pub(super) fn ready(
        &self,
        skill: &Skill,
        entry: &Entry,
        language_runtime: Option<Digest>,
    ) -> Option<Arc<Program>> {
        let file = file(skill, entry).ok()?;
        let interpreter = self.interpreter(entry, language_runtime).ok()?;
        let key = key(skill, file, interpreter);
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
        // Its memory goes back to the system, which takes too long to hold the lock meanwhile.
        drop(evicted);
        slot
    }

    fn slots(&self) -> MutexGuard<'_, LruCache<Key, Slot>> {
        self.ready.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The engine that runs the program `entry`.
    pub(super) fn describe(
        &self,
        entry: &Entry,
        language_runtime: Option<Digest>,
    ) -> Result<Arc<Canonical<EngineDescription>>, SandboxError> {
        let interpreter = self.interpreter(entry, language_runtime)?;
        let mut described = self
            .described
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let key = interpreter.map(|runtime| runtime.digest);
        let description = described.get_or_insert(key, || {
            let tuning = if needs_large_stack(entry.kind) {
                engine::LARGE_STACK
            } else {
                engine::DEFAULT
            };
            Arc::new(Canonical::new(engine::describe(&tuning, interpreter)))
        });
        Ok(Arc::clone(description))
    }

    fn interpreter(
        &self,
        entry: &Entry,
        asked: Option<Digest>,
    ) -> Result<Option<&LanguageRuntime>, SandboxError> {
        let path = &entry.path;
        match entry.kind {
            RuntimeKind::Wasm => Ok(None),
            RuntimeKind::Native | RuntimeKind::Shell => Err(SandboxError::Rejected(format!(
                "{path}: the wasm backend runs WebAssembly, Python and JavaScript, not native programs and shell scripts; allow the native backend, or compile the skill to a WASI command"
            ))),
            kind => self
                .interpreters
                .choose(kind, asked)
                .map(Some)
                .map_err(|error| SandboxError::Rejected(format!("{path}: {error}"))),
        }
    }

    fn compile(&self, skill: &Skill, file: &SkillFile) -> Result<Program, String> {
        let code = wat::parse_bytes(&file.bytes)
            .map_err(|error| format!("not a WebAssembly text: {error}"))
            .and_then(|binary| self.default.load(&binary, file.sha256, Trust::Untrusted))
            .map_err(|error| format!("{}: {error}", file.path))?;
        Ok(Program::new(skill, Arc::new(code), &self.default))
    }

    fn interpret(
        &self,
        skill: &Skill,
        runtime: &LanguageRuntime,
    ) -> Result<Arc<Program>, SandboxError> {
        let context = if needs_large_stack(runtime.kind) {
            self.large_stack()?
        } else {
            &self.default
        };
        let code = self
            .interpreters
            .code(runtime, context)
            .map_err(SandboxError::Rejected)?;
        Ok(Arc::new(Program::new(skill, code, context)))
    }

    fn large_stack(&self) -> Result<&Arc<EngineContext>, SandboxError> {
        if let Some(context) = self.large_stack.get() {
            return Ok(context);
        }
        let context = self.options.build(engine::LARGE_STACK)?;
        Ok(self.large_stack.get_or_init(|| context))
    }
}

impl Program {
    fn new(skill: &Skill, code: Arc<Code>, context: &Arc<EngineContext>) -> Self {
        Self {
            code,
            package: Arc::new(PackageTree::new(skill)),
            context: Arc::clone(context),
        }
    }
}

/// The file of the program `entry`.
fn file<'a>(skill: &'a Skill, entry: &Entry) -> Result<&'a SkillFile, SandboxError> {
    skill
        .file(&entry.path)
        .ok_or_else(|| SandboxError::Rejected(format!("{}: not in the package", entry.path)))
}

fn key(skill: &Skill, file: &SkillFile, interpreter: Option<&LanguageRuntime>) -> Key {
    let digest = interpreter.map_or(file.sha256, |runtime| runtime.digest);
    (skill.digest(), digest)
}

/// Whether the interpreter of this language needs more stack and memory than a compiled program.
fn needs_large_stack(kind: RuntimeKind) -> bool {
    kind == RuntimeKind::Python
}
