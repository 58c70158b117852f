//! A client of the service. Its requests are futures: whoever stops waiting for one ends it, and
//! its connection.
//!
//! What is asked is read as strictly as an order that runs here. What is answered is checked for
//! its length and its form and no further: the service is somebody whose orders one runs.

use std::sync::Arc;
use std::time::Duration;

use pyo3::prelude::*;
use reqwest::header::{AUTHORIZATION, HeaderValue};
use reqwest::{Method, RequestBuilder, Response};
use serde::Deserialize;
use serde_json::{Value, json};
use sre_core::OrderId;
use sre_orchestrator::{BodyError, http_client, read_body, with_causes};
use url::Url;

use crate::bundles;
use crate::events::Events;
use crate::failure::Failure;
use crate::json::from_python;
use crate::order;
use crate::task::{Answer, Waiter, start};

/// Answers are read up to this size.
const ANSWER_LIMIT_BYTES: usize = 64 << 20;
/// How long a receipt's proof is waited for.
const PROOF_WAIT: Duration = Duration::from_secs(10);
/// Longest time limit of an answer.
const TIME_LIMIT_SECONDS: f64 = 86_400.0;
/// What an order may be asked to be waited for at once; the service's default limit.
const WAIT_LIMIT_SECONDS: f64 = 60.0;

/// One service, as one token sees it. Making one connects to nothing.
#[pyclass(frozen, module = "sre_runtime._native")]
pub(crate) struct Service(Arc<Door>);

/// How to get there.
pub(crate) struct Door {
    http: reqwest::Client,
    base: Url,
    token: Option<HeaderValue>,
    pub(crate) time_limit: Duration,
}

/// A problem document (RFC 9457).
#[derive(Deserialize)]
struct Problem {
    code: String,
    detail: String,
}

#[pymethods]
impl Service {
    #[new]
    fn new(
        py: Python<'_>,
        server: &Bound<'_, PyAny>,
        token: Option<&Bound<'_, PyAny>>,
        timeout_seconds: &Bound<'_, PyAny>,
    ) -> PyResult<Self> {
        let door = Door::new(server, token, timeout_seconds)
            .map_err(|failure| failure.into_exception(py))?;
        Ok(Self(Arc::new(door)))
    }

    /// The address.
    fn address(&self) -> &str {
        self.0.base.as_str().trim_end_matches('/')
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
            order.map(|order| Question::new(Method::POST, "/v1/orders").with_body(order)),
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
        let question = order::id(order_id).and_then(|id| {
            let seconds = order::number(wait_seconds, "wait_seconds")?;
            if !(0.0..=WAIT_LIMIT_SECONDS).contains(&seconds) {
                let message =
                    format!("must lie between 0 and {WAIT_LIMIT_SECONDS}, found {seconds}");
                return Err(Failure::of_value("wait_seconds", message));
            }
            let mut question = Question::new(Method::GET, order_path(&id))
                .waiting(Duration::from_secs_f64(seconds));
            if seconds > 0.0 {
                question = question.with("wait", Some(seconds.to_string()));
            }
            Ok(question)
        });
        self.ask(py, waiter, question)
    }

    /// Asks to stop an order; answers it as it is then.
    fn cancel(
        &self,
        py: Python<'_>,
        order_id: &Bound<'_, PyAny>,
        waiter: Waiter,
    ) -> PyResult<Py<PyAny>> {
        let question = order::id(order_id)
            .map(|id| Question::new(Method::POST, format!("{}/cancel", order_path(&id))));
        self.ask(py, waiter, question)
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
        let question = text(status, "status").and_then(|status| {
            let question = Question::new(Method::GET, "/v1/orders").with("status", status);
            Ok(question
                .with("skill", text(skill, "skill")?)
                .with("cursor", text(cursor, "cursor")?))
        });
        self.ask(py, waiter, question)
    }

    /// A verdict on an order of the service.
    fn verify_order(
        &self,
        py: Python<'_>,
        order_id: &Bound<'_, PyAny>,
        waiter: Waiter,
    ) -> PyResult<Py<PyAny>> {
        let question = order::id(order_id).map(|id| Question::verify(json!({ "order_id": id })));
        self.ask(py, waiter, question)
    }

