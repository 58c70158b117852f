//! A receipt as a service shows it: the envelope and its proof in one JSON object.

use std::time::Duration;

use serde::Deserialize;
use serde_json::Value;
use sre_core::{OrderId, canonical_json};
use sre_receipt::tlog::PROOF_LIMIT_BYTES;
use sre_receipt::{ENVELOPE_LIMIT_BYTES, Envelope, Receipt};

use crate::client::Client;
use crate::error::ClientError;
use crate::request::Request;

/// How long the service is asked to wait for the proof, which follows the receipt.
const PROOF_WAIT: Duration = Duration::from_secs(10);

/// Longest answer, in bytes: twice what envelope and proof may have, because JSON may escape and
/// indent them. A longer one is not parsed: as a tree of values it would take many times its size.
const LIMIT_BYTES: usize = 2 * (ENVELOPE_LIMIT_BYTES + PROOF_LIMIT_BYTES);

/// What is in the answer. Nothing is checked.
#[derive(Debug, PartialEq, Eq)]
pub struct ShownReceipt {
    /// The envelope in canonical form; `None` before it is signed.
    pub receipt: Option<Vec<u8>>,
    /// The proof; `None` while it is pending.
    pub proof: Option<Vec<u8>>,
}

/// The receipt of an order, with its proof. Its signature is not checked.
#[derive(Debug)]
pub struct OrderReceipt {
    /// The receipt, which names the order that was asked for.
    pub receipt: Receipt,
    /// The proof; `None` while it is pending.
    pub proof: Option<Vec<u8>>,
}

/// The answer of `GET /v1/orders/{id}/receipt`. Later versions may add members.
#[derive(Deserialize)]
struct Form {
    status: String,
    receipt: Option<Value>,
    proof: Option<String>,
}

impl ShownReceipt {
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

impl Client {
    /// The receipt of an order, with its proof where that comes in time.
    ///
    /// # Errors
    /// [`ClientError`]; [`ClientError::Invalid`] for anything but a receipt of this order.
    pub async fn receipt(&self, order_id: &OrderId) -> Result<OrderReceipt, ClientError> {
        let request = Request::of_order(order_id, "receipt")
            .wait(PROOF_WAIT)
            .limit(LIMIT_BYTES);
        let answer = self.bytes(request).await?;
        let read = || {
            let ShownReceipt { receipt, proof } = ShownReceipt::parse(&answer)?;
            let receipt = Receipt::read(Envelope::parse(&receipt?).ok()?).ok()?;
            let is_asked_for = receipt.predicate().order_id == *order_id;
            is_asked_for.then_some(OrderReceipt { receipt, proof })
        };
        let invalid = "the answer is not a receipt of this order; is this the service, and has the order ended?";
        read().ok_or_else(|| ClientError::Invalid(String::from(invalid)))
    }
}
