//! The one value that binds everything that decided a result.

use serde::{Deserialize, Serialize};

use crate::{
    CommitmentDigest, InputDigest, InvocationDigest, OutcomeDigest, ProfileDigest, RuntimeDigest,
    SkillDigest, TranscriptDigest, canonical_json,
};

/// Format name inside every commitment of this version.
pub const COMMITMENT_FORMAT: &str = "sre.commitment/v1";

/// Binds what went in (skill, input, invocation, profile, engine, recorded network) to what came
/// out. Its digest is what a receipt vouches for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Commitment {
    /// [`COMMITMENT_FORMAT`].
    pub format: String,
    /// What ran.
    pub skill: SkillDigest,
    /// The JSON object it was given. In the command contract that is `{}`.
    pub input: InputDigest,
    /// How it was called in the command contract; absent in the JSON contract.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub invocation: Option<InvocationDigest>,
    /// Under which limits, clock and seed.
    pub profile: ProfileDigest,
    /// By which engine.
    pub runtime: RuntimeDigest,
    /// What the network answered; absent where there was none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transcript: Option<TranscriptDigest>,
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
