//! From a skill's bytes to a pre-instantiated module or component.

use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use lru::LruCache;
use sre_core::{Digest, RuntimeKind, SkillDigest};
use sre_skill::Skill;
use wasmtime::component::{Component, Linker as ComponentLinker};
use wasmtime::{Engine, InstancePre, Linker, Module};

use super::cache::CodeCache;
use super::complexity;
use crate::SandboxError;
use crate::wasi::preview2::CommandPre;
use crate::wasi::{Guest, preview1, preview2};
use crate::world::PackageTree;

/// Programs kept ready in memory.
const READY_LIMIT: NonZeroUsize = NonZeroUsize::new(64).expect("not zero");

/// A skill, ready to be instantiated.
pub(super) struct Program {
    pub(super) code: Code,
    pub(super) package: Arc<PackageTree>,
}

pub(super) enum Code {
    /// A preview 1 command module.
    Module(InstancePre<Guest>),
    /// A WASI 0.2 command component.
    Component(CommandPre<Guest>),
}

/// Prepares skills and keeps the most recently used ready.
pub(super) struct Programs {
    engine: Engine,
    linker: Linker<Guest>,
    component_linker: ComponentLinker<Guest>,
    cache: Option<CodeCache>,
    ready: Mutex<LruCache<SkillDigest, Slot>>,
}

/// Filled once: whoever comes second waits for the first one's compilation.
type Slot = Arc<OnceLock<Result<Arc<Program>, String>>>;

impl Programs {
    pub(super) fn new(engine: Engine, cache: Option<CodeCache>) -> wasmtime::Result<Self> {
        let mut linker = Linker::new(&engine);
        preview1::add_to_linker(&mut linker)?;
        let mut component_linker = ComponentLinker::new(&engine);
        preview2::add_to_linker(&mut component_linker)?;
        Ok(Self { engine, linker, component_linker, cache, ready: Mutex::new(LruCache::new(READY_LIMIT)) })
    }

    /// The program of `skill`, compiled if need be.
    pub(super) fn get(&self, skill: &Skill) -> Result<Arc<Program>, SandboxError> {
        let slot = {
            let mut ready = self.ready.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(ready.get_or_insert(skill.digest(), Slot::default))
        };
        let program = slot.get_or_init(|| self.prepare(skill).map(Arc::new));
        program.clone().map_err(SandboxError::Rejected)
    }

    /// Whether `skill` is ready in memory.
    pub(super) fn is_ready(&self, skill: SkillDigest) -> bool {
        let ready = self.ready.lock().unwrap_or_else(PoisonError::into_inner);
        ready.peek(&skill).is_some_and(|slot| slot.get().is_some())
    }

    fn prepare(&self, skill: &Skill) -> Result<Program, String> {
        let entrypoint = skill.entrypoint();
        let kind = skill.manifest().runtime.kind;
        if kind != RuntimeKind::Wasm {
            let kind = format!("{kind:?}").to_lowercase();
            return Err(format!(
                "{}: the wasm backend runs .wasm and .wat programs, not {kind} ones; compile the skill to a WASI command",
                entrypoint.path
            ));
        }
        let code =
            self.compile(&entrypoint.bytes, entrypoint.sha256).map_err(|e| format!("{}: {e}", entrypoint.path))?;
        Ok(Program { code, package: Arc::new(PackageTree::new(skill)) })
    }

    fn compile(&self, bytes: &[u8], digest: Digest) -> Result<Code, String> {
        let binary = wat::parse_bytes(bytes).map_err(|error| format!("not a WebAssembly text: {error}"))?;
        if !binary.starts_with(b"\0asm") {
            return Err(String::from("not a WebAssembly program: it does not start with \\0asm"));
        }
        // The header's second half tells modules (layer 0) from components (layer 1).
        if binary.get(6..8) == Some(&[1, 0]) {
            let cached = self.cached(digest, |code| deserialize::component(&self.engine, code));
            let (component, is_new) =
                compiled(cached, digest, &binary, || Component::from_binary(&self.engine, &binary))?;
            let code = self.link_component(&component)?;
            self.keep(digest, is_new, || component.serialize());
            Ok(code)
        } else {
            let cached = self.cached(digest, |code| deserialize::module(&self.engine, code));
            let (module, is_new) = compiled(cached, digest, &binary, || Module::from_binary(&self.engine, &binary))?;
            let code = self.link_module(&module)?;
            self.keep(digest, is_new, || module.serialize());
            Ok(code)
        }
    }

