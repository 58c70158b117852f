//! What a jail is asked to run.

use std::sync::Arc;
use std::time::Duration;

/// Where the package is in the jail.
pub const PACKAGE_FOLDER: &str = "/skill";

/// The writable working folder.
pub const WORKSPACE_FOLDER: &str = "/workspace";

/// The guest's home.
pub const HOME_FOLDER: &str = "/home/skill";

/// The guest's user and group inside the jail.
pub const GUEST_ID: u32 = 1000;

/// One run: a program, what it sees and what it may use.
#[derive(Debug, Clone)]
pub struct ProcessSpec {
    /// The program, as a path in the jail; a relative one is below [`PACKAGE_FOLDER`].
    pub program: String,
    /// Its arguments, the name it is called by first.
    pub arguments: Vec<String>,
    /// Its whole environment, in this order.
    pub environment: Vec<(String, String)>,
    /// The folder it starts in: [`PACKAGE_FOLDER`] or [`WORKSPACE_FOLDER`].
    pub working_folder: &'static str,
    /// The package: what [`PACKAGE_FOLDER`] holds.
    pub files: Vec<File>,
    /// What [`WORKSPACE_FOLDER`] and [`HOME_FOLDER`] hold at the start.
    pub writable: WritableFiles,
    /// What it reads on standard input.
    pub stdin: Arc<[u8]>,
    /// The time stamp of the package's files, in seconds since 1970.
    pub file_time_s: i64,
    /// What it may use.
    pub limits: Limits,
    /// Time and randomness of its own, the same for every run; `None` for this machine's.
    pub determinism: Option<ClockAndSeed>,
}

/// Time and randomness that a guest sees instead of this machine's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClockAndSeed {
    /// When its clock starts, in nanoseconds since 1970.
    pub clock_start_ns: u64,
    /// Seed of its randomness: ChaCha20's key.
    pub seed: [u8; 32],
}

/// A file of the package. Folders are made as needed.
#[derive(Debug, Clone)]
pub struct File {
    /// Path with `/` between its parts, relative and without `.` or `..`.
    pub path: String,
    /// The content.
    pub bytes: Arc<[u8]>,
    /// Whether it may be executed.
    pub executable: bool,
}

/// What the guest's own folders hold at the start, and whether it is told what they hold at the
/// end.
#[derive(Debug, Clone, Default)]
pub struct WritableFiles {
    /// Below [`WORKSPACE_FOLDER`].
    pub workspace: Vec<WritableFile>,
    /// Below [`HOME_FOLDER`].
    pub home: Vec<WritableFile>,
    /// Whether the report says what [`WORKSPACE_FOLDER`] holds at the end.
    pub report_workspace: bool,
    /// Whether the report says what [`HOME_FOLDER`] holds at the end.
    pub report_home: bool,
}

/// A file or link in one of the guest's own folders.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WritableFile {
    /// Path with `/` between its parts, relative and without `.` or `..`.
    pub path: String,
    /// What is there.
    pub content: WritableContent,
}

/// What is at a path of a [`WritableFile`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WritableContent {
    /// A file.
    File {
        /// The content.
        bytes: Arc<[u8]>,
        /// Whether it may be executed.
        executable: bool,
    },
    /// A symbolic link with its target.
    Link(String),
}

/// What a guest may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Memory of all its processes and of its files in `/tmp`, in bytes.
    pub memory_bytes: u64,
    /// Address space of one process, in bytes: a weak stand-in on hosts without a memory cgroup.
    /// Default none.
    pub address_space_bytes: Option<u64>,
    /// Processor time per period, in microseconds; with several processes running, of all together.
    pub cpu_quota_us: u64,
    /// The period, in microseconds.
    pub cpu_period_us: u64,
    /// Processes and threads at once. The jail's own first process counts.
    pub processes: u64,
    /// Size of `/tmp`, in bytes.
    pub tmp_bytes: u64,
    /// Files and folders in `/tmp`.
    pub tmp_files: u64,
    /// Size of [`WORKSPACE_FOLDER`] and [`HOME_FOLDER`] together, in bytes. The kernel counts whole
    /// pages.
    pub files_bytes: u64,
    /// Files, folders and links in both together.
    pub files_count: u64,
    /// Open files of one process.
    pub open_files: u64,
    /// Bytes of standard output that are kept; a guest that prints more is ended.
    pub stdout_bytes: usize,
    /// Bytes of standard error that are kept; the rest is counted and thrown away.
    pub stderr_bytes: usize,
    /// Wall-clock time from the order to its end.
    pub wall: Duration,
}

impl Default for Limits {
    /// 512 MiB, half a processor, 64 processes, 64 MiB and 16,384 files in `/tmp` and as much in
    /// the other writable folders, 256 open files, 1 MiB of output, 64 KiB of log, 30 s.
    fn default() -> Self {
        Self {
            memory_bytes: 512 << 20,
            address_space_bytes: None,
            cpu_quota_us: 50_000,
            cpu_period_us: 100_000,
            processes: 64,
            tmp_bytes: 64 << 20,
            tmp_files: 16_384,
            files_bytes: 64 << 20,
            files_count: 16_384,
            open_files: 256,
            stdout_bytes: 1 << 20,
            stderr_bytes: 64 << 10,
            wall: Duration::from_secs(30),
        }
    }
}
