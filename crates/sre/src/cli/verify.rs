//! Flags of `sre verify`.

use clap::Args;
use sre_core::{Digest, DigestParseError, OrderId, RuntimeKind};
use sre_sandbox::LanguageRuntime;

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
    /// Also trust this language runtime to be an interpreter; whoever made it decides what scripts return in it
    #[arg(long = "trust-runtime", value_name = "LANGUAGE=DIGEST", value_parser = TrustedRuntime::parse)]
    pub trusted_runtimes: Vec<TrustedRuntime>,
}

/// A language runtime that is no part of this program.
#[derive(Debug, Clone)]
pub struct TrustedRuntime {
    kind: RuntimeKind,
    digest: Digest,
}

impl TrustedRuntime {
    fn parse(text: &str) -> Result<Self, String> {
        let (language, digest) = text.split_once('=').ok_or("expected python=DIGEST or javascript=DIGEST")?;
        let kind = match language {
            "python" => RuntimeKind::Python,
            "javascript" => RuntimeKind::Javascript,
            other => return Err(format!("no language runtimes exist for {other:?}; python and javascript have them")),
        };
        Ok(Self { kind, digest: digest.parse().map_err(|error: DigestParseError| error.to_string())? })
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
