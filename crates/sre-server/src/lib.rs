//! The service over HTTP: orders, skills, blobs, events, health and metrics.
//!
//! ```text
//! connection ─▶ listener ─▶ auth (token, scope, rate) ─▶ routes ─▶ sre_service::Service
//!               time and     who calls                    JSON in,   who may do what,
//!               size limits                               JSON out   and everything else
//! ```
//!
//! This crate decides nothing about orders: it reads requests, asks the service, and writes
//! answers. It keeps no state of its own that must survive. HTTP/1.1 without TLS: a
//! reverse proxy in front of it speaks the rest.
//!
//! Every error is a problem document (RFC 9457) with a stable `code`; see [`Problem`]. The
//! OpenAPI document describes every route, and the routes are made from the same table.

mod app;
mod archive;
mod auth;
mod body;
mod connection;
mod json_body;
mod large_answer;
mod listener;
mod metrics;
mod openapi;
mod options;
mod problem;
mod receipt_metrics;
mod routes;
mod streamed;
mod tokens;

pub use app::App;
pub use listener::Server;
pub use metrics::Metrics;
pub use options::ServerOptions;
pub use problem::Problem;
pub use routes::document as openapi_document;
pub use tokens::{NewToken, TokenError, Tokens};
