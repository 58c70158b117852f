//! An order as its clients see it: the fields of an OrderResult, at every moment.

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::Value;
use sre_core::OrderId;
use sre_journal::{Finality, JournalEntry, OrderState};

use super::{json, json_text};

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
