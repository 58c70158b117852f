//! The deterministic machine a Wasm guest lives in: clock, randomness, standard streams and files,
//! all in memory.
//!
//! No function here reads the host's clock, entropy, environment or file system, so nothing of them
//! can reach a guest through any import: determinism holds by construction, not by care. The WASI
//! adapters in [`crate::wasi`] translate calls to this machine and back and keep no state of their
//! own but handles.

mod clock;
mod file_system;
mod given;
mod left;
mod limits;
mod node;
mod package;
mod path;
mod permissions;
mod random;
mod recorder;
mod stdio;
mod storage;

pub(crate) use clock::{CLOCK_RESOLUTION_NS, VirtualClock};
pub(crate) use file_system::{FileSystem, PACKAGE};
pub(crate) use limits::FileLimits;
pub(crate) use node::{FileError, NodeId, NodeKind, OpenHow, Stat};
pub(crate) use package::PackageTree;
pub(crate) use path::PATH_LIMIT_BYTES;
pub(crate) use random::{REQUEST_LIMIT_BYTES, SeededRandom};
pub(crate) use recorder::CallRecorder;
pub use recorder::HostResponse;
pub(crate) use stdio::{Log, Stdin, Stdout};
pub(crate) use storage::{HOME, ROOT, TMP, WORKSPACE};

use std::sync::Arc;

use crate::{Call, Job, SandboxError, contract};

/// Everything a guest can reach.
pub(crate) struct GuestMachine {
    pub(crate) arguments: Vec<String>,
    pub(crate) environment: Vec<(String, String)>,
    pub(crate) clock: VirtualClock,
    pub(crate) random: SeededRandom,
    pub(crate) stdin: Stdin,
    pub(crate) stdout: Stdout,
    pub(crate) stderr: Log,
    pub(crate) files: FileSystem,
    /// The folder that relative paths begin in.
    pub(crate) working_folder: WorkingFolder,
    pub(crate) recorder: CallRecorder,
}

impl GuestMachine {
    /// The machine of one job.
    ///
    /// # Errors
    /// The files that the job gives cannot be put in their places.
    pub(crate) fn new(
        job: &Job<'_>,
        package: Arc<PackageTree>,
        recorder: &CallRecorder,
    ) -> Result<Self, SandboxError> {
        let Job { profile, call, .. } = job;
        let clock = VirtualClock::new(profile.clock_start, profile.timeout_ms, recorder.clone());
        let environment = contract::environment(call);
        let arguments = contract::arguments(job.entry, call);
        for argument in &arguments {
            recorder.record_response("arguments", argument.as_bytes());
        }
        for (name, value) in &environment {
            recorder.record_response("environment", format!("{name}={value}").as_bytes());
        }
        let output_limit = usize::try_from(profile.output_limit_bytes).unwrap_or(usize::MAX);
        let mut files = FileSystem::new(
            package,
            FileLimits::of(profile),
            clock.start_ns(),
            recorder.clone(),
        );
        let mut working_folder = WorkingFolder::Skill;
        if let Call::Command(command) = call {
            working_folder = WorkingFolder::Workspace;
            let given = |at: &str, error| SandboxError::Rejected(format!("{at}: {error}"));
            files
                .give(WORKSPACE, &command.work)
                .map_err(|error| given(contract::WORKSPACE_FOLDER, error))?;
            if let Some(home) = &command.home {
                files
                    .give(HOME, home)
                    .map_err(|error| given(contract::HOME_FOLDER, error))?;
            }
        }
        files.limit_names();
        Ok(Self {
            arguments,
            environment,
            random: SeededRandom::new(profile.random_seed, recorder.clone()),
            stdin: Stdin::new(contract::stdin(call), recorder.clone()),
            stdout: Stdout::new(output_limit, recorder.clone()),
            stderr: Log::new(contract::LOG_LIMIT_BYTES),
            files,
            working_folder,
            clock,
            recorder: recorder.clone(),
        })
    }

    /// What ends a guest that asks to exit.
    pub(crate) fn exit(&self, code: i32) -> Halt {
        self.recorder.note(|trace| trace.note_exit(code));
        Halt::Exit(code)
    }
}

/// Why the machine stopped a guest. Travels through the engine as an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Halt {
    /// The guest asked to exit.
    #[error("exit with code {0}")]
    Exit(i32),
    /// It printed more than its limit.
    #[error("output limit exceeded")]
    OutputLimit,
    /// Its own clock passed the profile's limit.
    #[error("the guest's clock passed its limit")]
    ClockLimit,
}

/// Where a guest starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum WorkingFolder {
    /// `/skill`, in the JSON contract.
    Skill,
    /// `/workspace`, in the command contract.
    Workspace,
}

impl WorkingFolder {
    pub(crate) const fn path(self) -> &'static str {
        match self {
            Self::Skill => contract::PACKAGE_FOLDER,
            Self::Workspace => contract::WORKSPACE_FOLDER,
        }
    }

    pub(crate) const fn node(self) -> NodeId {
        match self {
            Self::Skill => PACKAGE,
            Self::Workspace => WORKSPACE,
        }
    }
}

/// The folders that a guest finds open, with their paths, in this order: `.` is last, because a C
/// library asks the last one that fits.
pub(crate) fn preopens(working_folder: WorkingFolder) -> [(NodeId, &'static str); 6] {
    [
        (ROOT, "/"),
        (PACKAGE, contract::PACKAGE_FOLDER),
        (WORKSPACE, contract::WORKSPACE_FOLDER),
        (HOME, contract::HOME_FOLDER),
        (TMP, contract::TMP_FOLDER),
        (working_folder.node(), "."),
    ]
}
