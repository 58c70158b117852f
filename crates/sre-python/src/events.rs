//! What happens to an order, as it happens, for Python.

use std::sync::Arc;

use pyo3::prelude::*;
use serde_json::{Value, json};
use sre_client::{Client, Event};
use sre_core::OrderId;
use tokio::sync::Mutex;

use crate::failure::Failure;
use crate::outcome::Answer;
use crate::task::{Waiter, start};

/// A stream of events. Nothing is asked before the first `next`; dropping it closes the connection.
#[pyclass(frozen, module = "sre_runtime._native")]
pub(crate) struct Events(Arc<Mutex<sre_client::Events>>);

#[pymethods]
impl Events {
    /// Answers the next event, or `None` when there will be no more. A caller that stops waiting
    /// loses no event.
    fn next(&self, py: Python<'_>, waiter: Waiter) -> PyResult<Py<PyAny>> {
        let stream = Arc::clone(&self.0);
        start(py, waiter, async move {
            let event = stream.lock().await.next().await?;
            Ok(Answer::Json(event.map_or(Ok(Value::Null), described)?))
        })
    }
}

impl Events {
    pub(crate) fn new(client: Client, order_id: &OrderId, after: u64) -> Self {
        let events = sre_client::Events::new(client, order_id, after);
        Self(Arc::new(Mutex::new(events)))
    }
}

fn described(event: Event) -> Result<Value, Failure> {
    let data: Value = serde_json::from_str(&event.data)
        .map_err(|_| Failure::answer_invalid("the service sent something that is not an event"))?;
    Ok(json!({ "number": event.number, "kind": event.kind, "data": data }))
}
