//! The signed envelope: DSSE 1.0 (<https://github.com/secure-systems-lab/dsse>) with one Ed25519
//! signature.
//!
//! An envelope is accepted in its canonical JSON (RFC 8785) only, so that it has one digest and no
//! byte of it is without meaning. DSSE allows several signatures, several encodings and a key id
//! that may be absent; a receipt has one of each.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use sre_core::ReceiptDigest;

use crate::{BadSignature, KeyId, PublicKey, SecretKey, Signature};

/// The type of what is signed: an in-toto statement.
pub const PAYLOAD_TYPE: &str = "application/vnd.in-toto+json";

/// Longest envelope, in bytes. A receipt has about 3,000.
pub const ENVELOPE_LIMIT_BYTES: usize = 256 << 10;

/// A signed statement. The signature is a claim until [`Envelope::verify`] said otherwise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Envelope {
    payload: Vec<u8>,
    key: KeyId,
    signature: Signature,
}

/// Why bytes are no envelope.
#[derive(Debug, thiserror::Error)]
pub enum EnvelopeError {
    /// Longer than [`ENVELOPE_LIMIT_BYTES`].
    #[error("the receipt has {0} bytes, the limit is {ENVELOPE_LIMIT_BYTES}")]
    TooLong(usize),
    /// Not JSON, other members than a DSSE envelope has, or values of other types.
    #[error("the receipt is no DSSE envelope: {0}")]
    Shape(#[from] serde_json::Error),
    /// The payload is something else than an in-toto statement.
    #[error("the receipt's payload type is {0:?}, not {PAYLOAD_TYPE:?}")]
    PayloadType(String),
    /// None, or more than one.
    #[error("a receipt has one signature, this one has {0}")]
    Signatures(usize),
    /// The payload is not standard base64 with padding.
    #[error("the receipt's payload is not base64")]
    Base64,
    /// The same value in other words.
    #[error("the receipt is not in canonical form (RFC 8785): it was reformatted or altered")]
    NotCanonical,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Form {
    payload: String,
    #[serde(rename = "payloadType")]
    payload_type: String,
    signatures: Vec<FormSignature>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FormSignature {
    keyid: KeyId,
    sig: Signature,
}

impl Envelope {
    /// Signs `payload`, the canonical JSON of a statement.
    #[must_use]
    pub fn sign(payload: Vec<u8>, key: &SecretKey) -> Self {
        let signature = key.sign(&pre_authentication_encoding(&payload));
        Self {
            payload,
            key: key.public().id(),
            signature,
        }
    }

    /// Reads an envelope. Nothing is verified.
    ///
    /// # Errors
    /// [`EnvelopeError`] says what is wrong with it.
    pub fn parse(bytes: &[u8]) -> Result<Self, EnvelopeError> {
        if bytes.len() > ENVELOPE_LIMIT_BYTES {
            return Err(EnvelopeError::TooLong(bytes.len()));
        }
        // Whatever this tolerates, the comparison below does not.
        let mut form: Form = serde_json::from_slice(bytes)?;
        if form.payload_type != PAYLOAD_TYPE {
            return Err(EnvelopeError::PayloadType(
                form.payload_type.chars().take(80).collect(),
            ));
        }
        if form.signatures.len() != 1 {
            return Err(EnvelopeError::Signatures(form.signatures.len()));
        }
        let FormSignature { keyid, sig } = form.signatures.remove(0);
        let payload = STANDARD
            .decode(&form.payload)
            .map_err(|_| EnvelopeError::Base64)?;
        let envelope = Self {
            payload,
            key: keyid,
            signature: sig,
        };
        if envelope.to_canonical() == bytes {
            Ok(envelope)
        } else {
            Err(EnvelopeError::NotCanonical)
        }
    }

    /// The canonical JSON: what is stored, sent and logged.
    #[must_use]
    pub fn to_canonical(&self) -> Vec<u8> {
        // Written by hand, because it is made and compared with each receipt: names in order, and no
        // text that JSON escapes.
        let (payload, signature) = (
            STANDARD.encode(&self.payload),
            STANDARD.encode(self.signature.as_bytes()),
        );
        format!(
            r#"{{"payload":"{payload}","payloadType":"{PAYLOAD_TYPE}","signatures":[{{"keyid":"{}","sig":"{signature}"}}]}}"#,
            self.key
        )
        .into_bytes()
    }

    /// The SHA-256 of the canonical JSON.
    #[must_use]
    pub fn digest(&self) -> ReceiptDigest {
        ReceiptDigest::of(&self.to_canonical())
    }

    /// What is signed. Not to be believed before it was verified.
    #[must_use]
    pub fn payload(&self) -> &[u8] {
        &self.payload
    }

    /// Which key is said to have signed.
    #[must_use]
    pub fn key(&self) -> KeyId {
        self.key
    }

    /// Checks that `key` signed the payload and is the one that is said to have.
    ///
    /// # Errors
    /// [`BadSignature`].
    pub fn verify(&self, key: &PublicKey) -> Result<(), BadSignature> {
        if key.id() != self.key {
            return Err(BadSignature);
        }
        key.verify(&pre_authentication_encoding(&self.payload), &self.signature)
    }
}

/// DSSE's PAE: payload type and payload with their lengths, so that neither can run into the other.
fn pre_authentication_encoding(payload: &[u8]) -> Vec<u8> {
    let head = format!(
        "DSSEv1 {} {PAYLOAD_TYPE} {} ",
        PAYLOAD_TYPE.len(),
        payload.len()
    );
    [head.as_bytes(), payload].concat()
}
