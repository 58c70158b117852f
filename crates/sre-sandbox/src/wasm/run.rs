//! One execution.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use sre_core::{
    Backend, Canonical, Digest, Ending, Engine as EngineDescription, Resources, TrapKind,
};
use sre_skill::{Entry, Skill};
use wasmtime::{PoolConcurrencyLimitError, Store, Trap, UpdateDeadline};

use super::context::Code;
use super::interpreter::{CompilationNotice, Interpreters};
use super::limits::{MemoryLimiter, is_from_the_host};
use super::program::{EngineOptions, Program, Programs};
use crate::backend::Deadline;
use crate::contract::{judge, judge_files};
use crate::machine::{CallRecorder, GuestMachine, HOME, Halt, HostResponse, WORKSPACE};
use crate::wasi::Guest;
use crate::{
    Call, CallTrace, Execution, Job, LanguageRuntime, LanguageRuntimes, Sandbox, SandboxError, Stop,
};

/// What a component may hand over in one call, in bytes: the host copies it before anybody can look
/// at it.
const HOSTCALL_LIMIT_BYTES: usize = 32 << 20;

/// How to build a [`WasmSandbox`].
#[derive(Clone)]
pub struct WasmOptions {
    /// Folder of the compiled-code cache; `None` compiles every program once per process. Default
    /// `None`.
    pub cache_folder: Option<PathBuf>,
    /// Most that this folder holds, in bytes: what has been of no use for longest goes first.
    /// Default 4 GiB.
    pub cache_limit_bytes: u64,
    /// Guests that may live at once. Each reserves address space, not memory. Default 64.
    pub slots: u32,
    /// Interpreters for scripts; the first of a kind runs new orders. Default none.
    pub language_runtimes: Vec<LanguageRuntime>,
    /// Told before a language runtime is compiled. Default `None`.
    pub notice: Option<CompilationNotice>,
    /// Whether guests get their memory from a pool. Nothing a guest sees depends on it. Default
    /// true.
    pub pooling: bool,
}

impl Default for WasmOptions {
    fn default() -> Self {
        Self {
            cache_folder: None,
            cache_limit_bytes: 4 << 30,
            slots: 64,
            language_runtimes: Vec::new(),
            notice: None,
            pooling: true,
        }
    }
}

/// What a run did, and its trace where it was recorded.
type Ran = (Execution, Option<CallTrace>);

/// The WebAssembly backend.
pub struct WasmSandbox {
    programs: Programs,
}

impl WasmSandbox {
    /// Builds the engine. Takes some milliseconds; do it once per process. Writes nothing: the
    /// cache folder is made when the first program that can run has been compiled.
    ///
    /// # Errors
    /// [`SandboxError::Unavailable`] when the host cannot provide what the engine needs. A cache
    /// folder that cannot be used is reported in the log and done without.
    pub fn new(options: WasmOptions) -> Result<Self, SandboxError> {
        let WasmOptions {
            cache_folder,
            cache_limit_bytes,
            slots,
            language_runtimes,
            notice,
            pooling,
        } = options;
        let interpreters = Interpreters::new(LanguageRuntimes::new(language_runtimes), notice);
        let programs = Programs::new(
            EngineOptions {
                slots,
                pooling,
                cache_folder,
                cache_limit_bytes,
            },
            interpreters,
        )?;
        Ok(Self { programs })
    }

    /// As [`Sandbox::execute`], and writes down everything the guest was told, in order. Slower.
    ///
    /// # Errors
    /// As [`Sandbox::execute`].
    pub fn execute_with_responses(
        &self,
        job: &Job<'_>,
        stop: &Stop,
    ) -> Result<(Execution, Vec<HostResponse>), SandboxError> {
        let recorder = CallRecorder::new();
        let (execution, _) = self.run_recorded(job, stop, &recorder)?;
        Ok((execution, recorder.take()))
    }

