//! Whether the service lives, can work, and how it does; and what it is.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use serde_json::json;
use sre_service::Scope;

use super::Endpoint;
use crate::App;
use crate::openapi::{answer, operation, text_answer};

pub(super) fn endpoints() -> Vec<Endpoint> {
    let answers = [
        answer(200, "It can do its work", "Readiness"),
        answer(503, "It cannot", "Readiness"),
    ];
    vec![
        Endpoint {
            method: "get",
            path: "/healthz",
            scopes: &[],
            route: get(|| async { super::json(StatusCode::OK, &json!({ "status": "ok" })) }),
            operation: operation(
                "health",
                "Whether the process answers",
                &[answer(200, "It does", "Health")],
            )
            .into_value(),
        },
        Endpoint {
            method: "get",
            path: "/readyz",
            scopes: &[],
            route: get(ready),
            operation: operation("readiness", "Whether the service can do its work", &answers)
                .into_value(),
        },
        Endpoint {
            method: "get",
            path: "/metrics",
            scopes: &[Scope::Read],
            route: get(metrics),
            operation: operation("metrics", "Metrics in Prometheus' text form", &[])
                .with(
                    200,
                    text_answer("application/openmetrics-text", "The metrics"),
                )
                .problems(&[429])
                .into_value(),
        },
        Endpoint {
            method: "get",
            path: "/openapi.json",
            scopes: &[],
            route: get(|| async { super::json(StatusCode::OK, &super::document()) }),
            operation: operation(
                "openapi",
                "This document",
                &[answer(200, "OpenAPI 3.1", "Anything")],
            )
            .into_value(),
        },
    ]
}

async fn ready(State(app): State<Arc<App>>) -> Response {
    let checks = app.service.readiness().await;
    let is_ready = checks.iter().all(|check| check.ok);
    let status = if is_ready {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    super::json(
        status,
        &json!({ "status": if is_ready { "ready" } else { "not_ready" }, "checks": checks }),
    )
}

async fn metrics(State(app): State<Arc<App>>) -> Response {
    let media_type = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    let metrics = app.metrics.encode(&app.service).await;
    ([("content-type", media_type)], metrics).into_response()
}
