//! What happens to an order, as it happens, followed over broken connections.

use std::time::Duration;

use reqwest::{Method, Response, StatusCode};
use sre_core::OrderId;

use crate::client::Client;
use crate::error::ClientError;
use crate::request::order_path;
use crate::sse::{Frame, Parser};

/// Connections in a row that may fail after the first one was made.
const FAILURES_LIMIT: u32 = 5;
/// Before the first new attempt; each further one waits twice as long.
const PAUSE: Duration = Duration::from_millis(200);
/// A connection that is silent for longer is broken: the service says something every 15 s.
const SILENCE_LIMIT: Duration = Duration::from_secs(45);

/// One event of an order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// Its number, from 1.
    pub number: u64,
    /// What happened, for instance `running`.
    pub kind: String,
    /// More about it: a text of JSON.
    pub data: String,
}

/// The events of one order. Nothing is asked before the first [`Events::next`]; dropping it closes
/// the connection.
#[derive(Debug)]
pub struct Events {
    client: Client,
    path: String,
    /// The number of the last event that was seen.
    after: u64,
    connection: Option<Response>,
    parser: Parser,
    was_connected: bool,
    failures: u32,
    is_over: bool,
}

impl Events {
    /// The events after the one with the number `after`; 0 for all of them.
    #[must_use]
    pub fn new(client: Client, order_id: &OrderId, after: u64) -> Self {
        Self {
            client,
            path: order_path(order_id, "events"),
            after,
            connection: None,
            parser: Parser::default(),
            was_connected: false,
            failures: 0,
            is_over: false,
        }
    }

    /// The next event, or `None` when there will be no more. Dropping the future loses no event.
    ///
    /// # Errors
    /// [`ClientError`], once several new connections in a row have failed.
    pub async fn next(&mut self) -> Result<Option<Event>, ClientError> {
        while !self.is_over {
            if let Some(event) = self.take_event()? {
                return Ok(Some(event));
            }
            if let Err(error) = self.receive().await {
                self.connection = None;
                self.parser = Parser::default();
                self.failures += 1;
                // A service that was never reached is reported at once: the address may be wrong.
                let may_retry = self.was_connected && self.failures <= FAILURES_LIMIT;
                if !may_retry || !error.is_transient() {
                    return Err(error);
                }
                tokio::time::sleep(PAUSE * (1 << self.failures)).await;
            }
        }
        Ok(None)
    }

    /// More bytes, from a new connection if need be.
    async fn receive(&mut self) -> Result<(), ClientError> {
        let Some(connection) = &mut self.connection else {
            return self.connect().await;
        };
        let silent = |_| {
            let seconds = SILENCE_LIMIT.as_secs();
            ClientError::Unreachable(format!("the service was silent for {seconds} s"))
        };
        let part = tokio::time::timeout(SILENCE_LIMIT, connection.chunk())
            .await
            .map_err(silent)?
            .map_err(|error| self.client.unreachable(&error))?;
        match part {
            Some(part) => self
                .parser
                .push(&part)
                .map_err(|error| ClientError::Invalid(error.to_string())),
            None => Err(ClientError::Unreachable(String::from(
                "the service closed the stream before the order ended",
            ))),
        }
    }

    async fn connect(&mut self) -> Result<(), ClientError> {
        let mut request = self.client.builder(Method::GET, &self.path, &[]);
        if self.after > 0 {
            request = request.header("last-event-id", self.after);
        }
        // The limit is for the head of the answer; the stream itself lasts as long as the order.
        let limit = self.client.time_limit();
        let late =
            |_| ClientError::Unreachable(format!("no answer within {} s", limit.as_secs_f64()));
        let answer = tokio::time::timeout(limit, self.client.open(request))
            .await
            .map_err(late)??;
        self.was_connected = true;
        // 204 says that the last event was seen already.
        self.is_over = answer.status() == StatusCode::NO_CONTENT;
        self.connection = Some(answer);
        Ok(())
    }

    fn take_event(&mut self) -> Result<Option<Event>, ClientError> {
        let frame = self
            .parser
            .next()
            .map_err(|error| ClientError::Invalid(error.to_string()))?;
        let Some(frame) = frame else { return Ok(None) };
        let event = event(frame).ok_or_else(|| {
            ClientError::Invalid(String::from(
                "the service sent something that is not an event",
            ))
        })?;
        (self.after, self.failures) = (event.number, 0);
        if event.kind == "finished" {
            (self.is_over, self.connection) = (true, None);
        }
        Ok(Some(event))
    }
}

fn event(frame: Frame) -> Option<Event> {
    let number = frame.id?.parse().ok()?;
    serde_json::from_str::<serde::de::IgnoredAny>(&frame.data).ok()?;
    (!frame.kind.is_empty()).then_some(Event {
        number,
        kind: frame.kind,
        data: frame.data,
    })
}
