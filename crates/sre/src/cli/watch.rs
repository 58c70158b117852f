//! Flags of `sre watch`.

use std::path::PathBuf;

use clap::Args;
use sre_receipt::tlog::VerifierKey;
use url::Url;

use super::TrustedRuntime;

/// `sre watch`.
///
/// Follows the transparency log of another node: checks that it only grew, reads every new entry,
/// fetches what the receipts lead to, replays all or a share of the orders, chosen by chance, and
/// always the first of every skill. Each verdict is signed with this node's key and sent to the
/// executor; one that is not matched also to the challenge URL, with the executor's receipt and one
/// of this node's own about what the replay did. Goes on where it stopped.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  sre watch --executor https://skills.example.org --share 0.1 --challenge https://court.example.org/challenges
  sre watch --executor https://skills.example.org --once --format json | jq .undetected_share_95

The executor takes verdicts of keys it trusts: give its operator the line that `sre key show` prints. Trust the executor's
key here first: `sre key trust`. If it wants a token, one with the scope read is enough, for the verdicts too; SRE_TOKEN or
--token-file gives it.

Exit codes (with --once):
  0    every order that was checked is matched, or hash_only
  1    an operating failure, or the executor does not answer or refuses everything
  2    bad usage
  21   a replay diverged
  22   something is tampered, or the log did what no log may do
  23   bytes are missing, or the log cannot be read
  24   a key is not trusted here
  25   a replay could not be carried out")]
pub struct WatchArgs {
    /// The service to follow
    #[arg(long, value_name = "URL")]
    pub executor: String,
    /// Which share of the orders to replay, from 0 to 1; the first of every skill is replayed in
    /// any case
    #[arg(long, default_value_t = 1.0, value_parser = share)]
    pub share: f64,
    /// Where challenges go: a Standard Webhook for each order that is not matched, and for a log
    /// that misbehaves
    #[arg(long, value_name = "URL")]
    pub challenge: Option<Url>,
    /// A network that challenges may go to besides public addresses, for instance 10.1.0.0/16
    #[arg(long = "challenge-network", value_name = "NETWORK")]
    pub challenge_networks: Vec<String>,
    /// Ports that challenges may go to
    #[arg(long = "challenge-port", value_name = "PORT", default_values_t = [80, 443])]
    pub challenge_ports: Vec<u16>,
    /// Look once, check what is new, and end
    #[arg(long)]
    pub once: bool,
    /// Pause between looks, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 5.0, value_parser = period)]
    pub period: f64,
    /// The log's key, besides those trusted for it here
    #[arg(long = "key", value_name = "KEY")]
    pub keys: Vec<VerifierKey>,
    /// A file with the token for the executor; SRE_TOKEN holds the token itself
    #[arg(long, env = "SRE_TOKEN_FILE", hide_env = true, value_name = "FILE")]
    pub token_file: Option<PathBuf>,
    /// Also trust this language runtime to be an interpreter; its author decides what scripts return
    /// in it
    #[arg(long = "trust-runtime", value_name = "LANGUAGE=DIGEST", value_parser = TrustedRuntime::parse)]
    pub trusted_runtimes: Vec<TrustedRuntime>,
}

fn share(text: &str) -> Result<f64, String> {
    let share: Option<f64> = text
        .parse()
        .ok()
        .filter(|share| (0.0..=1.0).contains(share));
    share.ok_or_else(|| String::from("must be a number from 0 to 1"))
}

fn period(text: &str) -> Result<f64, String> {
    let period: Option<f64> = text
        .parse()
        .ok()
        .filter(|period| (0.1..=86_400.0).contains(period));
    period.ok_or_else(|| String::from("must be a number from 0.1 to 86400"))
}
