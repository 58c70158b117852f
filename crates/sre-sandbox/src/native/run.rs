//! One execution.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, Metadata};
use std::num::NonZeroUsize;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use lru::LruCache;
use sre_core::{Backend, Canonical, Digest, Ending, Engine, Profile, Resources, Tree};
use sre_jail::jail::Layer;
use sre_jail::{
    ClockAndSeed, Ending as JailEnding, File, HOME_FOLDER, Jail, JailError, JailOptions, LeftFiles,
    Limits, Output, PACKAGE_FOLDER, ProcessSpec, Report, WORKSPACE_FOLDER, WritableContent,
    WritableFile, WritableFiles,
};
use sre_skill::{Entry, Skill};

use super::isolation::isolation;
use super::options::NativeOptions;
use super::pool::Pool;
use super::program::{Launch, launch};
use super::root::{self, Resolved};
use crate::backend::Deadline;
use crate::collect::{Found, FoundNode};
use crate::contract::{
    CONTRACT_VERSION, LOG_LIMIT_BYTES, environment, judge, judge_command, judge_files, stdin,
};
use crate::{Call, Command, Execution, FileNode, Files, Job, Sandbox, SandboxError, Stop};

/// Version of everything in this module and the jail that a guest can observe. Raise it with every
/// observable change.
const VIEW_VERSION: &str = "4";

/// Largest interpreter, in bytes: each is read whole for its digest, once. The largest that are in
/// use have some 150 MiB.
const INTERPRETER_LIMIT_BYTES: u64 = 1 << 30;

/// Interpreters whose digests are remembered.
const INTERPRETERS: NonZeroUsize = NonZeroUsize::new(64).expect("not zero");

/// Where native programs look for others.
const PATH: &str = "/usr/bin:/bin";

/// Files in `/tmp` for each MiB of it.
const TMP_FILES_PER_MIB: u64 = 256;

/// The native backend. Building it costs nothing: the launcher starts when the first skill needs
/// it.
pub struct NativeSandbox {
    options: NativeOptions,
    jail: Mutex<Option<Arc<Jail>>>,
    root: OnceLock<Result<Resolved, String>>,
    interpreters: Mutex<LruCache<PathBuf, Interpreter>>,
    pool: Pool,
}

/// An interpreter's digest, and what it was taken of.
#[derive(Clone)]
struct Interpreter {
    state: State,
    digest: Digest,
}

/// What tells a file from another one in its place, or from itself with other content: device,
/// number, size, and when content and number were last changed, in seconds and nanoseconds.
type State = (u64, u64, u64, [i64; 4]);

fn state(metadata: &Metadata) -> State {
    let changed = [
        metadata.mtime(),
        metadata.mtime_nsec(),
        metadata.ctime(),
        metadata.ctime_nsec(),
    ];
    (metadata.dev(), metadata.ino(), metadata.len(), changed)
}

impl NativeSandbox {
    /// A backend that makes jails as `options` say.
    #[must_use]
    pub fn new(options: NativeOptions) -> Self {
        let pool = Pool::new(options.warm_jails);
        let interpreters = Mutex::new(LruCache::new(INTERPRETERS));
        Self {
            options,
            jail: Mutex::default(),
            root: OnceLock::new(),
            interpreters,
            pool,
        }
    }

    /// The jail, started now if it was not.
    fn jail(&self) -> Result<Arc<Jail>, SandboxError> {
        let mut slot = lock(&self.jail);
        if let Some(jail) = &*slot {
            return Ok(Arc::clone(jail));
        }
        let NativeOptions {
            launcher, may_lack, ..
        } = self.options.clone();
        let root = self.root()?.root.clone();
        let jail = Jail::new(JailOptions {
            launcher,
            root,
            may_lack,
        })
        .map_err(|error| refusal(&error, Duration::ZERO))?;
        Ok(Arc::clone(slot.insert(Arc::new(jail))))
    }

    /// The process number of the launcher, if it runs: for tests, and for people who look for it.
    #[must_use]
    pub fn launcher_pid(&self) -> Option<i32> {
        lock(&self.jail).as_ref()?.launcher_pid()
    }

