//! What happens to an order, as it happens: server-sent events
//! (<https://html.spec.whatwg.org/multipage/server-sent-events.html>).
//!
//! Events are read from the journal, by number: whatever the client has seen, it gets the next one,
//! and none is lost between two connections. A client that stops reading is disconnected by the
//! connection's time limit; nothing is buffered for it.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Extension, Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use bytes::Bytes;
use futures_util::stream;
use sre_core::{ErrorCode, OrderId};
use sre_journal::{Event, EventKind, Watch};
use tokio::sync::watch;

use super::{Endpoint, OWN, view};
use crate::auth::Caller;
use crate::openapi::{event_stream, last_event_id_parameter, operation, order_parameter};
use crate::share::Places;
use crate::{App, Problem};

/// A comment is sent after this time without an event, so that both sides notice a connection that
/// has died.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// How often events that another process recorded are looked for.
const LOOK_PERIOD: Duration = Duration::from_secs(1);

/// Events read at once.
const BATCH: usize = 64;

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

/// A client that follows an order.
struct Follower {
    app: Arc<App>,
    order_id: OrderId,
    seen: u64,
    ready: VecDeque<Event>,
    is_over: bool,
    watch: Watch,
    stop: watch::Receiver<bool>,
    _place: Places,
}

async fn events(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let entry = view::find(&app, &caller, &id).await?;
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
    // Whoever has seen the end is told not to come back.
    let rest = app
        .journal()
        .events(&entry.order_id, seen, 1)
        .await?
        .unwrap_or_default();
    if entry.result.is_some() && rest.is_empty() && seen > 0 {
        return Ok(StatusCode::NO_CONTENT.into_response());
    }
    // Whoever has seen what has not happened yet would never see the end.
    if seen > 0
        && rest.is_empty()
        && app
            .journal()
            .events(&entry.order_id, seen - 1, 1)
            .await?
            .is_none_or(|found| found.is_empty())
    {
        let detail = format!(
            "Last-Event-ID: order {} has no event {seen}",
            entry.order_id
        );
        return Err(Problem::new(ErrorCode::LastEventIdInvalid, detail));
    }
    let place = app.streams.take(&caller.name, 1).ok_or_else(|| {
        let detail = "as many clients follow orders as this service allows, or allows one token; try again later";
        Problem::busy(ErrorCode::StreamsBusy, detail, Duration::from_secs(5))
    })?;
    let follower = Follower {
        watch: app.journal().watch(entry.sequence),
        stop: app.stop.subscribe(),
        order_id: entry.order_id,
        seen,
        ready: VecDeque::new(),
        is_over: false,
        app,
        _place: place,
    };
    let frames = stream::unfold(follower, |mut follower| async move {
        let frame = follower.next().await?;
        Some((Ok::<_, std::convert::Infallible>(frame), follower))
    });
    let headers = [
        ("content-type", "text/event-stream"),
        ("cache-control", "no-store"),
        ("x-accel-buffering", "no"),
    ];
    Ok((headers, Body::from_stream(frames)).into_response())
}

impl Follower {
    /// The next frame; `None` at the end of the order, of the service, or of the journal's
    /// patience.
    async fn next(&mut self) -> Option<Bytes> {
        let mut silent = Duration::ZERO;
        loop {
            if let Some(event) = self.ready.pop_front() {
                self.seen = event.number;
                self.is_over = event.kind == EventKind::Finished;
                return Some(frame(&event));
            }
            if self.is_over || *self.stop.borrow() {
                return None;
            }
            match self
                .app
                .journal()
                .events(&self.order_id, self.seen, BATCH)
                .await
            {
                Ok(Some(events)) => self.ready.extend(events),
                // The client comes back with what it has seen.
                Ok(None) | Err(_) => return None,
            }
            if !self.ready.is_empty() {
                continue;
            }
            tokio::select! {
                _ = self.watch.changed() => {}
                _ = self.stop.changed() => {}
                () = tokio::time::sleep(LOOK_PERIOD) => {
                    silent += LOOK_PERIOD;
                    if silent >= KEEP_ALIVE {
                        return Some(Bytes::from_static(b":\n\n"));
                    }
                }
            }
        }
    }
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
