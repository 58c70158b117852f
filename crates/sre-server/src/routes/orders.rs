//! Submitting an order and asking for it.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Extension, Path, Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use axum::routing::{get, post};
use serde::Deserialize;
use serde_json::Value;
use sre_core::{ErrorCode, OrderId, SkillDigest};
use sre_journal::{JournalEntry, News, OrderState, Watch};
use sre_orchestrator::{AcceptedOrder, OrderConfig, SubmitError, Submitted};
use sre_skill::LocalPaths;
use tokio::runtime::Handle;

use super::{Endpoint, OWN, RequestTrace, verdicts, view};
use crate::auth::Caller;
use crate::json_body::{JsonBody, read_json};
use crate::openapi::{answer, operation, order_parameter, wait_parameter};
use crate::{App, Problem, Scope, body};

/// Waiting clients look for what another process recorded this often.
const LOOK_PERIOD: Duration = Duration::from_secs(1);

pub(super) fn endpoints() -> Vec<Endpoint> {
    let submitted = [
        answer(
            200,
            "The finished order, where it was waited for or is known already",
            "Order",
        ),
        answer(
            202,
            "The order is durable and will reach a terminal state",
            "Order",
        ),
    ];
    vec![
        Endpoint {
            method: "post",
            path: "/v1/orders",
            scopes: &[Scope::Submit],
            route: post(submit),
            operation: operation("submitOrder", "Submit an order", &submitted)
                .parameters(&[wait_parameter()])
                .body("application/json", "OrderConfig")
                .problems(&[400, 408, 409, 413, 415, 422, 429, 503])
                .into_value(),
        },
        Endpoint {
            method: "get",
            path: "/v1/orders/{id}",
            scopes: OWN,
            route: get(show),
            operation: operation(
                "getOrder",
                "Show an order",
                &[answer(200, "The order", "Order")],
            )
            .parameters(&[order_parameter(), wait_parameter()])
            .problems(&[400, 404, 410, 422, 429, 503])
            .into_value(),
        },
    ]
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Wait {
    wait: Option<f64>,
}

/// The time to wait for.
pub(super) fn waiting(
    app: &App,
    query: Result<Query<Wait>, QueryRejection>,
) -> Result<Option<Duration>, Problem> {
    let Query(Wait { wait }) =
        query.map_err(|error| Problem::new(ErrorCode::QueryInvalid, error.body_text()))?;
    let Some(seconds) = wait else { return Ok(None) };
    let limit = app.options.wait_limit;
    match Duration::try_from_secs_f64(seconds) {
        Ok(time) if time <= limit => Ok(Some(time)),
        _ => Err(Problem::new(
            ErrorCode::QueryInvalid,
            format!("wait: must be 0 to {} seconds", limit.as_secs()),
        )),
    }
}

async fn submit(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    Extension(RequestTrace(trace)): Extension<RequestTrace>,
    query: Result<Query<Wait>, QueryRejection>,
    headers: HeaderMap,
    request: Body,
) -> Result<Response, Problem> {
    let wait = waiting(&app, query)?;
    let order = read_json(&app, &caller, &headers, request, usize::MAX).await?;
    let order = if order.is_small() {
        accept(&app, order).await?
    } else {
        // Decoding, hashing and writing megabytes takes long, and others wait for this thread.
        let (app, runtime) = (Arc::clone(&app), Handle::current());
        body::blocking(move || runtime.block_on(accept(&app, order))).await?
    };
    let order = order.with_trace(trace);
    verdicts::check_required(&app, order.verdicts_required())?;
    let order_id = order.order_id().clone();
    let submitter = match app.workers.submit(order, &caller.name).await? {
        Submitted::Accepted { entry, watch } => {
            let entry = wait_for(&app, *entry, watch, wait).await?;
            let status = if entry.result.is_some() {
                StatusCode::OK
            } else {
                StatusCode::ACCEPTED
            };
            return Ok(view::show(status, entry));
        }
        Submitted::Known { submitter } | Submitted::Finished { submitter, .. } => submitter,
    };
    if !caller.sees(&submitter) {
        // In the words for other contents: whether they are the same is not for everybody to know.
        return Err(SubmitError::Conflict(order_id).into());
    }
    Ok(view::show(
        StatusCode::OK,
        look_and_wait(&app, look(&app, &order_id).await?, wait).await?,
    ))
}

/// The order that a body asks for. Its memory is free again when it is accepted: of the body's
/// values none is left then.
async fn accept(app: &App, body: JsonBody) -> Result<AcceptedOrder, Problem> {
    let (order, _memory) = body.into_parts();
    let config = match uploaded(&order)? {
        Some(digest) => {
            // Only what was uploaded as a skill: any blob may look like one, an input for instance
            // that names as its files what its author may not read.
            if app.journal().skill(digest).await?.is_none() {
                let detail = format!(
                    "skill_package: there is no skill {digest}; upload it with POST /v1/skills"
                );
                // The path exists; what the body names does not.
                return Err(Problem::new(ErrorCode::SkillUnknown, detail)
                    .with_status(StatusCode::UNPROCESSABLE_ENTITY));
            }
            OrderConfig::from_json_with_skill(
                order,
                app.workers.orchestrator().skills().get(digest).await?,
            )?
        }
        None => OrderConfig::from_json(order, LocalPaths::Refused)?,
    };
    if let Some(url) = &config.callback_url {
        app.policy.check_url(url).map_err(|error| {
            Problem::new(
                ErrorCode::CallbackForbidden,
                format!("callback_url: {error}"),
            )
        })?;
    }
    Ok(app.acceptance.accept(config).await?)
}

/// The digest in `{"skill_package": {"digest": "…"}}`.
fn uploaded(order: &Value) -> Result<Option<SkillDigest>, Problem> {
    let Some(package) = order.get("skill_package").and_then(Value::as_object) else {
        return Ok(None);
    };
    let Some(digest) = package.get("digest") else {
        return Ok(None);
    };
    let refuse = |message: &str| {
        Err(Problem::new(
            ErrorCode::OrderInvalid,
            format!("skill_package: {message}"),
        ))
    };
    if package.len() != 1 {
        return refuse("beside digest there may be nothing");
    }
    match digest.as_str().map(str::parse) {
        Some(Ok(digest)) => Ok(Some(digest)),
        _ => refuse("digest: must be 64 lower-case hexadecimal digits"),
    }
}

async fn show(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
    query: Result<Query<Wait>, QueryRejection>,
) -> Result<Response, Problem> {
    let wait = waiting(&app, query)?;
    let entry = view::find(&app, &caller, &id).await?;
    Ok(view::show(
        StatusCode::OK,
        look_and_wait(&app, entry, wait).await?,
    ))
}

async fn look(app: &App, order_id: &OrderId) -> Result<JournalEntry, Problem> {
    app.journal()
        .get(order_id)
        .await?
        .ok_or_else(|| Problem::no_order(order_id))
}

/// As [`wait_for`], of an order that may have ended already.
async fn look_and_wait(
    app: &App,
    entry: JournalEntry,
    wait: Option<Duration>,
) -> Result<JournalEntry, Problem> {
    if wait.is_none() || entry.result.is_some() {
        return Ok(entry);
    }
    let watch = app.journal().watch(entry.sequence);
    // It may have ended before there was a watch.
    let entry = look(app, &entry.order_id).await?;
    if entry.result.is_some() {
        return Ok(entry);
    }
    wait_for(app, entry, watch, wait).await
}

/// The order once it has ended, or as it is when the time is over or the service stops. What this
/// process records comes with the watch; the journal is read for what other processes do.
async fn wait_for(
    app: &App,
    entry: JournalEntry,
    mut watch: Watch,
    wait: Option<Duration>,
) -> Result<JournalEntry, Problem> {
    let Some(time) = wait else { return Ok(entry) };
    let order_id = entry.order_id.clone();
    let mut stop = app.stop.subscribe();
    let ended = async {
        loop {
            let news = tokio::select! {
                news = watch.changed() => Some(news),
                () = tokio::time::sleep(LOOK_PERIOD) => None,
                _ = stop.changed() => return look(app, &order_id).await,
            };
            match news {
                Some(News {
                    result: Some(result),
                    ..
                }) => {
                    let result = Some(String::from(&*result));
                    return Ok(JournalEntry {
                        state: OrderState::Finished,
                        attempts: 0,
                        result,
                        ..entry
                    });
                }
                Some(News { ended: false, .. }) => {}
                Some(News {
                    ended: true,
                    result: None,
                })
                | None => {
                    let entry = look(app, &order_id).await?;
                    if entry.result.is_some() {
                        return Ok(entry);
                    }
                }
            }
        }
    };
    match tokio::time::timeout(time, ended).await {
        Ok(ended) => ended,
        Err(_) => look(app, &order_id).await,
    }
}
