//! One request, before it is sent.

use std::time::Duration;

use reqwest::Method;
use serde_json::Value;
use sre_core::OrderId;

/// Longest answer, in bytes: the longest blob. Every JSON answer of a service is shorter.
pub const ANSWER_LIMIT_BYTES: usize = 256 << 20;

/// One request of a service.
#[derive(Debug, Clone)]
pub struct Request {
    pub(crate) method: Method,
    pub(crate) path: String,
    pub(crate) query: Vec<(&'static str, String)>,
    pub(crate) body: Option<Value>,
    pub(crate) wait: Duration,
    pub(crate) limit_bytes: usize,
}

impl Request {
    /// Reads what is at `path`, for instance `v1/orders`.
    #[must_use]
    pub fn get(path: impl Into<String>) -> Self {
        Self::new(Method::GET, path)
    }

    /// Sends to `path`; without [`Request::body`] nothing but the request itself.
    #[must_use]
    pub fn post(path: impl Into<String>) -> Self {
        Self::new(Method::POST, path)
    }

    /// Reads below an order: the order itself for an empty `path`, or for instance `receipt`.
    #[must_use]
    pub fn of_order(order_id: &OrderId, path: &str) -> Self {
        Self::get(order_path(order_id, path))
    }

    /// Sends to below an order, for instance to `cancel`.
    #[must_use]
    pub fn to_order(order_id: &OrderId, path: &str) -> Self {
        Self::post(order_path(order_id, path))
    }

    fn new(method: Method, path: impl Into<String>) -> Self {
        Self {
            method,
            path: path.into(),
            query: Vec::new(),
            body: None,
            wait: Duration::ZERO,
            limit_bytes: ANSWER_LIMIT_BYTES,
        }
    }

    /// With this JSON body.
    #[must_use]
    pub fn body(self, body: Value) -> Self {
        Self {
            body: Some(body),
            ..self
        }
    }

    /// With a query parameter, if there is a value.
    #[must_use]
    pub fn query(mut self, name: &'static str, value: Option<String>) -> Self {
        self.query.extend(value.map(|value| (name, value)));
        self
    }

    /// Where the answer can only be short: refuses a longer one. Default [`ANSWER_LIMIT_BYTES`].
    #[must_use]
    pub fn limit(self, limit_bytes: usize) -> Self {
        Self {
            limit_bytes,
            ..self
        }
    }

    /// Asks the service to answer only after the order's state has changed, but after `wait` at the
    /// latest. The time limit of the answer is extended by as much.
    #[must_use]
    pub fn wait(mut self, wait: Duration) -> Self {
        self.wait = wait;
        if wait.is_zero() {
            return self;
        }
        self.query("wait", Some(wait.as_secs_f64().to_string()))
    }
}

/// An order id has no character that means something in a path.
pub(crate) fn order_path(order_id: &OrderId, path: &str) -> String {
    match path {
        "" => format!("v1/orders/{order_id}"),
        path => format!("v1/orders/{order_id}/{path}"),
    }
}
