//! A receipt as a service shows it: the envelope and its proof in one JSON object.

use serde::Deserialize;
use serde_json::Value;
use sre_core::canonical_json;

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
        let value = canonical_json::parse(bytes).ok()?;
        let Form { status, receipt, proof } = serde_json::from_value(value).ok()?;
        matches!(&*status, "pending" | "logged").then(|| Self {
            receipt: receipt.as_ref().map(canonical_json::to_vec),
            proof: proof.map(String::into_bytes),
        })
    }
}