    /// The root folder; an image is unpacked now if it was not.
    fn root(&self) -> Result<&Resolved, SandboxError> {
        let NativeOptions {
            root,
            images_folder,
            ..
        } = &self.options;
        let resolved = self
            .root
            .get_or_init(|| root::resolve(root, images_folder.as_deref()));
        resolved.as_ref().map_err(|error| {
            SandboxError::Unavailable(format!("the root folder for native skills: {error}"))
        })
    }

    fn launch(&self, skill: &Skill, entry: &Entry) -> Result<Launch, SandboxError> {
        launch(skill, entry, root::folder(&self.root()?.root))
    }

    /// What an interpreter is, exactly: updated packages change what a skill returns.
    fn interpreter(&self, path: &str) -> Result<Digest, SandboxError> {
        let unreadable = |error: std::io::Error| {
            SandboxError::Unavailable(format!("the interpreter {path} cannot be read: {error}"))
        };
        let found = root::find(root::folder(&self.root()?.root), path);
        let place = found.ok_or_else(|| unreadable(std::io::ErrorKind::NotFound.into()))?;
        let metadata = fs::metadata(&place).map_err(unreadable)?;
        if metadata.len() > INTERPRETER_LIMIT_BYTES {
            return Err(SandboxError::Rejected(format!(
                "the interpreter {path} has {} bytes; {INTERPRETER_LIMIT_BYTES} are allowed",
                metadata.len()
            )));
        }
        let state = state(&metadata);
        if let Some(known) = lock(&self.interpreters).get(&place)
            && known.state == state
        {
            return Ok(known.digest);
        }
        let digest = root::digest_of_file(&place).map_err(unreadable)?;
        lock(&self.interpreters).put(place, Interpreter { state, digest });
        Ok(digest)
    }
}

impl Sandbox for NativeSandbox {
    fn backend(&self) -> Backend {
        Backend::Native
    }

    fn engine(
        &self,
        skill: &Skill,
        entry: &Entry,
        _language_runtime: Option<Digest>,
    ) -> Result<Arc<Canonical<Engine>>, SandboxError> {
        let launch = self.launch(skill, entry)?;
        let is_repeatable = !self
            .jail()?
            .lacking()
            .iter()
            .any(|(layer, _)| *layer == Layer::Repeatability);
        let mut configuration: BTreeMap<String, String> = [
            ("architecture", std::env::consts::ARCH.to_owned()),
            (
                "clock",
                String::from(if is_repeatable { "virtual" } else { "host" }),
            ),
            ("contract", CONTRACT_VERSION.to_owned()),
            (
                "randomness",
                String::from(if is_repeatable { "seeded" } else { "host" }),
            ),
            ("root", self.root()?.identity.clone()),
            ("view", VIEW_VERSION.to_owned()),
        ]
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value))
        .collect();
        if let Some(path) = launch.interpreter.filter(|path| !is_in_package(path)) {
            let digest = self.interpreter(&path)?;
            configuration.insert(
                String::from("interpreter"),
                format!("{path} sha256:{digest}"),
            );
        }
        Ok(Arc::new(Canonical::new(Engine {
            backend: Backend::Native,
            name: String::from("sre-jail"),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            configuration,
        })))
    }

    fn lacking(&self) -> Result<Vec<(String, String)>, SandboxError> {
        let missing = self.jail()?.lacking();
        Ok(missing
            .into_iter()
            .map(|(layer, why)| (layer.name().to_owned(), why))
            .collect())
    }

    fn prepare(&self, skill: &Skill, entry: &Entry) -> Result<(), SandboxError> {
        self.launch(skill, entry)?;
        self.root()?;
        self.jail().map(drop)
    }

    fn execute(&self, job: &Job<'_>, stop: &Stop) -> Result<Execution, SandboxError> {
        let launch = self.launch(job.skill, job.entry)?;
        let jail = self.jail()?;
        let spec = spec(job, &launch)?;
        let deadline = Deadline::new(job.time_limit, stop);
        let should_stop = || stop.is_stopped();
        // A jail that was made ahead has no files of a command's.
        let held = match job.call {
            Call::Json { .. } => self.pool.take(&jail, &launch, &spec),
            Call::Command(_) => None,
        };
        let warm = held.map(|held| held.run(&jail, &spec, &should_stop));
        let (report, is_warm) = match warm {
            // Nothing of the order was done there.
            None | Some(Err(JailError::Gone)) => (jail.run(&spec, &should_stop), false),
            Some(report) => (report, true),
        };
        let report = report.map_err(|error| refusal(&error, job.time_limit))?;
        let isolation = isolation(&report, &jail.lacking(), job.entry.kind, is_warm);
        let Report {
            ending,
            stdout,
            stderr,
            left,
            cpu,
            peak_memory_bytes,
            elapsed,
            ..
        } = report;
        let mut logs = log(&stderr);
        let mut judged = match job.call {
            Call::Json { .. } => {
                judge(job.skill, ended(ending), &stdout, move || deadline.check())?
            }
            Call::Command(command) => match left {
                Some(left) if !left.is_too_large => {
                    let (workspace, home) = found(left, command);
                    judge_files(command, ended(ending), &stdout, workspace, home, &mut logs)
                }
                Some(_) => {
                    logs.push_str("[the files it left are larger than files_limit_bytes or more than files_limit_count allows]\n");
                    judge_command(Ending::OutputLimit, &stdout, None, None)
                }
                None => judge_command(ended(ending), &stdout, None, None),
            },
        };
        if let JailEnding::Signalled(signal) = ending {
            judged.failure = Some(format!("the skill was ended by {}", describe(signal)));
        }
        let resources = Resources {
            fuel: 0,
            cpu_ms: cpu.as_secs_f64() * 1e3,
            peak_memory_bytes,
        };
        let mut execution = Execution::new(judged, logs, resources, elapsed);
        execution.isolation = Some(isolation);
        Ok(execution)
    }
}

