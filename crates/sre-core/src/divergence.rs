//! Where a replay parted from what was committed.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Where a replay parted from what was committed. Reported, like all prose: the verdict does not
/// depend on it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Divergence {
    /// How what is committed and what the replay did differ.
    pub difference: Difference,
    /// The first thing the guest did that contradicts what is committed; null where that cannot be
    /// said. Where `repeated` is false, what is committed stands back: it is the first thing in
    /// which the second replay contradicts the first.
    pub event: Option<GuestEvent>,
    /// Why there is no event; null where there is one.
    pub no_event: Option<String>,
    /// Fuel that the replay used in all; 0 from a backend that does not count.
    pub fuel: u64,
    /// Whether a second replay on the same machine had the same outcome; null where there was none.
    pub repeated: Option<bool>,
}

/// How two outcomes differ.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Difference {
    /// The file that differs, as the program saw it; [`Difference::STDOUT`] for standard output;
    /// null where a returned value or the way of ending differs.
    pub path: Option<String>,
    /// The first byte that differs: of the file, of standard output, or of the returned values'
    /// canonical JSON; null where there are no two of them.
    pub byte: Option<u64>,
    /// The first place that differs, as a JSON pointer (RFC 6901); null unless both are results
    /// that can be read.
    pub pointer: Option<String>,
    /// What is committed there, shortened, or the committed outcome in words.
    pub committed: String,
    /// The same of the replay.
    pub replayed: String,
}

impl Difference {
    /// The path of standard output.
    pub const STDOUT: &str = "/dev/stdout";
}

/// Something that a guest did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GuestEvent {
    /// Of which kind.
    pub kind: GuestEventKind,
    /// Of a call: which of the guest's calls of the host, counted from 1. Of an end: how many calls
    /// it had made.
    pub number: u64,
    /// What it did: `wasi_snapshot_preview1.fd_write(1, 64 bytes)`.
    pub what: String,
    /// In what it contradicts: `byte 12 of standard output`.
    pub contradicts: String,
    /// Fuel it had used by then.
    pub fuel: u64,
}

/// Kinds of [`GuestEvent`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GuestEventKind {
    /// It called the host.
    Call,
    /// It came back, or was stopped in its own code.
    End,
}

impl fmt::Display for GuestEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            number,
            what,
            contradicts,
            fuel,
            ..
        } = self;
        match self.kind {
            GuestEventKind::Call => write!(
                f,
                "call {number}, {what}: {contradicts}; {fuel} fuel at that call"
            ),
            GuestEventKind::End => {
                let after = if *number == 0 {
                    String::from("before any call")
                } else {
                    format!("after call {number}")
                };
                write!(
                    f,
                    "its end {after}, where {what}: {contradicts}; {fuel} fuel by then"
                )
            }
        }
    }
}
