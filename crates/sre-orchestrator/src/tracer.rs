//! Spans: what a request, an order, an attempt and its stages took, and which caused which.
//!
//! A span is made where something begins and ends when it is dropped, so that one whose work is
//! cancelled is told of too. The listener decides what to do with it; this crate knows no protocol.
//! Contexts travel as `traceparent` of W3C Trace Context, also through the journal, so an order's
//! spans belong together although processes come and go between them.

use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;

use sre_core::{Digest, OrderId, OrderResult};

use crate::TraceParent;

/// Is told of spans that have ended. Calls must not block.
pub trait Tracer: Send + Sync {
    /// Whether a trace that begins here is recorded. One that began elsewhere brings the answer
    /// with it.
    fn samples(&self, trace_id: &str) -> bool;
    /// A span has ended.
    fn span_ended(&self, span: EndedSpan);
}

/// What role a span plays between two programs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SpanKind {
    /// It answers a request.
    Server,
    /// It makes a request.
    Client,
    /// Neither.
    Internal,
}

/// A span that is over.
#[derive(Debug, Clone)]
pub struct EndedSpan {
    /// What it was, from a small set of names.
    pub name: &'static str,
    /// Its role.
    pub kind: SpanKind,
    /// Its trace, and its own id as the parent of others.
    pub context: TraceParent,
    /// The id of the span it belongs to, 16 hexadecimal digits; `None` for the first of a trace.
    pub parent_id: Option<String>,
    /// Whether that one is another program's.
    pub parent_is_remote: bool,
    /// When it began.
    pub started: SystemTime,
    /// When it ended.
    pub ended: SystemTime,
    /// More about it.
    pub attributes: Vec<(&'static str, String)>,
    /// Why it failed; `None` if it did not.
    pub error: Option<String>,
}

/// Whom to tell, if anybody. Cheap to clone.
#[derive(Clone, Default)]
pub struct Tracing(Option<Arc<dyn Tracer>>);

impl Tracing {
    /// Tells `tracer`.
    #[must_use]
    pub fn to(tracer: Arc<dyn Tracer>) -> Self {
        Self(Some(tracer))
    }

    /// Whether anybody listens.
    #[must_use]
    pub fn is_on(&self) -> bool {
        self.0.is_some()
    }

    /// Begins a span below `parent`, or a trace of its own. Without a listener nothing is made,
    /// and what is caused belongs to `parent` itself.
    #[must_use]
    pub fn span(&self, name: &'static str, kind: SpanKind, parent: Option<&TraceParent>) -> Span {
        let Some(tracer) = &self.0 else {
            return Span {
                context: parent.cloned(),
                recording: None,
            };
        };
        let context = match parent {
            Some(parent) => parent.child(rand::random()),
            None => {
                let trace = TraceParent::new(rand::random(), rand::random());
                let samples = tracer.samples(trace.trace_id());
                trace.sampled(samples)
            }
        };
        self.begin(name, kind, context, parent)
    }

    /// Begins a span within an order, whose submitter has a trace or has none.
    pub(crate) fn span_of_order(&self, name: &'static str, parent: Option<&TraceParent>) -> Span {
        match parent {
            Some(parent) => self.span(name, SpanKind::Internal, Some(parent)),
            None => Span::none(),
        }
    }

    /// Tells of the whole order, which may have begun in a process that is gone. `parent` is the
    /// submitter's.
    pub(crate) fn order_ended(
        &self,
        parent: &TraceParent,
        accepted: SystemTime,
        result: &OrderResult,
    ) {
        let context = order_context(&result.order_id, parent);
        let mut span = self.begin("order", SpanKind::Internal, context, Some(parent));
        span.attribute("sre.order_id", || result.order_id.to_string());
        span.attribute("sre.status", || result.status.as_str().to_owned());
        span.attribute("sre.attempts", || result.attempts.to_string());
        if let Some(error) = &result.error_code {
            span.fail(error);
        }
        if let Some(recording) = &mut span.recording {
            recording.span.started = accepted;
        }
    }

    fn begin(
        &self,
        name: &'static str,
        kind: SpanKind,
        context: TraceParent,
        parent: Option<&TraceParent>,
    ) -> Span {
        let recording = self
            .0
            .as_ref()
            .filter(|_| context.is_sampled())
            .map(|tracer| Recording {
                tracer: Arc::clone(tracer),
                span: EndedSpan {
                    name,
                    kind,
                    context: context.clone(),
                    parent_id: parent.map(|parent| parent.parent_id().to_owned()),
                    parent_is_remote: kind == SpanKind::Server && parent.is_some(),
                    started: SystemTime::now(),
                    ended: SystemTime::now(),
                    attributes: Vec::new(),
                    error: None,
                },
            });
        Span {
            context: Some(context),
            recording,
        }
    }
}

/// The context of an order's span within its submitter's trace.
pub(crate) fn order_context(order_id: &OrderId, parent: &TraceParent) -> TraceParent {
    let digest = Digest::of(order_id.as_str().as_bytes());
    let mut id = [0; 8];
    id.copy_from_slice(&digest.as_bytes()[..8]);
    parent.child(u64::from_be_bytes(id))
}

/// Something that has begun; it ends when it is dropped.
pub struct Span {
    context: Option<TraceParent>,
    recording: Option<Recording>,
}

struct Recording {
    tracer: Arc<dyn Tracer>,
    span: EndedSpan,
}

impl Span {
    /// No span.
    pub(crate) const fn none() -> Self {
        Self {
            context: None,
            recording: None,
        }
    }

    /// What it causes belongs below this.
    #[must_use]
    pub fn context(&self) -> Option<&TraceParent> {
        self.context.as_ref()
    }

    /// Says more about it.
    pub fn attribute(&mut self, name: &'static str, value: impl FnOnce() -> String) {
        if let Some(recording) = &mut self.recording {
            recording.span.attributes.push((name, value()));
        }
    }

    /// Says that it failed.
    pub fn fail(&mut self, error: &dyn fmt::Display) {
        if let Some(recording) = &mut self.recording {
            recording.span.error = Some(error.to_string());
        }
    }
}

impl Drop for Span {
    fn drop(&mut self) {
        if let Some(Recording { tracer, mut span }) = self.recording.take() {
            // The clock may have been set back meanwhile.
            span.ended = SystemTime::now().max(span.started);
            tracer.span_ended(span);
        }
    }
}
