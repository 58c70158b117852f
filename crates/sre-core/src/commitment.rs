//! The one value that binds everything that decided a result.

use serde::{Deserialize, Serialize};

use crate::{
    CommitmentDigest, InputDigest, OutcomeDigest, ProfileDigest, RuntimeDigest, SkillDigest,
    canonical_json,
};

/// Format name inside every commitment of this version.
pub const COMMITMENT_FORMAT: &str = "sre.commitment/v1";

/// Binds skill, input, profile, runtime and outcome. Its digest is what a receipt vouches for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Commitment {
    /// [`COMMITMENT_FORMAT`].
    pub format: String,
    /// What ran.
    pub skill: SkillDigest,
    /// On what.
    pub input: InputDigest,
    /// Under which limits, clock and seed.
    pub profile: ProfileDigest,
    /// By which engine.
    pub runtime: RuntimeDigest,
    /// What it did.
    pub outcome: OutcomeDigest,
}

impl Commitment {
    /// The canonical JSON that is stored and digested.
    #[must_use]
    pub fn to_canonical(&self) -> Vec<u8> {
        canonical_json::to_vec(self)
    }

    /// The commitment's digest.
    #[must_use]
    pub fn digest(&self) -> CommitmentDigest {
        CommitmentDigest::of(&self.to_canonical())
    }
}
