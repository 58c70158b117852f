//! Flags of `sre run`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use jiff::Timestamp;
use sre_core::{AcceptExit, BackendChoice, ByteSize, MinIsolation, OrderId, SandboxConfig, Seed};
use url::Url;

use super::values::{self, FolderArg};
use crate::exit::RUN_CODES;

const EXAMPLES: &str = "\
Examples:
  sre run examples/word-count --input '{\"text\":\"to be or not to be\"}'
  sre run examples/csv-summary --input-file examples/cases/csv-summary/orders.input.json
  generate-input | sre run skill.tar.gz - --format json | jq .output
  sre run hello --order-id nightly-2026-11-22 --callback-url https://example.org/results
  sre run my-skill --work data --out results -- scripts/merge.py raw merged.json
  sre run my-skill --work . --in-place --accept-exit 0,1 -- scripts/lint.py --fix
  sre run --order order.json";

const USAGE: &str = "\
sre run [OPTIONS] <SKILL> [- | --input JSON | --input-file FILE]
       sre run [OPTIONS] <SKILL> [--work DIR] [--out DIR | --in-place] -- [ENTRY [ARG]...]
       sre run [OPTIONS] --order FILE";

/// `sre run`.
#[derive(Debug, Args)]
#[command(override_usage = USAGE, after_long_help = format!("{EXAMPLES}\n\n{RUN_CODES}"))]
pub struct RunArgs {
    /// The order.
    #[command(flatten)]
    pub order: NewOrderArgs,
    /// Where the files go that the skill left.
    #[command(flatten)]
    pub output: OutputArgs,
    /// Write the signed receipt there too; it is kept in the data folder anyway
    #[arg(long, value_name = "FILE")]
    pub receipt: Option<PathBuf>,
}

/// An order to be made: from flags, or from a file. Of `sre run` and `sre submit` alike.
#[derive(Debug, Args)]
pub struct NewOrderArgs {
    /// The skill: a folder with a SKILL.md, a .tar.gz, a .zip, or a file with the JSON form
    #[arg(required_unless_present = "order_file")]
    pub skill: Option<PathBuf>,
    /// Where the input comes from.
    #[command(flatten)]
    pub input: InputArgs,
    /// One program of the package, run as a command.
    #[command(flatten)]
    pub invocation: InvocationArgs,
    /// A whole order as JSON ("-": standard input) instead of all other arguments
    ///
    /// `order_id` may be left out. `skill_package` may be {"path": "…"}, which counts from the
    /// current folder.
    #[arg(
        long = "order",
        id = "order_file",
        value_name = "FILE",
        conflicts_with_all = ["skill", "InputArgs", "InvocationArgs", "OrderArgs", "SandboxArgs"]
    )]
    pub order_file: Option<PathBuf>,
    /// The order's own fields.
    #[command(flatten)]
    pub order: OrderArgs,
    /// The sandbox's.
    #[command(flatten)]
    pub sandbox: SandboxArgs,
}

/// Where the input comes from; `{}` without any of these.
#[derive(Debug, Args)]
#[group(multiple = false)]
pub struct InputArgs {
    /// Read the input from standard input
    #[arg(id = "stdin_input", value_name = "-", value_parser = ["-"], hide_possible_values = true)]
    pub stdin: Option<String>,
    /// The input: a JSON object [default: {}]
    #[arg(short, long, value_name = "JSON", allow_hyphen_values = true)]
    pub input: Option<String>,
    /// A file with the input
    #[arg(long, value_name = "FILE")]
    pub input_file: Option<PathBuf>,
}

