//! The three headers of Standard Webhooks.
//!
//! Signed is `id.timestamp.body`: with HMAC-SHA256 (`v1`) under the submitter's secret, and with
//! Ed25519 (`v1a`, RFC 8032) under the key of the data folder. A receiver checks the one it knows.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use hmac::Mac;

use super::keys::{CallbackKeys, keyed};

impl CallbackKeys {
    /// The value of `webhook-signature`.
    #[must_use]
    pub fn sign(&self, submitter: &str, id: &str, timestamp_seconds: i64, body: &[u8]) -> String {
        let mut signed = format!("{id}.{timestamp_seconds}.").into_bytes();
        signed.extend_from_slice(body);
        let mut mac = keyed(&self.secret_bytes(submitter));
        mac.update(&signed);
        let v1 = BASE64.encode(mac.finalize().into_bytes());
        let v1a = BASE64.encode(self.pair.sign(&signed));
        format!("v1,{v1} v1a,{v1a}")
    }
}