    fn run_recorded(
        &self,
        job: &Job<'_>,
        stop: &Stop,
        recorder: &CallRecorder,
    ) -> Result<Ran, SandboxError> {
        let program = self
            .programs
            .get(job.skill, job.entry, job.language_runtime)?;
        run_program(&program, job, stop, recorder)
    }
}

impl Sandbox for WasmSandbox {
    fn backend(&self) -> Backend {
        Backend::Wasm
    }

    fn engine(
        &self,
        _skill: &Skill,
        entry: &Entry,
        language_runtime: Option<Digest>,
    ) -> Result<Arc<Canonical<EngineDescription>>, SandboxError> {
        self.programs.describe(entry, language_runtime)
    }

    fn language_runtimes(&self) -> Option<&LanguageRuntimes> {
        Some(&self.programs.interpreters.runtimes)
    }

    fn is_deterministic(&self) -> bool {
        true
    }

    fn is_ready(&self, skill: &Skill, entry: &Entry) -> bool {
        self.programs.ready(skill, entry, None).is_some()
    }

    fn prepare(&self, skill: &Skill, entry: &Entry) -> Result<(), SandboxError> {
        self.programs.get(skill, entry, None).map(drop)
    }

    fn execute(&self, job: &Job<'_>, stop: &Stop) -> Result<Execution, SandboxError> {
        self.run_recorded(job, stop, &CallRecorder::default())
            .map(|(execution, _)| execution)
    }

    fn execute_if_ready(
        &self,
        job: &Job<'_>,
        stop: &Stop,
    ) -> Option<Result<Execution, SandboxError>> {
        let program = self
            .programs
            .ready(job.skill, job.entry, job.language_runtime)?;
        Some(
            run_program(&program, job, stop, &CallRecorder::default())
                .map(|(execution, _)| execution),
        )
    }

    fn execute_recorded(&self, job: &Job<'_>, stop: &Stop) -> Result<Ran, SandboxError> {
        self.run_recorded(job, stop, &CallRecorder::new())
    }
}

/// The time limit is the guest's: that others are compiled first, or it itself is, is not its
/// doing.
fn run_program(
    program: &Program,
    job: &Job<'_>,
    stop: &Stop,
    recorder: &CallRecorder,
) -> Result<Ran, SandboxError> {
    let deadline = Deadline::new(job.time_limit, stop);
    deadline.check()?;
    match program.context.tuning.thread_stack_bytes {
        None => execute(program, job, deadline, recorder),
        Some(bytes) => on_a_deep_stack(bytes, || execute(program, job, deadline, recorder)),
    }
}

