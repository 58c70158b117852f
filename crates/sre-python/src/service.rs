//! The client of a service, for Python. Its requests are futures: dropping one ends the request and
//! its connection.
//!
//! Arguments are read as strictly as an order that runs here. `sre-client` does the rest.

use std::time::Duration;

use pyo3::prelude::*;
use serde_json::{Value, json};
use sre_client::{Address, Client, Request, Token};

use crate::bundles;
use crate::events::Events;
use crate::failure::Failure;
use crate::json::from_python;
use crate::order;
use crate::outcome::Answer;
use crate::task::{Waiter, start};

/// Longest time limit of an answer.
const TIME_LIMIT_SECONDS: f64 = 86_400.0;
/// What an order may be asked to be waited for at once; the service's default limit.
const WAIT_LIMIT_SECONDS: f64 = 60.0;

/// One service, as one token sees it. Making one connects to nothing.
#[pyclass(frozen, module = "sre_runtime._native")]
pub(crate) struct Service(Client);

#[pymethods]
impl Service {
    #[new]
    fn new(
        py: Python<'_>,
        server: &Bound<'_, PyAny>,
        token: Option<&Bound<'_, PyAny>>,
        timeout_seconds: &Bound<'_, PyAny>,
    ) -> PyResult<Self> {
        client(server, token, timeout_seconds)
            .map(Self)
            .map_err(|failure| failure.into_exception(py))
    }

    /// The address.
    fn address(&self) -> &str {
        self.0.address().without_slash()
    }

    /// Submits an order; answers it as it is then.
    fn submit(
        &self,
        py: Python<'_>,
        config: &Bound<'_, PyAny>,
        waiter: Waiter,
    ) -> PyResult<Py<PyAny>> {
        let order = order::wire(config);
        self.ask(
            py,
            waiter,
            order.map(|order| Request::post("v1/orders").body(order)),
        )
    }

    /// An order as it is, or as it is after at most `wait_seconds`.
    fn order(
        &self,
        py: Python<'_>,
        order_id: &Bound<'_, PyAny>,
        wait_seconds: &Bound<'_, PyAny>,
        waiter: Waiter,
    ) -> PyResult<Py<PyAny>> {
        let request = order::id(order_id).and_then(|id| {
            let seconds = order::number(wait_seconds, "wait_seconds")?;
            if !(0.0..=WAIT_LIMIT_SECONDS).contains(&seconds) {
                let message =
                    format!("must lie between 0 and {WAIT_LIMIT_SECONDS}, found {seconds}");
                return Err(Failure::of_value("wait_seconds", message));
            }
            Ok(Request::of_order(&id, "").wait(Duration::from_secs_f64(seconds)))
        });
        self.ask(py, waiter, request)
    }

    /// Asks to stop an order; answers it as it is then.
    fn cancel(
        &self,
        py: Python<'_>,
        order_id: &Bound<'_, PyAny>,
        waiter: Waiter,
    ) -> PyResult<Py<PyAny>> {
        let request = order::id(order_id).map(|id| Request::to_order(&id, "cancel"));
        self.ask(py, waiter, request)
    }

    /// A page of orders.
    fn list(
        &self,
        py: Python<'_>,
        status: Option<&Bound<'_, PyAny>>,
        skill: Option<&Bound<'_, PyAny>>,
        cursor: Option<&Bound<'_, PyAny>>,
        waiter: Waiter,
    ) -> PyResult<Py<PyAny>> {
        let text = |value: Option<&Bound<'_, PyAny>>, field| {
            value.map(|value| order::text(value, field)).transpose()
        };
        let request = text(status, "status").and_then(|status| {
            Ok(Request::get("v1/orders")
                .query("status", status)
                .query("skill", text(skill, "skill")?)
                .query("cursor", text(cursor, "cursor")?))
        });
        self.ask(py, waiter, request)
    }

    /// A verdict on an order of the service.
    fn verify_order(
        &self,
        py: Python<'_>,
        order_id: &Bound<'_, PyAny>,
        waiter: Waiter,
    ) -> PyResult<Py<PyAny>> {
        let request = order::id(order_id).map(|id| verification(json!({ "order_id": id })));
        self.ask(py, waiter, request)
    }

    /// A verdict on a claim whose bytes the service has.
    fn verify_claim(
        &self,
        py: Python<'_>,
        claim: &Bound<'_, PyAny>,
        reported_output: Option<&Bound<'_, PyAny>>,
        waiter: Waiter,
    ) -> PyResult<Py<PyAny>> {
        let request = order::claim(claim).and_then(|(claim, _)| {
            let mut body = json!({ "claim": claim });
            if let Some(output) = reported_output {
                body["reported_output"] = from_python(output, "output")?;
            }
            Ok(verification(body))
        });
        self.ask(py, waiter, request)
    }

    /// The bundle of an order, as bytes of a file.
    fn bundle(
        &self,
        py: Python<'_>,
        order_id: &Bound<'_, PyAny>,
        with_runtime: &Bound<'_, PyAny>,
        waiter: Waiter,
    ) -> PyResult<Py<PyAny>> {
        let asked = order::id(order_id)
            .and_then(|id| Ok((id, order::truth(with_runtime, "with_runtime")?)));
        let (order_id, with_runtime) = asked.map_err(|failure| failure.into_exception(py))?;
        let client = self.0.clone();
        start(py, waiter, async move {
            bundles::of_service(&client, &order_id, with_runtime)
                .await
                .map(Answer::Bytes)
        })
    }

    /// What happens to an order, after the event with the number `after`.
    fn events(
        &self,
        py: Python<'_>,
        order_id: &Bound<'_, PyAny>,
        after: &Bound<'_, PyAny>,
    ) -> PyResult<Events> {
        let asked = order::id(order_id).and_then(|id| Ok((id, order::count(after, "after")?)));
        let (order_id, after) = asked.map_err(|failure| failure.into_exception(py))?;
        Ok(Events::new(self.0.clone(), &order_id, u64::from(after)))
    }
}

impl Service {
    fn ask(
        &self,
        py: Python<'_>,
        waiter: Waiter,
        request: Result<Request, Failure>,
    ) -> PyResult<Py<PyAny>> {
        let request = request.map_err(|failure| failure.into_exception(py))?;
        let client = self.0.clone();
        start(py, waiter, async move {
            Ok(Answer::Json(client.send(request).await?))
        })
    }
}

fn verification(body: Value) -> Request {
    Request::post("v1/verify").body(body)
}

fn client(
    server: &Bound<'_, PyAny>,
    token: Option<&Bound<'_, PyAny>>,
    timeout_seconds: &Bound<'_, PyAny>,
) -> Result<Client, Failure> {
    let server = order::text(server, "server")?;
    let address = Address::parse(&server).map_err(|error| Failure::of_value("server", error))?;
    let token = token
        .map(|token| {
            Token::parse(&order::text(token, "token")?)
                .map_err(|error| Failure::of_value("token", error))
        })
        .transpose()?;
    let seconds = order::number(timeout_seconds, "timeout_seconds")?;
    if !(seconds > 0.0 && seconds <= TIME_LIMIT_SECONDS) {
        let message =
            format!("must be more than 0 and at most {TIME_LIMIT_SECONDS}, found {seconds}");
        return Err(Failure::of_value("timeout_seconds", message));
    }
    Client::new(address, token, Duration::from_secs_f64(seconds))
        .map_err(|error| Failure::bug(format!("no HTTP client can be made: {error}")))
}
