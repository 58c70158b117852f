//! The result of an order whose last attempt is over.

use std::time::Duration;

use sre_commit::Committed;
use sre_core::{ErrorCode, OrderId, OrderResult, OrderStatus, VerifyResult};

use super::AttemptError;
use crate::accept::AttemptOrder;

/// The result of an attempt that went through all stages.
pub(super) fn finished(
    order: &AttemptOrder,
    attempts: u32,
    elapsed: Duration,
    committed: Committed,
    verification: VerifyResult,
) -> OrderResult {
    let Committed {
        result,
        output,
        command,
        logs,
        error_code,
    } = committed;
    let (error_code, error_message) = if verification.is_valid {
        (
            error_code.map(|code| code.to_string()),
            result.error_message.clone(),
        )
    } else {
        let verdict = verification.verdict;
        let detail = verification.error.as_deref().unwrap_or("no detail");
        (
            Some(ErrorCode::VerificationFailed.to_string()),
            Some(format!("verification {verdict}: {detail}")),
        )
    };
    let completed = error_code.is_none();
    OrderResult {
        order_id: order.order_id.clone(),
        status: if completed {
            OrderStatus::Completed
        } else {
            OrderStatus::Failed
        },
        commit_result: Some(result),
        verification: Some(verification),
        execution_time_ms: milliseconds(elapsed),
        error_message,
        error_code,
        output,
        command,
        attempts,
        logs,
    }
}

/// The result of an attempt that committed nothing.
pub(super) fn failed(
    order_id: OrderId,
    attempts: u32,
    elapsed: Duration,
    failure: &AttemptError,
) -> OrderResult {
    OrderResult {
        order_id,
        status: failure.status(),
        commit_result: None,
        verification: None,
        execution_time_ms: milliseconds(elapsed),
        error_message: Some(failure.to_string()),
        error_code: Some(failure.code().to_string()),
        output: None,
        command: None,
        attempts,
        logs: String::new(),
    }
}

pub(super) fn milliseconds(elapsed: Duration) -> u64 {
    u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX)
}
