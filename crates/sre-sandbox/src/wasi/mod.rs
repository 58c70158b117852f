//! The two WASI versions, as translations to the calls of [`crate::world`].
//!
//! An adapter decodes arguments, calls the world, encodes results and keeps a table of handles.
//! What a call *means* is decided in the world, once for both versions.

pub(crate) mod preview1;
pub(crate) mod preview2;

use wasmtime::Memory;
use wasmtime::component::ResourceTable;

use crate::wasm::MemoryLimiter;
use crate::world::World;

/// What a store holds for its guest.
pub(crate) struct Guest {
    pub(crate) world: World,
    pub(crate) limiter: MemoryLimiter,
    /// Handles of a preview 1 module.
    descriptors: preview1::Descriptors,
    /// The module's memory, looked up at its first call.
    memory: Option<Memory>,
    /// Handles of a component.
    resources: ResourceTable,
}

/// Handles a component may hold at once.
const RESOURCE_LIMIT: usize = 4096;

impl Guest {
    pub(crate) fn new(world: World, limiter: MemoryLimiter) -> Self {
        let mut resources = ResourceTable::new();
        resources.set_max_capacity(RESOURCE_LIMIT);
        Self {
            world,
            limiter,
            descriptors: preview1::Descriptors::new(),
            memory: None,
            resources,
        }
    }
    /// Gives the guest `/tmp` under another name as its only folder, or no folder: what the public
    /// test-suite expects.
    #[cfg(test)]
    pub(crate) fn give_folder(&mut self, name: Option<&'static str>) {
        self.descriptors = preview1::Descriptors::with_folder(name);
    }
}
