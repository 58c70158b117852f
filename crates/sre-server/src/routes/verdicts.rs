//! What other nodes found about orders.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Extension, Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use axum::routing::{get, post};
use jiff::Timestamp;
use serde::Serialize;
use sre_core::{ErrorCode, OrderId, canonical_json};
use sre_journal::{Finality, StoredVerdict};
use sre_orchestrator::{RegistrarError, VerdictError};
use sre_receipt::{ENVELOPE_LIMIT_BYTES, KeyId};

use super::{Endpoint, OWN, json, view};
use crate::auth::Caller;
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

/// Refuses an order that could never become final.
///
/// # Errors
/// 422 when it needs more verdicts than there are keys to give them.
pub(super) fn check_required(app: &App, required: u32) -> Result<(), Problem> {
    if required == 0 {
        return Ok(());
    }
    let keys = app
        .registrar
        .verdict_keys(Timestamp::now())
        .map_err(|error| operating(&error))?
        .len();
    if keys >= usize::try_from(required).unwrap_or(usize::MAX) {
        return Ok(());
    }
    let keys = match keys {
        0 => String::from("no key of others"),
        1 => String::from("one key of others"),
        more => format!("{more} keys of others"),
    };
    let detail = format!(
        "verdicts_required: {required} verdicts are asked for, and this service believes {keys}; its operator adds one with \
         `sre key trust KEY --for verdict`"
    );
    Err(Problem::new(ErrorCode::VerdictsUnavailable, detail))
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
    let entry = view::find(&app, &caller, &id).await?;
    // No envelope is longer, however it is spelled: the canonical form is what is signed, stored
    // and named.
    let envelope = read_json(&app, &caller, &headers, request, ENVELOPE_LIMIT_BYTES).await?;
    let envelope = canonical_json::to_vec(&*envelope);
    let taken = app
        .registrar
        .take_verdict(&entry.order_id, &envelope, Timestamp::now())
        .await
        .map_err(refused)?;
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
    let entry = view::find(&app, &caller, &id).await?;
    let verdicts = app.journal().verdicts(&entry.order_id).await?;
    Ok(json(
        StatusCode::OK,
        &Listed {
            order_id: entry.order_id,
            finality: entry.finality,
            verdicts,
        },
    ))
}

fn operating(error: &RegistrarError) -> Problem {
    Problem::operating(ErrorCode::ReceiptFailed, error)
}

fn refused(error: VerdictError) -> Problem {
    let code = match &error {
        VerdictError::Envelope(_) | VerdictError::Statement(_) => ErrorCode::VerdictMalformed,
        VerdictError::Signature => ErrorCode::VerdictForged,
        VerdictError::Other(_) => ErrorCode::VerdictMisplaced,
        VerdictError::Untrusted(_) | VerdictError::Own => ErrorCode::VerdictUntrusted,
        // Here the order is known, and its receipt is still to come.
        VerdictError::NoReceipt(_) => {
            return Problem::new(ErrorCode::ReceiptUnavailable, error.to_string())
                .with_status(StatusCode::CONFLICT);
        }
        VerdictError::TooMany(_) => ErrorCode::VerdictsExhausted,
        VerdictError::Operating(error) => return operating(error),
    };
    Problem::new(code, error.to_string())
}
