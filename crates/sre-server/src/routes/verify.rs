//! An independent verdict on an order or a claim.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Extension, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use axum::routing::post;
use serde::Deserialize;
use serde_json::Value;
use sre_core::{CommitResult, ErrorCode};
use sre_verify::VerifyRequest;

use super::{Endpoint, OWN, json, view};
use crate::auth::Caller;
use crate::json_body::read_json;
use crate::openapi::{answer, operation};
use crate::{App, Problem, Scope};

pub(super) fn endpoints() -> Vec<Endpoint> {
    vec![Endpoint {
        method: "post",
        path: "/v1/verify",
        scopes: OWN,
        route: post(verify),
        operation: operation(
            "verify",
            "Verify an order or a claim",
            &[answer(200, "The verdict", "VerifyResult")],
        )
        .body("application/json", "VerifyRequest")
        .problems(&[400, 404, 408, 409, 410, 413, 415, 422, 429, 503])
        .into_value(),
    }]
}

/// Either an order of this service, or a claim from elsewhere whose blobs are here.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Question {
    order_id: Option<String>,
    claim: Option<CommitResult>,
    reported_output: Option<Value>,
}

async fn verify(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    headers: HeaderMap,
    request: Body,
) -> Result<Response, Problem> {
    let (question, _memory) = read_json(&app, &caller, &headers, request, usize::MAX)
        .await?
        .into_parts();
    let question: Question = serde_json::from_value(question).map_err(|error| {
        Problem::new(
            ErrorCode::VerifyInvalid,
            format!("the request is malformed: {error}"),
        )
    })?;
    let request = claim(&app, &caller, question).await?;
    let _place = app.verifications.take(&caller.name, 1).ok_or_else(|| {
        let detail = "as many verifications run as this service allows, or allows one token; try again later";
        Problem::busy(ErrorCode::VerificationsBusy, detail, Duration::from_secs(1))
    })?;
    let verdict = app
        .workers
        .orchestrator()
        .verify()
        .verify_result(request)
        .await;
    Ok(json(StatusCode::OK, &verdict))
}

async fn claim(app: &App, caller: &Caller, question: Question) -> Result<VerifyRequest, Problem> {
    let refuse = |message| Err(Problem::new(ErrorCode::VerifyInvalid, message));
    match question {
        Question {
            order_id: Some(id),
            claim: None,
            reported_output: None,
        } => {
            let entry = view::find(app, caller, &id).await?;
            let Some(result) = entry.parsed_result()? else {
                let detail = format!("order {id} has no result yet");
                return Err(Problem::new(ErrorCode::OrderOpen, detail));
            };
            let Some(claim) = result.commit_result else {
                let detail = format!("order {id} has committed nothing that could be verified");
                return Err(Problem::new(ErrorCode::NothingCommitted, detail));
            };
            let reported_output = result
                .output
                .or_else(|| claim.result_hash.map(|_| Value::Null));
            Ok(VerifyRequest {
                claim,
                reported_output,
            })
        }
        Question {
            order_id: None,
            claim: Some(_),
            ..
        } if !caller.may(Scope::Read) => {
            let detail = "a claim may be anybody's; this needs the scope read";
            Err(Problem::new(ErrorCode::ScopeMissing, detail))
        }
        Question {
            order_id: None,
            claim: Some(claim),
            reported_output,
        } => Ok(VerifyRequest {
            claim,
            reported_output,
        }),
        Question {
            order_id: Some(_), ..
        } => refuse("beside order_id there may be nothing"),
        Question {
            order_id: None,
            claim: None,
            ..
        } => refuse("order_id or claim is needed"),
    }
}
