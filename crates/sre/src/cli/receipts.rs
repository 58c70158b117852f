//! Flags of `sre bundle`, `sre tlog` and `sre audit`.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use sre_core::OrderId;
use sre_receipt::tlog::VerifierKey;

/// `sre bundle`.
///
/// The file is a plain tar archive with the receipt, the proof of its place in the log, and every
/// blob the receipt leads to. `sre verify` checks it on a machine that has never seen this one.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Example:
  sre bundle nightly-2026-11-22 --output nightly.sre-bundle
  sre bundle nightly-2026-11-22 --from https://skills.example.org --output nightly.sre-bundle
  sre bundle nightly-2026-11-22 --output - | ssh archive 'cat > nightly.sre-bundle'
  sre verify nightly.sre-bundle

With --from: a token with the scope read, because a blob may belong to another caller's order. A token with submit alone gets
the receipt (GET /v1/orders/ID/receipt), not the evidence.")]
pub struct BundleArgs {
    /// An order that has ended
    pub order: OrderId,
    /// From this service [default: from the local data folder]
    #[arg(long, value_name = "URL")]
    pub from: Option<String>,
    /// A file with the token for it; SRE_TOKEN holds the token itself
    #[arg(long, env = "SRE_TOKEN_FILE", hide_env = true, value_name = "FILE")]
    pub token_file: Option<PathBuf>,
    /// Where to write it, "-" for standard output
    #[arg(short, long, value_name = "FILE")]
    pub output: PathBuf,
    /// With the language runtime of a script, for machines whose program ships another one
    #[arg(long)]
    pub with_runtime: bool,
}

/// `sre tlog`: transparency logs.
#[derive(Debug, Subcommand)]
pub enum TlogCommand {
    /// Check that a log only grew since the last look
    #[command(after_long_help = TLOG_CHECK_HELP)]
    Check(TlogCheckArgs),
    /// Print this node's newest signed checkpoint
    Checkpoint,
    /// Have witnesses cosign this node's checkpoint, after each checked that the log only grew
    ///
    /// Proofs made afterwards carry the cosignatures. A reader that demands several witnesses demands
    /// them of one checkpoint, and a log in use has another one a second later: name all witnesses
    /// in one command.
    #[command(
        after_long_help = "Example:\n  sre tlog cosign https://witness.example.org --key 'witness.example.org/w1+5e6f7a8b+BP…'\n  sre tlog cosign https://witness.example.org https://witness.example.com"
    )]
    Cosign {
        /// The witnesses: the addresses that their `add-checkpoint` is below (C2SP tlog-witness)
        #[arg(value_name = "URL", required = true)]
        witnesses: Vec<String>,
        /// A witness's key; repeatable [default: the witnesses of the trust file]
        #[arg(long = "key", value_name = "KEY")]
        keys: Vec<VerifierKey>,
    },
}

/// `sre tlog check`.
#[derive(Debug, Args)]
pub struct TlogCheckArgs {
    /// The log: the address its checkpoint is below, for instance `https://skills.example.org/log`
    #[arg(value_name = "URL")]
    pub log: String,
    /// The log's key, besides those trusted for it here
    #[arg(long = "key", value_name = "KEY")]
    pub keys: Vec<VerifierKey>,
    /// Read all entries since the last look too, and check that each belongs to the tree
    #[arg(long)]
    pub entries: bool,
}

const TLOG_CHECK_HELP: &str = "\
Example:
  sre tlog check https://skills.example.org/log

The last good checkpoint is remembered in the data folder. When a log turns out to have forked, shrunk or rewritten its
history, both signed checkpoints are kept there as evidence.

Exit codes:
  0    the log only grew
  1    an operating failure
  2    bad usage
  22   the log did what no log may do, or does not show what it signed
  23   the log cannot be read
  24   no key that is trusted here signed the checkpoint";

/// `sre audit`.
///
/// Reads a random sample of the entries in this node's log, the log's tiles over them and
/// everything that receipts lead to, and recomputes every digest. Of an order that `sre gc` has
/// purged only the receipt is kept, and only that is read.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Exit codes:
  0    everything is there
  1    an operating failure, or something could not be read for the moment
  22   bytes are not what they should be
  23   bytes are missing")]
pub struct AuditArgs {
    /// How many entries
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub sample: u32,
}
