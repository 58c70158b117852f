//! What the stage takes.

use async_trait::async_trait;
use serde_json::Value;
use sre_core::{CommitResult, VerifyResult};

/// The verify stage.
#[async_trait]
pub trait Verify: Send + Sync {
    /// Checks a claim and returns a verdict.
    async fn verify_result(&self, request: VerifyRequest) -> VerifyResult;
}

/// A claim to check.
#[derive(Debug, Clone)]
pub struct VerifyRequest {
    /// What the executor says it committed.
    pub claim: CommitResult,
    /// The value it reports as the skill's output, where it is to be checked against the committed
    /// one.
    pub reported_output: Option<Value>,
}
