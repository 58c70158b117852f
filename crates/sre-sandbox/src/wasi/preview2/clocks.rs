//! `wasi:clocks` on the virtual clock.

use wasmtime::component::Resource;

use super::Guest;
use super::bindings::wasi::clocks::{monotonic_clock, wall_clock};
use super::io::Pollable;
use crate::machine::CLOCK_RESOLUTION_NS;

const NS_PER_SECOND: u64 = 1_000_000_000;

impl monotonic_clock::Host for Guest {
    fn now(&mut self) -> wasmtime::Result<u64> {
        self.machine
            .clock
            .monotonic_ns()
            .map_err(wasmtime::Error::new)
    }

    fn resolution(&mut self) -> wasmtime::Result<u64> {
        Ok(CLOCK_RESOLUTION_NS)
    }

    fn subscribe_instant(&mut self, when: u64) -> wasmtime::Result<Resource<Pollable>> {
        Ok(self.resources.push(Pollable::At(when))?)
    }

    fn subscribe_duration(&mut self, duration: u64) -> wasmtime::Result<Resource<Pollable>> {
        let when = self.machine.clock.peek_ns().saturating_add(duration);
        Ok(self.resources.push(Pollable::At(when))?)
    }
}

impl wall_clock::Host for Guest {
    fn now(&mut self) -> wasmtime::Result<wall_clock::Datetime> {
        let now = self
            .machine
            .clock
            .realtime_ns()
            .map_err(wasmtime::Error::new)?;
        Ok(datetime(now))
    }

    fn resolution(&mut self) -> wasmtime::Result<wall_clock::Datetime> {
        Ok(datetime(CLOCK_RESOLUTION_NS))
    }
}

pub(super) fn datetime(ns: u64) -> wall_clock::Datetime {
    // The remainder is below 10⁹ and fits.
    wall_clock::Datetime {
        seconds: ns / NS_PER_SECOND,
        nanoseconds: (ns % NS_PER_SECOND) as u32,
    }
}

pub(super) fn nanoseconds(at: wall_clock::Datetime) -> u64 {
    at.seconds
        .saturating_mul(NS_PER_SECOND)
        .saturating_add(u64::from(at.nanoseconds))
}
