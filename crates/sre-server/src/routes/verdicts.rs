//! What other nodes found about orders.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Extension, Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use axum::routing::{get, post};
use serde::Serialize;
use sre_core::{ErrorCode, OrderId, canonical_json};
use sre_journal::{Finality, StoredVerdict};
use sre_receipt::{ENVELOPE_LIMIT_BYTES, KeyId};
use sre_service::{Caller, ServiceError};

use super::{Endpoint, OWN, json};
use crate::json_body::read_json;
use crate::openapi::{answer, operation, order_parameter};
use crate::{App, Problem};

pub(super) fn endpoints() -> Vec<Endpoint> {
    let taken = [
        answer(
            200,
            "The latest verdict of this key says the same already",
            "VerdictTaken",
        ),
        answer(
            201,
            "The verdict is stored, logged and counted",
            "VerdictTaken",
        ),
    ];
    vec![
        Endpoint {
            method: "post",
            path: "/v1/orders/{id}/verdicts",
            scopes: OWN,
            route: post(take),
            operation: operation(
                "sendVerdict",
                "Send a signed verdict on the receipt of an order",
                &taken,
            )
            .parameters(&[order_parameter()])
            .body("application/json", "Envelope")
            .problems(&[400, 404, 408, 409, 410, 413, 415, 422, 429, 503])
            .into_value(),
        },
        Endpoint {
            method: "get",
            path: "/v1/orders/{id}/verdicts",
            scopes: OWN,
            route: get(list),
            operation: operation(
                "listVerdicts",
                "The verdicts of others on the receipt of an order, oldest first",
                &[answer(200, "The verdicts", "Verdicts")],
            )
            .parameters(&[order_parameter()])
            .problems(&[404, 410, 422, 429, 503])
            .into_value(),
        },
    ]
}

#[derive(Serialize)]
struct Taken {
    order_id: OrderId,
    key: KeyId,
    finality: Option<Finality>,
}

#[derive(Serialize)]
struct Listed {
    order_id: OrderId,
    finality: Option<Finality>,
    verdicts: Vec<StoredVerdict>,
}

async fn take(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
    headers: HeaderMap,
    request: Body,
) -> Result<Response, Problem> {
    let entry = app.service.order(&caller, &id).await?;
    // No envelope is longer, however it is spelled: the canonical form is what is signed, stored
    // and named.
    let envelope = read_json(&app, &caller, &headers, request, ENVELOPE_LIMIT_BYTES).await?;
    let envelope = canonical_json::to_vec(&*envelope);
    let taken = app.service.take_verdict(&caller, &id, &envelope).await;
    let taken = taken.map_err(refused)?;
    let status = if taken.is_known {
        StatusCode::OK
    } else {
        StatusCode::CREATED
    };
    Ok(json(
        status,
        &Taken {
            order_id: entry.order_id,
            key: taken.key,
            finality: taken.finality,
        },
    ))
}

async fn list(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    let (entry, verdicts) = app.service.verdicts(&caller, &id).await?;
    Ok(json(
        StatusCode::OK,
        &Listed {
            order_id: entry.order_id,
            finality: entry.finality,
            verdicts,
        },
    ))
}

/// Here the order is known, and its receipt is still to come.
fn refused(error: ServiceError) -> Problem {
    let is_early = error.code() == ErrorCode::ReceiptUnavailable;
    let problem = Problem::from(error);
    if is_early {
        problem.with_status(StatusCode::CONFLICT)
    } else {
        problem
    }
}
