//! Traces for an OpenTelemetry collector.
//!
//! | file | holds |
//! |---|---|
//! | `exporter` | the queue, and the task that sends what is in it |
//! | `otlp` | a batch of spans as OTLP's JSON |
//! | `absent` | what stands for both without the feature `otel` |
//!
//! Specification: <https://opentelemetry.io/docs/specs/otlp/>. Spans come ready from
//! `sre-orchestrator`. When the collector is slow or gone, spans are dropped and orders are not.

#[cfg(not(feature = "otel"))]
mod absent;
#[cfg(feature = "otel")]
mod exporter;
#[cfg(feature = "otel")]
mod otlp;

#[cfg(not(feature = "otel"))]
pub use absent::Telemetry;
#[cfg(feature = "otel")]
pub use exporter::Telemetry;