    /// A verdict on a claim whose bytes the service has.
    fn verify_claim(
        &self,
        py: Python<'_>,
        claim: &Bound<'_, PyAny>,
        reported_output: Option<&Bound<'_, PyAny>>,
        waiter: Waiter,
    ) -> PyResult<Py<PyAny>> {
        let question = order::claim(claim).and_then(|(claim, _)| {
            let mut body = json!({ "claim": claim });
            if let Some(output) = reported_output {
                body["reported_output"] = from_python(output, "output")?;
            }
            Ok(Question::verify(body))
        });
        self.ask(py, waiter, question)
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
        let door = Arc::clone(&self.0);
        let question = Question::new(Method::GET, format!("{}/receipt", order_path(&order_id)))
            .waiting(PROOF_WAIT);
        let question = question.with("wait", Some(PROOF_WAIT.as_secs().to_string()));
        start(py, waiter, async move {
            let shown = door.ask(question).await?;
            bundles::of_service(&door, &order_id, &shown, with_runtime)
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
        Ok(Events::new(
            Arc::clone(&self.0),
            &order_id,
            u64::from(after),
        ))
    }
}

impl Service {
    fn ask(
        &self,
        py: Python<'_>,
        waiter: Waiter,
        question: Result<Question, Failure>,
    ) -> PyResult<Py<PyAny>> {
        let question = question.map_err(|failure| failure.into_exception(py))?;
        let door = Arc::clone(&self.0);
        start(py, waiter, async move {
            door.ask(question).await.map(Answer::Json)
        })
    }
}

/// One request.
struct Question {
    method: Method,
    path: String,
    query: Vec<(&'static str, String)>,
    body: Option<Value>,
    /// How long the service is asked to wait before it answers.
    wait: Duration,
}

impl Question {
    fn new(method: Method, path: impl Into<String>) -> Self {
        Self {
            method,
            path: path.into(),
            query: Vec::new(),
            body: None,
            wait: Duration::ZERO,
        }
    }

    fn verify(body: Value) -> Self {
        Self::new(Method::POST, "/v1/verify").with_body(body)
    }

    fn with_body(self, body: Value) -> Self {
        Self {
            body: Some(body),
            ..self
        }
    }

    fn waiting(self, wait: Duration) -> Self {
        Self { wait, ..self }
    }

    fn with(mut self, name: &'static str, value: Option<String>) -> Self {
        self.query.extend(value.map(|value| (name, value)));
        self
    }
}

pub(crate) fn order_path(order_id: &OrderId) -> String {
    // An id has no character that means something in a path.
    format!("/v1/orders/{order_id}")
}

impl Door {
    fn new(
        server: &Bound<'_, PyAny>,
        token: Option<&Bound<'_, PyAny>>,
        timeout_seconds: &Bound<'_, PyAny>,
    ) -> Result<Self, Failure> {
        let base = address(&order::text(server, "server")?)?;
        let token = token
            .map(|token| header(&order::text(token, "token")?))
            .transpose()?;
        let seconds = order::number(timeout_seconds, "timeout_seconds")?;
        if !(seconds > 0.0 && seconds <= TIME_LIMIT_SECONDS) {
            let message =
                format!("must be more than 0 and at most {TIME_LIMIT_SECONDS}, found {seconds}");
            return Err(Failure::of_value("timeout_seconds", message));
        }
        let http = http_client().build();
        let http =
            http.map_err(|error| Failure::bug(format!("no HTTP client can be made: {error}")))?;
        Ok(Self {
            http,
            base,
            token,
            time_limit: Duration::from_secs_f64(seconds),
        })
    }

    pub(crate) fn request(
        &self,
        method: Method,
        path: &str,
        query: &[(&str, String)],
    ) -> RequestBuilder {
        let mut url = self.base.clone();
        url.set_path(&format!("{}{path}", self.base.path().trim_end_matches('/')));
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        let request = self.http.request(method, url);
        match &self.token {
            Some(token) => request.header(AUTHORIZATION, token),
            None => request,
        }
    }

    /// The bytes of an answer.
    pub(crate) async fn fetch(&self, method: Method, path: &str) -> Result<Vec<u8>, Failure> {
        let asked = self
            .request(method, path, &[])
            .timeout(self.time_limit)
            .send()
            .await;
        self.read(
            self.refuse(asked.map_err(|error| self.unreachable(&error))?)
                .await?,
        )
        .await
    }

    async fn ask(&self, question: Question) -> Result<Value, Failure> {
        let Question {
            method,
            path,
            query,
            body,
            wait,
        } = question;
        let mut request = self
            .request(method, &path, &query)
            .timeout(self.time_limit + wait);
        if let Some(body) = body {
            request = request.json(&body);
        }
        let answer = self
            .refuse(
                request
                    .send()
                    .await
                    .map_err(|error| self.unreachable(&error))?,
            )
            .await?;
        let text = self.read(answer).await?;
        serde_json::from_slice(&text)
            .map_err(|_| Failure::answer_invalid("the answer is no JSON; is this the service?"))
    }

    /// The answer, unless it is a refusal.
    pub(crate) async fn refuse(&self, answer: Response) -> Result<Response, Failure> {
        let status = answer.status();
        if status.is_success() {
            return Ok(answer);
        }
        let problem = self.read(answer).await?;
        Err(match serde_json::from_slice::<Problem>(&problem) {
            Ok(Problem { code, detail }) => Failure::refused(status.as_u16(), code, detail),
            Err(_) => {
                let detail = format!(
                    "the service answered {} without a problem document",
                    status.as_u16()
                );
                Failure::refused(status.as_u16(), String::from("answer_invalid"), detail)
            }
        })
    }

    async fn read(&self, answer: Response) -> Result<Vec<u8>, Failure> {
        read_body(answer, ANSWER_LIMIT_BYTES)
            .await
            .map_err(|error| match error {
                BodyError::Broken(error) => self.unreachable(&error),
                BodyError::TooLong { .. } => Failure::answer_invalid(error.to_string()),
            })
    }

    pub(crate) fn unreachable(&self, error: &reqwest::Error) -> Failure {
        let what = format!(
            "{} cannot be reached",
            self.base.as_str().trim_end_matches('/')
        );
        Failure::unreachable(with_causes(&what, error))
    }
}

fn address(text: &str) -> Result<Url, Failure> {
    let refused = || {
        Failure::of_value(
            "server",
            "must be an http or https URL without credentials and query",
        )
    };
    let url: Url = text.parse().map_err(|_| refused())?;
    let is_plain = url.username().is_empty() && url.password().is_none() && url.query().is_none();
    let is_http = matches!(url.scheme(), "http" | "https") && url.has_host();
    if is_plain && is_http && url.fragment().is_none() {
        Ok(url)
    } else {
        Err(refused())
    }
}

fn header(token: &str) -> Result<HeaderValue, Failure> {
    // Not the token itself: messages end up in logs.
    let refused = || {
        Failure::of_value(
            "token",
            "must be what `sre token new` prints: visible ASCII characters",
        )
    };
    if token.is_empty() || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(refused());
    }
    let mut header = HeaderValue::try_from(format!("Bearer {token}")).map_err(|_| refused())?;
    header.set_sensitive(true);
    Ok(header)
}
