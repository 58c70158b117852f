//! Blobs and logs over HTTP. What comes from there is checked by whoever asked for it; here it is
//! only kept from taking more time and memory than it may.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sre_core::{BlobDigest, ErrorCode, OrderId};
use sre_log::{LogSource, SourceError, TILE_LIMIT_BYTES};
use sre_orchestrator::{http_client, read_body, with_causes};
use sre_receipt::ENVELOPE_LIMIT_BYTES;
use sre_receipt::tlog::{Hash, NOTE_LIMIT_BYTES, Note, PROOF_LIMIT_BYTES, TilePath};
use url::Url;
use zeroize::Zeroizing;

use crate::failure::Failure;

/// How long one answer may take in all.
const ANSWER_TIME_LIMIT: Duration = Duration::from_secs(30);
/// How much of somebody else's words is repeated, in characters.
const DETAIL_LIMIT_CHARS: usize = 300;
/// Longest blob that is taken from elsewhere, in bytes; the local store's limit.
pub const BLOB_LIMIT_BYTES: usize = 64 << 20;

/// Whether a text is meant as an HTTP address rather than as a path.
pub fn is_url(text: &str) -> bool {
    text.starts_with("http://") || text.starts_with("https://")
}

/// A service of which blobs are fetched.
#[derive(Debug, Clone)]
pub struct HttpPlace {
    base: Url,
    client: reqwest::Client,
    token: Option<Arc<Zeroizing<String>>>,
    /// What to say where the token does not do.
    token_hint: &'static str,
}

/// Why a service gave nothing that can be used: it was not reached, failed, or refused.
#[derive(Debug, Clone)]
pub struct NoAnswer {
    status: Option<u16>,
    why: String,
}

/// What the service said to a verdict.
#[derive(Debug)]
pub struct VerdictAnswer {
    /// Status of the answer.
    pub status: u16,
    /// Its problem's code; empty where it has none.
    pub code: String,
    /// Its problem's detail.
    pub detail: String,
}

/// A log that is read over HTTP.
#[derive(Debug, Clone)]
pub struct HttpLog(HttpPlace);

/// A witness, spoken to as C2SP `tlog-witness` has it.
#[derive(Debug, Clone)]
pub struct HttpWitness(HttpPlace);

/// What a witness answered to a checkpoint.
#[derive(Debug)]
pub enum WitnessAnswer {
    /// Lines of signature, not checked.
    Cosigned(String),
    /// It last saw the log at this size, and wants to be shown the way from there.
    Seen(u64),
}

impl NoAnswer {
    /// Whether the service knows whoever asks, or does not, and tells him nothing.
    pub fn is_refusal(&self) -> bool {
        matches!(self.status, Some(401 | 403))
    }
}

impl std::fmt::Display for NoAnswer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.why)
    }
}

impl From<String> for NoAnswer {
    fn from(why: String) -> Self {
        Self { status: None, why }
    }
}

impl HttpPlace {
    /// The service at `address`.
    ///
    /// # Errors
    /// When the address is none or has credentials in it, or TLS cannot be set up.
    pub fn new(address: &str) -> Result<Self, Failure> {
        let refuse = |why: &dyn std::fmt::Display| {
            Failure::new(ErrorCode::UrlInvalid, format!("{address}: {why}"))
        };
        if !is_url(address) {
            return Err(refuse(&"an address begins with http:// or https://"));
        }
        let mut base: Url = address.parse().map_err(|error| refuse(&error))?;
        if has_credentials(&base) {
            // Without the address: what must not be in it would be printed with it.
            let detail = "an address must not contain credentials: they would end up in logs and in challenges";
            return Err(Failure::new(ErrorCode::UrlInvalid, detail)
                .hint("--token-file or SRE_TOKEN gives a token"));
        }
        if base.query().is_some() || base.fragment().is_some() {
            return Err(refuse(
                &"an address of a store or a log has no query and no fragment",
            ));
        }
        if !base.path().ends_with('/') {
            base.set_path(&format!("{}/", base.path()));
        }
        let client = http_client()
            .timeout(ANSWER_TIME_LIMIT)
            .build()
            .map_err(|error| Failure::new(ErrorCode::ClientUnavailable, error.to_string()))?;
        Ok(Self {
            base,
            client,
            token: None,
            token_hint: "",
        })
    }

