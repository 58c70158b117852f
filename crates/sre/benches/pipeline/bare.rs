//! The baseline: wasmtime and the least WASI that the module needs.

use wasmtime::{
    Caller, Config, Enabled, Engine, Extern, InstanceAllocationStrategy, InstancePre, Linker,
    Memory, Module, PoolingAllocationConfig, Store,
};

const WASI: &str = "wasi_snapshot_preview1";

pub struct Bare {
    engine: Engine,
    module: InstancePre<State>,
    input: Vec<u8>,
}

struct State {
    input: Vec<u8>,
    read: usize,
    output: Vec<u8>,
}

impl Bare {
    pub fn new(wasm: &[u8], input: &[u8]) -> Self {
        let mut pool = PoolingAllocationConfig::new();
        pool.linear_memory_keep_resident(4 << 20);
        pool.table_keep_resident(64 << 10);
        pool.pagemap_scan(Enabled::Auto);
        let mut config = Config::new();
        config.allocation_strategy(InstanceAllocationStrategy::Pooling(pool));
        let engine = Engine::new(&config).expect("an engine");
        let module = Module::new(&engine, wasm).expect("the module");
        let mut linker = Linker::new(&engine);
        add_wasi(&mut linker).expect("five imports");
        let module = linker.instantiate_pre(&module).expect("no other import");
        Self {
            engine,
            module,
            input: input.to_vec(),
        }
    }

    /// New store, instance, run, drop.
    pub fn run(&self) {
        let state = State {
            input: self.input.clone(),
            read: 0,
            output: Vec::new(),
        };
        let mut store = Store::new(&self.engine, state);
        let instance = self.module.instantiate(&mut store).expect("an instance");
        let start = instance
            .get_typed_func::<(), ()>(&mut store, "_start")
            .expect("a command");
        start.call(&mut store, ()).expect("a run");
        assert!(!store.data().output.is_empty());
    }
}

fn add_wasi(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    linker.func_wrap(
        WASI,
        "environ_sizes_get",
        |mut caller: Caller<'_, State>, count: u32, size: u32| {
            let memory = memory(&mut caller);
            write_u32(&memory, &mut caller, count, 0);
            write_u32(&memory, &mut caller, size, 0);
            0
        },
    )?;
    linker.func_wrap(WASI, "environ_get", |_: u32, _: u32| 0)?;
    linker.func_wrap(WASI, "proc_exit", |_: u32| {})?;
    linker.func_wrap(
        WASI,
        "fd_read",
        |mut caller: Caller<'_, State>, _: u32, iovs: u32, _: u32, out: u32| {
            let memory = memory(&mut caller);
            let (bytes, state) = memory.data_and_store_mut(&mut caller);
            let (at, length) = (read_u32(bytes, iovs), read_u32(bytes, iovs + 4));
            let length = length.min(state.input.len() - state.read);
            bytes[at..at + length].copy_from_slice(&state.input[state.read..state.read + length]);
            state.read += length;
            write_u32(&memory, &mut caller, out, length as u32);
            0
        },
    )?;
    linker.func_wrap(
        WASI,
        "fd_write",
        |mut caller: Caller<'_, State>, _: u32, iovs: u32, count: u32, out: u32| {
            let memory = memory(&mut caller);
            let (bytes, state) = memory.data_and_store_mut(&mut caller);
            let mut written = 0;
            for iov in (iovs..).step_by(8).take(count as usize) {
                let (at, length) = (read_u32(bytes, iov), read_u32(bytes, iov + 4));
                state.output.extend_from_slice(&bytes[at..at + length]);
                written += length as u32;
            }
            write_u32(&memory, &mut caller, out, written);
            0
        },
    )?;
    Ok(())
}

fn memory(caller: &mut Caller<'_, State>) -> Memory {
    match caller.get_export("memory") {
        Some(Extern::Memory(memory)) => memory,
        _ => panic!("a command exports its memory"),
    }
}

fn read_u32(bytes: &[u8], at: u32) -> usize {
    let at = at as usize;
    u32::from_le_bytes(bytes[at..at + 4].try_into().expect("four bytes")) as usize
}

fn write_u32(memory: &Memory, caller: &mut Caller<'_, State>, at: u32, value: u32) {
    memory
        .write(caller, at as usize, &value.to_le_bytes())
        .expect("the guest's own address");
}
