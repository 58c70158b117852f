//! Request bodies: typed, bounded, in time, and never left half-read on a connection that stays
//! open.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use axum::body::{Body, HttpBody};
use axum::extract::Request;
use axum::http::HeaderMap;
use axum::http::header::{
    CONNECTION, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, EXPECT, HeaderValue,
};
use axum::middleware::Next;
use axum::response::Response;
use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use hyper::body::{Frame, SizeHint};

use crate::{App, Problem};
use sre_core::ErrorCode;
use sre_service::{Caller, Held, Shares};

/// Bodies up to this size are read without asking for memory.
pub(crate) const SMALL_BYTES: usize = 64 << 10;

/// How much is still read of a body that is not needed, so that its sender gets to the answer: in
/// bytes, and for how long.
const DRAIN_BYTES: usize = 1 << 20;
const DRAIN_TIME: Duration = Duration::from_millis(500);

/// A body with the memory it was granted.
pub(crate) struct Received {
    pub(crate) bytes: Bytes,
    pub(crate) memory: Memory,
}

/// Memory for large requests, given back when this is dropped.
#[derive(Default)]
pub(crate) struct Memory {
    _held: Option<Held>,
}

impl Memory {
    /// Takes so much of what there is for all requests; one caller may have half of it.
    ///
    /// # Errors
    /// 429 when it is not there at the moment.
    pub(crate) fn take(bodies: &Shares, caller: &str, size_bytes: usize) -> Result<Self, Problem> {
        let held = bodies
            .take(caller, size_bytes.div_ceil(1024))
            .ok_or_else(|| {
                let soon = Duration::from_secs(1);
                Problem::busy(
                    ErrorCode::MemoryBusy,
                    "too many large requests are being read; try again later",
                    soon,
                )
            })?;
        Ok(Self { _held: Some(held) })
    }
}

/// The media type of the body, in lower case and without parameters.
pub(crate) fn media_type(headers: &HeaderMap) -> String {
    let value = headers
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    value
        .split(';')
        .next()
        .unwrap_or_default()
        .trim()
        .to_ascii_lowercase()
}

/// Reads a body whole, of at most `limit_bytes` and what the service takes at all.
///
/// # Errors
/// 415 when it is compressed, 413 when it is too long, 408 when it is too slow, 429 when there is
/// no memory for it at the moment.
pub(crate) async fn read(
    app: &App,
    caller: &Caller,
    headers: &HeaderMap,
    body: Body,
    limit_bytes: usize,
) -> Result<Received, Problem> {
    refuse_encoded(headers)?;
    let limit = limit_bytes.min(app.options.body_limit_bytes);
    let too_long = || {
        let detail = format!("the body is longer than {limit} bytes");
        Problem::new(ErrorCode::BodyTooLarge, detail)
    };
    let announced = announced(headers);
    if announced.is_some_and(|length| length > limit) {
        return Err(too_long());
    }
    let reading = collect(app, caller, body, announced.unwrap_or(limit), limit);
    match tokio::time::timeout(app.options.body_time_limit, reading).await {
        Ok(Ok(received)) => Ok(received),
        Ok(Err(None)) => Err(too_long()),
        Ok(Err(Some(problem))) => Err(problem),
        Err(_) => {
            let detail = format!(
                "the body took longer than {} s",
                app.options.body_time_limit.as_secs()
            );
            Err(Problem::new(ErrorCode::BodyTooSlow, detail))
        }
    }
}

/// Refuses a body that is compressed.
pub(crate) fn refuse_encoded(headers: &HeaderMap) -> Result<(), Problem> {
    match headers.get(CONTENT_ENCODING) {
        Some(encoding) if !encoding.as_bytes().eq_ignore_ascii_case(b"identity") => {
            let detail = "bodies are read as they are; send this one without Content-Encoding";
            Err(Problem::new(ErrorCode::MediaTypeUnsupported, detail))
        }
        _ => Ok(()),
    }
}

/// The length of the body in bytes, where the client says it.
pub(crate) fn announced(headers: &HeaderMap) -> Option<usize> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

fn broken(error: axum::Error) -> Problem {
    Problem::new(
        ErrorCode::BodyBroken,
        format!("the body ended early: {error}"),
    )
}

/// A body of any length in pieces, none of which is kept. It may take the time limit of bodies
/// without a byte, and on average may not be slower than [`SLOWEST_BYTES_PER_SECOND`].
pub(crate) struct Pieces {
    body: Body,
    pause_limit: Duration,
    began: Instant,
    received_bytes: u64,
}

