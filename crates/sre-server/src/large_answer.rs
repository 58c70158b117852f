//! Answers that take much memory until their client has read them.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, HttpBody};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use hyper::body::{Frame, SizeHint};

use crate::body::SMALL_BYTES;
use crate::{App, Problem};
use sre_core::ErrorCode;
use sre_service::Held;

/// The answer with the memory it takes, or 429 when it is not there at the moment.
pub(crate) fn bounded(app: &App, caller: &str, answer: Response) -> Response {
    let Some(size_bytes) = answer
        .body()
        .size_hint()
        .exact()
        .and_then(|size| usize::try_from(size).ok())
    else {
        // A stream, which is made as it is read.
        return answer;
    };
    if size_bytes <= SMALL_BYTES {
        return answer;
    }
    let Some(held) = app.answers.take(caller, size_bytes.div_ceil(1024)) else {
        let detail = "too many large answers are being sent; try again later";
        return Problem::busy(ErrorCode::MemoryBusy, detail, Duration::from_secs(1))
            .into_response();
    };
    answer.map(|body| Body::new(HeldBody { body, _held: held }))
}

/// A body with the memory it was granted.
struct HeldBody {
    body: Body,
    _held: Held,
}

impl HttpBody for HeldBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
