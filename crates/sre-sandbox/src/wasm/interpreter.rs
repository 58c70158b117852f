//! Language runtimes: unpacked and compiled at their first use with an engine, ready from then on.

use std::collections::HashMap;
use std::io::Read;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use sre_core::{Digest, RuntimeKind};
use wasmtime::component::types::ComponentItem;
use wasmtime::component::{Component, Linker, ResourceType};

use super::context::{Code, EngineContext, Trust};
use crate::wasi::Guest;
use crate::wasi::preview2::io_resource;
use crate::{LanguageRuntime, LanguageRuntimes};

/// Largest runtime, unpacked, in bytes.
const UNPACKED_LIMIT_BYTES: u64 = 256 << 20;

/// Told before a language runtime is compiled, which takes seconds and happens once per host.
pub type CompilationNotice = Arc<dyn Fn(&LanguageRuntime) + Send + Sync>;

/// The interpreters of one backend.
pub(super) struct Interpreters {
    pub(super) runtimes: LanguageRuntimes,
    notice: Option<CompilationNotice>,
    ready: Mutex<HashMap<Digest, Slot>>,
}

/// Filled once: a second caller waits for the compilation that the first one started.
type Slot = Arc<OnceLock<Arc<Code>>>;

impl Interpreters {
    pub(super) fn new(runtimes: LanguageRuntimes, notice: Option<CompilationNotice>) -> Self {
        Self {
            runtimes,
            notice,
            ready: Mutex::default(),
        }
    }

    /// The runtime that `asked` names, or else the one for scripts of this kind.
    pub(super) fn choose(
        &self,
        kind: RuntimeKind,
        asked: Option<Digest>,
    ) -> Result<&LanguageRuntime, String> {
        let language = language(kind);
        let Some(asked) = asked else {
            return self.runtimes.of_kind(kind).ok_or_else(|| {
                format!("this installation has no {language} runtime; compile the skill to a WASI command")
            });
        };
        match self.runtimes.find(asked) {
            Some(runtime) if runtime.kind == kind => Ok(runtime),
            Some(runtime) => Err(format!(
                "{asked} is the runtime {}, which runs no {language} script",
                runtime.name
            )),
            None => Err(format!("the {language} runtime {asked} is not known here")),
        }
    }

    /// The code of `runtime`, compiled if need be.
    pub(super) fn code(
        &self,
        runtime: &LanguageRuntime,
        context: &EngineContext,
    ) -> Result<Arc<Code>, String> {
        let slot = Arc::clone(self.ready().entry(runtime.digest).or_default());
        if let Some(code) = slot.get() {
            return Ok(Arc::clone(code));
        }
        // A failure is not kept: the bytes may be supplied later.
        let code = self.load(runtime, context)?;
        Ok(Arc::clone(slot.get_or_init(|| code)))
    }

    fn load(
        &self,
        runtime: &LanguageRuntime,
        context: &EngineContext,
    ) -> Result<Arc<Code>, String> {
        let digest = runtime.digest;
        if let Some(code) = context.load_compiled(digest, Trust::FirstParty) {
            return Ok(Arc::new(code));
        }
        let Some(packed) = self.runtimes.packed(digest) else {
            return Err(format!(
                "the runtime {} ({digest}) is known but not here",
                runtime.name
            ));
        };
        // One process compiles, the others wait and find it compiled.
        let _lock = context.compilation_lock(digest);
        if let Some(code) = context.load_compiled(digest, Trust::FirstParty) {
            return Ok(Arc::new(code));
        }
        if let Some(notice) = &self.notice {
            notice(runtime);
        }
        let binary = unpack(&packed)
            .map_err(|error| format!("the runtime {} ({digest}): {error}", runtime.name))?;
        context
            .compile(&binary, digest, Trust::FirstParty)
            .map(Arc::new)
    }

    fn ready(&self) -> std::sync::MutexGuard<'_, HashMap<Digest, Slot>> {
        self.ready.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn language(kind: RuntimeKind) -> &'static str {
    match kind {
        RuntimeKind::Python => "Python",
        RuntimeKind::Javascript => "JavaScript",
        RuntimeKind::Shell => "shell",
        RuntimeKind::Wasm => "WebAssembly",
        RuntimeKind::Native => "native",
    }
}

fn unpack(packed: &[u8]) -> Result<Vec<u8>, String> {
    let decoder = ruzstd::decoding::StreamingDecoder::new(packed)
        .map_err(|error| format!("no zstd frame: {error}"))?;
    let mut binary = Vec::new();
    decoder
        .take(UNPACKED_LIMIT_BYTES + 1)
        .read_to_end(&mut binary)
        .map_err(|error| error.to_string())?;
    if binary.len() as u64 > UNPACKED_LIMIT_BYTES {
        return Err(format!(
            "it is larger than {UNPACKED_LIMIT_BYTES} bytes unpacked"
        ));
    }
    Ok(binary)
}

/// Defines every function of `wasi:sockets` that `component` imports as one that ends the guest.
///
/// CPython's C library imports them; the runtime's own `socket` module raises an ordinary exception
/// before it gets there. The interfaces are defined under exactly the names they are imported by,
/// so that they shadow nothing.
pub(super) fn refuse_sockets(
    linker: &mut Linker<Guest>,
    component: &Component,
) -> wasmtime::Result<()> {
    struct Socket;
    let engine = linker.engine().clone();
    for (interface, item) in component.component_type().imports(&engine) {
        let ComponentItem::ComponentInstance(instance) = item.ty else {
            continue;
        };
        if !interface.starts_with("wasi:sockets/") {
            continue;
        }
        let mut defined = linker.instance(interface)?;
        for (name, item) in instance.exports(&engine) {
            match item.ty {
                ComponentItem::ComponentFunc(_) => defined.func_new(name, |_, _, _, _| {
                    wasmtime::bail!("a language runtime called a socket function")
                })?,
                ComponentItem::Resource(_) => {
                    let resource = io_resource(name).unwrap_or_else(ResourceType::host::<Socket>);
                    defined.resource(name, resource, |_, _| Ok(()))?;
                }
                _ => {}
            }
        }
    }
    Ok(())
}
