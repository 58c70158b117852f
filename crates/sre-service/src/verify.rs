//! An independent verdict on an order or a claim.

use std::time::Duration;

use serde::Deserialize;
use serde_json::Value;
use sre_core::{CommitResult, ErrorCode, VerifyResult};
use sre_verify::VerifyRequest;

use crate::caller::{Caller, Scope};
use crate::error::ServiceError;
use crate::service::Service;

/// What is to be verified: an order of this service, or a claim from elsewhere whose blobs are
/// here.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VerifyQuestion {
    /// An order of this service.
    pub order_id: Option<String>,
    /// A claim; excludes `order_id`.
    pub claim: Option<CommitResult>,
    /// The value that was reported along with the claim.
    pub reported_output: Option<Value>,
}

impl Service {
    /// Recomputes, replays and compares.
    ///
    /// # Errors
    /// As [`Service::order`]; `verify_invalid`, `scope_missing`, `order_open`,
    /// `nothing_committed`, `verifications_busy`.
    pub async fn verify(
        &self,
        caller: &Caller,
        question: VerifyQuestion,
    ) -> Result<VerifyResult, ServiceError> {
        let request = self.claim(caller, question).await?;
        let _held = self.verifications.take(caller.name(), 1).ok_or_else(|| {
            let detail = "as many verifications run as this service allows, or allows one token; try again later";
            ServiceError::busy(ErrorCode::VerificationsBusy, detail, Duration::from_secs(1))
        })?;
        let orchestrator = self.workers.orchestrator();
        Ok(orchestrator.verify().verify_result(request).await)
    }

    async fn claim(
        &self,
        caller: &Caller,
        question: VerifyQuestion,
    ) -> Result<VerifyRequest, ServiceError> {
        let refuse = |message| Err(ServiceError::new(ErrorCode::VerifyInvalid, message));
        match question {
            VerifyQuestion {
                order_id: Some(id),
                claim: None,
                reported_output: None,
            } => self.claim_of_order(caller, &id).await,
            VerifyQuestion {
                order_id: None,
                claim: Some(_),
                ..
            } if !caller.may(Scope::Read) => {
                let detail =
                    "a claim may be about another caller's order; this needs the scope read";
                Err(ServiceError::new(ErrorCode::ScopeMissing, detail))
            }
            VerifyQuestion {
                order_id: None,
                claim: Some(claim),
                reported_output,
            } => Ok(VerifyRequest {
                claim,
                reported_output,
            }),
            VerifyQuestion {
                order_id: Some(_), ..
            } => refuse("beside order_id there may be nothing"),
            VerifyQuestion {
                order_id: None,
                claim: None,
                ..
            } => refuse("order_id or claim is needed"),
        }
    }

    async fn claim_of_order(
        &self,
        caller: &Caller,
        id: &str,
    ) -> Result<VerifyRequest, ServiceError> {
        let entry = self.order(caller, id).await?;
        let Some(result) = entry.parsed_result()? else {
            let detail = format!("order {id} has no result yet");
            return Err(ServiceError::new(ErrorCode::OrderOpen, detail));
        };
        let Some(claim) = result.commit_result else {
            let detail = format!("order {id} has committed nothing that could be verified");
            return Err(ServiceError::new(ErrorCode::NothingCommitted, detail));
        };
        let reported_output = result
            .output
            .or_else(|| claim.result_hash.map(|_| Value::Null));
        Ok(VerifyRequest {
            claim,
            reported_output,
        })
    }
}