/// Runs `work` on a thread with a stack of its own: a guest's stack is its thread's, and the
/// caller's may be small.
fn on_a_deep_stack<T: Send>(
    bytes: usize,
    work: impl FnOnce() -> Result<T, SandboxError> + Send,
) -> Result<T, SandboxError> {
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new()
            .name(String::from("sre-guest"))
            .stack_size(bytes)
            .spawn_scoped(scope, work)
            .map_err(|error| {
                SandboxError::Unavailable(format!("no thread for the guest: {error}"))
            })?;
        thread
            .join()
            .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

fn execute(
    program: &Program,
    job: &Job<'_>,
    deadline: Deadline,
    recorder: &CallRecorder,
) -> Result<Ran, SandboxError> {
    let started = Instant::now();
    let cpu_before = thread_cpu_time();
    let mut store = store(program, job, deadline.clone(), recorder)?;
    let ran = {
        let _ticking = program.context.ticker.guard();
        run(&program.code, &mut store)
    };
    let fuel = job
        .profile
        .fuel
        .saturating_sub(store.get_fuel().unwrap_or(0));
    let ending = ending(ran, &store, fuel, job.profile.timeout_ms)?;

    let guest = store.data_mut();
    let peak_memory_bytes = guest.limiter.used_bytes() as u64;
    let mut logs = guest.machine.stderr.to_text();
    let stdout = guest.machine.stdout.as_bytes();
    let mut judged = match job.call {
        Call::Json { .. } => judge(job.skill, ending, stdout, move || deadline.check())?,
        Call::Command(command) => {
            let files = &mut guest.machine.files;
            let workspace = files.take_files(WORKSPACE);
            let home = command.home.is_some().then(|| files.take_files(HOME));
            judge_files(command, ending, stdout, workspace, home, &mut logs)
        }
    };
    if ending == Ending::OutOfMemory && peak_memory_bytes == 0 {
        let limit = job.profile.mem_limit_bytes;
        judged.failure = Some(format!(
            "{}: its program needs more than {limit} bytes to start",
            judged.outcome
        ));
    }
    let ending = judged.outcome.ending;
    let trace = recorder.trace(ending, job.profile.fuel, guest.machine.stdout.as_bytes());
    drop(store);
    program.context.images.note_run();

    let cpu_ms = thread_cpu_time().saturating_sub(cpu_before).as_secs_f64() * 1e3;
    Ok((
        Execution::new(
            judged,
            logs,
            Resources {
                fuel,
                cpu_ms,
                peak_memory_bytes,
            },
            started.elapsed(),
        ),
        trace,
    ))
}

fn store(
    program: &Program,
    job: &Job<'_>,
    deadline: Deadline,
    recorder: &CallRecorder,
) -> Result<Store<Guest>, SandboxError> {
    let machine = GuestMachine::new(job, program.package.clone(), recorder)?;
    let guest = Guest::new(machine, MemoryLimiter::new(job.profile.mem_limit_bytes));
    let mut store = Store::new(&program.context.engine, guest);
    store.limiter(|guest| &mut guest.limiter);
    store
        .set_fuel(job.profile.fuel)
        .map_err(|error| SandboxError::Bug(format!("{error:#}")))?;
    store.set_hostcall_fuel(HOSTCALL_LIMIT_BYTES);
    store.set_epoch_deadline(1);
    store.epoch_deadline_callback(move |_| {
        deadline.check().map_err(wasmtime::Error::new)?;
        Ok(UpdateDeadline::Continue(1))
    });
    Ok(store)
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
            let instance = module
                .instantiate(&mut *store)
                .map_err(Failure::Instantiate)?;
            let start = instance
                .get_typed_func::<(), ()>(&mut *store, "_start")
                .map_err(Failure::Instantiate)?;
            start.call(&mut *store, ()).map_err(Failure::Call)?;
            Ok(0)
        }
        Code::Component(component) => {
            let command = component
                .instantiate(&mut *store)
                .map_err(Failure::Instantiate)?;
            let result = command
                .wasi_cli_run()
                .call_run(&mut *store)
                .map_err(Failure::Call)?;
            Ok(i32::from(result.is_err()))
        }
    }
}

/// Sorts what the engine reports into what the guest did and what kept it from doing anything.
fn ending(
    ran: Result<i32, Failure>,
    store: &Store<Guest>,
    fuel: u64,
    timeout_ms: u64,
) -> Result<Ending, SandboxError> {
    let (error, started) = match ran {
        Ok(code) => return Ok(Ending::Exited { code }),
        Err(Failure::Call(error)) => (error, true),
        // A module's start function runs during instantiation and may be stopped there.
        Err(Failure::Instantiate(error)) => (error, fuel > 0),
    };
    if let Some(halt) = error.downcast_ref::<Halt>() {
        return match *halt {
            Halt::Exit(code) => Ok(Ending::Exited { code }),
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
    // A component's modules start one after another: one may have run when the host has no memory
    // for the next.
    if error.is::<PoolConcurrencyLimitError>() || is_from_the_host(&error) {
        return Err(SandboxError::Unavailable(format!("{error:#}")));
    }
    match error.downcast_ref::<Trap>() {
        Some(Trap::OutOfFuel) => Ok(Ending::OutOfFuel),
        _ if store.data().limiter.has_refused() => Ok(Ending::OutOfMemory),
        Some(trap) => Ok(Ending::Trapped {
            trap: trap_kind(*trap),
        }),
        // A host function refused to go on: the guest broke the rules of an interface.
        None if started => Ok(Ending::Trapped {
            trap: TrapKind::Other,
        }),
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
