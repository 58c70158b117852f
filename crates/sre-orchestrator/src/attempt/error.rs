//! Why an attempt committed nothing, and what follows from that.

use std::time::Duration;

use sre_commit::CommitError;
use sre_core::{ErrorCode, OrderStatus};
use sre_da::StoreError;
use sre_sandbox::{ErrorKind, SandboxError};

use crate::accept::RetryPolicy;
use crate::skill_cache::SkillCacheError;
use sre_journal::JournalError;

/// Why an attempt committed nothing.
#[derive(Debug)]
pub(super) enum AttemptError {
    Timeout(Duration),
    Commit(CommitError),
    Skill(SkillCacheError),
    /// What the invocation names cannot be read.
    Load(StoreError),
    /// What the invocation names is not what it should be.
    Inputs(String),
    Unreadable(JournalError),
    Cancelled,
    Panicked,
}

impl From<CommitError> for AttemptError {
    fn from(error: CommitError) -> Self {
        match error {
            CommitError::Sandbox(SandboxError::Timeout(limit)) => Self::Timeout(limit),
            other => Self::Commit(other),
        }
    }
}

impl From<StoreError> for AttemptError {
    fn from(error: StoreError) -> Self {
        Self::Load(error)
    }
}

impl std::fmt::Display for AttemptError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Timeout(limit) => {
                write!(
                    f,
                    "the skill was stopped after its time limit of {} s",
                    limit.as_secs_f64()
                )
            }
            Self::Commit(error) => error.fmt(f),
            Self::Skill(error) => write!(f, "the skill cannot be loaded: {error}"),
            Self::Load(error) => write!(f, "the inputs cannot be loaded: {error}"),
            Self::Inputs(message) => write!(f, "the inputs cannot be used: {message}"),
            Self::Unreadable(error) => error.fmt(f),
            Self::Cancelled => f.write_str("the order was cancelled"),
            Self::Panicked => f.write_str("bug: the attempt panicked"),
        }
    }
}

impl AttemptError {
    /// An operating failure may pass; a timeout is retried only where the order asks for it;
    /// nothing else is.
    pub(super) fn is_retryable(&self, policy: RetryPolicy) -> bool {
        match self {
            Self::Timeout(_) => policy.retry_on_timeout,
            Self::Skill(error) => error.is_retryable(),
            Self::Inputs(_) | Self::Unreadable(_) | Self::Cancelled | Self::Panicked => false,
            Self::Load(error) | Self::Commit(CommitError::Store(error)) => error.is_retryable(),
            Self::Commit(CommitError::Sandbox(error)) => error.kind() == ErrorKind::Unavailable,
            Self::Commit(CommitError::Stage(_)) => true,
        }
    }

    pub(super) fn status(&self) -> OrderStatus {
        match self {
            Self::Timeout(_) => OrderStatus::Timeout,
            _ => OrderStatus::Failed,
        }
    }

    pub(super) fn code(&self) -> ErrorCode {
        match self {
            Self::Timeout(_) => ErrorCode::Timeout,
            Self::Skill(_) | Self::Load(_) | Self::Commit(CommitError::Store(_)) => {
                ErrorCode::StoreFailed
            }
            Self::Cancelled => ErrorCode::Cancelled,
            Self::Inputs(_) | Self::Unreadable(_) | Self::Panicked => ErrorCode::Internal,
            Self::Commit(CommitError::Stage(_)) => ErrorCode::StageFailed,
            Self::Commit(CommitError::Sandbox(error)) => match error.kind() {
                ErrorKind::Rejected => ErrorCode::SkillRejected,
                ErrorKind::Timeout => ErrorCode::Timeout,
                ErrorKind::Cancelled => ErrorCode::Cancelled,
                ErrorKind::Unavailable => ErrorCode::SandboxUnavailable,
                ErrorKind::Bug => ErrorCode::Internal,
            },
        }
    }
}
