//! Telling the submitter.

use std::time::Duration;

use async_trait::async_trait;
use reqwest::redirect::Policy;
use sre_core::OrderResult;
use url::Url;

/// Delivers results. What it returns is logged and changes nothing.
#[async_trait]
pub trait Callback: Send + Sync {
    /// Delivers `result` to `url`.
    ///
    /// # Errors
    /// [`CallbackError`] when the receiver did not acknowledge it.
    async fn deliver(&self, url: &Url, result: &OrderResult) -> Result<(), CallbackError>;
}

/// Why a delivery was not acknowledged.
#[derive(Debug, thiserror::Error)]
pub enum CallbackError {
    /// The request could not be made or got no answer.
    #[error("{0}")]
    Request(String),
    /// The receiver answered with something other than 2xx.
    #[error("the receiver answered {0}")]
    Status(u16),
}

/// How long a delivery may take in all.
const DELIVERY_TIME_LIMIT: Duration = Duration::from_secs(10);

/// Posts results as JSON over HTTP. Redirects are not followed, proxies of the environment are not used, and the
/// answer's body is not read.
pub struct HttpCallback {
    client: reqwest::Client,
}

impl HttpCallback {
    /// Builds the client.
    ///
    /// # Errors
    /// [`CallbackError::Request`] when TLS cannot be set up.
    pub fn new() -> Result<Self, CallbackError> {
        // The one TLS provider of the process; a second call finds it installed, which is fine.
        drop(rustls::crypto::ring::default_provider().install_default());
        let client = reqwest::Client::builder()
            .user_agent(concat!("sre/", env!("CARGO_PKG_VERSION")))
            .timeout(DELIVERY_TIME_LIMIT)
            .redirect(Policy::none())
            .no_proxy()
            .build()
            .map_err(|error| request_error(&error))?;
        Ok(Self { client })
    }
}

#[async_trait]
impl Callback for HttpCallback {
    async fn deliver(&self, url: &Url, result: &OrderResult) -> Result<(), CallbackError> {
        let response =
            self.client.post(url.clone()).json(result).send().await.map_err(|error| request_error(&error))?;
        let status = response.status();
        if status.is_success() { Ok(()) } else { Err(CallbackError::Status(status.as_u16())) }
    }
}

/// The error with its causes; without the URL, which may carry a token in its query.
fn request_error(error: &reqwest::Error) -> CallbackError {
    let mut message = String::from("the request failed");
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        message.push_str(&format!(": {error}"));
        cause = error.source();
    }
    CallbackError::Request(message)
}
