//! One configuration of wasmtime and what is made from it: linkers, compiled code, the ticker.

use sre_core::Digest;
use wasmtime::component::{Component, Linker as ComponentLinker};
use wasmtime::{Engine, InstancePre, Linker, Module};

use super::cache::CodeCache;
use super::compilers::COMPILERS;
use super::engine::{self, Tuning};
use super::image::{self, Images};
use super::program::EngineOptions;
use super::ticker::Ticker;
use super::{complexity, interpreter};
use crate::SandboxError;
use crate::wasi::preview2::CommandPre;
use crate::wasi::{Guest, preview1, preview2};

/// Programs of one machine run on its engine alone.
pub(super) struct EngineContext {
    pub(super) engine: Engine,
    pub(super) ticker: Ticker,
    pub(super) tuning: Tuning,
    pub(super) images: Images,
    linker: Linker<Guest>,
    component_linker: ComponentLinker<Guest>,
    cache: Option<CodeCache>,
}

/// A compiled program, ready to be instantiated.
pub(super) enum Code {
    /// A preview 1 command module.
    Module(InstancePre<Guest>),
    /// A WASI 0.2 command component.
    Component(CommandPre<Guest>),
}

/// How far the author of a program is trusted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Trust {
    /// A customer or a third party: the program may be made to keep the compiler busy, and gets
    /// only what the command world offers.
    Untrusted,
    /// This project: a language runtime, known by its digest. It may import sockets, because its C
    /// library does, although nothing calls them.
    FirstParty,
}

impl EngineContext {
    pub(super) fn new(tuning: Tuning, options: &EngineOptions) -> Result<Self, SandboxError> {
        let engine = engine::build(&tuning, options.slots, options.pooling)?;
        let bug = |error: wasmtime::Error| SandboxError::Bug(format!("{error:#}"));
        let mut linker = Linker::new(&engine);
        preview1::add_to_linker(&mut linker).map_err(bug)?;
        let mut component_linker = ComponentLinker::new(&engine);
        preview2::add_to_linker(&mut component_linker).map_err(bug)?;
        let ticker =
            Ticker::start(&engine).map_err(|error| SandboxError::Unavailable(error.to_string()))?;
        let cache = options.cache_folder.as_deref();
        let cache = cache.map(|folder| CodeCache::new(folder, options.cache_limit_bytes, &engine));
        Ok(Self {
            engine,
            ticker,
            tuning,
            images: Images::default(),
            linker,
            component_linker,
            cache,
        })
    }

    /// The program that was compiled before under `digest`, or else what `binary` compiles to.
    pub(super) fn load(&self, binary: &[u8], digest: Digest, trust: Trust) -> Result<Code, String> {
        match self.load_compiled(digest, trust) {
            Some(code) => Ok(code),
            None => self.compile(binary, digest, trust),
        }
    }

    /// Compiles and links `binary`, and keeps the result: what is refused leaves nothing behind.
    pub(super) fn compile(
        &self,
        binary: &[u8],
        digest: Digest,
        trust: Trust,
    ) -> Result<Code, String> {
        if !binary.starts_with(b"\0asm") {
            return Err(String::from(
                "not a WebAssembly program: it does not start with \\0asm",
            ));
        }
        if trust == Trust::Untrusted {
            complexity::check(binary)?;
        }
        let _turn = COMPILERS.turn();
        let started = std::time::Instant::now();
        let invalid = |error: wasmtime::Error| format!("invalid WebAssembly: {error:#}");
        let timed = || tracing::debug!(program = %digest, ms = started.elapsed().as_millis() as u64, "compiled");
        // The header's second half tells modules (layer 0) from components (layer 1).
        if binary.get(6..8) == Some(&[1, 0]) {
            let component = Component::from_binary(&self.engine, binary).map_err(invalid)?;
            timed();
            let code = self.link_component(&component, trust)?;
            self.keep(digest, || component.serialize());
            Ok(code)
        } else {
            let module = Module::from_binary(&self.engine, binary).map_err(invalid)?;
            timed();
            let code = self.link_module(&module)?;
            self.keep(digest, || module.serialize());
            Ok(code)
        }
    }

