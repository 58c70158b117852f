//! Which commands and flags there are. Nothing here does anything.

mod determinism;
mod global;
mod key;
mod parse;
mod receipts;
mod run;
mod service;
mod skill;
mod values;
mod verify;
mod watch;

use std::path::PathBuf;

use clap::{Parser, Subcommand};

pub use crate::output::Format;
pub use determinism::{DeterminismArgs, Vary};
pub use global::{Global, LogFormat};
pub use key::KeyCommand;
pub use parse::parse;
pub use receipts::{AuditArgs, BundleArgs, TlogCheckArgs, TlogCommand};
pub use run::{InputArgs, InvocationArgs, NewOrderArgs, OutputArgs, RunArgs, SandboxArgs};
pub use service::{
    ClientArgs, ConfigArgs, ConfigCommand, FilesArgs, GcArgs, ListArgs, LogsArgs, OrderRefArgs,
    ResultArgs, ServeArgs, SubmitArgs, TokenArgs, TokenCommand,
};
pub use skill::{CheckArgs, InspectArgs, Language, NewArgs, PackArgs, SkillCommand};
pub use values::FolderArg;
pub use verify::{TrustedRuntime, VerifyArgs};
pub use watch::WatchArgs;

use crate::exit::CODES;

/// Examples and environment, below the exit codes of `sre --help`.
const EXAMPLES: &str = "\
Examples:
  sre run examples/word-count --input '{\"text\":\"to be or not to be\"}'
  sre skill new hello && sre run hello --input '{\"hello\":\"world\"}'
  sre verify 01993f5e-8a2c-7c50-b1d4-2f6a8a9c0e11

Environment:
  SRE_DATA_DIR  the data folder, as --data-dir
  SRE_CACHE_DIR where compiled programs are kept, as --cache-dir
  SRE_SERVER    the service, as --server; SRE_TOKEN or SRE_TOKEN_FILE: the token for it
  SRE_CONFIG    the service's settings, as --config; see `sre config default`
  SRE_LOG       what is logged, instead of -v and -q; for instance warn,sre_verify=debug
  NO_COLOR      no colours

Output:
  Standard output is data, everything else goes to standard error. With --format json, a command that
  fails prints nothing to standard output and one object to standard error: type, title, detail, code,
  exit_code and, where there is one, hint. A result that is there is printed in any case.";

/// Runs skills in a sandbox, commits to what they did, and replays them to prove it.
#[derive(Debug, Parser)]
#[command(name = "sre", version, max_term_width = 110, after_long_help = format!("{EXAMPLES}\n\n{CODES}"))]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
    /// Flags of every command.
    #[command(flatten)]
    pub global: Global,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run a skill on an input: execute, commit, replay, report
    Run(Box<RunArgs>),
    /// Check a result again, independently of the run that made it: an order, a receipt or a bundle
    Verify(Box<VerifyArgs>),
    /// Write one file that verifies offline: receipt, proof, skill, input and output of an order
    Bundle(BundleArgs),
    /// The key this node signs with, and the keys it believes
    #[command(subcommand)]
    Key(KeyCommand),
    /// Transparency logs: print the own checkpoint, check that another one only grew
    #[command(subcommand)]
    Tlog(TlogCommand),
    /// Follow another node: check what its log says, replay its orders, sign and send verdicts
    Watch(Box<WatchArgs>),
    /// Check that everything is still there that receipts point to
    Audit(AuditArgs),
    /// Run a skill many times in changing surroundings and compare
    Determinism(Box<DeterminismArgs>),
    /// One process of `sre determinism`
    #[command(hide = true)]
    DeterminismProbe,
    /// Examine what this host can enforce on native skills, and how to fix what it cannot
    ///
    /// Exit code 0 if native skills run here with every layer, 1 if not.
    Doctor,
    /// Check, inspect, pack and make skills
    #[command(subcommand)]
    Skill(SkillCommand),
    /// Run the service: orders over HTTP, durable, with callbacks
    Serve(ServeArgs),
    /// Submit an order to the service
    Submit(Box<SubmitArgs>),
    /// Show where an order of the service is
    Status(OrderRefArgs),
    /// Print the result of an order of the service
    Result(ResultArgs),
    /// List or fetch the files that an order of the service left
    Files(FilesArgs),
    /// Stop an order of the service
    Cancel(OrderRefArgs),
    /// List orders of the service, newest first
    List(ListArgs),
    /// Follow an order of the service to its end, then print the skill's log
    Logs(LogsArgs),
    /// Deliver the callback of an order again
    Redeliver(OrderRefArgs),
    /// Make, list and revoke tokens of the service
    Token(TokenArgs),
    /// Show the settings of the service
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Purge old orders and remove blobs that no kept order needs
    Gc(GcArgs),
    /// Print a completion script for a shell
    #[command(
        after_long_help = "Example:\n  sre completions bash > ~/.local/share/bash-completion/completions/sre"
    )]
    Completions {
        /// Which shell
        shell: clap_complete::Shell,
    },
    /// Print the manual page
    #[command(
        after_long_help = "Examples:\n  sre man | man -l -\n  sre man --output ~/.local/share/man/man1"
    )]
    Man {
        /// Write the pages of all commands into this folder instead
        #[arg(long, value_name = "DIR")]
        output: Option<PathBuf>,
    },
}
