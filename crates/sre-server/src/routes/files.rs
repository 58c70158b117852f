//! The files that an order left: one by one, or all in an archive.

use std::fmt::Write as _;
use std::sync::Arc;

use axum::extract::rejection::QueryRejection;
use axum::extract::{Extension, Path, Query, State};
use axum::http::header::{ACCEPT, CONTENT_DISPOSITION, CONTENT_TYPE, VARY};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use serde::Deserialize;
use serde_json::json;
use sre_core::ErrorCode;
use sre_service::Caller;

use super::{Endpoint, OWN, content};
use crate::archive::{self, ArchiveFormat};
use crate::openapi::{operation, order_parameter, path_parameter, query_parameter};
use crate::{App, Problem};

pub(super) fn endpoints() -> Vec<Endpoint> {
    let path = json!({ "type": "string", "minLength": 1, "maxLength": 1024 });
    vec![
        Endpoint {
            method: "get",
            path: "/v1/orders/{id}/files/{*path}",
            scopes: OWN,
            route: get(file),
            operation: operation("getOrderFile", "A file that an order left", &[])
                .parameters(&[
                    order_parameter(),
                    path_parameter(
                        "path",
                        "Where it is below `/workspace`; it may contain slashes",
                        &path,
                    ),
                ])
                .binary_answer(200, "Its bytes")
                .binary_answer(206, "The part that the Range header asks for")
                .empty_answer(304, "The client has them")
                .problems(&[400, 404, 409, 410, 416, 422, 429, 503])
                .into_value(),
        },
        Endpoint {
            method: "get",
            path: "/v1/orders/{id}/archive",
            scopes: OWN,
            route: get(archive),
            operation: operation(
                "getOrderArchive",
                "What an order left below `/workspace`, in one archive",
                &[],
            )
            .parameters(&[
                order_parameter(),
                query_parameter(
                    "format",
                    "The kind of archive; else what `Accept` asks for, else tar",
                    &json!({ "enum": ["tar", "zip"] }),
                ),
                query_parameter(
                    "changed",
                    "Only what the order added or changed",
                    &json!({ "type": "boolean", "default": false }),
                ),
            ])
            .with(
                200,
                json!({
                    "description": "The archive",
                    "content": { "application/x-tar": {}, "application/zip": {} },
                }),
            )
            .problems(&[400, 404, 409, 410, 422, 429, 503])
            .into_value(),
        },
    ]
}

async fn file(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    Path((id, path)): Path<(String, String)>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let file = app.service.file(&caller, &id, &path).await?;
    let mut response = content::show(file.reader, file.digest, &headers).await?;
    let name = path.rsplit('/').next().unwrap_or(&path);
    response
        .headers_mut()
        .insert(CONTENT_DISPOSITION, attachment(name));
    Ok(response)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    format: Option<String>,
    changed: Option<bool>,
}

async fn archive(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
    query: Result<Query<Asked>, QueryRejection>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let Query(Asked { format, changed }) =
        query.map_err(|error| Problem::new(ErrorCode::QueryInvalid, error.body_text()))?;
    let accepts_zip = || {
        let accepted = headers.get(ACCEPT).and_then(|value| value.to_str().ok());
        accepted.is_some_and(|accepted| accepted.contains(ArchiveFormat::Zip.media_type()))
    };
    let format = match format.as_deref() {
        Some("zip") => ArchiveFormat::Zip,
        None if accepts_zip() => ArchiveFormat::Zip,
        Some("tar") | None => ArchiveFormat::Tar,
        Some(_) => {
            let detail = "format: must be tar or zip";
            return Err(Problem::new(ErrorCode::QueryInvalid, detail));
        }
    };
    let files = app
        .service
        .files(&caller, &id, changed.unwrap_or(false))
        .await?;
    let name = format!("{}.{}", files.order_id(), format.extension());
    let mut response = (StatusCode::OK, archive::body(files, format)).into_response();
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(format.media_type()));
    headers.insert(CONTENT_DISPOSITION, attachment(&name));
    headers.insert(VARY, HeaderValue::from_static("accept"));
    Ok(response)
}

/// To be saved under this name, whatever characters it has (RFC 6266 and RFC 8187).
fn attachment(name: &str) -> HeaderValue {
    let mut text = String::from("attachment; filename*=UTF-8''");
    for byte in name.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            text.push(char::from(byte));
        } else {
            // Writing to a string does not fail.
            let _ = write!(text, "%{byte:02X}");
        }
    }
    HeaderValue::try_from(text).unwrap_or(HeaderValue::from_static("attachment"))
}

#[cfg(test)]
mod tests {
    use super::attachment;

    #[test]
    fn a_name_cannot_end_its_header() {
        assert_eq!(
            attachment("a \"b\"\r\nX: é.txt"),
            "attachment; filename*=UTF-8''a%20%22b%22%0D%0AX%3A%20%C3%A9.txt"
        );
    }
}
