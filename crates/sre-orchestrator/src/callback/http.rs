//! Posting over HTTP.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::header::{CONTENT_TYPE, RETRY_AFTER};

use super::{AddressPolicy, Callback, CallbackError, CallbackKeys, CallbackMessage};
use sre_http::{http_client, with_causes};

/// How long a delivery may take in all by default. The specification recommends 15
/// to 30 s.
const DELIVERY_TIME_LIMIT: Duration = Duration::from_secs(15);

/// Posts results as Standard Webhooks. Redirects are not followed, proxies of the environment are
/// not used, and the answer's body is not read, so that its size does not matter.
pub struct HttpCallback {
    client: reqwest::Client,
    policy: Arc<AddressPolicy>,
    keys: Arc<CallbackKeys>,
    time_limit: Duration,
}

impl HttpCallback {
    /// Builds the client. A delivery may take 15 s; see [`HttpCallback::with_time_limit`].
    ///
    /// # Errors
    /// [`CallbackError::Request`] when TLS cannot be set up.
    pub fn new(policy: AddressPolicy, keys: Arc<CallbackKeys>) -> Result<Self, CallbackError> {
        let policy = Arc::new(policy);
        let client = http_client()
            .dns_resolver(Arc::new(CheckedResolver(Arc::clone(&policy))))
            // Receivers under ever new names would each leave a connection open, until there are no
            // file handles for clients.
            .pool_max_idle_per_host(0)
            .build()
            .map_err(|error| request_error(&error))?;
        Ok(Self {
            client,
            policy,
            keys,
            time_limit: DELIVERY_TIME_LIMIT,
        })
    }

    /// The same with another limit for one delivery in all, from the connection to the head of the
    /// answer.
    #[must_use]
    pub fn with_time_limit(self, time_limit: Duration) -> Self {
        Self { time_limit, ..self }
    }
}

#[async_trait]
impl Callback for HttpCallback {
    async fn deliver(&self, message: &CallbackMessage) -> Result<(), CallbackError> {
        // A literal address is connected to without the resolver.
        self.policy
            .check_url(&message.url)
            .map_err(|error| CallbackError::Forbidden(error.to_string()))?;
        let timestamp = Timestamp::now().as_second();
        let signature = self.keys.sign(
            &message.submitter,
            &message.id,
            timestamp,
            message.body.as_bytes(),
        );
        let mut request = self
            .client
            .post(message.url.clone())
            .timeout(self.time_limit)
            .header(CONTENT_TYPE, "application/json")
            .header("webhook-id", &message.id)
            .header("webhook-timestamp", timestamp)
            .header("webhook-signature", signature)
            .body(message.body.clone());
        if let Some(trace) = &message.trace {
            request = request.header("traceparent", trace.to_string());
        }
        let answer = request
            .send()
            .await
            .map_err(|error| request_error(&error))?;
        if answer.status().is_success() {
            return Ok(());
        }
        let retry_after = answer.headers().get(RETRY_AFTER);
        Err(CallbackError::Status {
            status: answer.status().as_u16(),
            retry_after: retry_after
                .and_then(|value| read_retry_after(value.to_str().ok()?, Timestamp::now())),
        })
    }
}

/// The system's resolver; what it answers is checked, and it is what the connection is made to.
struct CheckedResolver(Arc<AddressPolicy>);

impl Resolve for CheckedResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let policy = Arc::clone(&self.0);
        Box::pin(async move {
            // The port is the URL's; the client puts it in.
            let addresses = tokio::net::lookup_host((name.as_str(), 0)).await?.collect();
            let checked = policy.check_all(addresses)?;
            Ok(Box::new(checked.into_iter()) as Addrs)
        })
    }
}

fn request_error(error: &reqwest::Error) -> CallbackError {
    CallbackError::Request(with_causes("the request failed", error))
}

/// A `Retry-After` header (RFC 9110, section 10.2.3): seconds, or a date. A date that has passed is
/// no pause at all; what is neither says nothing.
fn read_retry_after(value: &str, now: Timestamp) -> Option<Duration> {
    let value = value.trim();
    if !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit()) {
        // More seconds than fit are more than the courier will wait.
        return Some(Duration::from_secs(value.parse().unwrap_or(u64::MAX)));
    }
    let date = jiff::fmt::rfc2822::DateTimeParser::new()
        .parse_timestamp(value)
        .ok()?;
    Some(Duration::try_from(date.duration_since(now)).unwrap_or(Duration::ZERO))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let now: Timestamp = "1994-11-06T08:49:00Z".parse().expect("an instant");
        let seconds = |value| read_retry_after(value, now).map(|pause| pause.as_secs());
        assert_eq!(seconds("12"), Some(12));
        assert_eq!(seconds("Sun, 06 Nov 1994 08:49:37 GMT"), Some(37));
        assert_eq!(seconds("Sun, 06 Nov 1994 08:48:00 GMT"), Some(0));
        assert_eq!(seconds("99999999999999999999999"), Some(u64::MAX));
        for wrong in ["", "soon", "-1", "1.5"] {
            assert_eq!(seconds(wrong), None, "{wrong}");
        }
    }
}
