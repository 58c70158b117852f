//! Whether what receipts lead to is still there.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::get;
use sre_service::Scope;

use super::{Endpoint, json};
use crate::App;
use crate::openapi::{answer, operation};

pub(super) fn endpoints() -> Vec<Endpoint> {
    vec![Endpoint {
        method: "get",
        path: "/v1/audit",
        scopes: &[Scope::Read],
        route: get(async |State(app): State<Arc<App>>| {
            json(StatusCode::OK, &app.service.audits().report())
        }),
        operation: operation(
            "getAudit",
            "What this service found when it last read what its receipts lead to",
            &[answer(
                200,
                "Counts since the start, and what is lost now",
                "Audit",
            )],
        )
        .problems(&[429])
        .into_value(),
    }]
}
