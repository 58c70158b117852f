//! `wasi:io`: streams, pollables, errors.
//!
//! Nothing blocks: input is in memory, output has room or ends the guest, and waiting moves the
//! virtual clock.

use wasmtime::component::Resource;

use super::Guest;
use super::bindings::wasi::io::{error, poll, streams};
use crate::machine::{FileError, Halt, NodeId};

/// What an output stream takes at once, in bytes.
const WRITE_PERMIT_BYTES: u64 = 64 << 10;

/// Pollables one call may wait for.
const POLL_LIMIT: usize = 4096;

/// Something to wait for.
pub enum Pollable {
    Ready,
    /// A monotonic instant.
    At(u64),
}

/// Why a stream operation failed, as the guest may ask.
pub struct StreamFault(String);

pub enum InputStream {
    Stdin,
    File { node: NodeId, offset: u64 },
}

pub enum OutputStream {
    Stdout,
    Stderr,
    /// At an offset; `None` is the end.
    File {
        node: NodeId,
        offset: Option<u64>,
    },
}

/// A stream operation's failure on its way to the guest.
pub enum StreamError {
    Closed,
    File(FileError),
    Trap(wasmtime::Error),
}

impl From<FileError> for StreamError {
    fn from(error: FileError) -> Self {
        Self::File(error)
    }
}

impl From<Halt> for StreamError {
    fn from(halt: Halt) -> Self {
        Self::Trap(wasmtime::Error::new(halt))
    }
}

impl From<wasmtime::component::ResourceTableError> for StreamError {
    fn from(error: wasmtime::component::ResourceTableError) -> Self {
        Self::Trap(error.into())
    }
}

impl error::Host for Guest {}

impl error::HostError for Guest {
    fn to_debug_string(&mut self, fault: Resource<StreamFault>) -> wasmtime::Result<String> {
        Ok(self.resources.get(&fault)?.0.clone())
    }

    fn drop(&mut self, fault: Resource<StreamFault>) -> wasmtime::Result<()> {
        self.resources.delete(fault)?;
        Ok(())
    }
}

impl Guest {
    fn ready_at(&self, pollable: &Resource<Pollable>) -> wasmtime::Result<u64> {
        Ok(match self.resources.get(pollable)? {
            Pollable::Ready => 0,
            Pollable::At(when) => *when,
        })
    }
}

impl poll::Host for Guest {
    fn poll(&mut self, pollables: Vec<Resource<Pollable>>) -> wasmtime::Result<Vec<u32>> {
        if pollables.len() > POLL_LIMIT {
            wasmtime::bail!("poll of more than {POLL_LIMIT} things at once");
        }
        let times = pollables
            .iter()
            .map(|pollable| self.ready_at(pollable))
            .collect::<Result<Vec<_>, _>>()?;
        let Some(&first) = times.iter().min() else {
            wasmtime::bail!("poll of an empty list would never return");
        };
        self.machine
            .clock
            .sleep_until(first)
            .map_err(wasmtime::Error::new)?;
        let now = self.machine.clock.peek_ns();
        Ok((0..)
            .zip(times)
            .filter(|&(_, at)| at <= now)
            .map(|(index, _)| index)
            .collect())
    }
}

impl poll::HostPollable for Guest {
    fn ready(&mut self, pollable: Resource<Pollable>) -> wasmtime::Result<bool> {
        let at = self.ready_at(&pollable)?;
        // Asking takes time, like reading the clock: a guest that spins on this gets there.
        Ok(at == 0
            || at
                <= self
                    .machine
                    .clock
                    .monotonic_ns()
                    .map_err(wasmtime::Error::new)?)
    }

    fn block(&mut self, pollable: Resource<Pollable>) -> wasmtime::Result<()> {
        let at = self.ready_at(&pollable)?;
        self.machine
            .clock
            .sleep_until(at)
            .map_err(wasmtime::Error::new)
    }

    fn drop(&mut self, pollable: Resource<Pollable>) -> wasmtime::Result<()> {
        self.resources.delete(pollable)?;
        Ok(())
    }
}

impl streams::Host for Guest {
    fn convert_stream_error(
        &mut self,
        error: StreamError,
    ) -> wasmtime::Result<streams::StreamError> {
        Ok(match error {
            StreamError::Closed => streams::StreamError::Closed,
            StreamError::File(error) => {
                let fault = self.resources.push(StreamFault(format!("{error:?}")))?;
                streams::StreamError::LastOperationFailed(fault)
            }
            StreamError::Trap(error) => return Err(error),
        })
    }
}

impl Guest {
    /// The next bytes of `stream`, at most `limit`; `Closed` at the end.
    fn take(&mut self, stream: &Resource<InputStream>, limit: u64) -> Result<&[u8], StreamError> {
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        match self.resources.get_mut(stream)? {
            InputStream::Stdin => {
                let length = self.machine.stdin.remaining().min(limit);
                if length == 0 && limit > 0 {
                    return Err(StreamError::Closed);
                }
                self.machine.stdin.advance(length);
                Ok(self.machine.stdin.just_read(length))
            }
            InputStream::File { node, offset } => {
                let bytes = self.machine.files.read_at(*node, *offset, limit)?;
                if bytes.is_empty() && limit > 0 {
                    return Err(StreamError::Closed);
                }
                *offset += bytes.len() as u64;
                Ok(bytes)
            }
        }
    }

