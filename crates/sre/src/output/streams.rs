//! The two output streams. `println!` would panic when the reader has gone away, as in `sre … |
//! head -1`.

use std::io::{self, ErrorKind, Write};

use serde::Serialize;

use super::escape_json;
use crate::failure::Failure;
use sre_core::ErrorCode;

/// Writes to standard output. A reader that went away is not an error: it has read all it wanted.
///
/// # Errors
/// An operating failure, for instance when a disk is full.
pub fn stdout(bytes: &[u8]) -> Result<(), Failure> {
    let mut stdout = io::stdout().lock();
    match stdout.write_all(bytes).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(Failure::new(
            ErrorCode::OutputFailed,
            format!("cannot write to standard output: {error}"),
        )),
        _ => Ok(()),
    }
}

/// Writes to standard error, as far as it can be written to.
pub fn stderr(text: &str) {
    drop(io::stderr().write_all(text.as_bytes()));
}

/// One line of JSON, safe on a terminal.
#[must_use]
pub fn json_line<T: Serialize>(value: &T) -> String {
    // Everything this program prints has string keys and finite numbers, so it serialises.
    let json = serde_json::to_string(value).unwrap_or_default();
    escape_json(&json) + "\n"
}
