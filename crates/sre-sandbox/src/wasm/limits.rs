//! Memory and table limits of a guest.

use wasmtime::ResourceLimiter;

use super::engine::{
    INSTANCES_PER_GUEST, MEMORIES_PER_GUEST, TABLE_LIMIT_ELEMENTS, TABLES_PER_GUEST,
};
use crate::SandboxError;

/// Counts a guest's linear memories together and refuses growth beyond the profile's limit. A
/// refusal is what a C program sees as a failed `malloc`; if it then fails, the outcome says "out
/// of memory" rather than "trapped".
pub(crate) struct MemoryLimiter {
    limit_bytes: usize,
    used_bytes: usize,
    refused: bool,
}

impl MemoryLimiter {
    pub(crate) fn new(limit_bytes: u64) -> Self {
        Self {
            limit_bytes: usize::try_from(limit_bytes).unwrap_or(usize::MAX),
            used_bytes: 0,
            refused: false,
        }
    }

    /// Linear memory in use; memory never shrinks, so this is the peak too.
    pub(crate) fn used_bytes(&self) -> usize {
        self.used_bytes
    }

    /// Whether the guest was refused memory.
    pub(crate) fn has_refused(&self) -> bool {
        self.refused
    }
}

/// Whether the system said no, or the process has no memory left, however much the engine says
/// around it.
pub(super) fn is_from_the_host(error: &wasmtime::Error) -> bool {
    error.chain().any(|cause| {
        #[cfg(unix)]
        if cause.is::<rustix::io::Errno>() {
            return true;
        }
        cause.is::<std::io::Error>() || cause.is::<wasmtime::error::OutOfMemory>()
    })
}

impl ResourceLimiter for MemoryLimiter {
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        if maximum.is_some_and(|maximum| desired > maximum) {
            return Ok(false);
        }
        let used = self
            .used_bytes
            .saturating_add(desired.saturating_sub(current));
        if used > self.limit_bytes {
            self.refused = true;
            return Ok(false);
        }
        self.used_bytes = used;
        Ok(true)
    }

    /// A host that has no memory left must not look like a limit to the guest: a replay would take
    /// another path.
    fn memory_grow_failed(&mut self, error: wasmtime::Error) -> wasmtime::Result<()> {
        // Other failures are growth beyond what the memory's type allows, and the same everywhere.
        if is_from_the_host(&error) {
            Err(SandboxError::Unavailable(format!("{error:#}")).into())
        } else {
            Ok(())
        }
    }

    fn table_growing(
        &mut self,
        _: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        Ok(desired <= TABLE_LIMIT_ELEMENTS && maximum.is_none_or(|maximum| desired <= maximum))
    }

    fn instances(&self) -> usize {
        INSTANCES_PER_GUEST as usize
    }

    fn tables(&self) -> usize {
        TABLES_PER_GUEST as usize
    }

    fn memories(&self) -> usize {
        MEMORIES_PER_GUEST as usize
    }
}