    /// The program that was compiled before under `digest`, without its binary.
    pub(super) fn load_compiled(&self, digest: Digest, trust: Trust) -> Option<Code> {
        let code = self.cache.as_ref()?.load(digest)?;
        let report =
            |error: String| tracing::warn!(%error, "cached code does not load; compiling again");
        match Engine::detect_precompiled(&code)? {
            wasmtime::Precompiled::Module => {
                let module = deserialize::module(&self.engine, &code)
                    .map_err(|error| report(error.to_string()))
                    .ok()?;
                self.link_module(&module).map_err(report).ok()
            }
            wasmtime::Precompiled::Component => {
                let component = deserialize::component(&self.engine, &code)
                    .map_err(|error| report(error.to_string()))
                    .ok()?;
                self.link_component(&component, trust).map_err(report).ok()
            }
        }
    }

    /// Keeps other processes from compiling the same program at the same time, where there is a
    /// cache to share.
    pub(super) fn compilation_lock(&self, digest: Digest) -> Option<std::fs::File> {
        self.cache.as_ref()?.lock(digest)
    }

    fn keep(&self, digest: Digest, serialize: impl FnOnce() -> wasmtime::Result<Vec<u8>>) {
        let Some(cache) = &self.cache else { return };
        match serialize() {
            Ok(code) => cache.store(digest, &code),
            Err(error) => tracing::warn!(%error, "compiled code could not be serialised"),
        }
    }

    fn link_module(&self, module: &Module) -> Result<Code, String> {
        let start = module
            .get_export("_start")
            .and_then(|export| export.func().cloned());
        match start {
            Some(start) if start.params().len() == 0 && start.results().len() == 0 => {}
            Some(_) => {
                return Err(String::from(
                    "its `_start` takes or returns something; a WASI command's does not",
                ));
            }
            None => {
                return Err(String::from(
                    "it exports no `_start`: build it as a WASI command (a program with a main), not as a library",
                ));
            }
        }
        let linked = self.linker.instantiate_pre(module).map_err(|error| {
            format!("it imports what is not offered: {error:#}; WASI preview 1 without sockets is")
        })?;
        image::make(|| module.initialize_copy_on_write_image());
        Ok(Code::Module(linked))
    }

    fn link_component(&self, component: &Component, trust: Trust) -> Result<Code, String> {
        let unoffered = |error: wasmtime::Error| {
            format!(
                "it imports what is not offered: {error:#}; the wasi:cli command world without sockets is"
            )
        };
        let linked = match trust {
            Trust::Untrusted => self.component_linker.instantiate_pre(component),
            Trust::FirstParty => {
                let mut linker = self.component_linker.clone();
                interpreter::refuse_sockets(&mut linker, component).map_err(unoffered)?;
                linker.instantiate_pre(component)
            }
        };
        let command = CommandPre::new(linked.map_err(unoffered)?).map_err(|error| {
            format!("it is no command: it must export wasi:cli/run ({error:#})")
        })?;
        image::make(|| component.initialize_copy_on_write_image());
        Ok(Code::Component(command))
    }
}

/// The one place where compiled code enters the process.
mod deserialize {
    use super::{Component, Engine, Module};

    /// Loads a module that [`CodeCache::load`](super::CodeCache::load) returned.
    pub(super) fn module(engine: &Engine, code: &[u8]) -> wasmtime::Result<Module> {
        #[expect(
            unsafe_code,
            reason = "compiled code cannot be loaded otherwise; see the cache's documentation"
        )]
        // SAFETY: `code` was made by `Module::serialize` of this installation: the cache verified
        // an HMAC over it, under a key that only this user can read, after reading it into memory
        // that no other thread can change. wasmtime checks version and settings itself.
        unsafe {
            Module::deserialize(engine, code)
        }
    }

    /// Loads a component that [`CodeCache::load`](super::CodeCache::load) returned.
    pub(super) fn component(engine: &Engine, code: &[u8]) -> wasmtime::Result<Component> {
        #[expect(
            unsafe_code,
            reason = "compiled code cannot be loaded otherwise; see the cache's documentation"
        )]
        // SAFETY: as in `module`, with `Component::serialize`. A module's entry cannot stand for a
        // component's: the name under the HMAC is derived from the program's digest, and a program
        // is one or the other.
        unsafe {
            Component::deserialize(engine, code)
        }
    }
}