    /// The same, asked with this token. `hint` says where another one would come from.
    pub fn with_token(mut self, token: Option<String>, hint: &'static str) -> Self {
        self.token = token.map(|token| Arc::new(Zeroizing::new(token)));
        self.token_hint = hint;
        self
    }

    /// The address.
    pub fn address(&self) -> &str {
        self.base.as_str()
    }

    /// The blob with this digest, if the service has it. Its bytes are not checked.
    ///
    /// # Errors
    /// What kept it from answering.
    pub async fn blob(&self, digest: BlobDigest) -> Result<Option<Vec<u8>>, NoAnswer> {
        self.get(&format!("v1/blobs/{digest}"), BLOB_LIMIT_BYTES)
            .await
    }

    /// As [`HttpPlace::blob`], where the blob can only be an envelope. Of a longer one the
    /// beginning: its digest is another, so an executor that answers without end has no envelope,
    /// which is not the same as not answering.
    ///
    /// # Errors
    /// What kept it from answering.
    pub async fn envelope(&self, digest: BlobDigest) -> Result<Option<Vec<u8>>, NoAnswer> {
        let Some(mut answer) = self.answer(&format!("v1/blobs/{digest}")).await? else {
            return Ok(None);
        };
        let mut bytes = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(|error| causes(&error))? {
            bytes.extend_from_slice(&chunk);
            if bytes.len() > ENVELOPE_LIMIT_BYTES {
                break;
            }
        }
        Ok(Some(bytes))
    }

    async fn get(&self, path: &str, limit_bytes: usize) -> Result<Option<Vec<u8>>, NoAnswer> {
        match self.answer(path).await? {
            Some(answer) => Ok(Some(read(answer, limit_bytes).await?)),
            None => Ok(None),
        }
    }

    async fn answer(&self, path: &str) -> Result<Option<reqwest::Response>, NoAnswer> {
        let answer = self
            .request(reqwest::Method::GET, path)?
            .send()
            .await
            .map_err(|error| causes(&error))?;
        match answer.status().as_u16() {
            200 => Ok(Some(answer)),
            404 | 410 => Ok(None),
            status @ (401 | 403) => {
                let (_, detail) = problem(answer).await.unwrap_or_default();
                let parts = [
                    format!("the answer was {status}"),
                    detail,
                    self.token_hint.to_owned(),
                ];
                let parts: Vec<String> =
                    parts.into_iter().filter(|part| !part.is_empty()).collect();
                Err(NoAnswer {
                    status: Some(status),
                    why: parts.join("; "),
                })
            }
            other => Err(NoAnswer {
                status: Some(other),
                why: format!("the answer was {other}"),
            }),
        }
    }

    fn request(
        &self,
        method: reqwest::Method,
        path: &str,
    ) -> Result<reqwest::RequestBuilder, String> {
        let url = self.base.join(path).map_err(|error| error.to_string())?;
        let request = self.client.request(method, url);
        Ok(match &self.token {
            Some(token) => request.bearer_auth(token.as_str()),
            None => request,
        })
    }

    /// Sends a signed verdict about an order.
    ///
    /// # Errors
    /// What kept it from answering.
    pub async fn send_verdict(
        &self,
        order_id: &OrderId,
        envelope: String,
    ) -> Result<VerdictAnswer, String> {
        let request = self.request(
            reqwest::Method::POST,
            &format!("v1/orders/{order_id}/verdicts"),
        )?;
        let request = request
            .header("content-type", "application/json")
            .body(envelope);
        let answer = request.send().await.map_err(|error| causes(&error))?;
        let status = answer.status().as_u16();
        let (code, detail) = problem(answer).await?;
        Ok(VerdictAnswer {
            status,
            code,
            detail,
        })
    }

    /// The receipt of an order as the service shows it, waited for until its proof is there; `None`
    /// where there is none.
    ///
    /// # Errors
    /// What kept it from answering.
    pub async fn receipt(&self, order_id: &OrderId) -> Result<Option<Vec<u8>>, NoAnswer> {
        self.get(
            &format!("v1/orders/{order_id}/receipt?wait=10"),
            ENVELOPE_LIMIT_BYTES + PROOF_LIMIT_BYTES,
        )
        .await
    }
}