    fn cached<T>(&self, digest: Digest, load: impl FnOnce(&[u8]) -> wasmtime::Result<T>) -> Option<T> {
        let code = self.cache.as_ref()?.load(digest)?;
        load(&code).inspect_err(|error| tracing::warn!(%error, "cached code does not load; compiling again")).ok()
    }

    /// Keeps what was compiled now. Called once the program is known to link: what is refused leaves nothing behind.
    fn keep(&self, digest: Digest, is_new: bool, serialize: impl FnOnce() -> wasmtime::Result<Vec<u8>>) {
        let Some(cache) = self.cache.as_ref().filter(|_| is_new) else { return };
        match serialize() {
            Ok(code) => cache.store(digest, &code),
            Err(error) => tracing::warn!(%error, "compiled code could not be serialised"),
        }
    }

    fn link_module(&self, module: &Module) -> Result<Code, String> {
        let start = module.get_export("_start").and_then(|export| export.func().cloned());
        match start {
            Some(start) if start.params().len() == 0 && start.results().len() == 0 => {}
            Some(_) => return Err(String::from("its `_start` takes or returns something; a WASI command's does not")),
            None => {
                return Err(String::from(
                    "it exports no `_start`: build it as a WASI command (a program with a main), not as a library",
                ));
            }
        }
        self.linker
            .instantiate_pre(module)
            .map(Code::Module)
            .map_err(|error| format!("it imports what is not offered: {error:#}; WASI preview 1 without sockets is"))
    }

    fn link_component(&self, component: &Component) -> Result<Code, String> {
        let linked = self.component_linker.instantiate_pre(component).map_err(|error| {
            format!("it imports what is not offered: {error:#}; the wasi:cli command world without sockets is")
        })?;
        CommandPre::new(linked)
            .map(Code::Component)
            .map_err(|error| format!("it is no command: it must export wasi:cli/run ({error:#})"))
    }
}

/// What the cache had, or else what `compile` makes; and whether it was compiled now.
fn compiled<T>(
    cached: Option<T>,
    digest: Digest,
    binary: &[u8],
    compile: impl FnOnce() -> wasmtime::Result<T>,
) -> Result<(T, bool), String> {
    if let Some(cached) = cached {
        return Ok((cached, false));
    }
    complexity::check(binary)?;
    let started = std::time::Instant::now();
    let compiled = compile().map_err(|error| format!("invalid WebAssembly: {error:#}"))?;
    tracing::debug!(program = %digest, ms = started.elapsed().as_millis() as u64, "compiled");
    Ok((compiled, true))
}

/// The one place where compiled code enters the process.
mod deserialize {
    use super::{Component, Engine, Module};

    /// Loads a module that [`CodeCache::load`](super::CodeCache::load) returned.
    pub(super) fn module(engine: &Engine, code: &[u8]) -> wasmtime::Result<Module> {
        // SAFETY: `code` was made by `Module::serialize` of this installation: the cache verified an HMAC over it, under
        // a key that only this user can read, after reading it into memory that nobody else can change. wasmtime checks
        // version and settings itself.
        #[expect(unsafe_code, reason = "compiled code cannot be loaded otherwise; see the cache's documentation")]
        unsafe {
            Module::deserialize(engine, code)
        }
    }

    /// Loads a component that [`CodeCache::load`](super::CodeCache::load) returned.
    pub(super) fn component(engine: &Engine, code: &[u8]) -> wasmtime::Result<Component> {
        // SAFETY: as in `module`, with `Component::serialize`. A module's entry cannot stand for a component's: the name
        // under the HMAC is derived from the program's digest, and a program is one or the other.
        #[expect(unsafe_code, reason = "compiled code cannot be loaded otherwise; see the cache's documentation")]
        unsafe {
            Component::deserialize(engine, code)
        }
    }
}
