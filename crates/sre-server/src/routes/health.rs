//! Whether the service lives, can work, and how it does; and what it is.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use serde::Serialize;
use serde_json::json;
use sre_skill::{PackageLimits, Skill};

use super::Endpoint;
use crate::openapi::{answer, operation, text_answer};
use crate::{App, Scope};

pub(super) fn endpoints() -> Vec<Endpoint> {
    let ready = [answer(200, "It can do its work", "Readiness"), answer(503, "It cannot", "Readiness")];
    vec![
        Endpoint {
            method: "get",
            path: "/healthz",
            scopes: &[],
            route: get(|| async { super::json(StatusCode::OK, &json!({ "status": "ok" })) }),
            operation: operation("health", "Whether the process answers", &[answer(200, "It does", "Health")])
                .into_value(),
        },
        Endpoint {
            method: "get",
            path: "/readyz",
            scopes: &[],
            route: get(readiness),
            operation: operation("readiness", "Whether the service can do its work", &ready).into_value(),
        },
        Endpoint {
            method: "get",
            path: "/metrics",
            scopes: &[Scope::Read],
            route: get(metrics),
            operation: operation("metrics", "Metrics in Prometheus' text form", &[])
                .with(200, text_answer("application/openmetrics-text", "The metrics"))
                .problems(&[429])
                .into_value(),
        },
        Endpoint {
            method: "get",
            path: "/openapi.json",
            scopes: &[],
            route: get(|| async { super::json(StatusCode::OK, &crate::openapi_document()) }),
            operation: operation("openapi", "This document", &[answer(200, "OpenAPI 3.1", "Anything")]).into_value(),
        },
    ]
}

/// One thing that must work.
#[derive(Serialize)]
struct Check {
    name: &'static str,
    ok: bool,
}

async fn readiness(State(app): State<Arc<App>>) -> Response {
    let checks = vec![
        Check { name: "accepting", ok: !app.workers.is_stopping() },
        Check { name: "journal", ok: logged("journal", app.journal().probe().await) },
        Check { name: "disk", ok: logged("disk", has_space(&app)) },
        Check { name: "sandbox", ok: logged("sandbox", sandbox(&app).await) },
    ];
    let ready = checks.iter().all(|check| check.ok);
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    super::json(status, &json!({ "status": if ready { "ready" } else { "not_ready" }, "checks": checks }))
}

fn logged<T, E: std::fmt::Display>(name: &str, checked: Result<T, E>) -> bool {
    checked.map_err(|error| tracing::warn!(check = name, %error, "the service is not ready")).is_ok()
}

fn has_space(app: &App) -> Result<(), String> {
    let disk = rustix::fs::statvfs(&app.data_folder).map_err(|error| error.to_string())?;
    let free = disk.f_bavail.saturating_mul(disk.f_frsize);
    let needed = app.options.free_disk_bytes;
    if free >= needed { Ok(()) } else { Err(format!("{free} bytes are free, {needed} are wanted")) }
}

/// Whether the smallest skill compiles and links; after the first time it is found in the cache.
async fn sandbox(app: &App) -> Result<(), String> {
    let package = json!({
        "name": "readiness",
        "version": "1.0.0",
        "runtime": { "entrypoint": "main.wat" },
        "files": { "main.wat": "(module (memory (export \"memory\") 1) (func (export \"_start\")))" }
    });
    let skill = Skill::from_object(&package, &PackageLimits::default()).map_err(|error| error.to_string())?;
    app.acceptance.check_skill(&Arc::new(skill)).await.map_err(|error| error.to_string())
}

async fn metrics(State(app): State<Arc<App>>) -> Response {
    let media_type = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    let metrics = app.metrics.encode(&app.workers, app.journal(), &app.registrar, &app.audits.report());
    ([("content-type", media_type)], metrics).into_response()
}
