//! The two WASI versions, as translations to the calls of [`crate::machine`].
//!
//! An adapter decodes arguments, calls the machine, encodes results and keeps a table of handles.
//! What a call *means* is decided in the machine, once for both versions.

pub(crate) mod preview1;
pub(crate) mod preview2;

use wasmtime::Memory;
use wasmtime::component::ResourceTable;

use crate::machine::GuestMachine;
use crate::wasm::MemoryLimiter;

/// What a store holds for its guest.
pub(crate) struct Guest {
    pub(crate) machine: GuestMachine,
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
    pub(crate) fn new(machine: GuestMachine, limiter: MemoryLimiter) -> Self {
        let descriptors = preview1::Descriptors::new(machine.working_folder);
        let mut resources = ResourceTable::new();
        resources.set_max_capacity(RESOURCE_LIMIT);
        Self {
            machine,
            limiter,
            descriptors,
            memory: None,
            resources,
        }
    }

    /// Gives the guest `/workspace` under another name as its only folder, or no folder: what the
    /// public test-suite expects.
    #[cfg(test)]
    pub(crate) fn give_folder(&mut self, name: Option<&'static str>) {
        let folder = name.map(|name| (crate::machine::WORKSPACE, name));
        self.descriptors = preview1::Descriptors::with_folders(folder);
    }
}
