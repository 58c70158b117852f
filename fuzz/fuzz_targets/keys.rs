//! Any bytes as a key file or a trust file.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sre_receipt::{PublicKey, SecretKey, Trust};

fuzz_target!(|data: &[u8]| {
    if let Ok(trust) = Trust::parse(data) {
        assert_eq!(Trust::parse(trust.to_text().as_bytes()).ok(), Some(trust));
    }
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    if let Ok(key) = PublicKey::from_pem(text) {
        assert_eq!(PublicKey::from_pem(&key.to_pem()).ok(), Some(key));
    }
    let _ = SecretKey::from_pem(text);
});
