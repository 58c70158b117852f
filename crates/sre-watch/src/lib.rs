//! The verifier node: follows the transparency log of another node, fetches what its receipts lead
//! to, replays all orders or a sample of them, and signs and delivers what it found.
//!
//! ```text
//! log ─▶ part (256 entries) ─▶ sample ─▶ fetch, replay, compare ─▶ outbox ─▶ executor, challenge URL
//! ```
//!
//! [`follow`] looks at the log again and again; [`Watcher`] takes what is new, part by part; the
//! [`Sampler`] chooses receipts; `check` gives the verdict on one; `deliver` sends it; `state` and
//! `folder` are what survives in between.
//!
//! This crate knows no flags and no exit codes, and prints nothing: it reports by [`WatchError`], by
//! a [`WatchObserver`] and by what it logs. It runs no sandbox of its own: the caller gives it a
//! verifier.

mod check;
mod confidence;
mod deliver;
mod error;
mod folder;
mod follow;
mod log_keys;
mod options;
mod part;
mod sampler;
mod state;
mod watcher;

pub use confidence::Confidence;
pub use error::{LogFault, WatchError};
pub use follow::{follow, look_once};
pub use log_keys::{log_keys, log_origin};
pub use options::{Challenges, WatchFolders, WatchObserver, WatchOptions};
pub use sampler::Sampler;
pub use state::State;
pub use watcher::Watcher;
