//! Any bytes as JSON; canonical JSON is a fixed point.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sre_core::canonical_json;

fuzz_target!(|data: &[u8]| {
    let Ok(value) = canonical_json::parse(data) else {
        return;
    };
    let canonical = canonical_json::to_vec(&value);
    let again = canonical_json::parse(&canonical).expect("canonical JSON is read");
    assert_eq!(canonical_json::to_vec(&again), canonical);
});
