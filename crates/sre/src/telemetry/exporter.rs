//! The queue of spans, and the task that sends what is in it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use sre_core::ErrorCode;
use sre_http::http_client;
use sre_orchestrator::{EndedSpan, Tracer, Tracing};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use url::Url;

use super::otlp;
use crate::config;
use crate::failure::Failure;

/// How long one request to the collector may take, and sending the rest when the service ends.
const SEND_TIME_LIMIT: Duration = Duration::from_secs(10);

/// How long spans wait for company.
const BATCH_PERIOD: Duration = Duration::from_secs(1);

/// Spans that wait; about 16 MB. More are dropped.
const QUEUE_LIMIT_SPANS: usize = 16_384;

/// Spans in one request.
const BATCH_LIMIT_SPANS: usize = 2048;

/// How often a batch is sent when the collector asks for patience. Then it is dropped.
const TRIES: u32 = 3;

/// Bytes of an error that are sent.
const ERROR_LIMIT_BYTES: usize = 1024;

/// Headers for the collector, `name=value` with commas between, values percent-encoded; the name is
/// the specification's.
const HEADERS_VARIABLE: &str = "OTEL_EXPORTER_OTLP_HEADERS";

/// Sends spans until it is shut down.
pub struct Telemetry(Option<Running>);

struct Running {
    exporter: Arc<Exporter>,
    task: JoinHandle<()>,
}

impl Telemetry {
    /// Starts sending to the collector that the settings name, if they do. To be called within a
    /// tokio runtime.
    ///
    /// # Errors
    /// Settings that cannot be used.
    pub fn start(settings: &config::Telemetry) -> Result<Self, Failure> {
        if settings.traces_endpoint.is_empty() {
            return Ok(Self(None));
        }
        let ratio = settings.sample_ratio;
        if !(0.0..=1.0).contains(&ratio) {
            return Err(refuse(&format!(
                "sample_ratio must lie between 0 and 1, found {ratio}"
            )));
        }
        let endpoint: Url = settings
            .traces_endpoint
            .parse()
            .map_err(|error| refuse(&format!("traces_endpoint: {error}")))?;
        if !matches!(endpoint.scheme(), "http" | "https") {
            return Err(refuse("traces_endpoint must be an http or https URL"));
        }
        let http = http_client()
            .timeout(SEND_TIME_LIMIT)
            .default_headers(headers(
                &std::env::var(HEADERS_VARIABLE).unwrap_or_default(),
            )?)
            .build()
            .map_err(|error| Failure::new(ErrorCode::TelemetryUnavailable, error.to_string()))?;
        let (queue, spans) = mpsc::channel(QUEUE_LIMIT_SPANS);
        let dropped = Arc::new(AtomicU64::new(0));
        let sender = Sender {
            http,
            endpoint,
            service_name: settings.service_name.clone(),
            dropped: Arc::clone(&dropped),
            is_failing: false,
        };
        let exporter = Arc::new(Exporter {
            queue,
            dropped,
            ratio,
        });
        Ok(Self(Some(Running {
            exporter,
            task: tokio::spawn(sender.run(spans)),
        })))
    }

    /// Whom the service tells of its spans.
    pub fn tracing(&self) -> Tracing {
        self.0.as_ref().map_or_else(Tracing::default, |running| {
            Tracing::to(Arc::<Exporter>::clone(&running.exporter))
        })
    }

    /// Sends what waits.
    pub async fn shutdown(self) {
        let Some(Running { exporter, task }) = self.0 else {
            return;
        };
        // Others may hold it still; what they tell of from here on is dropped.
        exporter.close().await;
        if tokio::time::timeout(SEND_TIME_LIMIT, task).await.is_err() {
            tracing::warn!("the last traces were not sent in time");
        }
    }
}

fn refuse(detail: &str) -> Failure {
    Failure::new(ErrorCode::ConfigInvalid, format!("telemetry: {detail}"))
}

/// The headers of the variable.
fn headers(text: &str) -> Result<HeaderMap, Failure> {
    let mut headers = HeaderMap::new();
    for pair in text.split(',').filter(|pair| !pair.trim().is_empty()) {
        // The value may be a secret, so it is not shown.
        let bad = || {
            Failure::new(
                ErrorCode::ConfigInvalid,
                format!("{HEADERS_VARIABLE} must be name=value,name=value"),
            )
        };
        let (name, value) = pair.split_once('=').ok_or_else(bad)?;
        let decoded = url::form_urlencoded::parse(
            format!("v={}", value.trim().replace('+', "%2B")).as_bytes(),
        )
        .next()
        .map(|(_, value)| value.into_owned())
        .unwrap_or_default();
        let name = HeaderName::try_from(name.trim()).map_err(|_| bad())?;
        let mut value = HeaderValue::try_from(decoded).map_err(|_| bad())?;
        value.set_sensitive(true);
        headers.insert(name, value);
    }
    Ok(headers)
}

