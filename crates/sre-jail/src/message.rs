//! What launcher and jail tell the host, one message each on the socket of the run.

use std::io;

use crate::step::StepError;
use crate::wire::{Reader, Writer};

const READY: u64 = 1;
const STARTED: u64 = 2;
const FAILED: u64 = 3;
const MEASURED: u64 = 4;
const ENDED: u64 = 5;
const REPEATABLE: u64 = 6;
const TAKEN: u64 = 7;
const UNUSED: u64 = 8;

/// Longest message, in bytes.
pub const LIMIT_BYTES: usize = 64 << 10;

/// A message.
#[derive(Debug)]
pub enum Message {
    /// The launcher takes orders; why none can be given a world of its own here, if so.
    Ready(Option<String>),
    /// The first process of the jail exists; its descriptor came along.
    Started,
    /// A step before the guest failed.
    Failed(StepError),
    /// What the jail's process saw of itself right before it became the guest.
    Measured(Vec<u8>),
    /// The guest's first program has started in a world of its own, which was looked at.
    Repeatable,
    /// A jail made ahead has an order, and its guest, which lives, is about to be let go on.
    Taken,
    /// The guest of a jail made ahead ended before there was an order for it. Nothing of any order
    /// was done.
    Unused,
    /// The guest ended by itself.
    Ended(Usage),
}

/// How the guest ended and what its processes used, as its first process saw it.
#[derive(Debug, Clone, Copy, Default)]
pub struct Usage {
    /// As `wait` encodes it.
    pub status: i32,
    /// Processor time in microseconds.
    pub cpu_us: u64,
    /// Largest resident set of one process, in bytes.
    pub peak_resident_bytes: u64,
}

fn writer(tag: u64) -> Writer {
    let mut out = Writer(Vec::new());
    out.number(tag);
    out
}

/// See [`Message::Ready`].
pub fn ready(unrepeatable: Option<&str>) -> Vec<u8> {
    let mut out = writer(READY);
    out.bytes(unrepeatable.unwrap_or_default().as_bytes());
    out.0
}

/// See [`Message::Repeatable`].
pub fn repeatable() -> Vec<u8> {
    writer(REPEATABLE).0
}

/// See [`Message::Taken`].
pub fn taken() -> Vec<u8> {
    writer(TAKEN).0
}

/// See [`Message::Unused`].
pub fn unused() -> Vec<u8> {
    writer(UNUSED).0
}

/// See [`Message::Started`].
pub fn started() -> Vec<u8> {
    writer(STARTED).0
}

/// See [`Message::Failed`].
pub fn failure(error: &StepError) -> Vec<u8> {
    let mut out = writer(FAILED);
    out.bytes(error.step.as_bytes());
    out.bytes(error.why.as_bytes());
    out.number(error.errno as u64);
    out.0
}

/// See [`Message::Measured`].
pub fn measured(bytes: &[u8]) -> Vec<u8> {
    let mut out = writer(MEASURED);
    out.bytes(bytes);
    out.0
}

/// See [`Message::Ended`].
pub fn ended(usage: &Usage) -> Vec<u8> {
    let mut out = writer(ENDED);
    out.number(usage.status as u64);
    out.number(usage.cpu_us);
    out.number(usage.peak_resident_bytes);
    out.0
}

/// Reads a message.
///
/// # Errors
/// `InvalidData` for anything the functions above do not write.
pub fn parse(bytes: &[u8]) -> io::Result<Message> {
    let mut from = Reader(bytes);
    Ok(match from.number()? {
        READY => Message::Ready(Some(from.text()?).filter(|why| !why.is_empty())),
        REPEATABLE => Message::Repeatable,
        TAKEN => Message::Taken,
        UNUSED => Message::Unused,
        STARTED => Message::Started,
        FAILED => {
            let (step, why) = (from.text()?, from.text()?);
            Message::Failed(StepError {
                step,
                why,
                errno: from.number()? as i32,
            })
        }
        MEASURED => Message::Measured(from.bytes()?.to_vec()),
        ENDED => {
            let (status, cpu_us) = (from.number()? as i32, from.number()?);
            Message::Ended(Usage {
                status,
                cpu_us,
                peak_resident_bytes: from.number()?,
            })
        }
        _ => {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                "an unknown message",
            ));
        }
    })
}
