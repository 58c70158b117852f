//! The bytes the guest draws: the ChaCha20 key stream under the order's seed, as in the Wasm world.
//!
//! Each thread has a stream of its own, so what one draws does not depend on when another does; all
//! who open `/dev/random` or `/dev/urandom` share one. Identical in every replay, and not
//! secret: the seed is published.

use std::collections::BTreeMap;

use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::{Rng as _, SeedableRng as _};

use super::GUEST;
use crate::sys::process::Pid;

/// Streams above those of threads, whose numbers have 22 bits.
const DEVICES: u64 = 1 << 32;
const PROGRAMS: u64 = 1 << 33;

/// What the pipe holds.
pub const PAGE_BYTES: usize = 4096;

/// Most streams that are kept; beyond it, those of threads that are gone are forgotten.
const KEPT_LIMIT: usize = 4096;

/// The streams of a guest.
pub struct Random {
    seed: [u8; 32],
    streams: BTreeMap<u64, ChaCha20Rng>,
}

impl Random {
    /// Streams that have not been drawn from.
    pub const fn new(seed: [u8; 32]) -> Self {
        Self {
            seed,
            streams: BTreeMap::new(),
        }
    }

    /// What `getrandom` gives a thread.
    pub fn fill(&mut self, thread: Pid, bytes: &mut [u8]) {
        self.stream(u64::try_from(thread - GUEST).unwrap_or(0))
            .fill_bytes(bytes);
    }

    /// Takes back what a thread drew last.
    pub fn take_back(&mut self, thread: Pid, length: usize) {
        let words = length.div_ceil(4) as u128;
        let stream = self.stream(u64::try_from(thread - GUEST).unwrap_or(0));
        stream.set_word_pos(stream.get_word_pos().saturating_sub(words));
    }

    /// What the next reader of the devices finds.
    pub fn next_page(&mut self) -> [u8; PAGE_BYTES] {
        let mut page = [0; PAGE_BYTES];
        self.stream(DEVICES).fill_bytes(&mut page);
        page
    }

    /// What a new program finds for the guards of its stack and its hash tables.
    pub fn at_start(&mut self, thread: Pid) -> [u8; 16] {
        let mut bytes = [0; 16];
        self.stream(PROGRAMS + u64::try_from(thread).unwrap_or(0))
            .fill_bytes(&mut bytes);
        bytes
    }

    fn stream(&mut self, number: u64) -> &mut ChaCha20Rng {
        if self.streams.len() >= KEPT_LIMIT && !self.streams.contains_key(&number) {
            self.streams.retain(|&kept, _| {
                let thread = kept % DEVICES + if kept < DEVICES { GUEST as u64 } else { 0 };
                kept == DEVICES || std::fs::exists(format!("/proc/{thread}")).unwrap_or(true)
            });
        }
        self.streams.entry(number).or_insert_with(|| {
            let mut stream = ChaCha20Rng::from_seed(self.seed);
            stream.set_stream(number);
            stream
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_are_repeatable_apart_and_can_be_undone() {
        let draw = |random: &mut Random, thread| {
            let mut bytes = [0; 10];
            random.fill(thread, &mut bytes);
            bytes
        };
        let mut random = Random::new([7; 32]);
        let first = draw(&mut random, 2);
        assert_ne!(draw(&mut random, 3), first);
        let second = draw(&mut random, 2);
        assert_ne!(second, first);
        random.take_back(2, 10);
        assert_eq!(draw(&mut random, 2), second);
        assert_eq!(draw(&mut Random::new([7; 32]), 2), first);
        assert_ne!(draw(&mut Random::new([8; 32]), 2), first);
        assert_ne!(random.next_page()[..16], random.at_start(2));
    }
}
