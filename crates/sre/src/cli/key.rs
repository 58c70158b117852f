//! Flags of `sre key`.

use clap::{Subcommand, ValueEnum};
use jiff::Timestamp;
use sre_receipt::Purpose;
use sre_receipt::tlog::KeyName;

/// `sre key`: the key this node signs with, and the keys it believes.
#[derive(Debug, Subcommand)]
pub enum KeyCommand {
    /// Make the key that this node signs receipts with, and trust it
    ///
    /// `sre run` makes a key by itself if there is no key yet.
    #[command(after_long_help = "Example:\n  sre key new --name skills.example.org/log")]
    New {
        /// The node's name, which is its log's name too: a URL without its scheme [default: after
        /// the key]
        #[arg(long, value_name = "NAME")]
        name: Option<KeyName>,
    },
    /// Show this node's public key, for nodes that are to trust it
    Show {
        /// Print it as PEM (SubjectPublicKeyInfo), for other programs
        #[arg(long)]
        pem: bool,
    },
    /// List the keys that are trusted here, for what and when
    List,
    /// Trust a key
    #[command(after_long_help = "\
Examples:
  sre key trust 'skills.example.org/log+1a2b3c4d+AZ…'      what `sre key show` printed there
  sre key trust 'witness.example.org/w1+5e6f7a8b+BP…'      a witness")]
    Trust {
        /// The key in one line: name+id+base64, from its owner and by a way you trust
        #[arg(value_name = "KEY")]
        key: String,
        /// What for [default: receipt, log and verdict; witness for the key of a witness]
        #[arg(
            long = "for",
            value_enum,
            value_delimiter = ',',
            value_name = "PURPOSE"
        )]
        purposes: Vec<PurposeArg>,
        /// From when on [default: any time]
        #[arg(long, value_name = "TIME")]
        not_before: Option<Timestamp>,
        /// Until when [default: without end]
        #[arg(long, value_name = "TIME")]
        not_after: Option<Timestamp>,
    },
    /// Believe a key no longer, nor anything it ever signed
    Untrust {
        /// The key's id, or its first 8 or more digits
        #[arg(value_name = "KEY-ID")]
        id: String,
    },
    /// Replace this node's key; what the old one signed stays good
    Rotate,
}

/// What a key may be trusted for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum PurposeArg {
    /// Signs receipts
    Receipt,
    /// Signs the checkpoints of the log that has its name
    Log,
    /// Signs verdicts on others' receipts
    Verdict,
    /// Cosigns others' checkpoints
    Witness,
}

impl From<PurposeArg> for Purpose {
    fn from(argument: PurposeArg) -> Self {
        match argument {
            PurposeArg::Receipt => Self::Receipt,
            PurposeArg::Log => Self::Log,
            PurposeArg::Verdict => Self::Verdict,
            PurposeArg::Witness => Self::Witness,
        }
    }
}
