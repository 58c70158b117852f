//! Many orders, page by page.

use std::sync::Arc;

use axum::extract::rejection::QueryRejection;
use axum::extract::{Extension, Query, State};
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::MethodRouter;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sre_core::{ErrorCode, SkillDigest};
use sre_journal::{OrderState, OrderSummary};
use sre_service::{Caller, OrderPage, OrderQuery};

use super::page::Page;
use super::{Endpoint, OWN, json};
use crate::openapi::{answer, operation, query_parameter};
use crate::{App, Problem};

pub(super) fn endpoints() -> Vec<Endpoint> {
    let statuses = serde_json::json!({ "type": "string", "enum": OrderState::SHOWN });
    let [cursor, limit] = Page::parameters("Orders");
    vec![Endpoint {
        method: "get",
        path: "/v1/orders",
        scopes: OWN,
        route: MethodRouter::new().get(list),
        operation: operation(
            "listOrders",
            "List orders, newest first",
            &[answer(200, "A page", "OrderPage")],
        )
        .parameters(&[
            query_parameter("status", "Only orders in this state", &statuses),
            query_parameter(
                "skill",
                "Only orders of the skill with this digest",
                &serde_json::json!({ "type": "string", "pattern": "^[0-9a-f]{64}$" }),
            ),
            cursor,
            limit,
        ])
        .problems(&[400, 429, 503])
        .into_value(),
    }]
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
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
    skill: SkillDigest,
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
    query: Result<Query<Asked>, QueryRejection>,
) -> Result<Response, Problem> {
    let Query(asked) =
        query.map_err(|error| Problem::new(ErrorCode::QueryInvalid, error.body_text()))?;
    let page = Page::read(asked.cursor.as_deref(), asked.limit)?;
    let query = order_query(asked, &page)?;
    let OrderPage { orders, has_more } = app.service.orders(&caller, query).await?;
    let next_cursor = page.next(has_more, orders.last().map(|order| order.sequence));
    let orders = orders.into_iter().map(row).collect();
    Ok(json(
        StatusCode::OK,
        &Answer {
            orders,
            next_cursor,
        },
    ))
}

fn order_query(asked: Asked, page: &Page) -> Result<OrderQuery, Problem> {
    let refuse = |message: String| Problem::new(ErrorCode::QueryInvalid, message);
    if asked
        .status
        .as_deref()
        .is_some_and(|status| !OrderState::SHOWN.contains(&status))
    {
        return Err(refuse(format!(
            "status: must be one of {}",
            OrderState::SHOWN.join(", ")
        )));
    }
    let skill = asked.skill.map(|skill| skill.parse()).transpose();
    let no_digest = |_| {
        refuse(String::from(
            "skill: must be the digest of a skill, 64 lower-case hexadecimal digits",
        ))
    };
    Ok(OrderQuery {
        status: asked.status,
        skill: skill.map_err(no_digest)?,
        before: page.place,
        limit: page.limit,
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
