//! An independent verdict on an order or a claim.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Extension, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use axum::routing::post;
use sre_core::ErrorCode;
use sre_service::{Caller, VerifyQuestion};

use super::{Endpoint, OWN, json};
use crate::json_body::read_json;
use crate::openapi::{answer, operation};
use crate::{App, Problem};

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

async fn verify(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    headers: HeaderMap,
    request: Body,
) -> Result<Response, Problem> {
    let (question, _memory) = read_json(&app, &caller, &headers, request, usize::MAX)
        .await?
        .into_parts();
    let question: VerifyQuestion = serde_json::from_value(question).map_err(|error| {
        Problem::new(
            ErrorCode::VerifyInvalid,
            format!("the request is malformed: {error}"),
        )
    })?;
    let verdict = app.service.verify(&caller, question).await?;
    Ok(json(StatusCode::OK, &verdict))
}
