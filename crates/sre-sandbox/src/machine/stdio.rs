//! The guest's standard streams.

use std::sync::Arc;

use super::{CallRecorder, Halt};

/// Bytes to read, once.
pub(crate) struct Stdin {
    bytes: Arc<[u8]>,
    at: usize,
    recorder: CallRecorder,
}

impl Stdin {
    pub(crate) fn new(bytes: Arc<[u8]>, recorder: CallRecorder) -> Self {
        Self {
            bytes,
            at: 0,
            recorder,
        }
    }

    /// Up to `limit` bytes, `ahead` bytes after what was read; empty at the end.
    pub(crate) fn peek(&self, ahead: usize, limit: usize) -> &[u8] {
        let start = self.bytes.len().min(self.at.saturating_add(ahead));
        let end = self.bytes.len().min(start.saturating_add(limit));
        &self.bytes[start..end]
    }

    /// Counts `length` peeked bytes as read.
    pub(crate) fn advance(&mut self, length: usize) {
        let from = self.at;
        self.at = self.bytes.len().min(self.at.saturating_add(length));
        self.recorder
            .record_response("standard input", &self.bytes[from..self.at]);
    }

    /// The last `length` bytes that were read.
    pub(crate) fn just_read(&self, length: usize) -> &[u8] {
        &self.bytes[self.at.saturating_sub(length)..self.at]
    }

    pub(crate) fn remaining(&self) -> usize {
        self.bytes.len() - self.at
    }
}

/// What the guest printed. Exceeding the limit ends the guest: the result could not be complete.
pub(crate) struct Stdout {
    bytes: Vec<u8>,
    limit: usize,
    recorder: CallRecorder,
}

impl Stdout {
    pub(crate) fn new(limit: usize, recorder: CallRecorder) -> Self {
        Self {
            bytes: Vec::new(),
            limit,
            recorder,
        }
    }

    /// The guest is about to write as `descriptor`.
    pub(crate) fn through(&self, descriptor: u32) {
        self.recorder
            .note(|trace| trace.note_descriptor(descriptor));
    }

    pub(crate) fn write(&mut self, bytes: &[u8]) -> Result<(), Halt> {
        let room = self.limit - self.bytes.len();
        let kept = bytes.len().min(room);
        self.bytes.extend_from_slice(&bytes[..kept]);
        self.recorder
            .note(|trace| trace.note_write(bytes.len(), kept));
        if bytes.len() > room {
            Err(Halt::OutputLimit)
        } else {
            Ok(())
        }
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }
}

/// What the guest logged. Exceeding the limit cuts the log and goes on: a talkative skill is not a
/// failed one.
pub(crate) struct Log {
    bytes: Vec<u8>,
    limit: usize,
    dropped: u64,
}

impl Log {
    pub(crate) fn new(limit: usize) -> Self {
        Self {
            bytes: Vec::new(),
            limit,
            dropped: 0,
        }
    }

    pub(crate) fn write(&mut self, bytes: &[u8]) {
        let kept = bytes.len().min(self.limit - self.bytes.len());
        self.bytes.extend_from_slice(&bytes[..kept]);
        self.dropped += (bytes.len() - kept) as u64;
    }

    /// The log as text; a last line says how much was cut.
    pub(crate) fn to_text(&self) -> String {
        let mut text = String::from_utf8_lossy(&self.bytes).into_owned();
        if self.dropped > 0 {
            text.push_str(&format!("\n[log truncated: {} more bytes]\n", self.dropped));
        }
        text
    }
}
