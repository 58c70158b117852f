//! A guest that was started before its order came.

use std::os::fd::{AsFd, OwnedFd};

use super::{Seed, view};
use crate::launcher::serve::Shared;
use crate::order::Order;
use crate::step::{Step, StepError};
use crate::sys::fd::{self, Waiting};
use crate::sys::{file, process, socket};
use crate::wire;

/// A guest that has started and waits at its gate for the order it is to carry out.
pub(super) struct Held {
    /// The package's place, writable.
    pub package: OwnedFd,
    /// What the guest reads from.
    pub opens_gate: OwnedFd,
    /// Its process.
    pub guest: OwnedFd,
}

impl Held {
    /// Waits for the order, writes its package and lets the guest go on.
    pub fn release(self, seed: &Seed, shared: &Shared) -> Result<(), StepError> {
        let mut waiting = [Waiting::to_read(&seed.control), Waiting::to_read(&self.guest)];
        while !waiting.iter().any(Waiting::happened) {
            fd::poll(&mut waiting, -1).step("waiting for an order")?;
        }
        if !waiting[0].happened() {
            // It ended while it was waiting; how is told as ever.
            return Ok(());
        }
        self.carry_out(seed, shared).map(drop)
    }

    /// Receives the order that has come.
    pub fn carry_out(self, seed: &Seed, shared: &Shared) -> Result<Order, StepError> {
        let (length, mut passed) = socket::receive(seed.control.as_fd(), &mut [0; 8]).step("receiving an order")?;
        let (1.., Some(file)) = (length, passed.pop()) else {
            // Nobody needs this jail any more.
            process::exit(0);
        };
        let (order, _) = read_order(&file)?;
        view::fill(&self.package, &order, shared.newest_first)?;
        drop(self.package);
        let mut told = Vec::new();
        for argument in &order.arguments {
            told.extend_from_slice(argument.as_bytes());
            told.push(0);
        }
        for (name, value) in &order.environment {
            told.extend_from_slice(format!("\0{name}={value}").as_bytes());
        }
        // A guest that is gone does not read: how it ended is told as ever.
        drop(fd::write_all(self.opens_gate.as_fd(), &told));
        Ok(order)
    }
}

/// The order in a file that came with it, and whether the guest is to wait for another.
pub(super) fn read_order(file: &OwnedFd) -> Result<(Order, bool), StepError> {
    let bytes = file::whole(file.as_fd()).step("reading the order")?;
    wire::decode(&bytes).step("reading the order")
}
