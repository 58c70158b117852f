//! Making clients, and reading what they answer.

use std::time::Duration;

use reqwest::Response;
use reqwest::redirect::Policy;

/// How long a connection may take to be made.
const CONNECT_TIME_LIMIT: Duration = Duration::from_secs(5);

/// An HTTP client with this program's name and TLS provider, which follows no redirects and uses no
/// proxy of the environment.
pub fn http_client() -> reqwest::ClientBuilder {
    // The one TLS provider of the process; a second call finds it installed, which is fine.
    drop(rustls::crypto::ring::default_provider().install_default());
    reqwest::Client::builder()
        .user_agent(concat!("sre/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(CONNECT_TIME_LIMIT)
        .redirect(Policy::none())
        .no_proxy()
}

/// `what` failed, and each cause of it; without the URL, which may carry a token or an order's id.
#[must_use]
pub fn with_causes(what: &str, error: &reqwest::Error) -> String {
    let mut message = what.to_owned();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        message.push_str(&format!(": {error}"));
        cause = error.source();
    }
    message
}

/// Why the body of an answer was not read.
#[derive(Debug, thiserror::Error)]
pub enum BodyError {
    /// There is more of it than may be; the rest is left unread.
    #[error("the answer is longer than {limit_bytes} bytes")]
    TooLong {
        /// What it may have.
        limit_bytes: usize,
    },
    /// The connection failed.
    #[error("{}", with_causes("the answer ended early", .0))]
    Broken(#[source] reqwest::Error),
}

/// The body of an answer, no more of it than may be.
///
/// # Errors
/// [`BodyError`].
pub async fn read_body(mut answer: Response, limit_bytes: usize) -> Result<Vec<u8>, BodyError> {
    let mut bytes = Vec::new();
    while let Some(part) = answer.chunk().await.map_err(BodyError::Broken)? {
        if bytes.len() + part.len() > limit_bytes {
            return Err(BodyError::TooLong { limit_bytes });
        }
        bytes.extend_from_slice(&part);
    }
    Ok(bytes)
}
