//! The guest's randomness: the ChaCha20 key stream (RFC 8439's cipher, 64-bit counter) under the
//! order's seed.
//!
//! Unpredictable without the seed and identical in every replay. Not secret:
//! the seed is published, so a skill must not make keys from it.

use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::{Rng as _, SeedableRng as _};
use sre_core::Seed;

use super::CallRecorder;

/// Random bytes one call may ask for: a host call cannot be interrupted, so it must be short.
pub(crate) const REQUEST_LIMIT_BYTES: u64 = 16 << 20;

pub(crate) struct SeededRandom {
    stream: ChaCha20Rng,
    recorder: CallRecorder,
}

impl SeededRandom {
    pub(crate) fn new(seed: Seed, recorder: CallRecorder) -> Self {
        Self {
            stream: ChaCha20Rng::from_seed(*seed.as_bytes()),
            recorder,
        }
    }

    pub(crate) fn fill(&mut self, bytes: &mut [u8]) {
        self.stream.fill_bytes(bytes);
        self.recorder.record_response("random bytes", bytes);
    }

    pub(crate) fn next_u64(&mut self) -> u64 {
        let number = self.stream.next_u64();
        self.recorder.record_number("random number", number);
        number
    }
}
