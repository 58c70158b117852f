//! The transparency log, open to all (C2SP `tlog-tiles`): a checkpoint that changes, and tiles that
//! never do.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::header::{ACCESS_CONTROL_ALLOW_ORIGIN, CACHE_CONTROL, CONTENT_TYPE};
use axum::http::{HeaderName, HeaderValue};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use serde_json::json;
use sre_core::ErrorCode;
use sre_log::{LogSource as _, SourceError};
use sre_receipt::tlog::{TilePath, TilePathError};

use super::Endpoint;
use crate::openapi::{operation, path_parameter, text_answer};
use crate::{App, Problem};

pub(super) fn endpoints() -> Vec<Endpoint> {
    let tile = json!({ "type": "string", "pattern": "^(entries|[0-9]{1,2})/(x[0-9]{3}/)*[0-9]{3}(\\.p/[0-9]{1,3})?$" });
    vec![
        Endpoint {
            method: "get",
            path: "/log/checkpoint",
            scopes: &[],
            route: get(checkpoint),
            operation: operation(
                "getCheckpoint",
                "The log's signed checkpoint (C2SP tlog-checkpoint)",
                &[],
            )
            .with(
                200,
                text_answer(
                    "text/plain",
                    "A signed note: the log's name, its size and its root",
                ),
            )
            .into_value(),
        },
        Endpoint {
            method: "get",
            path: "/log/tile/{*tile}",
            scopes: &[],
            route: get(tile_of),
            operation: operation(
                "getTile",
                "A tile of the log, or a bundle of entries (C2SP tlog-tiles)",
                &[],
            )
            .parameters(&[path_parameter(
                "tile",
                "Level or `entries`, and index; it contains slashes",
                &tile,
            )])
            .binary_answer(
                200,
                "Hashes, or entries, each after its length in two bytes",
            )
            .problems(&[400, 404, 503])
            .into_value(),
        },
    ]
}

/// What may be kept by whom, and read from every web page: all of it is public.
fn public(media_type: &'static str, caching: &'static str) -> [(HeaderName, HeaderValue); 3] {
    [
        (CONTENT_TYPE, HeaderValue::from_static(media_type)),
        (CACHE_CONTROL, HeaderValue::from_static(caching)),
        (ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*")),
    ]
}

async fn checkpoint(State(app): State<Arc<App>>) -> Response {
    let note = app.service.registrar().log().checkpoint().1.to_string();
    (public("text/plain; charset=utf-8", "no-cache"), note).into_response()
}

async fn tile_of(
    State(app): State<Arc<App>>,
    Path(tile): Path<String>,
) -> Result<Response, Problem> {
    let path: TilePath = format!("tile/{tile}")
        .parse()
        .map_err(|error: TilePathError| Problem::new(ErrorCode::TileInvalid, error.to_string()))?;
    match app.service.registrar().log().tile(path).await {
        Ok(bytes) => {
            let headers = public(
                "application/octet-stream",
                "public, max-age=31536000, immutable",
            );
            Ok((headers, bytes).into_response())
        }
        Err(SourceError::Missing(_)) => Err(Problem::new(
            ErrorCode::TileUnknown,
            format!("the log has no {path} (yet)"),
        )),
        Err(error) => Err(Problem::operating(ErrorCode::LogFailed, &error)),
    }
}