fn is_in_package(path: &str) -> bool {
    path.strip_prefix(PACKAGE_FOLDER)
        .is_some_and(|rest| rest.starts_with('/'))
}

fn spec(job: &Job<'_>, launch: &Launch) -> Result<ProcessSpec, SandboxError> {
    let file = |file: &sre_skill::SkillFile| File {
        path: file.path.clone(),
        bytes: Arc::clone(&file.bytes),
        executable: file.executable,
    };
    let mut environment = environment(&job.call);
    environment.push((String::from("PATH"), PATH.to_owned()));
    environment.extend(launch.environment.iter().cloned());
    environment.sort();
    let mut arguments = launch.arguments.clone();
    let (mut working_folder, mut writable) = (PACKAGE_FOLDER, WritableFiles::default());
    let mut given = 0;
    if let Call::Command(command) = job.call {
        arguments.extend(command.args.iter().cloned());
        working_folder = WORKSPACE_FOLDER;
        writable = WritableFiles {
            workspace: given_files(WORKSPACE_FOLDER, &command.work)?,
            home: command
                .home
                .as_ref()
                .map(|home| given_files(HOME_FOLDER, home))
                .transpose()?
                .unwrap_or_default(),
            report_workspace: true,
            report_home: command.home.is_some(),
        };
        let home = command.home.iter();
        given = home.chain([&command.work]).map(names).sum();
    }
    Ok(ProcessSpec {
        program: launch.program.clone(),
        arguments,
        environment,
        working_folder,
        files: job.skill.files().iter().map(file).collect(),
        writable,
        stdin: stdin(&job.call),
        file_time_s: job.profile.clock_start.as_second(),
        limits: limits(job.profile, job.time_limit, given),
        determinism: Some(determinism(job.profile)),
    })
}

/// Names that a tree takes: its files and links, and the folders they are in.
fn names(files: &Files) -> u64 {
    let folders: BTreeSet<&str> = files
        .iter()
        .flat_map(|(path, _)| path.match_indices('/').map(|(end, _)| &path[..end]))
        .collect();
    (files.len() + folders.len()) as u64
}

/// The files of a command for the jail.
///
/// # Errors
/// They are no tree: something of them could land outside the folder.
fn given_files(folder: &str, files: &Files) -> Result<Vec<WritableFile>, SandboxError> {
    files
        .to_tree()
        .map_err(|error| SandboxError::Rejected(format!("{folder}: {error}")))?;
    let file = |(path, node): (&Arc<str>, &FileNode)| WritableFile {
        path: path.as_ref().to_owned(),
        content: match node {
            FileNode::File {
                bytes, executable, ..
            } => WritableContent::File {
                bytes: Arc::clone(bytes),
                executable: *executable,
            },
            FileNode::Link(target) => WritableContent::Link(target.as_ref().to_owned()),
        },
    };
    Ok(files.iter().map(file).collect())
}

