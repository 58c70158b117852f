//! What the guest prints, up to its limits.

use std::os::fd::{AsFd, OwnedFd};

use crate::jail::error::JailError;
use crate::jail::report::Output;
use crate::sys::fd::{self, Waiting};

/// The reading end of one of the guest's streams.
pub struct Stream {
    /// `None` after its end.
    file: Option<OwnedFd>,
    limit_bytes: usize,
    output: Output,
}

impl Stream {
    pub fn new(file: OwnedFd, limit_bytes: usize) -> Result<Self, JailError> {
        fd::set_nonblocking(file.as_fd()).map_err(JailError::host("the guest's output"))?;
        Ok(Self {
            file: Some(file),
            limit_bytes,
            output: Output::default(),
        })
    }

    pub fn waiting(&self) -> Waiting {
        self.file
            .as_ref()
            .map_or(const { Waiting::nothing() }, Waiting::to_read)
    }

    pub fn is_over_limit(&self) -> bool {
        self.output.lost_bytes > 0
    }

    /// Reads what is there. Memory stays below the limit however much is printed.
    pub fn read(&mut self, buffer: &mut [u8]) -> Result<(), JailError> {
        let Some(file) = &self.file else {
            return Ok(());
        };
        // A guest that prints as fast as this reads must not keep the rest of the loop waiting.
        for _ in 0..64 {
            match fd::read(file.as_fd(), buffer)
                .map_err(JailError::host("reading the guest's output"))?
            {
                None => return Ok(()),
                Some(0) => {
                    self.file = None;
                    return Ok(());
                }
                Some(length) => {
                    let room = self.limit_bytes - self.output.kept.len();
                    self.output
                        .kept
                        .extend_from_slice(&buffer[..length.min(room)]);
                    self.output.lost_bytes += length.saturating_sub(room) as u64;
                }
            }
        }
        Ok(())
    }

    pub fn take_output(&mut self) -> Output {
        std::mem::take(&mut self.output)
    }
}
