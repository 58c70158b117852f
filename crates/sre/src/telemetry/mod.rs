//! Traces for an OpenTelemetry collector.
//!
//! | file | holds |
//! |---|---|
//! | `exporter` | the queue, and the task that sends what is in it |
//! | `otlp` | a batch of spans as OTLP's JSON |
//!
//! Specification: <https://opentelemetry.io/docs/specs/otlp/>. Spans come ready from `sre-orchestrator`. When the collector is slow or
//! gone, spans are dropped and orders are not.

mod exporter;
mod otlp;

pub use exporter::Telemetry;