/// One program of the package, run as a command: with arguments, files and text instead of one JSON
/// value in and one out. Any of these chooses that.
#[derive(Debug, Args)]
#[command(next_help_heading = "Command")]
pub struct InvocationArgs {
    /// The program inside the package and its arguments [default: the package's entrypoint]
    #[arg(
        last = true,
        value_name = "ENTRY [ARG]...",
        conflicts_with = "InputArgs"
    )]
    pub command: Vec<String>,
    /// What the working folder /workspace holds at the start: a folder, order:ID for what that order
    /// left there, or tree:DIGEST
    #[arg(long, value_name = "DIR", value_parser = values::folder, conflicts_with = "InputArgs")]
    pub work: Option<FolderArg>,
    /// What the home folder holds at the start, as for --work; what is left there becomes part of
    /// the result
    #[arg(long, value_name = "DIR", value_parser = values::folder, conflicts_with = "InputArgs")]
    pub home: Option<FolderArg>,
    /// What the program reads on standard input ("-": what this one does) [default: nothing]
    #[arg(long, value_name = "FILE", conflicts_with = "InputArgs")]
    pub stdin: Option<PathBuf>,
    /// An environment variable of the program; may be repeated
    #[arg(long, value_name = "NAME=VALUE", value_parser = values::variable, conflicts_with = "InputArgs")]
    pub env: Vec<(String, String)>,
    /// Exit codes that complete the order, or "any" [default: 0]
    #[arg(long, value_name = "CODES", value_parser = values::accept_exit, conflicts_with = "InputArgs")]
    pub accept_exit: Option<AcceptExit>,
    /// Which changes below /workspace are part of the result; may be repeated [default: **]
    #[arg(long, value_name = "GLOB", conflicts_with = "InputArgs")]
    pub collect: Vec<String>,
}

impl InvocationArgs {
    /// Whether no flag chooses the command contract.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.command.is_empty()
            && self.work.is_none()
            && self.home.is_none()
            && self.stdin.is_none()
            && self.env.is_empty()
            && self.accept_exit.is_none()
            && self.collect.is_empty()
    }
}

/// Where the files go that the skill left.
#[derive(Debug, Args)]
#[command(next_help_heading = "Command")]
pub struct OutputArgs {
    /// Write the files there that the program added or changed, once they are verified
    #[arg(long, value_name = "DIR", conflicts_with_all = ["order_file", "InputArgs"])]
    pub out: Option<PathBuf>,
    /// Make the program's changes in the folder of --work, once they are verified
    #[arg(long, requires = "work", conflicts_with = "out")]
    pub in_place: bool,
}

/// Fields of the order besides skill, input and sandbox.
#[derive(Debug, Args)]
#[command(next_help_heading = "Order")]
pub struct OrderArgs {
    /// Identity of the order: the same id again gives the same result [default: generated]
    #[arg(long, value_name = "ID")]
    pub order_id: Option<OrderId>,
    /// Wall-clock limit of one attempt: execution and commit [default: 300]
    #[arg(long, value_name = "SECONDS", allow_negative_numbers = true)]
    pub timeout_seconds: Option<f64>,
    /// Further attempts after an operating failure [default: 0]
    #[arg(long, value_name = "N")]
    pub max_retries: Option<u32>,
    /// Try again after a timeout too
    #[arg(long)]
    pub retry_on_timeout: bool,
    /// Among the waiting orders of one submitter, larger ones go first, -100 to 100 [default: 0]
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub priority: Option<i32>,
    /// Post the result there as JSON, whether it is good or bad
    #[arg(long, value_name = "URL")]
    pub callback_url: Option<Url>,
}

