//! A batch of spans as an `ExportTraceServiceRequest` in OTLP's JSON encoding: ids in hexadecimal,
//! 64-bit numbers as text.

use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};
use sre_orchestrator::{EndedSpan, SpanKind};

/// The flags that say whether the parent is another program's (bits 8 and 9), and that the trace is
/// recorded (bit 0).
const REMOTE_KNOWN: u32 = 0x100;
const REMOTE: u32 = 0x200;
const SAMPLED: u32 = 0x1;

/// The request's body.
pub(super) fn request(service_name: &str, spans: &[EndedSpan]) -> Value {
    let resource = [
        ("service.name", service_name),
        ("service.version", env!("CARGO_PKG_VERSION")),
    ];
    json!({ "resourceSpans": [{
        "resource": { "attributes": resource.map(|(name, value)| attribute(name, value)) },
        "scopeSpans": [{
            "scope": { "name": "sre", "version": env!("CARGO_PKG_VERSION") },
            "spans": spans.iter().map(span).collect::<Vec<_>>(),
        }],
    }] })
}

fn span(span: &EndedSpan) -> Value {
    let kind = match span.kind {
        SpanKind::Internal => 1,
        SpanKind::Server => 2,
        SpanKind::Client => 3,
    };
    // Unset, or an error.
    let status = span
        .error
        .as_ref()
        .map_or_else(|| json!({}), |error| json!({ "code": 2, "message": error }));
    json!({
        "traceId": span.context.trace_id(),
        "spanId": span.context.parent_id(),
        "parentSpanId": span.parent_id.as_deref().unwrap_or_default(),
        "flags": SAMPLED | REMOTE_KNOWN | if span.parent_is_remote { REMOTE } else { 0 },
        "name": span.name,
        "kind": kind,
        "startTimeUnixNano": nanoseconds(span.started),
        "endTimeUnixNano": nanoseconds(span.ended),
        "attributes": span.attributes.iter().map(|(name, value)| attribute(name, value)).collect::<Vec<_>>(),
        "status": status,
    })
}

fn attribute(name: &str, value: &str) -> Value {
    json!({ "key": name, "value": { "stringValue": value } })
}

fn nanoseconds(time: SystemTime) -> String {
    time.duration_since(UNIX_EPOCH)
        .unwrap_or_default()
        .as_nanos()
        .to_string()
}
