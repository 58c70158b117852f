//! Bytes by digest: what a verifier needs. A digest always stands for the same bytes, so caches
//! may keep them.

use std::ops::Range;
use std::sync::Arc;

use axum::extract::{Extension, Path, State};
use axum::http::header::{
    ACCEPT_RANGES, CACHE_CONTROL, CONTENT_RANGE, CONTENT_TYPE, ETAG, IF_NONE_MATCH, IF_RANGE, RANGE,
};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use bytes::Bytes;
use sre_core::{BlobDigest, ErrorCode};
use sre_service::{Caller, Scope};

use super::Endpoint;
use crate::openapi::{digest_parameter, operation};
use crate::{App, Problem};

pub(super) fn endpoints() -> Vec<Endpoint> {
    vec![Endpoint {
        method: "get",
        path: "/v1/blobs/{digest}",
        scopes: &[Scope::Read],
        route: get(blob),
        operation: operation("getBlob", "The bytes with a digest", &[])
            .parameters(&[digest_parameter()])
            .binary_answer(200, "The bytes")
            .binary_answer(206, "The part that the Range header asks for")
            .empty_answer(304, "The client has them")
            .problems(&[404, 416, 422, 429, 503])
            .into_value(),
    }]
}

async fn blob(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    Path(digest): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let digest: BlobDigest = digest
        .parse()
        .map_err(|error: sre_core::DigestParseError| {
            Problem::new(ErrorCode::DigestInvalid, error.to_string())
        })?;
    let bytes = app.service.blob(&caller, digest).await?;
    let bytes = Bytes::from_owner(bytes);
    let tag = format!("\"{digest}\"");
    let text = |name| {
        headers
            .get(name)
            .and_then(|value: &HeaderValue| value.to_str().ok())
    };
    let is_known = |known: &str| {
        known.split(',').any(
            |one| matches!(one.trim().trim_start_matches("W/"), one if one == tag || one == "*"),
        )
    };
    let mut response = if text(IF_NONE_MATCH).is_some_and(is_known) {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        let wanted = text(RANGE).filter(|_| text(IF_RANGE).is_none_or(|known| known == tag));
        part(bytes, wanted)?
    };
    let headers = response.headers_mut();
    if let Ok(tag) = tag.parse() {
        headers.insert(ETAG, tag);
    }
    headers.insert(ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    headers.insert(
        CACHE_CONTROL,
        HeaderValue::from_static("private, max-age=31536000, immutable"),
    );
    Ok(response)
}

fn part(bytes: Bytes, wanted: Option<&str>) -> Result<Response, Problem> {
    let size = bytes.len();
    let media_type = [(
        CONTENT_TYPE,
        HeaderValue::from_static("application/octet-stream"),
    )];
    match wanted.map_or(Wanted::All, |wanted| parse_range(wanted, size)) {
        Wanted::All => Ok((media_type, bytes).into_response()),
        Wanted::Part(range) => {
            let place = format!("bytes {}-{}/{size}", range.start, range.end - 1);
            let mut response =
                (StatusCode::PARTIAL_CONTENT, media_type, bytes.slice(range)).into_response();
            if let Ok(place) = place.parse() {
                response.headers_mut().insert(CONTENT_RANGE, place);
            }
            Ok(response)
        }
        Wanted::Nothing => {
            let detail = format!("the blob has {size} bytes");
            Err(Problem::new(ErrorCode::RangeInvalid, detail))
        }
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Wanted {
    All,
    Part(Range<usize>),
    Nothing,
}

/// A Range header (RFC 9110, section 14). One that is malformed, or asks for several parts, is
/// ignored, as the RFC allows.
fn parse_range(text: &str, size: usize) -> Wanted {
    let Some((first, last)) = text
        .trim()
        .strip_prefix("bytes=")
        .and_then(|range| range.split_once('-'))
    else {
        return Wanted::All;
    };
    let number = |text: &str| text.trim().parse::<usize>();
    let is_number =
        |text: &str| !text.trim().is_empty() && text.trim().bytes().all(|b| b.is_ascii_digit());
    match (first.trim(), last.trim()) {
        ("", suffix) if is_number(suffix) => match number(suffix).unwrap_or(usize::MAX) {
            0 => Wanted::Nothing,
            count if size > 0 => Wanted::Part(size.saturating_sub(count)..size),
            _ => Wanted::Nothing,
        },
        (first, last) if is_number(first) && (last.is_empty() || is_number(last)) => {
            let start = number(first).unwrap_or(usize::MAX);
            let end = if last.is_empty() {
                usize::MAX
            } else {
                number(last).unwrap_or(usize::MAX)
            };
            if end < start {
                return Wanted::All;
            }
            if start >= size {
                Wanted::Nothing
            } else {
                Wanted::Part(start..end.saturating_add(1).min(size))
            }
        }
        _ => Wanted::All,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_read_as_rfc_9110_says() {
        for (text, wanted) in [
            ("bytes=0-0", Wanted::Part(0..1)),
            ("bytes=2-", Wanted::Part(2..10)),
            ("bytes=-3", Wanted::Part(7..10)),
            ("bytes=-99999999999999999999999", Wanted::Part(0..10)),
            ("bytes=5-99999999999999999999999", Wanted::Part(5..10)),
            ("bytes=10-", Wanted::Nothing),
            ("bytes=-0", Wanted::Nothing),
            ("bytes=5-4", Wanted::All),
            ("bytes=a-b", Wanted::All),
            ("bytes=0-1,3-4", Wanted::All),
            ("lines=0-1", Wanted::All),
            ("bytes=-", Wanted::All),
            ("bytes=+1-2", Wanted::All),
        ] {
            assert_eq!(parse_range(text, 10), wanted, "{text}");
        }
        assert_eq!(parse_range("bytes=0-", 0), Wanted::Nothing);
        assert_eq!(parse_range("bytes=-1", 0), Wanted::Nothing);
    }
}
