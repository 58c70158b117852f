//! What happens to an order, as it happens: server-sent events
//! (<https://html.spec.whatwg.org/multipage/server-sent-events.html>).
//!
//! A client that stops reading is disconnected by the connection's time limit; nothing is buffered
//! for it. A client that comes back gets the events after the last one it names.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Extension, Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use bytes::Bytes;
use futures_util::stream;
use sre_core::ErrorCode;
use sre_journal::Event;
use sre_service::Caller;

use super::{Endpoint, OWN};
use crate::openapi::{event_stream, last_event_id_parameter, operation, order_parameter};
use crate::{App, Problem};

/// A comment is sent after this time without an event, so that both sides notice a connection that
/// has died.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

pub(super) fn endpoints() -> Vec<Endpoint> {
    vec![Endpoint {
        method: "get",
        path: "/v1/orders/{id}/events",
        scopes: OWN,
        route: get(events),
        operation: operation(
            "followOrder",
            "Follow what happens to an order",
            &[event_stream()],
        )
        .parameters(&[order_parameter(), last_event_id_parameter()])
        .empty_answer(204, "The client has seen the last event")
        .problems(&[400, 404, 410, 422, 429, 503])
        .into_value(),
    }]
}

async fn events(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let seen = match headers.get("last-event-id") {
        None => 0,
        Some(value) => value
            .to_str()
            .ok()
            .and_then(|value| value.parse().ok())
            .ok_or_else(|| {
                Problem::new(
                    ErrorCode::LastEventIdInvalid,
                    "Last-Event-ID must be the number of an event",
                )
            })?,
    };
    let Some(follower) = app.service.follow(&caller, &id, seen).await? else {
        return Ok(StatusCode::NO_CONTENT.into_response());
    };
    let frames = stream::unfold(follower, |mut follower| async move {
        let frame = match tokio::time::timeout(KEEP_ALIVE, follower.next()).await {
            Ok(event) => frame(&event?),
            Err(_) => Bytes::from_static(b":\n\n"),
        };
        Some((Ok::<_, std::convert::Infallible>(frame), follower))
    });
    let headers = [
        ("content-type", "text/event-stream"),
        ("cache-control", "no-store"),
        ("x-accel-buffering", "no"),
    ];
    Ok((headers, Body::from_stream(frames)).into_response())
}

fn frame(event: &Event) -> Bytes {
    // Serialised, a line feed in the data is two characters.
    let data = serde_json::to_string(event).unwrap_or_default();
    format!(
        "id: {}\nevent: {}\ndata: {data}\n\n",
        event.number,
        event.kind.as_str()
    )
    .into()
}
