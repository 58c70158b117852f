//! One execution.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use sre_core::{Backend, Canonical, Engine as EngineDescription, Resources, SkillDigest, TrapKind};
use sre_skill::Skill;
use wasmtime::{Engine, PoolConcurrencyLimitError, Store, Trap, UpdateDeadline};

use super::cache::CodeCache;
use super::engine;
use super::limits::MemoryLimiter;
use super::program::{Code, Program, Programs};
use super::ticker::Ticker;
use crate::backend::Deadline;
use crate::contract::{Ending, judge};
use crate::wasi::Guest;
use crate::world::{Halt, World};
use crate::{Execution, Job, Sandbox, SandboxError, Stop};

/// What a component may hand over in one call, in bytes: the host copies it before anybody can look at it.
const HOSTCALL_LIMIT_BYTES: usize = 32 << 20;

/// How to build a [`WasmSandbox`].
#[derive(Debug, Clone)]
pub struct WasmOptions {
    /// Folder of the compiled-code cache; `None` compiles every program once per process. Default `None`.
    pub cache_folder: Option<PathBuf>,
    /// Guests that may live at once. Each reserves address space, not memory. Default 64.
    pub slots: u32,
}

impl Default for WasmOptions {
    fn default() -> Self {
        Self { cache_folder: None, slots: 64 }
    }
}

/// The WebAssembly backend.
pub struct WasmSandbox {
    engine: Engine,
    description: Canonical<EngineDescription>,
    programs: Programs,
    ticker: Ticker,
}

impl WasmSandbox {
    /// Builds the engine. Takes some milliseconds; do it once per process. Writes nothing: the cache folder is made when
    /// the first program that can run has been compiled.
    ///
    /// # Errors
    /// [`SandboxError::Unavailable`] when the host cannot provide what the engine needs. A cache folder that cannot be
    /// used is reported in the log and done without.
    pub fn new(options: &WasmOptions) -> Result<Self, SandboxError> {
        let unavailable = |error: &dyn std::fmt::Display| SandboxError::Unavailable(error.to_string());
        let engine = engine::build(options.slots)?;
        let cache = options.cache_folder.as_ref().map(|folder| CodeCache::new(folder, &engine));
        let programs = Programs::new(engine.clone(), cache).map_err(|error| SandboxError::Bug(format!("{error:#}")))?;
        let ticker = Ticker::start(&engine).map_err(|error| unavailable(&error))?;
        Ok(Self { engine, description: Canonical::new(engine::describe()), programs, ticker })
    }

    /// Whether `skill` was prepared already, so that running it will not compile anything.
    #[must_use]
    pub fn is_ready(&self, skill: SkillDigest) -> bool {
        self.programs.is_ready(skill)
    }

    fn store(&self, program: &Program, job: &Job<'_>, deadline: Deadline) -> Result<Store<Guest>, SandboxError> {
        let entrypoint = &job.skill.entrypoint().path;
        let world = World::new(entrypoint, program.package.clone(), job.input, job.profile);
        let guest = Guest::new(world, MemoryLimiter::new(job.profile.mem_limit_bytes));
        let mut store = Store::new(&self.engine, guest);
        store.limiter(|guest| &mut guest.limiter);
        store.set_fuel(job.profile.fuel).map_err(|error| SandboxError::Bug(format!("{error:#}")))?;
        store.set_hostcall_fuel(HOSTCALL_LIMIT_BYTES);
        store.set_epoch_deadline(1);
        store.epoch_deadline_callback(move |_| {
            deadline.check().map_err(wasmtime::Error::new)?;
            Ok(UpdateDeadline::Continue(1))
        });
        Ok(store)
    }
}

impl Sandbox for WasmSandbox {
    fn backend(&self) -> Backend {
        Backend::Wasm
    }

    fn engine(&self) -> &Canonical<EngineDescription> {
        &self.description
    }

    fn is_deterministic(&self) -> bool {
        true
    }

    fn prepare(&self, skill: &Skill) -> Result<(), SandboxError> {
        self.programs.get(skill).map(drop)
    }

