//! A service, as one token sees it.

use std::time::Duration;

use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use reqwest::{Method, RequestBuilder, Response};
use serde_json::Value;
use sre_core::{BlobDigest, OrderId};
use sre_http::{BodyError, http_client, read_body, with_causes};
use sre_receipt::ENVELOPE_LIMIT_BYTES;

use crate::address::Address;
use crate::error::{ClientError, Problem};
use crate::request::{Request, order_path};

/// A service at an address. Making one connects to nothing; clones share connections.
#[derive(Debug, Clone)]
pub struct Client {
    http: reqwest::Client,
    address: Address,
    token: Option<Token>,
    time_limit: Duration,
}

/// A token, ready to be sent. Its text is not shown by `Debug`.
#[derive(Debug, Clone)]
pub struct Token(HeaderValue);

/// The text cannot be a token. It is not repeated: messages end up in logs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be what `sre token new` prints: visible ASCII characters")]
pub struct TokenError;

impl Token {
    /// Reads a token.
    ///
    /// # Errors
    /// [`TokenError`].
    pub fn parse(text: &str) -> Result<Self, TokenError> {
        if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(TokenError);
        }
        let mut header = HeaderValue::try_from(format!("Bearer {text}")).map_err(|_| TokenError)?;
        header.set_sensitive(true);
        Ok(Self(header))
    }
}

impl Client {
    /// A client of the service at `address`. An answer may take `time_limit` in all, besides the
    /// time that a request asks the service to wait.
    ///
    /// # Errors
    /// When TLS cannot be set up.
    pub fn new(
        address: Address,
        token: Option<Token>,
        time_limit: Duration,
    ) -> Result<Self, reqwest::Error> {
        Ok(Self {
            http: http_client().build()?,
            address,
            token,
            time_limit,
        })
    }

    /// Where the service is.
    #[must_use]
    pub fn address(&self) -> &Address {
        &self.address
    }

    /// Sends a request and reads the JSON it is answered with.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn send(&self, request: Request) -> Result<Value, ClientError> {
        let text = self.bytes(request).await?;
        serde_json::from_slice(&text).map_err(|_| {
            ClientError::Invalid(String::from("the answer is not JSON; is this the service?"))
        })
    }

    /// Sends a request and reads the bytes it is answered with.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn bytes(&self, request: Request) -> Result<Vec<u8>, ClientError> {
        let Request {
            method,
            path,
            query,
            body,
            wait,
            limit_bytes,
        } = request;
        let mut request = self
            .builder(method, &path, &query)
            .timeout(self.time_limit + wait);
        if let Some(body) = body {
            request = request.json(&body);
        }
        let answer = self.open(request).await?;
        self.read(answer, limit_bytes).await
    }

    /// The blob with this digest, `None` where the service does not have it. Its bytes are not
    /// checked.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn blob(&self, digest: BlobDigest) -> Result<Option<Vec<u8>>, ClientError> {
        or_none(self.bytes(Request::get(blob_path(digest))).await)
    }

    /// As [`Client::blob`], where the blob can only be an envelope. Of a longer one the beginning is
    /// returned: it has another digest, so a service that answers without end does not have the
    /// envelope, which is not the same as not answering.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn envelope(&self, digest: BlobDigest) -> Result<Option<Vec<u8>>, ClientError> {
        let request = self
            .builder(Method::GET, &blob_path(digest), &[])
            .timeout(self.time_limit);
        let Some(mut answer) = or_none(self.open(request).await)? else {
            return Ok(None);
        };
        let mut bytes = Vec::new();
        let broken = |error| self.unreachable(&error);
        while let Some(part) = answer.chunk().await.map_err(broken)? {
            bytes.extend_from_slice(&part);
            if bytes.len() > ENVELOPE_LIMIT_BYTES {
                break;
            }
        }
        Ok(Some(bytes))
    }

    /// Sends a signed verdict on an order's receipt.
    ///
    /// # Errors
    /// [`ClientError`]; a service that refuses the verdict says why in its [`Problem`].
    pub async fn send_verdict(
        &self,
        order_id: &OrderId,
        envelope: String,
    ) -> Result<(), ClientError> {
        let request = self
            .builder(Method::POST, &order_path(order_id, "verdicts"), &[])
            .timeout(self.time_limit)
            .header(CONTENT_TYPE, "application/json")
            .body(envelope);
        let answer = self.open(request).await?;
        // Read to its end, so that the connection can be used again.
        self.read(answer, ENVELOPE_LIMIT_BYTES).await.map(drop)
    }

    pub(crate) fn builder(
        &self,
        method: Method,
        path: &str,
        query: &[(&'static str, String)],
    ) -> RequestBuilder {
        let request = self.http.request(method, self.address.below(path, query));
        match &self.token {
            Some(Token(header)) => request.header(AUTHORIZATION, header),
            None => request,
        }
    }

    /// The answer to a request, unless it is a refusal.
    pub(crate) async fn open(&self, request: RequestBuilder) -> Result<Response, ClientError> {
        let answer = request
            .send()
            .await
            .map_err(|error| self.unreachable(&error))?;
        let status = answer.status();
        if status.is_success() {
            return Ok(answer);
        }
        let body = self.read(answer, ENVELOPE_LIMIT_BYTES).await?;
        Err(ClientError::Refused(Problem::read(status.as_u16(), &body)))
    }

    pub(crate) async fn read(
        &self,
        answer: Response,
        limit_bytes: usize,
    ) -> Result<Vec<u8>, ClientError> {
        read_body(answer, limit_bytes)
            .await
            .map_err(|error| match error {
                BodyError::Broken(error) => self.unreachable(&error),
                BodyError::TooLong { .. } => ClientError::Invalid(error.to_string()),
            })
    }

    pub(crate) fn unreachable(&self, error: &reqwest::Error) -> ClientError {
        let what = format!("{} cannot be reached", self.address.without_slash());
        ClientError::Unreachable(with_causes(&what, error))
    }

    pub(crate) fn time_limit(&self) -> Duration {
        self.time_limit
    }
}

fn blob_path(digest: BlobDigest) -> String {
    format!("v1/blobs/{digest}")
}

/// What is not there, or no longer, as `None`.
pub(crate) fn or_none<T>(answer: Result<T, ClientError>) -> Result<Option<T>, ClientError> {
    match answer {
        Ok(answer) => Ok(Some(answer)),
        Err(error) if error.is_missing() => Ok(None),
        Err(error) => Err(error),
    }
}
