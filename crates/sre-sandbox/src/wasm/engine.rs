//! wasmtime's configuration.

use std::collections::BTreeMap;

use sre_core::{Backend, Engine as EngineDescription};
use wasmtime::{Config, Enabled, Engine, InstanceAllocationStrategy, OptLevel, PoolingAllocationConfig};

use crate::SandboxError;

/// The version `Cargo.toml` pins; a test compares it with `Cargo.lock`.
const WASMTIME_VERSION: &str = "48.0.8";

/// Version of everything in `world` and `wasi` that a guest can observe. Raise it with every observable change.
const WORLD_VERSION: &str = "1";

/// Stack of a guest, in bytes. Part of the runtime's identity: a deeper stack turns an overflow into a success.
const STACK_LIMIT_BYTES: usize = 1 << 20;

/// Largest linear memory the pool can hold, in bytes; an order's own limit lies below.
const POOL_MEMORY_BYTES: usize = 4 << 30;

/// Memory that stays mapped in a pool slot between two guests, in bytes: most guests never fault again.
const MEMORY_KEEP_RESIDENT_BYTES: usize = 4 << 20;
const TABLE_KEEP_RESIDENT_BYTES: usize = 64 << 10;

/// Entries of a guest's tables.
pub(super) const TABLE_LIMIT_ELEMENTS: usize = 100_000;

/// Core instances, memories and tables one guest may have.
pub(super) const INSTANCES_PER_GUEST: u32 = 16;
pub(super) const MEMORIES_PER_GUEST: u32 = 4;
pub(super) const TABLES_PER_GUEST: u32 = 16;

/// Builds the engine; `slots` guests may live at once.
pub(super) fn build(slots: u32) -> Result<Engine, SandboxError> {
    let mut config = Config::new();
    // Determinism.
    config.cranelift_nan_canonicalization(true);
    config.relaxed_simd_deterministic(true);
    config.wasm_memory64(false);
    config.max_wasm_stack(STACK_LIMIT_BYTES);
    // Limits.
    config.consume_fuel(true);
    config.epoch_interruption(true);
    // Speed.
    config.cranelift_opt_level(OptLevel::Speed);
    config.generate_address_map(false);
    config.wasm_backtrace_max_frames(None);
    config.allocation_strategy(InstanceAllocationStrategy::Pooling(pool(slots)));
    Engine::new(&config).map_err(|error| SandboxError::Unavailable(format!("wasmtime engine: {error:#}")))
}

fn pool(slots: u32) -> PoolingAllocationConfig {
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(slots);
    // Enough for every guest's limit at once, or a greedy guest would take the places of others. It costs addresses.
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
    pool.linear_memory_keep_resident(MEMORY_KEEP_RESIDENT_BYTES);
    pool.table_keep_resident(TABLE_KEEP_RESIDENT_BYTES);
    pool.pagemap_scan(Enabled::Auto);
    pool
}

/// The engine as commitments name it.
pub(super) fn describe() -> EngineDescription {
    let settings = [
        ("architecture", std::env::consts::ARCH.to_owned()),
        ("nan_canonicalization", String::from("true")),
        ("relaxed_simd_deterministic", String::from("true")),
        ("stack_limit_bytes", STACK_LIMIT_BYTES.to_string()),
        ("table_limit_elements", TABLE_LIMIT_ELEMENTS.to_string()),
        ("world", WORLD_VERSION.to_owned()),
    ];
    EngineDescription {
        backend: Backend::Wasm,
        name: String::from("wasmtime"),
        version: WASMTIME_VERSION.to_owned(),
        configuration: settings.into_iter().map(|(name, value)| (name.to_owned(), value)).collect::<BTreeMap<_, _>>(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_named_version_is_the_locked_one() {
        let lock = include_str!("../../../../Cargo.lock");
        let entry = format!("name = \"wasmtime\"\nversion = \"{WASMTIME_VERSION}\"\n");
        assert!(lock.contains(&entry), "update WASMTIME_VERSION together with Cargo.lock");
    }
}
