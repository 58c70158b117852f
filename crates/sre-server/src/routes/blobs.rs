//! Bytes by digest: what orders name, and what a verifier needs. A digest always stands for the
//! same bytes, so caches may keep them.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Extension, Path, Query, State};
use axum::http::header::{CACHE_CONTROL, LOCATION};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::Response;
use axum::routing::{get, post};
use serde::Deserialize;
use serde_json::json;
use sre_core::{BlobDigest, DigestParseError, ErrorCode};
use sre_service::{Caller, Scope, UploadedBlob};

use super::{Endpoint, OWN, content};
use crate::body::{Pieces, announced, refuse_encoded};
use crate::openapi::{answer, digest_parameter, operation, query_parameter};
use crate::{App, Problem};

pub(super) fn endpoints() -> Vec<Endpoint> {
    let uploaded = [
        answer(
            200,
            "This token uploaded it before, or its orders left it",
            "Blob",
        ),
        answer(201, "The blob is durable and orders can name it", "Blob"),
    ];
    let expected = json!({ "$ref": "#/components/schemas/Digest" });
    vec![
        Endpoint {
            method: "post",
            path: "/v1/blobs",
            scopes: &[Scope::Submit],
            route: post(upload),
            operation: operation("uploadBlob", "Upload bytes", &uploaded)
                .parameters(&[query_parameter(
                    "sha256",
                    "The digest that the bytes must have",
                    &expected,
                )])
                .binary_body("application/octet-stream")
                .problems(&[400, 408, 413, 415, 422, 429, 503])
                .into_value(),
        },
        Endpoint {
            method: "get",
            path: "/v1/blobs/{digest}",
            scopes: OWN,
            route: get(blob),
            operation: operation("getBlob", "The bytes with a digest", &[])
                .parameters(&[digest_parameter()])
                .binary_answer(200, "The bytes")
                .binary_answer(206, "The part that the Range header asks for")
                .empty_answer(304, "The client has them")
                .problems(&[404, 416, 422, 429, 503])
                .into_value(),
        },
    ]
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Announced {
    sha256: Option<String>,
}

fn parse(digest: &str) -> Result<BlobDigest, Problem> {
    digest.parse().map_err(|error: DigestParseError| {
        Problem::new(ErrorCode::DigestInvalid, error.to_string())
    })
}

async fn upload(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    query: Result<Query<Announced>, QueryRejection>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let Query(Announced { sha256 }) =
        query.map_err(|error| Problem::new(ErrorCode::QueryInvalid, error.body_text()))?;
    let expected = sha256.as_deref().map(parse).transpose()?;
    refuse_encoded(&headers)?;
    let limit = app.service.limits().blob_limit_bytes;
    if announced(&headers).is_some_and(|length| length as u64 > limit) {
        let detail = format!("the blob is longer than {limit} bytes");
        return Err(Problem::new(ErrorCode::BodyTooLarge, detail));
    }
    let mut upload = app.service.begin_upload(&caller).await?;
    let mut pieces = Pieces::new(&app, body);
    while let Some(piece) = pieces.next().await? {
        upload.write(&piece).await?;
    }
    let UploadedBlob {
        digest,
        size_bytes,
        is_new,
    } = upload.finish(expected).await?;
    let status = if is_new {
        StatusCode::CREATED
    } else {
        StatusCode::OK
    };
    let mut response = super::json(status, &json!({ "sha256": digest, "size": size_bytes }));
    if let Ok(location) = format!("/v1/blobs/{digest}").parse() {
        response.headers_mut().insert(LOCATION, location);
    }
    Ok(response)
}

async fn blob(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    Path(digest): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let digest = parse(&digest)?;
    let reader = app.service.blob(&caller, digest).await?;
    let mut response = content::show(reader, digest, &headers).await?;
    response.headers_mut().insert(
        CACHE_CONTROL,
        HeaderValue::from_static("private, max-age=31536000, immutable"),
    );
    Ok(response)
}