/// Fields of the order's `sandbox_config`. Each can be capped by the operator.
#[derive(Debug, Args)]
#[command(next_help_heading = "Sandbox")]
pub struct SandboxArgs {
    /// Which backend runs the skill [default: auto]
    #[arg(long, value_enum, value_name = "BACKEND")]
    pub backend: Option<BackendArg>,
    /// Refuse where less than this would hold the skill
    #[arg(long, value_enum, value_name = "LEAST")]
    pub min_isolation: Option<MinIsolationArg>,
    /// Wall-clock limit of one execution [default: 30]
    #[arg(long, value_name = "SECONDS", allow_negative_numbers = true)]
    pub sandbox_timeout_seconds: Option<f64>,
    /// Instructions that a Wasm skill may execute [default: 10000000000]
    #[arg(long, value_name = "N")]
    pub fuel: Option<u64>,
    /// Memory of the skill, in bytes or as 512k, 64m, 1g [default: 512m]
    #[arg(long, value_name = "SIZE")]
    pub mem_limit: Option<ByteSize>,
    /// Most that the skill may print to standard output [default: 1m]
    #[arg(long, value_name = "SIZE")]
    pub output_limit: Option<ByteSize>,
    /// Most that the skill may keep in its writable folders [default: 64m]
    #[arg(long, value_name = "SIZE")]
    pub files_limit: Option<ByteSize>,
    /// Files, folders and links that the skill may make [default: 10000]
    #[arg(long, value_name = "COUNT")]
    pub files_limit_count: Option<u64>,
    /// Where the skill's clock starts, in whole seconds: 2026-11-22T12:00:00Z [default: now]
    #[arg(long, value_name = "TIME")]
    pub clock_start: Option<Timestamp>,
    /// Seed of the skill's randomness, 64 hexadecimal digits [default: SHA-256 of the order id]
    #[arg(long, value_name = "HEX")]
    pub random_seed: Option<Seed>,
    /// Cut off the network; nothing else is offered so far [default: true]
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub network_disabled: Option<bool>,
    /// Scheduling period in microseconds (native skills) [default: 100000]
    #[arg(long, value_name = "MICROSECONDS")]
    pub cpu_period: Option<u64>,
    /// CPU time per period in microseconds (native skills) [default: 50000]
    #[arg(long, value_name = "MICROSECONDS")]
    pub cpu_quota: Option<u64>,
    /// Processes and threads (native skills) [default: 64]
    #[arg(long, value_name = "N")]
    pub pids_limit: Option<u64>,
}

/// As [`BackendChoice`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum BackendArg {
    /// The safest backend that can run the skill
    Auto,
    /// WebAssembly
    Wasm,
    /// A process in the jail
    Native,
    // Known, so that an order file and a flag get the same answer; not offered, because there is
    // none.
    /// A Docker container
    #[value(hide = true)]
    Docker,
}

/// As [`MinIsolation`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum MinIsolationArg {
    /// A jail, with layers missing that the operator allowed to be missing
    Process,
    /// A jail with every layer
    Jail,
    /// WebAssembly: no process at all
    Wasm,
}

impl From<MinIsolationArg> for MinIsolation {
    fn from(least: MinIsolationArg) -> Self {
        match least {
            MinIsolationArg::Process => Self::Process,
            MinIsolationArg::Jail => Self::Jail,
            MinIsolationArg::Wasm => Self::Wasm,
        }
    }
}

impl From<BackendArg> for BackendChoice {
    fn from(backend: BackendArg) -> Self {
        match backend {
            BackendArg::Auto => Self::Auto,
            BackendArg::Wasm => Self::Wasm,
            BackendArg::Native => Self::Native,
            BackendArg::Docker => Self::Docker,
        }
    }
}

impl SandboxArgs {
    /// The overrides; `None` when there are none, so that an order reads the same with and without
    /// this feature.
    #[must_use]
    pub fn config(&self) -> Option<SandboxConfig> {
        let config = SandboxConfig {
            mem_limit: self.mem_limit,
            cpu_period: self.cpu_period,
            cpu_quota: self.cpu_quota,
            timeout_seconds: self.sandbox_timeout_seconds,
            network_disabled: self.network_disabled,
            fuel: self.fuel,
            output_limit: self.output_limit,
            files_limit: self.files_limit,
            files_limit_count: self.files_limit_count,
            pids_limit: self.pids_limit,
            backend: self.backend.map(BackendChoice::from),
            min_isolation: self.min_isolation.map(MinIsolation::from),
            clock_start: self.clock_start,
            random_seed: self.random_seed,
        };
        (config != SandboxConfig::default()).then_some(config)
    }
}
