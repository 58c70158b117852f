//! What happens to an order, as it happens: the service's stream of events, followed over broken
//! connections.

use std::sync::Arc;
use std::time::Duration;

use pyo3::prelude::*;
use reqwest::{Method, Response};
use serde_json::{Value, json};
use sre_core::OrderId;
use tokio::sync::Mutex;

use crate::failure::Failure;
use crate::service::{Door, order_path};
use crate::task::{Answer, Waiter, start};

/// Longest event, in bytes.
const EVENT_LIMIT_BYTES: usize = 1 << 20;
/// Connections in a row that may fail before somebody is told.
const FAILURES_LIMIT: u32 = 5;
/// Before the first new attempt; each further one waits twice as long.
const PAUSE: Duration = Duration::from_millis(200);
/// A connection that is silent for longer is broken: the service says something every 15 s.
const SILENCE_LIMIT: Duration = Duration::from_secs(45);

/// A stream of events. Nothing is asked before the first `next`; dropping it closes the connection.
#[pyclass(frozen, module = "sre_runtime._native")]
pub(crate) struct Events(Arc<Mutex<Stream>>);

struct Stream {
    door: Arc<Door>,
    path: String,
    /// The number of the last event that was seen.
    after: u64,
    connection: Option<Response>,
    /// What has arrived and is no whole event yet.
    buffer: Vec<u8>,
    failures: u32,
    is_over: bool,
}

#[pymethods]
impl Events {
    /// Answers the next event, or `None` when there will be no more. Whoever stops waiting has lost
    /// nothing.
    fn next(&self, py: Python<'_>, waiter: Waiter) -> PyResult<Py<PyAny>> {
        let stream = Arc::clone(&self.0);
        start(py, waiter, async move {
            Ok(Answer::Json(stream.lock().await.next().await?))
        })
    }
}

impl Events {
    pub(crate) fn new(door: Arc<Door>, order_id: &OrderId, after: u64) -> Self {
        let path = format!("{}/events", order_path(order_id));
        let (connection, buffer) = (None, Vec::new());
        Self(Arc::new(Mutex::new(Stream {
            door,
            path,
            after,
            connection,
            buffer,
            failures: 0,
            is_over: false,
        })))
    }
}

impl Stream {
    async fn next(&mut self) -> Result<Value, Failure> {
        while !self.is_over {
            if let Some(event) = self.take_event()? {
                return Ok(event);
            }
            if let Err(failure) = self.receive().await {
                self.connection = None;
                self.buffer.clear();
                self.failures += 1;
                if self.failures > FAILURES_LIMIT || !failure.is_unavailable() {
                    return Err(failure);
                }
                tokio::time::sleep(PAUSE * (1 << self.failures)).await;
            }
        }
        Ok(Value::Null)
    }

    /// More bytes, from a new connection if need be.
    async fn receive(&mut self) -> Result<(), Failure> {
        let Some(connection) = &mut self.connection else {
            return self.connect().await;
        };
        let silent = || {
            Failure::unreachable(format!(
                "the service was silent for {} s",
                SILENCE_LIMIT.as_secs()
            ))
        };
        let part = tokio::time::timeout(SILENCE_LIMIT, connection.chunk())
            .await
            .map_err(|_| silent())?;
        match part.map_err(|error| self.door.unreachable(&error))? {
            Some(part) if self.buffer.len() + part.len() > EVENT_LIMIT_BYTES => {
                Err(Failure::answer_invalid(format!(
                    "an event is longer than {EVENT_LIMIT_BYTES} bytes"
                )))
            }
            Some(part) => {
                self.buffer.extend_from_slice(&part);
                Ok(())
            }
            None => Err(Failure::unreachable(
                "the service closed the stream before the order ended",
            )),
        }
    }

    async fn connect(&mut self) -> Result<(), Failure> {
        let mut request = self.door.request(Method::GET, &self.path, &[]);
        if self.after > 0 {
            request = request.header("last-event-id", self.after);
        }
        let limit = self.door.time_limit;
        let late = |_| Failure::unreachable(format!("no answer within {} s", limit.as_secs_f64()));
        let opened = tokio::time::timeout(limit, async {
            let answer = request
                .send()
                .await
                .map_err(|error| self.door.unreachable(&error))?;
            self.door.refuse(answer).await
        });
        let answer = opened.await.map_err(late)??;
        // Whoever has seen the end is told not to come back.
        self.is_over = answer.status() == reqwest::StatusCode::NO_CONTENT;
        self.connection = Some(answer);
        Ok(())
    }

    /// The first whole event in the buffer; comments are passed over.
    fn take_event(&mut self) -> Result<Option<Value>, Failure> {
        while let Some(end) = self.buffer.windows(2).position(|pair| pair == b"\n\n") {
            let frame: Vec<u8> = self.buffer.drain(..end + 2).collect();
            if let Some((number, kind, data)) = parse(&frame)? {
                (self.after, self.failures) = (number, 0);
                if kind == "finished" {
                    (self.is_over, self.connection) = (true, None);
                }
                return Ok(Some(
                    json!({ "number": number, "kind": kind, "data": data }),
                ));
            }
        }
        Ok(None)
    }
}

/// One frame, as the service writes it: one line of each field.
fn parse(frame: &[u8]) -> Result<Option<(u64, String, Value)>, Failure> {
    let malformed = || Failure::answer_invalid("the service sent something that is no event");
    let text = std::str::from_utf8(frame).map_err(|_| malformed())?;
    let field = |name| text.lines().find_map(|line| line.strip_prefix(name));
    let Some(data) = field("data: ") else {
        return Ok(None);
    };
    let (Some(number), Some(kind)) = (field("id: "), field("event: ")) else {
        return Err(malformed());
    };
    let number = number.parse().map_err(|_| malformed())?;
    let data = serde_json::from_str(data).map_err(|_| malformed())?;
    Ok(Some((number, kind.to_owned(), data)))
}
