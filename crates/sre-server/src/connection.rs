//! One connection: which time limit holds when.
//!
//! hyper has one limit for the head of a request and counts it from the end of the last answer, so
//! a limit against slow heads would close connections that a proxy keeps for its next request. A
//! request that meets a connection just being closed is lost to the proxy's client. Here an idle
//! connection has a limit of its own.
//!
//! ```text
//! head (limit: head) ─ complete ─▶ busy ─ answer written ─▶ waiting (limit: idle)
//!   ▲                                                          │
//!   └──────────────────────── first byte ──────────────────────┘
//! ```
//! A new connection begins in `head`: one that never says anything ends soon.

use std::convert::Infallible;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use axum::body::Body;
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use hyper::service::Service;
use hyper::{Request, Response};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep_until};
use tower::ServiceExt as _;

/// What a connection waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// The first byte of another request, until this moment.
    Waiting { deadline: Instant },
    /// The rest of a head, until this moment.
    Head { deadline: Instant },
    /// Its own answer.
    Busy,
}

/// The phase, shared by the stream that sees bytes and the service that sees requests.
#[derive(Clone)]
pub(crate) struct Phases {
    /// With the task that reads, where it waits without a limit. hyper does not read again once an
    /// answer is written, so it must be woken to wait with one.
    phase: Arc<Mutex<(Phase, Option<Waker>)>>,
    head_time_limit: Duration,
    idle_time_limit: Duration,
}

impl Phases {
    /// A connection that was just accepted.
    pub(crate) fn new(head_time_limit: Duration, idle_time_limit: Duration) -> Self {
        let deadline = Instant::now() + head_time_limit;
        Self {
            phase: Arc::new(Mutex::new((Phase::Head { deadline }, None))),
            head_time_limit,
            idle_time_limit,
        }
    }

    fn lock(&self) -> MutexGuard<'_, (Phase, Option<Waker>)> {
        self.phase.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn get(&self) -> Phase {
        self.lock().0
    }

    fn set(&self, phase: Phase) {
        self.lock().0 = phase;
    }

    /// A byte came.
    fn received(&self) {
        if let Phase::Waiting { .. } = self.get() {
            let deadline = Instant::now() + self.head_time_limit;
            self.set(Phase::Head { deadline });
        }
    }

    fn answered(&self) {
        let deadline = Instant::now() + self.idle_time_limit;
        let reader = {
            let mut phase = self.lock();
            phase.0 = Phase::Waiting { deadline };
            phase.1.take()
        };
        if let Some(reader) = reader {
            reader.wake();
        }
    }
}

/// A stream whose reads end once a limit is reached: as the end of the stream where no request has
/// begun, as an error where a head is late.
pub(crate) struct Limited<S> {
    stream: S,
    phases: Phases,
    timer: Option<(Instant, Pin<Box<Sleep>>)>,
}

impl<S> Limited<S> {
    pub(crate) fn new(stream: S, phases: Phases) -> Self {
        Self {
            stream,
            phases,
            timer: None,
        }
    }

    /// Ready once the limit of the present phase is reached.
    fn poll_deadline(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let (deadline, ended) = match self.phases.get() {
            Phase::Busy => {
                self.timer = None;
                self.phases.lock().1 = Some(context.waker().clone());
                return Poll::Pending;
            }
            Phase::Waiting { deadline } => (deadline, Ok(())),
            Phase::Head { deadline } => (
                deadline,
                Err(io::Error::new(
                    io::ErrorKind::TimedOut,
                    "the head of a request took too long",
                )),
            ),
        };
        let timer = match &mut self.timer {
            Some((at, timer)) if *at == deadline => timer,
            other => &mut other.insert((deadline, Box::pin(sleep_until(deadline)))).1,
        };
        timer.as_mut().poll(context).map(|()| ended)
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Limited<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(context, buffer);
        if buffer.filled().len() > before {
            self.phases.received();
        }
        // Also where bytes came: a client that sends one byte a second is late all the same.
        match self.poll_deadline(context) {
            Poll::Ready(Err(late)) => Poll::Ready(Err(late)),
            Poll::Ready(Ok(())) if read.is_pending() => Poll::Ready(Ok(())),
            _ => read,
        }
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Limited<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

/// The routes, for one connection.
pub(crate) struct Routes {
    pub(crate) router: axum::Router,
    pub(crate) phases: Phases,
}

impl Service<Request<Incoming>> for Routes {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        // The head is complete.
        self.phases.set(Phase::Busy);
        let answered = Answered(self.phases.clone());
        let answer = self.router.clone().oneshot(request.map(Body::new));
        Box::pin(async move {
            let response = answer.await?;
            Ok(response.map(|body| {
                // The guard goes with the body, when its last byte was taken over for writing.
                let guarded = body.map_frame(move |frame| {
                    let _until_then = &answered;
                    frame
                });
                Body::new(guarded)
            }))
        })
    }
}

/// The connection waits for the next request once this is dropped.
struct Answered(Phases);

impl Drop for Answered {
    fn drop(&mut self) {
        self.0.answered();
    }
}