    fn execute(&self, job: &Job<'_>, stop: &Stop) -> Result<Execution, SandboxError> {
        let deadline = Deadline::new(job.time_limit, stop);
        let program = self.programs.get(job.skill)?;
        deadline.check()?;

        let started = Instant::now();
        let cpu_before = thread_cpu_time();
        let mut store = self.store(&program, job, deadline)?;
        let ran = {
            let _ticking = self.ticker.guard();
            run(&program.code, &mut store)
        };
        let fuel = job.profile.fuel.saturating_sub(store.get_fuel().unwrap_or(0));
        let ending = ending(ran, &store, fuel, job.profile.timeout_ms)?;

        let guest = store.data();
        let peak_memory_bytes = guest.limiter.used_bytes() as u64;
        let logs = guest.world.stderr.to_text();
        let judged = judge(job.skill, ending, guest.world.stdout.as_bytes());
        drop(store);

        let cpu_ms = thread_cpu_time().saturating_sub(cpu_before).as_secs_f64() * 1e3;
        Ok(Execution::new(judged, logs, Resources { fuel, cpu_ms, peak_memory_bytes }, started.elapsed()))
    }
}

/// Why a run stopped, if not by returning.
enum Failure {
    /// The guest never started.
    Instantiate(wasmtime::Error),
    /// It started and was ended by this.
    Call(wasmtime::Error),
}

/// Instantiates and calls; returns the exit code of a guest that came back by itself.
fn run(code: &Code, store: &mut Store<Guest>) -> Result<i32, Failure> {
    match code {
        Code::Module(module) => {
            let instance = module.instantiate(&mut *store).map_err(Failure::Instantiate)?;
            let start = instance.get_typed_func::<(), ()>(&mut *store, "_start").map_err(Failure::Instantiate)?;
            start.call(&mut *store, ()).map_err(Failure::Call)?;
            Ok(0)
        }
        Code::Component(component) => {
            let command = component.instantiate(&mut *store).map_err(Failure::Instantiate)?;
            let result = command.wasi_cli_run().call_run(&mut *store).map_err(Failure::Call)?;
            Ok(i32::from(result.is_err()))
        }
    }
}

/// Sorts what the engine reports into what the guest did and what kept it from doing anything.
fn ending(ran: Result<i32, Failure>, store: &Store<Guest>, fuel: u64, timeout_ms: u64) -> Result<Ending, SandboxError> {
    let (error, started) = match ran {
        Ok(code) => return Ok(Ending::Exited(code)),
        Err(Failure::Call(error)) => (error, true),
        // A module's start function runs during instantiation and may be stopped there.
        Err(Failure::Instantiate(error)) => (error, fuel > 0),
    };
    if let Some(halt) = error.downcast_ref::<Halt>() {
        return match *halt {
            Halt::Exit(code) => Ok(Ending::Exited(code)),
            Halt::OutputLimit => Ok(Ending::OutputLimit),
            Halt::ClockLimit => Err(SandboxError::Timeout(Duration::from_millis(timeout_ms))),
        };
    }
    if let Some(stopped) = error.downcast_ref::<SandboxError>() {
        return Err(match stopped {
            SandboxError::Timeout(limit) => SandboxError::Timeout(*limit),
            SandboxError::Unavailable(why) => SandboxError::Unavailable(why.clone()),
            _ => SandboxError::Cancelled,
        });
    }
    if error.is::<PoolConcurrencyLimitError>() {
        return Err(SandboxError::Unavailable(format!("{error:#}")));
    }
    match error.downcast_ref::<Trap>() {
        Some(Trap::OutOfFuel) => Ok(Ending::OutOfFuel),
        _ if store.data().limiter.has_refused() => Ok(Ending::OutOfMemory),
        Some(trap) => Ok(Ending::Trapped(trap_kind(*trap))),
        // A host function refused to go on: the guest broke the rules of an interface.
        None if started => Ok(Ending::Trapped(TrapKind::Other)),
        None => Err(SandboxError::Unavailable(format!("{error:#}"))),
    }
}

fn trap_kind(trap: Trap) -> TrapKind {
    match trap {
        Trap::UnreachableCodeReached => TrapKind::Unreachable,
        Trap::MemoryOutOfBounds => TrapKind::MemoryOutOfBounds,
        Trap::TableOutOfBounds => TrapKind::TableOutOfBounds,
        Trap::IndirectCallToNull => TrapKind::IndirectCallToNull,
        Trap::BadSignature => TrapKind::BadSignature,
        Trap::IntegerOverflow => TrapKind::IntegerOverflow,
        Trap::IntegerDivisionByZero => TrapKind::IntegerDivisionByZero,
        Trap::BadConversionToInteger => TrapKind::BadConversionToInteger,
        Trap::StackOverflow => TrapKind::StackOverflow,
        _ => TrapKind::Other,
    }
}

/// Processor time of this thread; zero where the platform does not tell.
fn thread_cpu_time() -> Duration {
    #[cfg(unix)]
    {
        let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
        let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
        Duration::new(seconds, u32::try_from(time.tv_nsec).unwrap_or(0))
    }
    #[cfg(not(unix))]
    Duration::ZERO
}