/// What is told of ended spans.
struct Exporter {
    queue: mpsc::Sender<Message>,
    dropped: Arc<AtomicU64>,
    ratio: f64,
}

/// What the sending task gets.
enum Message {
    Span(Box<EndedSpan>),
    Close,
}

impl Exporter {
    async fn close(&self) {
        // Fails only when the task has ended already.
        drop(self.queue.send(Message::Close).await);
    }
}

impl Tracer for Exporter {
    fn samples(&self, trace_id: &str) -> bool {
        // By the trace's id, so that every service on the way decides alike.
        let low = trace_id
            .get(18..)
            .and_then(|low| u64::from_str_radix(low, 16).ok())
            .unwrap_or(0);
        (low as f64) < self.ratio * (1_u64 << 56) as f64
    }

    fn span_ended(&self, span: EndedSpan) {
        if self.queue.try_send(Message::Span(Box::new(span))).is_err() {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// Sends batches.
struct Sender {
    http: reqwest::Client,
    endpoint: Url,
    service_name: String,
    dropped: Arc<AtomicU64>,
    is_failing: bool,
}

impl Sender {
    async fn run(mut self, mut queue: mpsc::Receiver<Message>) {
        let (mut batch, mut messages, mut is_open) = (Vec::new(), Vec::new(), true);
        while is_open {
            let period = tokio::time::sleep(BATCH_PERIOD);
            tokio::pin!(period);
            while is_open && batch.len() < BATCH_LIMIT_SPANS {
                tokio::select! {
                    received = queue.recv_many(&mut messages, BATCH_LIMIT_SPANS - batch.len()) => is_open = received > 0,
                    () = &mut period => break,
                }
                for message in messages.drain(..) {
                    match message {
                        Message::Span(span) => batch.push(short(*span)),
                        Message::Close => is_open = false,
                    }
                }
            }
            if !batch.is_empty() {
                self.deliver(&batch).await;
                batch.clear();
            }
        }
    }

    async fn deliver(&mut self, batch: &[EndedSpan]) {
        let body = otlp::request(&self.service_name, batch).to_string();
        let mut failure = None;
        for number in 0..TRIES {
            tokio::time::sleep(BATCH_PERIOD * number).await;
            match self.post(body.clone()).await {
                Ok(()) => {
                    failure = None;
                    break;
                }
                Err(Refusal { message, may_pass }) => {
                    failure = Some(message);
                    if !may_pass {
                        break;
                    }
                }
            }
        }
        if failure.is_some() {
            self.dropped
                .fetch_add(batch.len() as u64, Ordering::Relaxed);
        }
        // Once per outage, not once per batch.
        if failure.is_some() != self.is_failing {
            self.is_failing = failure.is_some();
            match failure {
                Some(error) => {
                    tracing::warn!(error, "the collector takes no traces; they are dropped")
                }
                None => {
                    let spans = self.dropped.swap(0, Ordering::Relaxed);
                    tracing::warn!(spans, "the collector takes traces again; some were dropped");
                }
            }
        }
    }

    /// The answer's body is not read: it could only say that some spans were refused.
    async fn post(&self, body: String) -> Result<(), Refusal> {
        let request = self
            .http
            .post(self.endpoint.clone())
            .header(CONTENT_TYPE, "application/json")
            .body(body);
        // Without the URL, which may carry a token.
        let answer = request.send().await.map_err(|error| Refusal {
            message: error.without_url().to_string(),
            may_pass: true,
        })?;
        match answer.status().as_u16() {
            200..=299 => Ok(()),
            status => Err(Refusal {
                message: format!("it answered {status}"),
                // Those that the specification names.
                may_pass: matches!(status, 429 | 502 | 503 | 504),
            }),
        }
    }
}

/// Why a batch was not taken.
struct Refusal {
    message: String,
    may_pass: bool,
}

/// The span with a message of bounded length.
fn short(mut span: EndedSpan) -> EndedSpan {
    if let Some(error) = &mut span.error {
        error.truncate(error.floor_char_boundary(ERROR_LIMIT_BYTES));
    }
    span
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_are_read_as_the_specification_writes_them() {
        let found = headers("authorization=Bearer%20a+b%3D, x-tenant = 7 ,").expect("headers");
        assert_eq!(found["authorization"], "Bearer a+b=");
        assert_eq!(found["x-tenant"], "7");
        for bad in ["no-value", "bad name=1", "x=%0A", "=1"] {
            let refused = headers(bad).expect_err("refused");
            assert!(!refused.detail.contains(bad), "{}", refused.detail);
        }
    }
}
