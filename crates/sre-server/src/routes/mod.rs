//! Every route, from one table that the OpenAPI document is made of too.

mod audit;
mod blobs;
mod cancel;
mod content;
mod coverage;
mod document;
mod events;
mod files;
mod health;
mod list;
mod log;
mod orders;
mod page;
mod receipts;
mod skills;
mod verdicts;
mod verify;
mod view;

use std::sync::Arc;
use std::time::Instant;

use axum::Router;
use axum::extract::{MatchedPath, Request};
use axum::http::StatusCode;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue, X_CONTENT_TYPE_OPTIONS};
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::MethodRouter;
use serde_json::Value;
use sre_core::ErrorCode;
use sre_orchestrator::{Span, SpanKind, TraceParent, Tracing};
use sre_service::Scope;
use tracing::Instrument;

pub use document::document;

use crate::auth::{Gate, authenticate};
use crate::{App, Problem};

/// One operation.
pub(crate) struct Endpoint {
    /// In lower case.
    pub(crate) method: &'static str,
    pub(crate) path: &'static str,
    /// Any one of these is needed; none at all when empty.
    pub(crate) scopes: &'static [Scope],
    pub(crate) route: MethodRouter<Arc<App>>,
    /// The operation object of OpenAPI.
    pub(crate) operation: Value,
}

/// Callers that may submit or read.
pub(crate) const OWN: &[Scope] = &[Scope::Submit, Scope::Read];

/// Every operation of the service.
pub(crate) fn endpoints() -> Vec<Endpoint> {
    let groups = [
        orders::endpoints(),
        list::endpoints(),
        cancel::endpoints(),
        events::endpoints(),
        files::endpoints(),
        receipts::endpoints(),
        verdicts::endpoints(),
        coverage::endpoints(),
        audit::endpoints(),
        verify::endpoints(),
        skills::endpoints(),
        blobs::endpoints(),
        log::endpoints(),
        health::endpoints(),
    ];
    groups.into_iter().flatten().collect()
}

/// The routes over `app`.
pub(crate) fn router(app: &Arc<App>) -> Router {
    let mut router: Router<Arc<App>> = Router::new();
    for endpoint in endpoints() {
        let mut route = endpoint.route;
        if !endpoint.scopes.is_empty() {
            let gate = Gate {
                app: Arc::clone(app),
                scopes: endpoint.scopes,
            };
            route = route.route_layer(from_fn_with_state(gate, authenticate));
        }
        router = router.route(endpoint.path, route);
    }
    router
        .fallback(|| async {
            Problem::new(
                ErrorCode::RouteUnknown,
                "there is nothing at this path; see /openapi.json",
            )
        })
        .method_not_allowed_fallback(|| async {
            let detail = "this path does not take this method; see /openapi.json";
            Problem::new(ErrorCode::MethodNotAllowed, detail)
        })
        .layer(from_fn_with_state(Arc::clone(app), observe))
        .layer(from_fn(crate::body::settle))
        .layer(from_fn(harden))
        .with_state(Arc::clone(app))
}

/// Measures and logs a request. Paths are logged as their pattern: what stands in them may be
/// anything.
async fn observe(
    state: axum::extract::State<Arc<App>>,
    mut request: Request,
    next: Next,
) -> Response {
    let (app, started) = (state.0, Instant::now());
    let method = match request.method().as_str() {
        known @ ("GET" | "HEAD" | "POST") => known.to_owned(),
        _ => String::from("other"),
    };
    let route = request
        .extensions()
        .get::<MatchedPath>()
        .map_or("none", MatchedPath::as_str)
        .to_owned();
    let span = tracing::info_span!("request", method, route, caller = tracing::field::Empty);
    let traced = trace(&app, &mut request, &method, &route);
    app.metrics.request_began();
    let running = InFlight {
        app,
        method,
        route,
        started,
        status: 499,
    };
    let answered = async move {
        let (mut running, mut traced) = (running, traced);
        let response = next.run(request).await;
        running.status = response.status().as_u16();
        traced.attribute("http.response.status_code", || running.status.to_string());
        if response.status().is_server_error() {
            traced.fail(&response.status());
        }
        tracing::debug!(status = running.status, "answered");
        response
    };
    answered.instrument(span).await
}

/// The trace that what a request causes belongs to.
#[derive(Clone)]
pub(crate) struct RequestTrace(pub(crate) Option<TraceParent>);

/// Begins the request's span, below the client's. Requests about the service itself have no span.
fn trace(app: &App, request: &mut Request, method: &str, route: &str) -> Span {
    // By the specification, one that cannot be read is ignored.
    let parent = request
        .headers()
        .get("traceparent")
        .and_then(|trace| trace.to_str().ok()?.parse().ok());
    let quiet = Tracing::default();
    let tracing = if route.starts_with("/v1/") {
        app.service.tracing()
    } else {
        &quiet
    };
    let mut span = tracing.span("request", SpanKind::Server, parent.as_ref());
    span.attribute("http.request.method", || method.to_owned());
    span.attribute("http.route", || route.to_owned());
    request
        .extensions_mut()
        .insert(RequestTrace(span.context().cloned()));
    span
}

/// A request being answered. One whose client goes away is counted too, with nginx's status for
/// that.
struct InFlight {
    app: Arc<App>,
    method: String,
    route: String,
    started: Instant,
    status: u16,
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.app.metrics.request_ended(
            &self.method,
            &self.route,
            self.status,
            self.started.elapsed(),
        );
    }
}

/// What every answer says to browsers; and every refusal is a problem document.
async fn harden(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    // The router itself refuses a path whose escapes are not UTF-8, in plain text.
    if response.status() == StatusCode::BAD_REQUEST
        && response
            .headers()
            .get(CONTENT_TYPE)
            .is_some_and(is_plain_text)
    {
        response =
            Problem::new(ErrorCode::PathInvalid, "a part of the path is not UTF-8").into_response();
    }
    let headers = response.headers_mut();
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers
        .entry(CACHE_CONTROL)
        .or_insert(HeaderValue::from_static("no-store"));
    response
}

fn is_plain_text(media_type: &HeaderValue) -> bool {
    media_type.as_bytes().starts_with(b"text/plain")
}

/// A JSON answer.
pub(crate) fn json(status: StatusCode, value: &impl serde::Serialize) -> Response {
    match serde_json::to_string(value) {
        Ok(text) => json_text(status, text),
        Err(error) => Problem::operating(ErrorCode::Internal, &error).into_response(),
    }
}

/// An answer that is JSON already.
pub(crate) fn json_text(status: StatusCode, text: String) -> Response {
    (status, [("content-type", "application/json")], text).into_response()
}
