//! Answers that are the bytes of a blob: ranges, conditions, and what a browser may do with them.

use std::ops::Range;

use axum::http::header::{
    ACCEPT_RANGES, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG,
    IF_NONE_MATCH, IF_RANGE, RANGE,
};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use sre_core::{BlobDigest, ErrorCode};
use sre_service::BlobReader;

use crate::Problem;
use crate::streamed::blob_body;

/// Answers a request with these headers.
///
/// # Errors
/// 416 for a range outside the blob, 503 when it cannot be read.
pub(super) async fn show(
    reader: BlobReader,
    digest: BlobDigest,
    headers: &HeaderMap,
) -> Result<Response, Problem> {
    let tag = format!("\"{digest}\"");
    let text = |name: HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    let is_known = |known: &str| {
        known.split(',').any(
            |one| matches!(one.trim().trim_start_matches("W/"), one if one == tag || one == "*"),
        )
    };
    let mut response = if text(IF_NONE_MATCH).is_some_and(is_known) {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        let wanted = text(RANGE).filter(|_| text(IF_RANGE).is_none_or(|known| known == tag));
        part(reader, wanted).await?
    };
    let headers = response.headers_mut();
    if let Ok(tag) = tag.parse() {
        headers.insert(ETAG, tag);
    }
    headers.insert(ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    // Bytes of a stranger: a browser must not run them as a page of this service.
    headers.insert(
        CONTENT_SECURITY_POLICY,
        HeaderValue::from_static("default-src 'none'; sandbox"),
    );
    Ok(response)
}

async fn part(reader: BlobReader, wanted: Option<&str>) -> Result<Response, Problem> {
    let size = reader.size_bytes();
    let (status, range) = match wanted.map_or(Wanted::All, |wanted| parse_range(wanted, size)) {
        Wanted::All => (StatusCode::OK, 0..size),
        Wanted::Part(range) => (StatusCode::PARTIAL_CONTENT, range),
        Wanted::Nothing => {
            let detail = format!("the blob has {size} bytes");
            return Err(Problem::new(ErrorCode::RangeInvalid, detail));
        }
    };
    let place = format!(
        "bytes {}-{}/{size}",
        range.start,
        range.end.saturating_sub(1)
    );
    let length = range.end - range.start;
    let mut response = (status, blob_body(reader, range).await?).into_response();
    let headers = response.headers_mut();
    headers.insert(
        CONTENT_TYPE,
        HeaderValue::from_static("application/octet-stream"),
    );
    headers.insert(CONTENT_LENGTH, length.into());
    if status == StatusCode::PARTIAL_CONTENT
        && let Ok(place) = place.parse()
    {
        headers.insert(CONTENT_RANGE, place);
    }
    Ok(response)
}

#[derive(Debug, PartialEq, Eq)]
enum Wanted {
    All,
    Part(Range<u64>),
    Nothing,
}

/// A Range header (RFC 9110, section 14). One that is malformed, or asks for several parts, is
/// ignored, as the RFC allows.
fn parse_range(text: &str, size: u64) -> Wanted {
    let Some((first, last)) = text
        .trim()
        .strip_prefix("bytes=")
        .and_then(|range| range.split_once('-'))
    else {
        return Wanted::All;
    };
    let number = |text: &str| text.trim().parse::<u64>();
    let is_number =
        |text: &str| !text.trim().is_empty() && text.trim().bytes().all(|b| b.is_ascii_digit());
    match (first.trim(), last.trim()) {
        ("", suffix) if is_number(suffix) => match number(suffix).unwrap_or(u64::MAX) {
            0 => Wanted::Nothing,
            count if size > 0 => Wanted::Part(size.saturating_sub(count)..size),
            _ => Wanted::Nothing,
        },
        (first, last) if is_number(first) && (last.is_empty() || is_number(last)) => {
            let start = number(first).unwrap_or(u64::MAX);
            let end = if last.is_empty() {
                u64::MAX
            } else {
                number(last).unwrap_or(u64::MAX)
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