/// Slowest upload that is waited for, in bytes per second.
const SLOWEST_BYTES_PER_SECOND: u64 = 16 << 10;

impl Pieces {
    pub(crate) fn new(app: &App, body: Body) -> Self {
        Self {
            body,
            pause_limit: app.options.body_time_limit,
            began: Instant::now(),
            received_bytes: 0,
        }
    }

    /// The next piece; `None` after the last.
    ///
    /// # Errors
    /// 400 when the body ends early, 408 when it is too slow.
    pub(crate) async fn next(&mut self) -> Result<Option<Bytes>, Problem> {
        loop {
            let earned = Duration::from_secs(self.received_bytes / SLOWEST_BYTES_PER_SECOND);
            let left = (self.pause_limit + earned).saturating_sub(self.began.elapsed());
            let wait = left.min(self.pause_limit);
            let Ok(frame) = tokio::time::timeout(wait, self.body.frame()).await else {
                let detail = format!(
                    "nothing came for {} s, or less than {SLOWEST_BYTES_PER_SECOND} bytes a second",
                    self.pause_limit.as_secs()
                );
                return Err(Problem::new(ErrorCode::BodyTooSlow, detail));
            };
            let Some(frame) = frame else { return Ok(None) };
            // Trailers say nothing that is read here.
            if let Ok(piece) = frame.map_err(broken)?.into_data() {
                self.received_bytes += piece.len() as u64;
                return Ok(Some(piece));
            }
        }
    }
}

/// Reads the frames; `Err(None)` when they are more than allowed.
async fn collect(
    app: &App,
    caller: &Caller,
    mut body: Body,
    expected: usize,
    limit: usize,
) -> Result<Received, Option<Problem>> {
    let (mut bytes, mut memory) = (BytesMut::new(), None);
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.map_err(|error| Some(broken(error)))?.into_data() else {
            continue;
        };
        if bytes.len() + data.len() > limit {
            return Err(None);
        }
        if memory.is_none() && bytes.len() + data.len() > SMALL_BYTES {
            memory = Some(Memory::take(&app.bodies, caller.name(), expected)?);
        }
        bytes.extend_from_slice(&data);
    }
    Ok(Received {
        bytes: bytes.freeze(),
        memory: memory.unwrap_or_default(),
    })
}

/// Ends a request whose body was not read to its end, a refused one mostly. Closing at once would
/// reset the connection under a client that still writes, and keeping it would let the rest of the
/// body meet the next request; so a little more is read (RFC 9112, section 9.6), and where that is
/// not all of it the answer says that the connection ends here.
pub(crate) async fn settle(request: Request, next: Next) -> Response {
    if request.body().is_end_stream() {
        return next.run(request).await;
    }
    // A client that waits for "100 Continue" has not sent the body yet. Reading would ask for it.
    let waits = request.headers().contains_key(EXPECT);
    let (head, body) = request.into_parts();
    let mut shared = Shared(Arc::new(Mutex::new(body)));
    let mut response = next
        .run(Request::from_parts(head, Body::new(shared.clone())))
        .await;
    if shared.is_end_stream() {
        return response;
    }
    let ended = !waits
        && tokio::time::timeout(DRAIN_TIME, shared.drain())
            .await
            .unwrap_or(false);
    if !ended {
        response
            .headers_mut()
            .insert(CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

/// A body that outlives its reader.
#[derive(Clone)]
struct Shared(Arc<Mutex<Body>>);

impl Shared {
    fn with<T>(&self, work: impl FnOnce(&mut Body) -> T) -> T {
        work(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Reads and forgets; whether the end was reached.
    async fn drain(&mut self) -> bool {
        let mut read = 0;
        while read <= DRAIN_BYTES {
            match self.frame().await {
                Some(Ok(frame)) => read += frame.data_ref().map_or(0, Bytes::len),
                Some(Err(_)) => return false,
                None => return true,
            }
        }
        false
    }
}

impl HttpBody for Shared {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        self.with(|body| Pin::new(body).poll_frame(context))
    }

    fn is_end_stream(&self) -> bool {
        self.with(|body| body.is_end_stream())
    }

    fn size_hint(&self) -> SizeHint {
        self.with(|body| body.size_hint())
    }
}

/// Runs what takes long on a thread that may block.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Problem> + Send + 'static,
) -> Result<T, Problem> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(error) => Err(Problem::operating(ErrorCode::Internal, &error)),
    }
}
