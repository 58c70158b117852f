//! Submitting an order and asking for it.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Extension, Path, Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use axum::routing::{get, post};
use serde::Deserialize;
use sre_core::ErrorCode;
use sre_orchestrator::AcceptedOrder;
use sre_service::{Caller, Scope, ServiceError, Submission};
use tokio::runtime::Handle;

use super::{Endpoint, OWN, RequestTrace, view};
use crate::json_body::{JsonBody, read_json};
use crate::openapi::{answer, operation, order_parameter, wait_parameter};
use crate::{App, Problem, body};

pub(super) fn endpoints() -> Vec<Endpoint> {
    let submitted = [
        answer(
            200,
            "The finished order, where it was waited for or is known already",
            "Order",
        ),
        answer(
            202,
            "The order is durable and will reach a terminal state",
            "Order",
        ),
    ];
    vec![
        Endpoint {
            method: "post",
            path: "/v1/orders",
            scopes: &[Scope::Submit],
            route: post(submit),
            operation: operation("submitOrder", "Submit an order", &submitted)
                .parameters(&[wait_parameter()])
                .body("application/json", "OrderConfig")
                .problems(&[400, 408, 409, 413, 415, 422, 429, 503])
                .into_value(),
        },
        Endpoint {
            method: "get",
            path: "/v1/orders/{id}",
            scopes: OWN,
            route: get(show),
            operation: operation(
                "getOrder",
                "Show an order",
                &[answer(200, "The order", "Order")],
            )
            .parameters(&[order_parameter(), wait_parameter()])
            .problems(&[400, 404, 410, 422, 429, 503])
            .into_value(),
        },
    ]
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Wait {
    wait: Option<f64>,
}

/// The time to wait for.
pub(super) fn waiting(
    app: &App,
    query: Result<Query<Wait>, QueryRejection>,
) -> Result<Option<Duration>, Problem> {
    let Query(Wait { wait }) =
        query.map_err(|error| Problem::new(ErrorCode::QueryInvalid, error.body_text()))?;
    let Some(seconds) = wait else { return Ok(None) };
    let limit = app.service.limits().wait_limit;
    match Duration::try_from_secs_f64(seconds) {
        Ok(time) if time <= limit => Ok(Some(time)),
        _ => Err(Problem::new(
            ErrorCode::QueryInvalid,
            format!("wait: must be 0 to {} seconds", limit.as_secs()),
        )),
    }
}

async fn submit(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    Extension(RequestTrace(trace)): Extension<RequestTrace>,
    query: Result<Query<Wait>, QueryRejection>,
    headers: HeaderMap,
    request: Body,
) -> Result<Response, Problem> {
    let wait = waiting(&app, query)?;
    let order = read_json(&app, &caller, &headers, request, usize::MAX).await?;
    let order = if order.is_small() {
        accept(&app, &caller, order).await?
    } else {
        // Decoding, hashing and writing megabytes takes long, and other tasks need this thread.
        let (app, caller, runtime) = (Arc::clone(&app), caller.clone(), Handle::current());
        body::blocking(move || runtime.block_on(accept(&app, &caller, order))).await?
    };
    let submitted = app.service.submit(&caller, order, trace, wait).await;
    let Submission { entry, is_new } = submitted.map_err(refused)?;
    let status = if is_new && entry.result.is_none() {
        StatusCode::ACCEPTED
    } else {
        StatusCode::OK
    };
    Ok(view::show(status, entry))
}

/// The order that a body asks for. Its memory is free again when it is accepted: none of the body's
/// values is left then.
async fn accept(app: &App, caller: &Caller, body: JsonBody) -> Result<AcceptedOrder, Problem> {
    let (order, _memory) = body.into_parts();
    app.service
        .accept_json(caller, order)
        .await
        .map_err(refused)
}

/// What the order names is refused, not what the path names.
fn refused(error: ServiceError) -> Problem {
    let status = match error.code() {
        ErrorCode::SkillUnknown => Some(StatusCode::UNPROCESSABLE_ENTITY),
        ErrorCode::OrderForgotten => Some(StatusCode::CONFLICT),
        _ => None,
    };
    let problem = Problem::from(error);
    match status {
        Some(status) => problem.with_status(status),
        None => problem,
    }
}

async fn show(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
    query: Result<Query<Wait>, QueryRejection>,
) -> Result<Response, Problem> {
    let wait = waiting(&app, query)?;
    let entry = app.service.order(&caller, &id).await?;
    let entry = app.service.wait(entry, wait).await?;
    Ok(view::show(StatusCode::OK, entry))
}
