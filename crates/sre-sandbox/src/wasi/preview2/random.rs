//! `wasi:random` from the order's seed. Secure and insecure are the same stream: both are
//! repeatable here.

use super::Guest;
use super::bindings::wasi::random::{insecure, insecure_seed, random};
use crate::machine::REQUEST_LIMIT_BYTES;

fn bytes(guest: &mut Guest, length: u64) -> wasmtime::Result<Vec<u8>> {
    if length > REQUEST_LIMIT_BYTES {
        wasmtime::bail!("more than {REQUEST_LIMIT_BYTES} random bytes asked for in one call");
    }
    let mut bytes = vec![0; length as usize];
    guest.machine.random.fill(&mut bytes);
    Ok(bytes)
}

impl random::Host for Guest {
    fn get_random_bytes(&mut self, length: u64) -> wasmtime::Result<Vec<u8>> {
        bytes(self, length)
    }

    fn get_random_u64(&mut self) -> wasmtime::Result<u64> {
        Ok(self.machine.random.next_u64())
    }
}

impl insecure::Host for Guest {
    fn get_insecure_random_bytes(&mut self, length: u64) -> wasmtime::Result<Vec<u8>> {
        bytes(self, length)
    }

    fn get_insecure_random_u64(&mut self) -> wasmtime::Result<u64> {
        Ok(self.machine.random.next_u64())
    }
}

impl insecure_seed::Host for Guest {
    fn insecure_seed(&mut self) -> wasmtime::Result<(u64, u64)> {
        Ok((
            self.machine.random.next_u64(),
            self.machine.random.next_u64(),
        ))
    }
}
