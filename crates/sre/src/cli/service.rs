//! Flags of the service and of its clients.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use sre_core::OrderId;
use sre_journal::OrderState;

use crate::cli::{NewOrderArgs, OutputArgs};
use crate::exit::RUN_CODES;

/// Where settings come from.
#[derive(Debug, Args)]
#[command(next_help_heading = "Settings")]
pub struct ConfigArgs {
    /// A TOML file with settings
    #[arg(long, env = "SRE_CONFIG", hide_env = true, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// One setting, for instance workers.wasm=32; can be repeated
    #[arg(long = "set", value_name = "NAME=VALUE")]
    pub set: Vec<String>,
}

/// `sre serve`.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  sre serve                                   # http://127.0.0.1:7710, for programs of this machine
  sre token new ci --scopes submit && sre serve --listen 0.0.0.0:7710
  curl http://127.0.0.1:7710/openapi.json

SIGTERM and Ctrl-C: no new orders, attempts may end, the rest is given back and done by the next start.
Exit codes: 0 after a shutdown, 1 an operating failure, 2 bad usage or settings.")]
pub struct ServeArgs {
    /// Address and port, as the setting server.listen
    #[arg(long, value_name = "ADDRESS")]
    pub listen: Option<String>,
    /// Settings.
    #[command(flatten)]
    pub config: ConfigArgs,
}

/// `sre config`.
#[derive(Debug, Subcommand)]
pub enum ConfigCommand {
    /// Print every setting with where it came from
    Show(ConfigArgs),
    /// Print the commented default file
    Default,
}

/// `sre token`.
#[derive(Debug, Args)]
pub struct TokenArgs {
    /// Settings: `server.tokens` names another file than the data folder's.
    #[command(flatten)]
    pub config: ConfigArgs,
    /// What to do.
    #[command(subcommand)]
    pub command: TokenCommand,
}

/// What `sre token` does.
#[derive(Debug, Subcommand)]
pub enum TokenCommand {
    /// Make a token and print it; it is shown this once
    New {
        /// Its name, which stands in logs and lists
        name: String,
        /// What it may do: submit, read, admin
        #[arg(
            long,
            value_delimiter = ',',
            default_value = "submit",
            value_name = "SCOPES"
        )]
        scopes: Vec<sre_service::Scope>,
    },
    /// List names and scopes
    List,
    /// Remove a token; a running service notices within two seconds
    Revoke {
        /// Its name
        name: String,
    },
    /// Print what a receiver of a token's callbacks checks them with
    CallbackKeys {
        /// The token's name; `local` without tokens and for `sre run`
        #[arg(default_value = "local")]
        name: String,
    },
}

/// `sre gc`.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Purges orders that ended longer ago than retention.days, then removes every blob that no kept order and no uploaded
skill needs. Nothing else may use the data folder meanwhile. The id of a purged order cannot be used again.")]
pub struct GcArgs {
    /// Settings.
    #[command(flatten)]
    pub config: ConfigArgs,
}

/// How to reach the service.
#[derive(Debug, Args)]
#[command(next_help_heading = "Service")]
pub struct ClientArgs {
    /// The service
    #[arg(
        long,
        env = "SRE_SERVER",
        default_value = "http://127.0.0.1:7710",
        value_name = "URL"
    )]
    pub server: String,
    /// A file with the token; SRE_TOKEN holds the token itself
    #[arg(long, env = "SRE_TOKEN_FILE", hide_env = true, value_name = "FILE")]
    pub token_file: Option<PathBuf>,
}

const SUBMIT_USAGE: &str = "\
sre submit [OPTIONS] <SKILL> [- | --input JSON | --input-file FILE]
       sre submit [OPTIONS] <SKILL> [--work DIR] [--wait [--out DIR | --in-place]] -- [ENTRY [ARG]...]
       sre submit [OPTIONS] --order FILE";

const SUBMIT_EXAMPLES: &str = "\
Examples:
  sre submit examples/word-count --input '{\"text\":\"to be or not to be\"}' --wait
  sre submit hello --order-id nightly-2026-11-22 --callback-url https://example.org/results
  sre submit my-skill --work data --wait --out results -- scripts/merge.py raw merged.json
  sre submit my-skill --work order:first --order-id second -- scripts/report.py
  sre submit --order order.json --server https://skills.example.org

Without --wait it ends with 0 as soon as the order is durable there; `sre result ORDER --wait` prints the result, and
`sre files ORDER --out DIR` fetches what it left, `sre bundle ORDER --from URL` the receipt. Files that the service
does not have yet are uploaded first. Needs the scope submit. With --wait it ends as `sre run` does:";

/// `sre submit`.
#[derive(Debug, Args)]
#[command(override_usage = SUBMIT_USAGE, after_long_help = format!("{SUBMIT_EXAMPLES}\n\n{RUN_CODES}"))]
pub struct SubmitArgs {
    /// The order, as for `sre run`.
    #[command(flatten)]
    pub order: NewOrderArgs,
    /// Where the files go that the skill left.
    #[command(flatten)]
    pub output: OutputArgs,
    /// Wait for the end and print the result, with the exit codes of `sre run`
    #[arg(long)]
    pub wait: bool,
    /// Matching verdicts of other nodes before the order counts as final; its callback waits for
    /// that
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub verdicts_required: u32,
    /// The service.
    #[command(flatten)]
    pub client: ClientArgs,
}

/// A command on one order.
#[derive(Debug, Args)]
pub struct OrderRefArgs {
    /// The order
    pub order: OrderId,
    /// The service.
    #[command(flatten)]
    pub client: ClientArgs,
}

/// `sre result`.
#[derive(Debug, Args)]
pub struct ResultArgs {
    /// The order
    pub order: OrderId,
    /// Wait for the end
    #[arg(long)]
    pub wait: bool,
    /// The service.
    #[command(flatten)]
    pub client: ClientArgs,
}

/// `sre files`.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  sre files nightly-2026-11-22                     # what it added, changed and deleted
  sre files nightly-2026-11-22 out/report.pdf > report.pdf
  sre files nightly-2026-11-22 --out results       # what it added or changed, as files here")]
pub struct FilesArgs {
    /// The order
    pub order: OrderId,
    /// Print this file, a path below /workspace, to standard output
    pub file: Option<String>,
    /// Write the files there that the order added or changed
    #[arg(long, value_name = "DIR", conflicts_with = "file")]
    pub out: Option<PathBuf>,
    /// Everything that /workspace held at the end, also what the order was given
    #[arg(long, conflicts_with = "file")]
    pub all: bool,
    /// The service.
    #[command(flatten)]
    pub client: ClientArgs,
}

/// `sre logs`.
#[derive(Debug, Args)]
pub struct LogsArgs {
    /// The order
    pub order: OrderId,
    /// The service.
    #[command(flatten)]
    pub client: ClientArgs,
}

/// `sre list`.
#[derive(Debug, Args)]
pub struct ListArgs {
    /// Only orders in this state
    #[arg(long, value_parser = OrderState::SHOWN)]
    pub status: Option<String>,
    /// Only orders of the skill with this digest
    #[arg(long, value_name = "DIGEST")]
    pub skill: Option<String>,
    /// Orders to list at most
    #[arg(long, default_value_t = 50)]
    pub limit: usize,
    /// The service.
    #[command(flatten)]
    pub client: ClientArgs,
}
