//! Any bytes as a bundle: what is accepted is written again as the same bytes.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sre_receipt::Bundle;

fuzz_target!(|data: &[u8]| {
    if let Ok(bundle) = Bundle::parse(data) {
        assert_eq!(bundle.to_bytes(), data);
    }
});
