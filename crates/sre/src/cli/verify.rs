//! Flags of `sre verify`.

use clap::Args;
use sre_core::OrderId;

use crate::exit::VERIFY_CODES;

/// `sre verify`.
///
/// Fetches everything that the order's commitment names, recomputes every digest, runs the skill again in a fresh
/// instance, and compares. Reads the data folder and adds nothing to it.
#[derive(Debug, Args)]
#[command(override_usage = "sre verify [OPTIONS] <ORDER>", after_long_help = format!("\
Examples:
  sre verify nightly-2026-11-22
  sre verify nightly-2026-11-22 --format json | jq -r .verdict

{VERIFY_CODES}"))]
pub struct VerifyArgs {
    /// An order of the local data folder
    pub order: OrderId,
}
