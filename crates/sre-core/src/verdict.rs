//! What a verification found.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::Divergence;

/// The verdict on a commitment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Every digest was recomputed and the replay gave the same outcome.
    Matched,
    /// Digests hold; the skill declares itself not repeatable, so it was not replayed.
    HashOnly,
    /// The replay gave another outcome.
    Diverged,
    /// A digest or signature does not hold.
    Tampered,
    /// Bytes that the check needs cannot be had.
    Unavailable,
    /// All holds, but the signing key is not trusted here.
    Unanchored,
    /// The replay itself could not be carried out.
    Unverifiable,
}

impl Verdict {
    /// Every verdict.
    pub const ALL: [Self; 7] = [
        Self::Matched,
        Self::HashOnly,
        Self::Diverged,
        Self::Tampered,
        Self::Unavailable,
        Self::Unanchored,
        Self::Unverifiable,
    ];

    /// Whether an order with this verdict counts as verified.
    #[must_use]
    pub const fn is_valid(self) -> bool {
        matches!(self, Self::Matched | Self::HashOnly)
    }

    /// The exit code of `sre verify`.
    #[must_use]
    pub const fn exit_code(self) -> u8 {
        match self {
            Self::Matched => 0,
            Self::HashOnly => 20,
            Self::Diverged => 21,
            Self::Tampered => 22,
            Self::Unavailable => 23,
            Self::Unanchored => 24,
            Self::Unverifiable => 25,
        }
    }

    /// The name used in JSON.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Matched => "matched",
            Self::HashOnly => "hash_only",
            Self::Diverged => "diverged",
            Self::Tampered => "tampered",
            Self::Unavailable => "unavailable",
            Self::Unanchored => "unanchored",
            Self::Unverifiable => "unverifiable",
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// How the commitment was checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Method {
    /// Digests recomputed and the run repeated.
    Replay,
    /// Digests recomputed only.
    Hash,
}

/// What a verification found, check by check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VerifyResult {
    /// Whether the verdict is `matched` or `hash_only`.
    pub is_valid: bool,
    /// The verdict.
    pub verdict: Verdict,
    /// How it was checked.
    pub method: Method,
    /// The committed hash: of the result where the skill returned one, else of the outcome.
    pub expected_hash: String,
    /// The hash found: of the replay, or of the stored bytes where nothing was replayed; null when
    /// it never got there.
    pub actual_hash: Option<String>,
    /// What is wrong; null when valid.
    pub error: Option<String>,
    /// Every check that was made, in order.
    pub checks: Vec<Check>,
    /// Where the replay parted from what was committed; absent unless there was one that did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub divergence: Option<Box<Divergence>>,
}

/// One check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Check {
    /// What was checked, for instance `input` or `replay`.
    pub name: String,
    /// What came out.
    pub status: CheckStatus,
    /// More about it; null when there is nothing to add.
    pub detail: Option<String>,
}

/// Result of one check.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CheckStatus {
    /// It holds.
    Passed,
    /// It does not hold.
    Failed,
    /// It was not made, for the reason in the detail.
    Skipped,
}
