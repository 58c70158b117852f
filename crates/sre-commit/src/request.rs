//! What the stage takes and gives.

use std::sync::Arc;

use async_trait::async_trait;
use serde_json::Value;
use sre_core::{Canonical, CommandResult, CommitResult, ErrorCode, Invocation, OrderId};
use sre_sandbox::{OwnedJob, Slot};

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
    /// What to run, how to call it, and under which limits.
    pub job: OwnedJob,
    /// The call as it is committed, where the job is a command. It and everything it names is in
    /// the store already: acceptance put it there.
    pub invocation: Option<Arc<Canonical<Invocation>>>,
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
    /// What the program did as a command; `None` in the JSON contract.
    pub command: Option<CommandResult>,
    /// The skill's standard error, capped.
    pub logs: String,
    /// Stable code of the skill's failure, if it failed.
    pub error_code: Option<ErrorCode>,
}
