//! Checks a commitment: every digest recomputed, the run replayed and compared.
//!
//! [`Verifier`] takes what an executor claims ([`CommitResult`](sre_core::CommitResult)), fetches
//! everything it names from a store, recomputes every digest, runs the skill again in a fresh
//! instance and compares outcomes. Whatever it finds is a [`VerifyResult`](sre_core::VerifyResult)
//! with one line per check; there is no error besides: not being able to check is a verdict too.
//!
//! It shares the sandbox with the executor and nothing else. It does not depend on the commit
//! stage, the orchestrator or the service, so anyone can check.

mod call;
mod chain;
mod difference;
mod divergence;
mod evidence;
mod expectation;
mod files;
mod first_divergence;
mod limits;
mod report;
mod request;
mod verifier;

pub use chain::{Chain, ChainLink, Folder};
pub use limits::ReplayLimits;
pub use request::{Verify, VerifyRequest};
pub use verifier::Verifier;
