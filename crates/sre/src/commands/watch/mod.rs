//! `sre watch`: the verifier's part.
//!
//! `follow` looks at another node's log again and again; `watcher` takes what is new, part by part;
//! `part` draws receipts by `lots`; `check` gives the verdict on one; `deliver` sends it; `state`
//! and `memory` are what survives in between.

mod check;
mod deliver;
mod follow;
mod lots;
mod memory;
mod part;
mod report;
mod state;
mod watcher;

pub use self::follow::watch;
