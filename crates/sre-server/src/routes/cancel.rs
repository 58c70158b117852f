//! What a submitter can still do with an order: stop it, and have its callback delivered again.

use std::sync::Arc;

use axum::extract::{Extension, Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::{get, post};
use sre_service::{Caller, Cancellation, Scope};

use super::{Endpoint, OWN, json, view};
use crate::openapi::{answer, operation, order_parameter};
use crate::{App, Problem};

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
    let Cancellation { entry, is_over } = app.service.cancel(&caller, &id).await?;
    let status = if is_over {
        StatusCode::OK
    } else {
        StatusCode::ACCEPTED
    };
    Ok(view::show(status, entry))
}

async fn callback(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    let delivery = app.service.delivery(&caller, &id).await?;
    Ok(json(StatusCode::OK, &delivery))
}

async fn redeliver(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    let delivery = app.service.redeliver(&caller, &id).await?;
    Ok(json(StatusCode::ACCEPTED, &delivery))
}