    fn put(&mut self, stream: &Resource<OutputStream>, bytes: &[u8]) -> Result<(), StreamError> {
        match self.resources.get_mut(stream)? {
            OutputStream::Stdout => self.machine.stdout.write(bytes)?,
            OutputStream::Stderr => self.machine.stderr.write(bytes),
            OutputStream::File { node, offset } => {
                let at = match offset {
                    Some(at) => *at,
                    None => self.machine.files.stat(*node)?.size,
                };
                let now = self.machine.clock.realtime_ns()?;
                self.machine.files.write_at(*node, at, bytes, now)?;
                if let Some(at) = offset {
                    *at += bytes.len() as u64;
                }
            }
        }
        Ok(())
    }

    fn put_zeroes(
        &mut self,
        stream: &Resource<OutputStream>,
        length: u64,
    ) -> Result<(), StreamError> {
        if length > WRITE_PERMIT_BYTES {
            return Err(StreamError::Trap(wasmtime::format_err!(
                "zeroes beyond what check-write permitted"
            )));
        }
        self.put(stream, &vec![0; length as usize])
    }

    fn splice_bytes(
        &mut self,
        to: &Resource<OutputStream>,
        from: &Resource<InputStream>,
        length: u64,
    ) -> Result<u64, StreamError> {
        let bytes = self.take(from, length.min(WRITE_PERMIT_BYTES))?.to_vec();
        self.put(to, &bytes)?;
        Ok(bytes.len() as u64)
    }
}

impl streams::HostInputStream for Guest {
    fn read(&mut self, stream: Resource<InputStream>, length: u64) -> Result<Vec<u8>, StreamError> {
        Ok(self.take(&stream, length)?.to_vec())
    }

    fn blocking_read(
        &mut self,
        stream: Resource<InputStream>,
        length: u64,
    ) -> Result<Vec<u8>, StreamError> {
        Ok(self.take(&stream, length)?.to_vec())
    }

    fn skip(&mut self, stream: Resource<InputStream>, length: u64) -> Result<u64, StreamError> {
        Ok(self.take(&stream, length)?.len() as u64)
    }

    fn blocking_skip(
        &mut self,
        stream: Resource<InputStream>,
        length: u64,
    ) -> Result<u64, StreamError> {
        Ok(self.take(&stream, length)?.len() as u64)
    }

    fn subscribe(&mut self, stream: Resource<InputStream>) -> wasmtime::Result<Resource<Pollable>> {
        Ok(self.resources.push_child(Pollable::Ready, &stream)?)
    }

    fn drop(&mut self, stream: Resource<InputStream>) -> wasmtime::Result<()> {
        if let InputStream::File { node, .. } = self.resources.delete(stream)? {
            self.machine.files.close(node);
        }
        Ok(())
    }
}

impl streams::HostOutputStream for Guest {
    fn check_write(&mut self, stream: Resource<OutputStream>) -> Result<u64, StreamError> {
        self.resources.get(&stream)?;
        Ok(WRITE_PERMIT_BYTES)
    }

    fn write(&mut self, stream: Resource<OutputStream>, bytes: Vec<u8>) -> Result<(), StreamError> {
        self.put(&stream, &bytes)
    }

    fn blocking_write_and_flush(
        &mut self,
        stream: Resource<OutputStream>,
        bytes: Vec<u8>,
    ) -> Result<(), StreamError> {
        self.put(&stream, &bytes)
    }

    fn flush(&mut self, stream: Resource<OutputStream>) -> Result<(), StreamError> {
        self.resources.get(&stream)?;
        Ok(())
    }

    fn blocking_flush(&mut self, stream: Resource<OutputStream>) -> Result<(), StreamError> {
        self.resources.get(&stream)?;
        Ok(())
    }

    fn subscribe(
        &mut self,
        stream: Resource<OutputStream>,
    ) -> wasmtime::Result<Resource<Pollable>> {
        Ok(self.resources.push_child(Pollable::Ready, &stream)?)
    }

    fn write_zeroes(
        &mut self,
        stream: Resource<OutputStream>,
        length: u64,
    ) -> Result<(), StreamError> {
        self.put_zeroes(&stream, length)
    }

    fn blocking_write_zeroes_and_flush(
        &mut self,
        stream: Resource<OutputStream>,
        length: u64,
    ) -> Result<(), StreamError> {
        self.put_zeroes(&stream, length)
    }

    fn splice(
        &mut self,
        to: Resource<OutputStream>,
        from: Resource<InputStream>,
        length: u64,
    ) -> Result<u64, StreamError> {
        self.splice_bytes(&to, &from, length)
    }

    fn blocking_splice(
        &mut self,
        to: Resource<OutputStream>,
        from: Resource<InputStream>,
        length: u64,
    ) -> Result<u64, StreamError> {
        self.splice_bytes(&to, &from, length)
    }

    fn drop(&mut self, stream: Resource<OutputStream>) -> wasmtime::Result<()> {
        if let OutputStream::File { node, .. } = self.resources.delete(stream)? {
            self.machine.files.close(node);
        }
        Ok(())
    }
}
