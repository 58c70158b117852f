//! Flags of `sre determinism`.

use std::num::NonZeroU32;
use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::{InputArgs, SandboxArgs};

/// `sre determinism`.
///
/// Runs the skill many times, in several processes, and changes from one process to the next what
/// must not matter: the environment's names, order and size, the working folder, the number of
/// cores, load, the compiled-code cache (cold and warm), where memory comes from, and what changes
/// by itself: host time, entropy, process ids, addresses. Then it compares outcome, log and fuel.
/// Where two runs differ it names the first answer of the host that differed, or else the first
/// byte of the output.
#[derive(Debug, Args)]
#[command(
    override_usage = "sre determinism [OPTIONS] <SKILL> [- | --input JSON | --input-file FILE]",
    after_long_help = "\
Examples:
  sre determinism examples/word-count --input '{\"text\":\"to be or not to be\"}'
  sre determinism examples/word-count --input '{\"text\":\"to be\"}' --runs 10000
  sre determinism my-skill --vary seed    # does the result depend on randomness?

Exit codes:
  0    all runs were the same
  1    an operating failure
  2    bad usage or bad input; nothing ran
  21   two runs differed"
)]
pub struct DeterminismArgs {
    /// The skill: a folder with a SKILL.md, a .tar.gz, a .zip, or a file with the JSON form
    pub skill: PathBuf,
    /// Where the input comes from.
    #[command(flatten)]
    pub input: InputArgs,
    /// How many runs
    #[arg(long, value_name = "N", default_value = "48")]
    pub runs: NonZeroU32,
    /// Let no process start with a cold cache: compiling a script's language runtime anew takes
    /// seconds
    #[arg(long)]
    pub warm: bool,
    /// Also change something that an order decides, to see whether the skill depends on it
    #[arg(long, value_enum, value_name = "WHAT", value_delimiter = ',')]
    pub vary: Vec<Vary>,
    /// The sandbox's.
    #[command(flatten)]
    pub sandbox: SandboxArgs,
}

/// What an order decides and a skill may depend on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Vary {
    /// The seed of its randomness
    Seed,
    /// The moment its clock starts
    Clock,
}
