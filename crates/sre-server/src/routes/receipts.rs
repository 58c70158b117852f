//! The signed receipt of an order, and its proof.

use std::sync::Arc;

use axum::extract::rejection::QueryRejection;
use axum::extract::{Extension, Path, Query, State};
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::get;
use serde::Serialize;
use serde_json::Value;
use sre_core::{OrderId, ReceiptDigest};
use sre_service::Caller;

use super::orders::{Wait, waiting};
use super::{Endpoint, OWN, json};
use crate::openapi::{answer, operation, order_parameter, wait_parameter};
use crate::{App, Problem};

pub(super) fn endpoints() -> Vec<Endpoint> {
    vec![Endpoint {
        method: "get",
        path: "/v1/orders/{id}/receipt",
        scopes: OWN,
        route: get(receipt),
        operation: operation(
            "getReceipt",
            "The signed receipt of an order that has ended, and its proof",
            &[answer(
                200,
                "The receipt; `pending` until its proof is there, a second at most",
                "Receipt",
            )],
        )
        .parameters(&[order_parameter(), wait_parameter()])
        .problems(&[400, 404, 410, 422, 429, 503])
        .into_value(),
    }]
}

/// A receipt as it is shown. Its canonical JSON has the digest, under which it is found among the
/// blobs, too.
#[derive(Serialize)]
struct View<'a> {
    order_id: &'a OrderId,
    status: &'static str,
    digest: Option<ReceiptDigest>,
    position: Option<u64>,
    receipt: Option<Value>,
    proof: Option<String>,
}

async fn receipt(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
    query: Result<Query<Wait>, QueryRejection>,
) -> Result<Response, Problem> {
    let wait = waiting(&app, query)?;
    let (order_id, state) = app.service.receipt(&caller, &id, wait).await?;
    let shown = View {
        order_id: &order_id,
        status: if state.proof.is_some() {
            "logged"
        } else {
            "pending"
        },
        digest: state.receipt.as_ref().map(|receipt| receipt.digest()),
        position: state.position,
        // Written by this program: it parses.
        receipt: state
            .receipt
            .and_then(|receipt| serde_json::from_slice(&receipt.envelope().to_canonical()).ok()),
        proof: state.proof.as_ref().map(ToString::to_string),
    };
    Ok(json(StatusCode::OK, &shown))
}
