//! What the stage takes and gives.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use serde_json::Value;
use sre_core::{Canonical, CommitResult, ErrorCode, OrderId, Profile};
use sre_sandbox::Slot;
use sre_skill::Skill;

use crate::CommitError;

/// The commit stage.
#[async_trait]
pub trait Commit: Send + Sync {
    /// Executes, commits and stores. When it returns, everything it names is durable. Dropping the
    /// future stops the guest.
    ///
    /// # Errors
    /// [`CommitError`]: nothing was committed, though some blobs may have been stored.
    async fn commit_result(&self, request: CommitRequest) -> Result<Committed, CommitError>;
}

/// One execution to commit to.
#[derive(Debug)]
pub struct CommitRequest {
    /// Which order it is for.
    pub order_id: OrderId,
    /// What to run.
    pub skill: Arc<Skill>,
    /// The input as canonical JSON.
    pub input: Arc<[u8]>,
    /// Limits, clock and seed.
    pub profile: Arc<Canonical<Profile>>,
    /// Wall-clock limit of the execution.
    pub time_limit: Duration,
    /// The right to run it.
    pub slot: Slot,
}

/// What was committed.
#[derive(Debug, Clone)]
pub struct Committed {
    /// The public result.
    pub result: CommitResult,
    /// The skill's JSON value, if it returned one.
    pub output: Option<Value>,
    /// The skill's standard error, capped.
    pub logs: String,
    /// Stable code of the skill's failure, if it failed.
    pub error_code: Option<ErrorCode>,
}
