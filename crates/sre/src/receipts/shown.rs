//! A receipt as a service shows it: the envelope and its proof in one JSON object.

use serde::Deserialize;
use serde_json::Value;
use sre_core::canonical_json;
use sre_receipt::ENVELOPE_LIMIT_BYTES;
use sre_receipt::tlog::PROOF_LIMIT_BYTES;

/// Longest answer, in bytes: twice what envelope and proof may have, because JSON may escape and
/// indent them. What is longer is not parsed: as a tree of values it would take many times its
/// size.
const LIMIT_BYTES: usize = 2 * (ENVELOPE_LIMIT_BYTES + PROOF_LIMIT_BYTES);

/// What is in it. Nothing is checked.
#[derive(Debug, PartialEq, Eq)]
pub struct Shown {
    /// The envelope in canonical form; `None` before it is signed.
    pub receipt: Option<Vec<u8>>,
    /// The proof; `None` while it is pending.
    pub proof: Option<Vec<u8>>,
}

/// The answer of `GET /v1/orders/{id}/receipt`. More members may come to be.
#[derive(Deserialize)]
struct Form {
    status: String,
    receipt: Option<Value>,
    proof: Option<String>,
}

impl Shown {
    /// Reads what a service answered; `None` for anything else, an envelope for instance.
    #[must_use]
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        if bytes.len() > LIMIT_BYTES {
            return None;
        }
        let value = canonical_json::parse(bytes).ok()?;
        let Form {
            status,
            receipt,
            proof,
        } = serde_json::from_value(value).ok()?;
        matches!(&*status, "pending" | "logged").then(|| Self {
            receipt: receipt.as_ref().map(canonical_json::to_vec),
            proof: proof.map(String::into_bytes),
        })
    }
}
