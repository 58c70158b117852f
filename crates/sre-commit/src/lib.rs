//! Executes a skill and commits to what it did.
//!
//! [`Committer::commit_result`](Commit::commit_result) runs the skill once, writes down the
//! outcome, stores everything that a verifier will need under its digest, and binds the digests in
//! one [`Commitment`](sre_core::Commitment). A failure of the skill is committed like a success:
//! "this skill exits 3 on this input" is a result too. What kept the skill from running at all is a
//! [`CommitError`], and nothing is committed.
//!
//! This crate does not replay, retry, or notify.

mod command;
mod committer;
mod error;
mod evidence;
mod request;

pub use committer::Committer;
pub use error::CommitError;
pub use request::{Commit, CommitRequest, Committed};
