//! Flags of `sre verify`.

use std::path::PathBuf;

use clap::Args;
use sre_core::{Digest, DigestParseError, RuntimeKind};
use sre_sandbox::LanguageRuntime;

use crate::exit::VERIFY_CODES;

/// `sre verify`.
///
/// Fetches everything that the commitment names, recomputes every digest, runs the skill again in a
/// fresh instance, and compares. Of a receipt or a bundle also: the signature, whether the key is
/// trusted here, and the place in the log. Needs no data folder for a bundle; reads it for an
/// order, and adds nothing to it.
#[derive(Debug, Args)]
#[command(override_usage = "sre verify [OPTIONS] <ORDER | FILE>", after_long_help = format!("\
Examples:
  sre verify nightly-2026-11-22
  sre verify nightly.sre-bundle --format json | jq -r .verdict
  sre verify receipt.json --from https://skills.example.org --from ./mirror

{VERIFY_CODES}"))]
pub struct VerifyArgs {
    /// An order of the local data folder, or a file with a receipt or a bundle
    #[arg(value_name = "ORDER | FILE")]
    pub target: PathBuf,
    /// Fetch what a file lacks from there: a service, a data folder, or a folder of files named by
    /// their SHA-256 [default: the local data folder]
    #[arg(long = "from", value_name = "URL | FOLDER")]
    pub from: Vec<String>,
    /// The proof of a receipt's place in the log; a bundle has its own
    #[arg(long, value_name = "FILE")]
    pub proof: Option<PathBuf>,
    /// Whom to believe [default: the trust file of the local data folder]
    #[arg(long, value_name = "FILE")]
    pub trust: Option<PathBuf>,
    /// A receipt without a proof in a trusted log is unanchored
    #[arg(long)]
    pub require_proof: bool,
    /// So many trusted witnesses must have cosigned the checkpoint
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub witnesses: usize,
    /// Also trust this language runtime to be an interpreter; its author decides what scripts return
    /// in it
    #[arg(long = "trust-runtime", value_name = "LANGUAGE=DIGEST", value_parser = TrustedRuntime::parse)]
    pub trusted_runtimes: Vec<TrustedRuntime>,
}

/// A language runtime that this program does not ship.
#[derive(Debug, Clone)]
pub struct TrustedRuntime {
    kind: RuntimeKind,
    digest: Digest,
}

impl TrustedRuntime {
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let (language, digest) = text
            .split_once('=')
            .ok_or("expected python=DIGEST or javascript=DIGEST")?;
        let kind = match language {
            "python" => RuntimeKind::Python,
            "javascript" => RuntimeKind::Javascript,
            other => {
                return Err(format!(
                    "no language runtimes exist for {other:?}; python and javascript have them"
                ));
            }
        };
        Ok(Self {
            kind,
            digest: digest
                .parse()
                .map_err(|error: DigestParseError| error.to_string())?,
        })
    }

    /// The runtime by name; its bytes come from where the order's are.
    #[must_use]
    pub fn named(&self) -> LanguageRuntime {
        LanguageRuntime {
            kind: self.kind,
            name: "trusted by --trust-runtime".into(),
            digest: self.digest,
            packed: None,
        }
    }
}
