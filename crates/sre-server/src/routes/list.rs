//! Many orders, page by page.

use std::sync::Arc;

use axum::extract::rejection::QueryRejection;
use axum::extract::{Extension, Query, State};
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::MethodRouter;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sre_core::SkillDigest;
use sre_orchestrator::journal::{OrderFilter, OrderSummary};

use super::{Endpoint, OWN, json};
use crate::auth::Caller;
use crate::openapi::{answer, operation, query_parameter};
use crate::{App, Problem, Scope};

/// Orders on a page, at most.
const PAGE_LIMIT: usize = 500;
/// Orders on a page where nobody says.
const PAGE: usize = 50;

pub(super) fn endpoints() -> Vec<Endpoint> {
    let statuses = serde_json::json!({
        "type": "string", "enum": ["queued", "running", "verifying", "completed", "failed", "timeout"]
    });
    vec![Endpoint {
        method: "get",
        path: "/v1/orders",
        scopes: OWN,
        route: MethodRouter::new().get(list),
        operation: operation("listOrders", "List orders, newest first", &[answer(200, "A page", "OrderPage")])
            .parameters(&[
                query_parameter("status", "Only orders in this state", &statuses),
                query_parameter(
                    "skill",
                    "Only orders of the skill with this digest",
                    &serde_json::json!({ "type": "string", "pattern": "^[0-9a-f]{64}$" }),
                ),
                query_parameter(
                    "cursor",
                    "`next_cursor` of the page before",
                    &serde_json::json!({ "type": "string", "pattern": "^[0-9a-f]{1,16}$" }),
                ),
                query_parameter(
                    "limit",
                    "Orders on the page",
                    &serde_json::json!({ "type": "integer", "minimum": 1, "maximum": PAGE_LIMIT, "default": PAGE }),
                ),
            ])
            .problems(&[400, 429, 503])
            .into_value(),
    }]
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Page {
    status: Option<String>,
    skill: Option<String>,
    cursor: Option<String>,
    limit: Option<usize>,
}

#[derive(Serialize)]
struct Row {
    order_id: String,
    status: String,
    submitter: String,
    skill: Option<SkillDigest>,
    accepted_at: Timestamp,
    finished_at: Option<Timestamp>,
    is_final: Option<bool>,
}

#[derive(Serialize)]
struct Answer {
    orders: Vec<Row>,
    next_cursor: Option<String>,
}

async fn list(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    query: Result<Query<Page>, QueryRejection>,
) -> Result<Response, Problem> {
    let Query(page) = query.map_err(|error| Problem::bad_request("query_invalid", error.body_text()))?;
    let limit = page.limit.unwrap_or(PAGE);
    let filter = filter(&caller, page)?;
    if !(1..=PAGE_LIMIT).contains(&limit) {
        return Err(Problem::bad_request("query_invalid", format!("limit: must be 1 to {PAGE_LIMIT}")));
    }
    // Reading many rows may take a while.
    let orders = crate::body::blocking(move || Ok(app.journal().list(&filter, limit + 1)?)).await?;
    let next_cursor = (orders.len() > limit).then(|| format!("{:x}", orders[limit - 1].sequence));
    let orders = orders.into_iter().take(limit).map(row).collect();
    Ok(json(StatusCode::OK, &Answer { orders, next_cursor }))
}

fn filter(caller: &Caller, page: Page) -> Result<OrderFilter, Problem> {
    let refuse = |message: &str| Problem::bad_request("query_invalid", message);
    let is_status =
        |status: &String| ["queued", "running", "verifying", "completed", "failed", "timeout"].contains(&&**status);
    if page.status.as_ref().is_some_and(|status| !is_status(status)) {
        return Err(refuse("status: must be queued, running, verifying, completed, failed or timeout"));
    }
    let skill = page.skill.map(|skill| skill.parse()).transpose();
    let before = page.cursor.map(|cursor| i64::from_str_radix(&cursor, 16)).transpose();
    Ok(OrderFilter {
        status: page.status,
        skill: skill.map_err(|_| refuse("skill: must be the digest of a skill, 64 lower-case hexadecimal digits"))?,
        // Whoever may not read everything sees its own.
        submitter: (!caller.may(Scope::Read)).then(|| caller.name.clone()),
        before: before.map_err(|_| refuse("cursor: must be the next_cursor of a page"))?,
    })
}

fn row(order: OrderSummary) -> Row {
    Row {
        order_id: order.order_id,
        status: order.status,
        submitter: order.submitter,
        skill: order.skill,
        accepted_at: order.accepted_at,
        finished_at: order.finished_at,
        is_final: order.is_final,
    }
}
