//! What a submitter can still do with an order: stop it, and have its callback delivered again.

use std::sync::Arc;

use axum::extract::{Extension, Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::{get, post};
use sre_core::ErrorCode;
use sre_journal::Cancelled;

use super::{Endpoint, OWN, json, view};
use crate::auth::Caller;
use crate::openapi::{answer, operation, order_parameter};
use crate::{App, Problem, Scope};

pub(super) fn endpoints() -> Vec<Endpoint> {
    let owner = &[Scope::Submit, Scope::Admin];
    let cancelled = [
        answer(
            200,
            "The order has ended; it was cancelled, or had ended before",
            "Order",
        ),
        answer(202, "The order's skill is being stopped", "Order"),
    ];
    let delivery = [answer(200, "Where the callback stands", "Delivery")];
    let redelivered = [answer(202, "The callback is due", "Delivery")];
    vec![
        Endpoint {
            method: "post",
            path: "/v1/orders/{id}/cancel",
            scopes: owner,
            route: post(cancel),
            operation: operation("cancelOrder", "Stop an order", &cancelled)
                .parameters(&[order_parameter()])
                .problems(&[404, 410, 422, 429, 503])
                .into_value(),
        },
        Endpoint {
            method: "get",
            path: "/v1/orders/{id}/callback",
            scopes: OWN,
            route: get(callback),
            operation: operation(
                "getCallback",
                "Show where an order's callback stands",
                &delivery,
            )
            .parameters(&[order_parameter()])
            .problems(&[404, 410, 422, 429, 503])
            .into_value(),
        },
        Endpoint {
            method: "post",
            path: "/v1/orders/{id}/redeliver",
            scopes: owner,
            route: post(redeliver),
            operation: operation(
                "redeliverCallback",
                "Deliver an order's callback again",
                &redelivered,
            )
            .parameters(&[order_parameter()])
            .problems(&[404, 410, 422, 429, 503])
            .into_value(),
        },
    ]
}

async fn cancel(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    let order_id = view::find_own(&app, &caller, &id).await?.order_id;
    let asked = matches!(
        app.workers.cancel(&order_id).await?,
        Cancelled::Asked { .. }
    );
    let entry = view::find_own(&app, &caller, &id).await?;
    let is_over = entry.result.is_some() || !asked;
    Ok(view::show(
        if is_over {
            StatusCode::OK
        } else {
            StatusCode::ACCEPTED
        },
        entry,
    ))
}

async fn callback(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    let order_id = view::find(&app, &caller, &id).await?.order_id;
    match app.journal().delivery(&order_id).await? {
        Some(delivery) => Ok(json(StatusCode::OK, &delivery)),
        None => Err(no_callback()),
    }
}

async fn redeliver(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    let order_id = view::find_own(&app, &caller, &id).await?.order_id;
    match app.workers.redeliver(&order_id).await? {
        Some(delivery) => Ok(json(StatusCode::ACCEPTED, &delivery)),
        None => Err(no_callback()),
    }
}

fn no_callback() -> Problem {
    Problem::new(
        ErrorCode::CallbackUnknown,
        "the order has no callback_url, or has not ended yet",
    )
}