/// What a jail says that its guest left. Files that are as they were given are those that were
/// given.
fn found(left: LeftFiles, command: &Command) -> (Found, Option<Found>) {
    let (mut workspace, mut home) = (Found::default(), Found::default());
    for (folder, what) in left.left_out {
        if folder == WORKSPACE_FOLDER {
            workspace.leave_out(what);
        } else {
            home.leave_out(what);
        }
    }
    add(&mut workspace, left.workspace);
    add(&mut home, left.home);
    (workspace, command.home.is_some().then_some(home))
}

fn add(found: &mut Found, files: Vec<WritableFile>) {
    for WritableFile { path, content } in files {
        let node = match content {
            WritableContent::File { bytes, executable } => FoundNode::Read { bytes, executable },
            WritableContent::Link(target) => FoundNode::Link(target.into()),
        };
        found.add(path, node);
    }
}

/// The same clock, cipher and seed as in the Wasm machine.
fn determinism(profile: &Profile) -> ClockAndSeed {
    // Nanoseconds since 1970 in 64 bits end in 2554; moments outside are moved to the near end.
    let start = profile
        .clock_start
        .as_nanosecond()
        .clamp(0, i128::from(u64::MAX));
    ClockAndSeed {
        clock_start_ns: u64::try_from(start).unwrap_or(u64::MAX),
        seed: *profile.random_seed.as_bytes(),
    }
}

fn limits(profile: &Profile, wall: Duration, given_names: u64) -> Limits {
    let default = Limits::default();
    let size = |bytes: u64| usize::try_from(bytes).unwrap_or(usize::MAX);
    let mut limits = Limits {
        memory_bytes: profile.mem_limit_bytes,
        tmp_bytes: profile.tmp_limit_bytes,
        tmp_files: (profile.tmp_limit_bytes >> 20)
            .max(1)
            .saturating_mul(TMP_FILES_PER_MIB),
        files_bytes: profile.files_limit_bytes.max(1),
        files_count: profile
            .files_limit_count
            .saturating_add(given_names)
            .clamp(1, Tree::LIMIT_ENTRIES as u64),
        stdout_bytes: size(profile.output_limit_bytes),
        stderr_bytes: LOG_LIMIT_BYTES,
        wall,
        ..default
    };
    if let Some(processes) = &profile.processes {
        limits.processes = processes.pids_limit;
        limits.cpu_quota_us = processes.cpu_quota_us;
        limits.cpu_period_us = processes.cpu_period_us;
    }
    limits
}

/// As shells do, a signal is an exit code above 128.
fn ended(ending: JailEnding) -> Ending {
    match ending {
        JailEnding::Exited(code) => Ending::Exited { code },
        JailEnding::Signalled(signal) => Ending::Exited { code: 128 + signal },
        JailEnding::OutOfMemory => Ending::OutOfMemory,
        JailEnding::OutputLimit => Ending::OutputLimit,
    }
}

fn describe(signal: i32) -> String {
    let name = match signal {
        4 => "an illegal instruction",
        6 => "its own abort",
        7 => "a bus error",
        8 => "an arithmetic fault",
        9 => "a kill",
        11 => "a memory fault or the end of its stack",
        13 => "a broken pipe",
        24 => "its limit of processor time",
        25 => "its limit on the size of a file",
        31 => "a system call that no skill may make",
        _ => return format!("signal {signal}"),
    };
    format!("{name} (signal {signal})")
}

fn log(stderr: &Output) -> String {
    let mut text = String::from_utf8_lossy(&stderr.kept).into_owned();
    if stderr.lost_bytes > 0 {
        text.push_str(&format!(
            "\n[log truncated: {} more bytes]\n",
            stderr.lost_bytes
        ));
    }
    text
}

fn refusal(error: &JailError, limit: Duration) -> SandboxError {
    let told = error.to_string();
    match error {
        JailError::TimedOut(_) => SandboxError::Timeout(limit),
        JailError::Stopped => SandboxError::Cancelled,
        JailError::Lacking { .. } | JailError::Invalid(_) => SandboxError::Rejected(told),
        JailError::NotStarted(_) => {
            SandboxError::Rejected(format!("the program cannot be started: {told}"))
        }
        JailError::NotAsOrdered(_) => SandboxError::Bug(told),
        _ => SandboxError::Unavailable(told),
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
