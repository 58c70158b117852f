//! `sre watch`: the verifier's part.
//!
//! `follow` looks at another node's log again and again; `watcher` takes what is new, part by part; `check` gives the
//! verdict on one receipt; `deliver` sends it; `memory` is what survives in between.

mod check;
mod deliver;
mod follow;
mod memory;
mod report;
mod watcher;

pub use self::follow::watch;
