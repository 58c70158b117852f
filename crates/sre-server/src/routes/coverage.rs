//! How much of this service's work others have checked.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::get;
use serde::Serialize;
use sre_journal::Coverage;

use super::{Endpoint, OWN, json};
use crate::openapi::{answer, operation};
use crate::{App, Problem};

pub(super) fn endpoints() -> Vec<Endpoint> {
    vec![Endpoint {
        method: "get",
        path: "/v1/coverage",
        scopes: OWN,
        route: get(coverage),
        operation: operation(
            "getCoverage",
            "How much of this service's work others have checked, and what follows from it",
            &[answer(200, "Counts and confidence", "Coverage")],
        )
        .problems(&[429, 503])
        .into_value(),
    }]
}

/// Counts, and what they say if those that matched were chosen by chance. Shares are numbers from 0
/// to 1. The last is the largest share of wrong results that goes along with the counts, with a
/// confidence of 95 %; null where there is no estimate.
#[derive(Serialize)]
struct Shown {
    receipts: u64,
    checked: u64,
    matched: u64,
    disputed: u64,
    inconclusive: u64,
    share_checked: f64,
    undetected_share_95: Option<f64>,
}

async fn coverage(State(app): State<Arc<App>>) -> Result<Response, Problem> {
    let found = app.service.coverage().await?;
    let Coverage {
        receipts,
        checked,
        matched,
        disputed,
        inconclusive,
    } = found;
    let shown = Shown {
        receipts,
        checked,
        matched,
        disputed,
        inconclusive,
        share_checked: found.share_checked(),
        undetected_share_95: found.undetected_share(0.95),
    };
    Ok(json(StatusCode::OK, &shown))
}
