//! An order as its clients see it: the fields of an OrderResult, at every moment.

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::Value;
use sre_core::{ErrorCode, OrderId};
use sre_journal::{Finality, JournalEntry, OrderState};

use super::{json, json_text};
use crate::auth::Caller;
use crate::{App, Problem, Scope};

/// An order that has no result yet.
#[derive(Serialize)]
struct Unfinished<'a> {
    order_id: &'a OrderId,
    status: OrderState,
    commit_result: Value,
    verification: Value,
    execution_time_ms: u64,
    error_message: Value,
    error_code: Value,
    output: Value,
    attempts: u32,
    logs: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    finality: Option<Finality>,
}

/// The order, if the caller may see it. One that it may not see is not there.
///
/// # Errors
/// 404; 410 for an order that was forgotten; 422 for an id that is none.
pub(super) async fn find(app: &App, caller: &Caller, id: &str) -> Result<JournalEntry, Problem> {
    let order_id = parse_id(id)?;
    match app.journal().get(&order_id).await? {
        Some(entry) if caller.sees(&entry.submitter) => Ok(entry),
        Some(_) => Err(Problem::no_order(&order_id)),
        None => match app.journal().purged(&order_id).await? {
            Some(submitter) if caller.sees(&submitter) => Err(Problem::forgotten_order(&order_id)),
            _ => Err(Problem::no_order(&order_id)),
        },
    }
}

/// As [`find`], for what only the submitter and `admin` may do.
///
/// # Errors
/// As [`find`]; 403.
pub(super) async fn find_own(
    app: &App,
    caller: &Caller,
    id: &str,
) -> Result<JournalEntry, Problem> {
    let entry = find(app, caller, id).await?;
    let is_own = caller.name == entry.submitter && caller.may(Scope::Submit);
    if is_own || caller.may(Scope::Admin) {
        return Ok(entry);
    }
    let detail = format!(
        "order {} was submitted by another token; this needs the scope admin",
        entry.order_id
    );
    Err(Problem::new(ErrorCode::ScopeMissing, detail))
}

fn parse_id(id: &str) -> Result<OrderId, Problem> {
    id.parse().map_err(|error: sre_core::OrderIdError| {
        Problem::new(ErrorCode::OrderInvalid, error.to_string())
    })
}

/// The answer that shows an order.
pub(super) fn show(status: StatusCode, entry: JournalEntry) -> Response {
    let mut response = match entry.result {
        Some(result) => match entry.finality {
            Some(finality) => json_text(status, finality.with_finality(&result)),
            None => json_text(status, result),
        },
        None => {
            let order = Unfinished {
                order_id: &entry.order_id,
                status: entry.state,
                commit_result: Value::Null,
                verification: Value::Null,
                execution_time_ms: elapsed_ms(&entry),
                error_message: Value::Null,
                error_code: Value::Null,
                output: Value::Null,
                attempts: entry.attempts,
                logs: "",
                finality: entry.finality,
            };
            json(status, &order)
        }
    };
    if let Ok(location) = format!("/v1/orders/{}", entry.order_id).parse() {
        response.headers_mut().insert("location", location);
    }
    response.into_response()
}

fn elapsed_ms(entry: &JournalEntry) -> u64 {
    let now = jiff::Timestamp::now().as_millisecond();
    u64::try_from(now - entry.accepted_at.as_millisecond()).unwrap_or(0)
}
