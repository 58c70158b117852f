//! Writes down what a guest was told, so that two runs can be compared call by call, and what it
//! told the host, so that a run can be compared with a claim.
//!
//! Everything that comes to a guest from outside comes through the machine, so this sees all of it.
//! It is for finding where two runs part, and costs a normal run one test for `None` per call.

use std::sync::{Arc, Mutex, PoisonError};

use sha2::{Digest as _, Sha256};
use sre_core::Digest;

use sre_core::Ending;

use crate::CallTrace;
use crate::trace::TraceBuilder;

/// Calls that are kept one by one; what comes later goes into one last entry.
const KEPT_LIMIT: usize = 100_000;

/// How much of a value is shown, in bytes.
const SHOWN_BYTES: usize = 24;

/// Something that a guest was told.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct HostResponse {
    /// What it asked for, for instance `wall clock`.
    pub call: String,
    /// SHA-256 of the answer.
    pub digest: Digest,
    /// The beginning of the answer, for people.
    pub shown: String,
}

/// A place to write it down, or none. Clones write to the same place.
#[derive(Clone, Default)]
pub(crate) struct CallRecorder(Option<Arc<Mutex<Record>>>);

#[derive(Default)]
struct Record {
    seen: Vec<HostResponse>,
    /// Over everything beyond [`KEPT_LIMIT`].
    rest: Option<Sha256>,
    trace: TraceBuilder,
}

impl CallRecorder {
    pub(crate) fn new() -> Self {
        Self(Some(Arc::default()))
    }

    /// The guest called `call` and got `bytes`.
    pub(crate) fn record_response(&self, call: &'static str, bytes: &[u8]) {
        let Some(record) = &self.0 else { return };
        let mut record = record.lock().unwrap_or_else(PoisonError::into_inner);
        if record.seen.len() < KEPT_LIMIT {
            record.seen.push(HostResponse {
                call: call.to_owned(),
                digest: Digest::of(bytes),
                shown: shown(bytes),
            });
        } else {
            let rest = record.rest.get_or_insert_with(Sha256::new);
            rest.update(call);
            rest.update(Digest::of(bytes).as_bytes());
        }
    }

    /// The same for a number.
    pub(crate) fn record_number(&self, call: &'static str, number: u64) {
        self.record_with(call, || number.to_string());
    }

    /// The same for what is only written as text while recording.
    pub(crate) fn record_with(&self, call: &'static str, text: impl FnOnce() -> String) {
        if self.0.is_some() {
            self.record_response(call, text().as_bytes());
        }
    }

    /// Whether this records.
    pub(crate) fn is_on(&self) -> bool {
        self.0.is_some()
    }

    /// The guest did something that is part of its trace.
    pub(crate) fn note(&self, note: impl FnOnce(&mut TraceBuilder)) {
        if let Some(record) = &self.0 {
            note(&mut record.lock().unwrap_or_else(PoisonError::into_inner).trace);
        }
    }

    /// The trace of a guest that ended so and had `fuel` in all; `None` without recording.
    pub(crate) fn trace(&self, ending: Ending, fuel: u64, printed: &[u8]) -> Option<CallTrace> {
        let record = self.0.as_ref()?;
        let trace =
            std::mem::take(&mut record.lock().unwrap_or_else(PoisonError::into_inner).trace);
        Some(trace.finish(ending, fuel, printed))
    }

    /// Everything it was told so far, in order.
    pub(crate) fn take(&self) -> Vec<HostResponse> {
        let Some(record) = &self.0 else {
            return Vec::new();
        };
        let mut record = record.lock().unwrap_or_else(PoisonError::into_inner);
        let (mut seen, rest) = (std::mem::take(&mut record.seen), record.rest.take());
        seen.extend(rest.map(|rest| HostResponse {
            call: format!("anything after the first {KEPT_LIMIT} answers"),
            digest: Digest::from_bytes(rest.finalize().into()),
            shown: String::new(),
        }));
        seen
    }
}

fn shown(bytes: &[u8]) -> String {
    let start = &bytes[..bytes.len().min(SHOWN_BYTES)];
    let more = if start.len() < bytes.len() { "…" } else { "" };
    match std::str::from_utf8(start) {
        Ok(text) if !text.chars().any(char::is_control) => format!("{text}{more}"),
        _ => format!(
            "0x{}{more}",
            start
                .iter()
                .map(|byte| format!("{byte:02x}"))
                .collect::<String>()
        ),
    }
}