impl HttpLog {
    /// The log whose checkpoint is at `address` + `/checkpoint`.
    ///
    /// # Errors
    /// When the address is none, or TLS cannot be set up.
    pub fn new(address: &str) -> Result<Self, Failure> {
        HttpPlace::new(address).map(Self)
    }

    /// The address.
    pub fn address(&self) -> &str {
        self.0.address()
    }

    async fn get(&self, path: &str, limit_bytes: usize) -> Result<Vec<u8>, SourceError> {
        let answer = self.0.get(path, limit_bytes).await;
        let answer = answer.map_err(|error| SourceError::Unreachable(error.to_string()))?;
        answer.ok_or_else(|| SourceError::Missing(path.to_owned()))
    }
}

#[async_trait]
impl LogSource for HttpLog {
    async fn checkpoint(&self) -> Result<Vec<u8>, SourceError> {
        self.get("checkpoint", NOTE_LIMIT_BYTES).await
    }

    async fn tile(&self, path: TilePath) -> Result<Vec<u8>, SourceError> {
        self.get(&path.to_string(), TILE_LIMIT_BYTES).await
    }
}

impl HttpWitness {
    /// The witness whose `add-checkpoint` is below `address`.
    ///
    /// # Errors
    /// When the address is none, or TLS cannot be set up.
    pub fn new(address: &str) -> Result<Self, Failure> {
        HttpPlace::new(address).map(Self)
    }

    /// Shows the witness a checkpoint and the way to it from the size `old`.
    ///
    /// # Errors
    /// What kept it from answering, or that it refused.
    pub async fn add_checkpoint(
        &self,
        old: u64,
        path: &[Hash],
        note: &Note,
    ) -> Result<WitnessAnswer, String> {
        let path: String = path
            .iter()
            .map(|hash| STANDARD.encode(hash.0) + "\n")
            .collect();
        let body = format!("old {old}\n{path}\n{note}");
        let url = self
            .0
            .base
            .join("add-checkpoint")
            .map_err(|error| error.to_string())?;
        let answer = self
            .0
            .client
            .post(url)
            .body(body)
            .send()
            .await
            .map_err(|error| causes(&error))?;
        let status = answer.status().as_u16();
        let text = read(answer, NOTE_LIMIT_BYTES).await?;
        let text = String::from_utf8(text).map_err(|_| String::from("the answer is no text"))?;
        match status {
            200 => Ok(WitnessAnswer::Cosigned(text)),
            409 => text
                .trim_end()
                .parse()
                .map(WitnessAnswer::Seen)
                .map_err(|_| String::from("the answer is no size")),
            403 => Err(String::from(
                "it does not accept this log's signature (403)",
            )),
            404 => Err(String::from(
                "it does not know this log (404); its operator has to be told of the log's key",
            )),
            422 => Err(String::from("it says that the log did not only grow (422)")),
            other => Err(format!("the answer was {other}")),
        }
    }
}

/// Whether a URL holds a name or a password.
pub fn has_credentials(url: &Url) -> bool {
    !url.username().is_empty() || url.password().is_some()
}

/// Code and detail of a problem document; empty where the answer is none.
async fn problem(answer: reqwest::Response) -> Result<(String, String), String> {
    let text = read(answer, ENVELOPE_LIMIT_BYTES).await?;
    let problem: serde_json::Value = serde_json::from_slice(&text).unwrap_or_default();
    let member = |name: &str| {
        problem[name]
            .as_str()
            .unwrap_or_default()
            .chars()
            .take(DETAIL_LIMIT_CHARS)
            .collect()
    };
    Ok((member("code"), member("detail")))
}

/// An answer's body, no more of it than may be.
async fn read(answer: reqwest::Response, limit_bytes: usize) -> Result<Vec<u8>, String> {
    read_body(answer, limit_bytes)
        .await
        .map_err(|error| error.to_string())
}

fn causes(error: &reqwest::Error) -> String {
    with_causes("the request failed", error)
}
