//! Any bytes as an order, as a message of a jail, and as what a jail's process saw of itself.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| sre_jail::fuzz_decode(data));
