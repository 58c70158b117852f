//! The signed receipt of an order, and its proof.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::rejection::QueryRejection;
use axum::extract::{Extension, Path, Query, State};
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::get;
use serde::Serialize;
use serde_json::Value;
use sre_core::{ErrorCode, OrderId, ReceiptDigest};
use sre_journal::OrderState;
use sre_orchestrator::ReceiptState;

use super::orders::{Wait, waiting};
use super::{Endpoint, OWN, json, view};
use crate::auth::Caller;
use crate::openapi::{answer, operation, order_parameter, wait_parameter};
use crate::{App, Problem};

/// Waiting clients look this often. A proof follows within a second.
const LOOK_PERIOD: Duration = Duration::from_millis(50);

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
    let entry = view::find(&app, &caller, &id).await?;
    if entry.state != OrderState::Finished {
        let detail = format!(
            "order {} has not ended and has no receipt yet",
            entry.order_id
        );
        return Err(Problem::new(ErrorCode::ReceiptUnavailable, detail));
    }
    let state = wait_for(&app, &entry.order_id, wait.unwrap_or_default()).await?;
    let shown = View {
        order_id: &entry.order_id,
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

/// The receipt with its proof, or as it is when the time is over or the service stops.
async fn wait_for(app: &App, order_id: &OrderId, wait: Duration) -> Result<ReceiptState, Problem> {
    let look = async || {
        app.registrar
            .state(order_id)
            .await
            .map_err(|error| Problem::operating(ErrorCode::ReceiptFailed, &error))
    };
    let mut stop = app.stop.subscribe();
    let logged = async {
        loop {
            let state = look().await?;
            if state.proof.is_some() || *stop.borrow() {
                return Ok(state);
            }
            tokio::select! {
                () = tokio::time::sleep(LOOK_PERIOD) => {}
                _ = stop.changed() => {}
            }
        }
    };
    if wait.is_zero() {
        return look().await;
    }
    match tokio::time::timeout(wait, logged).await {
        Ok(ended) => ended,
        Err(_) => look().await,
    }
}
