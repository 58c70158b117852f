//! A guest that was started before its order came.

use std::os::fd::{AsFd, OwnedFd};

use super::{Seed, view};
use crate::launcher::serve::Shared;
use crate::message;
use crate::spec::ProcessSpec;
use crate::step::{Step, StepError};
use crate::sys::fd::{self, Waiting};
use crate::sys::{file, process, socket};
use crate::wire;

/// A guest that has started and waits at its gate for the order it is to carry out.
pub(super) struct Held {
    /// The package's place, writable.
    pub package: OwnedFd,
    /// The other end of what the guest reads from, and then writes to.
    pub gate: OwnedFd,
    /// Its process.
    pub guest: OwnedFd,
}

impl Held {
    /// Waits for the order, writes its package and lets the guest go on. `None` if the guest ended
    /// before.
    pub fn release(self, seed: &Seed, shared: &Shared) -> Result<Option<Released>, StepError> {
        let mut waiting = [
            Waiting::to_read(&seed.control),
            Waiting::to_read(&self.guest),
        ];
        while !waiting.iter().any(Waiting::happened) {
            fd::poll(&mut waiting, -1).step("waiting for an order")?;
        }
        if !waiting[0].happened() {
            return Ok(None);
        }
        self.carry_out(seed, shared)
    }

    /// Receives the order that has come. `None` if there is no guest any more to carry it out: then
    /// nothing of the order has been done.
    pub fn carry_out(self, seed: &Seed, shared: &Shared) -> Result<Option<Released>, StepError> {
        let (length, mut passed) =
            socket::receive(seed.control.as_fd(), &mut [0; 8]).step("receiving an order")?;
        let (1.., Some(file)) = (length, passed.pop()) else {
            // This jail is not needed any more.
            process::exit(0);
        };
        let (spec, _) = read_spec(&file)?;
        view::fill(&self.package, &spec, shared.newest_first)?;
        let mut told = Vec::new();
        for argument in &spec.arguments {
            told.extend_from_slice(argument.as_bytes());
            told.push(0);
        }
        for (name, value) in &spec.environment {
            told.extend_from_slice(format!("\0{name}={value}").as_bytes());
        }
        // The host believes no end of this jail to be the order's before it has heard this.
        socket::send(seed.control.as_fd(), &message::taken(), &[])
            .step("telling that the order has come")?;
        let has_guest = self.open(&told)?;
        Ok(has_guest.then_some(Released {
            spec,
            gate: self.gate,
        }))
    }

    /// Writes to the gate while there is a guest to read from it; whether there was, to the end.
    fn open(&self, told: &[u8]) -> Result<bool, StepError> {
        // A socket that has room has room for so much; a longer write could wait for a guest that
        // is gone.
        for piece in told.chunks(libc::PIPE_BUF) {
            let mut waiting = [Waiting::to_read(&self.guest), Waiting::to_write(&self.gate)];
            while !waiting.iter().any(Waiting::happened) {
                fd::poll(&mut waiting, -1).step("waiting for the guest to read")?;
            }
            if waiting[0].happened() {
                return Ok(false);
            }
            fd::write_all(self.gate.as_fd(), piece).step("telling the guest its order")?;
        }
        socket::end_writing(self.gate.as_fd()).step("telling the guest its order")?;
        Ok(true)
    }
}

/// What is left of a held guest that was let go on.
pub(super) struct Released {
    pub spec: ProcessSpec,
    gate: OwnedFd,
}

impl Released {
    /// Whether the guest, which has ended, said before that it has its order, so that its end is
    /// the order's. One that was killed may be seen to live for a moment, and the kernel even reads
    /// for it, but it says nothing any more.
    pub fn was_read(&self) -> bool {
        let mut said = [Waiting::to_read(&self.gate)];
        let is_over = fd::poll(&mut said, 0).is_ok() && said[0].happened();
        is_over && fd::read(self.gate.as_fd(), &mut [0]).is_ok_and(|length| length == Some(1))
    }
}

/// The order in a file that came with it, and whether the guest is to wait for another.
pub(super) fn read_spec(file: &OwnedFd) -> Result<(ProcessSpec, bool), StepError> {
    let bytes = file::whole(file.as_fd()).step("reading the order")?;
    wire::decode(&bytes).step("reading the order")
}
