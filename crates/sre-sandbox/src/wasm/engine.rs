//! wasmtime's configuration.

use std::collections::BTreeMap;

use sre_core::{Backend, Engine as EngineDescription, LANGUAGE_RUNTIME};
use wasmtime::{
    Config, Enabled, Engine, InstanceAllocationStrategy, OptLevel, PoolingAllocationConfig,
};

use crate::contract::CONTRACT_VERSION;
use crate::{LanguageRuntime, SandboxError};

/// The version `Cargo.toml` pins; a test compares it with `Cargo.lock`.
const WASMTIME_VERSION: &str = "48.0.8";

/// Version of everything in `machine` and `wasi` that a guest can observe. Raise it with every
/// observable change.
const MACHINE_VERSION: &str = "1";

/// What differs between the engines for small programs and for large interpreters.
#[derive(Debug, Clone, Copy)]
pub(super) struct Tuning {
    /// Stack of a guest, in bytes. Part of the runtime's identity: a deeper stack turns an overflow
    /// into a success.
    pub(super) stack_limit_bytes: usize,
    /// Stack of the thread a guest runs on, in bytes; `None` where any thread's is enough.
    pub(super) thread_stack_bytes: Option<usize>,
    /// Memory that stays mapped in a pool slot between two guests, in bytes: most guests never
    /// fault again.
    memory_keep_resident_bytes: usize,
}

/// For compiled programs and small interpreters.
pub(super) const DEFAULT: Tuning = Tuning {
    stack_limit_bytes: 1 << 20,
    thread_stack_bytes: None,
    memory_keep_resident_bytes: 4 << 20,
};

/// For CPython, whose parser, compiler and destructors recurse with what they work on.
pub(super) const LARGE_STACK: Tuning = Tuning {
    stack_limit_bytes: 8 << 20,
    thread_stack_bytes: Some(10 << 20),
    memory_keep_resident_bytes: 64 << 20,
};

/// Largest linear memory the pool can hold, in bytes; an order's own limit lies below.
const POOL_MEMORY_BYTES: usize = 4 << 30;

const TABLE_KEEP_RESIDENT_BYTES: usize = 64 << 10;

/// Entries of a guest's tables.
pub(super) const TABLE_LIMIT_ELEMENTS: usize = 100_000;

/// Core instances, memories and tables one guest may have.
pub(super) const INSTANCES_PER_GUEST: u32 = 16;
pub(super) const MEMORIES_PER_GUEST: u32 = 4;
pub(super) const TABLES_PER_GUEST: u32 = 16;

/// Builds the engine; `slots` guests may live at once. Without `pooling` every guest gets memory of
/// its own from the system, which is slower and must not matter to anything a guest sees.
pub(super) fn build(tuning: &Tuning, slots: u32, pooling: bool) -> Result<Engine, SandboxError> {
    let mut config = Config::new();
    // Determinism.
    config.cranelift_nan_canonicalization(true);
    config.relaxed_simd_deterministic(true);
    config.wasm_memory64(false);
    config.max_wasm_stack(tuning.stack_limit_bytes);
    // Nothing here is asynchronous; but this is checked against the other.
    config.async_stack_size(tuning.stack_limit_bytes.max(2 << 20));
    // Limits.
    config.consume_fuel(true);
    config.epoch_interruption(true);
    // Speed.
    config.cranelift_opt_level(OptLevel::Speed);
    config.generate_address_map(false);
    config.wasm_backtrace_max_frames(None);
    config.allocation_strategy(if pooling {
        InstanceAllocationStrategy::Pooling(pool(tuning, slots))
    } else {
        InstanceAllocationStrategy::OnDemand
    });
    Engine::new(&config)
        .map_err(|error| SandboxError::Unavailable(format!("wasmtime engine: {error:#}")))
}

fn pool(tuning: &Tuning, slots: u32) -> PoolingAllocationConfig {
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(slots);
    // Enough for every guest's limit at once, or a greedy guest would take the places of others. It
    // costs addresses.
    pool.total_core_instances(slots.saturating_mul(INSTANCES_PER_GUEST));
    pool.total_memories(slots.saturating_mul(MEMORIES_PER_GUEST));
    pool.total_tables(slots.saturating_mul(TABLES_PER_GUEST));
    pool.max_core_instances_per_component(INSTANCES_PER_GUEST);
    pool.max_memories_per_component(MEMORIES_PER_GUEST);
    pool.max_tables_per_component(TABLES_PER_GUEST);
    pool.max_memories_per_module(MEMORIES_PER_GUEST);
    pool.max_tables_per_module(TABLES_PER_GUEST);
    pool.max_memory_size(POOL_MEMORY_BYTES);
    pool.table_elements(TABLE_LIMIT_ELEMENTS);
    pool.linear_memory_keep_resident(tuning.memory_keep_resident_bytes);
    pool.table_keep_resident(TABLE_KEEP_RESIDENT_BYTES);
    pool.pagemap_scan(Enabled::Auto);
    pool
}

/// The engine as commitments name it; with the interpreter, for scripts.
pub(super) fn describe(
    tuning: &Tuning,
    interpreter: Option<&LanguageRuntime>,
) -> EngineDescription {
    let mut settings = vec![
        ("architecture", std::env::consts::ARCH.to_owned()),
        ("contract", CONTRACT_VERSION.to_owned()),
        ("nan_canonicalization", String::from("true")),
        ("relaxed_simd_deterministic", String::from("true")),
        ("stack_limit_bytes", tuning.stack_limit_bytes.to_string()),
        ("table_limit_elements", TABLE_LIMIT_ELEMENTS.to_string()),
        ("world", MACHINE_VERSION.to_owned()),
    ];
    settings.extend(interpreter.map(|runtime| (LANGUAGE_RUNTIME, runtime.digest.to_string())));
    EngineDescription {
        backend: Backend::Wasm,
        name: String::from("wasmtime"),
        version: WASMTIME_VERSION.to_owned(),
        configuration: settings
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value))
            .collect::<BTreeMap<_, _>>(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_named_version_is_the_locked_one() {
        let lock = include_str!("../../../../Cargo.lock");
        let entry = format!("name = \"wasmtime\"\nversion = \"{WASMTIME_VERSION}\"\n");
        assert!(
            lock.contains(&entry),
            "update WASMTIME_VERSION together with Cargo.lock"
        );
    }
}
