//! What a guest told its host, call by call, to find the call that contradicts a claim.
//!
//! Only a recorded run has a trace
//! ([`Sandbox::execute_recorded`](crate::Sandbox::execute_recorded)). It keeps the calls that
//! decide the outcome, which are those that print and the one that exits; the others are counted.

use sre_core::Ending;

/// Calls that are kept one by one. What a result of the default output limit needs at most, one
/// byte each.
#[cfg(feature = "wasm")]
const KEPT_LIMIT: usize = 1 << 20;

/// A call of a guest to its host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostCall {
    /// Which of the guest's calls, counted from 1. Giving back a handle of a component is a call.
    pub number: u64,
    /// What was called with what, for people: `wasi_snapshot_preview1.fd_write(1, 64 bytes)`.
    pub call: String,
    /// Fuel the guest had used when it called.
    pub fuel: u64,
}

/// What a guest told its host, and how it ended.
#[derive(Debug, Clone)]
pub struct CallTrace {
    /// Everything it printed to standard output, up to the output limit.
    pub printed: Vec<u8>,
    /// How it ended.
    pub ending: Ending,
    /// The call that ended it: an exit, or the write that was too much. `None` where it came back
    /// by itself, or was stopped in its own code.
    pub ended_by: Option<HostCall>,
    /// How many calls it made.
    pub calls: u64,
    /// Fuel it was given.
    fuel: u64,
    writes: Vec<Write>,
}

impl CallTrace {
    /// The call that printed the byte at `at`; `None` beyond the end.
    #[must_use]
    pub fn call_that_printed(&self, at: usize) -> Option<HostCall> {
        let index = self.writes.partition_point(|write| write.end <= at);
        self.writes.get(index).map(|write| self.call(write))
    }

    fn call(&self, write: &Write) -> HostCall {
        let descriptor = write
            .descriptor
            .map_or_else(String::new, |number| format!("{number}, "));
        let bytes = if write.length == 1 { "byte" } else { "bytes" };
        let more = if write.more == 0 {
            String::new()
        } else {
            format!(" or one of the {} after it", write.more)
        };
        let call = format!(
            "{}({descriptor}{} {bytes}){more}",
            write.function, write.length
        );
        HostCall {
            number: write.number,
            call,
            fuel: self.fuel.saturating_sub(write.fuel_left),
        }
    }
}

/// A call that printed something.
#[derive(Debug, Clone)]
struct Write {
    number: u64,
    function: &'static str,
    descriptor: Option<u32>,
    fuel_left: u64,
    /// What it was to print, in bytes.
    length: u64,
    /// Length of all that was printed after it.
    end: usize,
    /// Further calls that are kept under this one, because there were too many.
    more: u64,
}

/// A trace as it grows.
#[cfg(feature = "wasm")]
#[derive(Default)]
pub(crate) struct TraceBuilder {
    calls: u64,
    function: &'static str,
    descriptor: Option<u32>,
    fuel_left: u64,
    printed: usize,
    writes: Vec<Write>,
    exit_code: Option<i32>,
}

#[cfg(feature = "wasm")]
impl TraceBuilder {
    /// A call of which nothing but its number is needed.
    pub(crate) fn count_call(&mut self) {
        self.calls += 1;
    }

    /// A call that may print or exit, at which so much fuel was left.
    pub(crate) fn note_call(&mut self, function: &'static str, fuel_left: u64) {
        self.calls += 1;
        (self.function, self.fuel_left, self.descriptor) = (function, fuel_left, None);
    }

    /// The current call writes to standard output as this descriptor.
    pub(crate) fn note_descriptor(&mut self, descriptor: u32) {
        self.descriptor = Some(descriptor);
    }

    /// The current call prints `length` bytes, of which `kept` had room.
    pub(crate) fn note_write(&mut self, length: usize, kept: usize) {
        let length = length as u64;
        self.printed += kept;
        let full = self.writes.len() >= KEPT_LIMIT;
        match self.writes.last_mut() {
            Some(last) if last.number + last.more == self.calls => {
                last.length += length;
                last.end = self.printed;
            }
            Some(last) if full => {
                last.length += length;
                last.end = self.printed;
                last.more = self.calls - last.number;
            }
            _ if length > 0 => self.writes.push(Write {
                number: self.calls,
                function: self.function,
                descriptor: self.descriptor,
                fuel_left: self.fuel_left,
                length,
                end: self.printed,
                more: 0,
            }),
            _ => {}
        }
    }

    /// The current call exits.
    pub(crate) fn note_exit(&mut self, code: i32) {
        self.exit_code = Some(code);
    }

    /// The trace of a guest that had `fuel` in all and ended so.
    pub(crate) fn finish(self, ending: Ending, fuel: u64, printed: &[u8]) -> CallTrace {
        let mut trace = CallTrace {
            printed: printed.to_vec(),
            ending,
            ended_by: None,
            calls: self.calls,
            fuel,
            writes: self.writes,
        };
        trace.ended_by = match (ending, self.exit_code) {
            (Ending::OutputLimit, _) => trace.writes.last().map(|write| trace.call(write)),
            (_, Some(code)) => {
                let fuel = fuel.saturating_sub(self.fuel_left);
                Some(HostCall {
                    number: self.calls,
                    call: format!("{}({code})", self.function),
                    fuel,
                })
            }
            (_, None) => None,
        };
        trace
    }
}
