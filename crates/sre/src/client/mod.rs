//! A client of the service.

use std::path::Path;
use std::time::Duration;

use reqwest::{Method, Response, StatusCode};
use serde::Deserialize;
use serde_json::Value;
use sre_core::ErrorCode;
use sre_orchestrator::{http_client, read_body, with_causes};

use crate::cli::ClientArgs;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::receipts::is_url;

/// Answers are read up to this size.
const ANSWER_LIMIT_BYTES: usize = 128 << 20;

/// The service, as one token sees it.
pub struct Client {
    http: reqwest::Client,
    server: String,
    token: Option<String>,
}

/// A problem document.
#[derive(Deserialize)]
struct Problem {
    code: String,
    detail: String,
}

impl Client {
    /// A client of the service that the arguments and the environment name.
    ///
    /// # Errors
    /// A URL or a token file that is none.
    pub fn new(args: &ClientArgs) -> Result<Self, Failure> {
        if !is_url(&args.server) {
            return Err(Failure::new(
                ErrorCode::Usage,
                format!(
                    "--server must be an http or https URL, found {:?}",
                    args.server
                ),
            ));
        }
        let http = http_client().build().map_err(|error| {
            Failure::new(
                ErrorCode::HttpFailed,
                format!("no HTTP client can be made: {error}"),
            )
        })?;
        let token = token(args.token_file.as_deref())?;
        Ok(Self {
            http,
            server: args.server.trim_end_matches('/').to_owned(),
            token,
        })
    }

    /// Asks for JSON.
    ///
    /// # Errors
    /// What the service said, or that it could not be reached.
    pub async fn get(&self, path: &str) -> Result<(StatusCode, Value), Failure> {
        self.call(Method::GET, path, None).await
    }

    /// Sends JSON.
    ///
    /// # Errors
    /// As [`Client::get`].
    pub async fn post(
        &self,
        path: &str,
        body: Option<&Value>,
    ) -> Result<(StatusCode, Value), Failure> {
        self.call(Method::POST, path, body).await
    }

    /// Opens a stream of events, after the one with this number.
    ///
    /// # Errors
    /// As [`Client::get`].
    pub async fn follow(&self, path: &str, after: u64) -> Result<Response, Failure> {
        let request = self
            .request(Method::GET, path)
            .header("last-event-id", after);
        let response = request
            .send()
            .await
            .map_err(|error| self.unreachable(&error))?;
        if response.status().is_success() {
            Ok(response)
        } else {
            Err(refused(response).await)
        }
    }

    async fn call(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<(StatusCode, Value), Failure> {
        let mut request = self.request(method, path).timeout(Duration::from_secs(120));
        if let Some(body) = body {
            request = request.json(body);
        }
        let response = request
            .send()
            .await
            .map_err(|error| self.unreachable(&error))?;
        let status = response.status();
        if !status.is_success() {
            return Err(refused(response).await);
        }
        let text = read(response).await?;
        let value = serde_json::from_slice(&text).map_err(|error| {
            Failure::new(
                ErrorCode::AnswerInvalid,
                format!("the service did not answer JSON: {error}"),
            )
        })?;
        Ok((status, value))
    }

    fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        let request = self.http.request(method, format!("{}{path}", self.server));
        match &self.token {
            Some(token) => request.bearer_auth(token),
            None => request,
        }
    }

    fn unreachable(&self, error: &reqwest::Error) -> Failure {
        let detail = with_causes(&format!("{} cannot be reached", self.server), error);
        Failure::new(ErrorCode::ServiceUnreachable, detail)
            .hint("--server or SRE_SERVER names the service; `sre serve` starts one")
    }
}

/// The body, no longer than allowed.
async fn read(response: Response) -> Result<Vec<u8>, Failure> {
    let body = read_body(response, ANSWER_LIMIT_BYTES).await;
    body.map_err(|error| Failure::new(ErrorCode::AnswerInvalid, error.to_string()))
}

async fn refused(response: Response) -> Failure {
    let status = response.status();
    let problem: Option<Problem> = read(response)
        .await
        .ok()
        .and_then(|text| serde_json::from_slice(&text).ok());
    let exit = if status.is_client_error() && status != StatusCode::TOO_MANY_REQUESTS {
        Exit::Usage
    } else {
        Exit::Operating
    };
    let Some(problem) = problem else {
        return Failure {
            exit,
            code: ErrorCode::Refused,
            detail: format!("the service answered {status}"),
            hint: None,
        };
    };
    let hint = match status {
        StatusCode::UNAUTHORIZED => Some(String::from(
            "put the token into SRE_TOKEN, or its file's name into SRE_TOKEN_FILE",
        )),
        StatusCode::TOO_MANY_REQUESTS => Some(String::from(
            "the service is busy; the same command can be repeated",
        )),
        _ => None,
    };
    // A code of another program, or of a later version, is not passed on as one of ours.
    let code = problem.code.parse().unwrap_or(ErrorCode::Refused);
    Failure {
        exit,
        code,
        detail: format!("{} ({})", problem.detail, problem.code),
        hint,
    }
}

/// The token in `file`, or else in the environment.
///
/// # Errors
/// A file that cannot be read.
pub fn token(file: Option<&Path>) -> Result<Option<String>, Failure> {
    match file {
        Some(path) => read_token(path).map(Some),
        None => Ok(std::env::var("SRE_TOKEN")
            .ok()
            .filter(|token| !token.is_empty())),
    }
}

fn read_token(path: &Path) -> Result<String, Failure> {
    let text = std::fs::read_to_string(path).map_err(|error| {
        Failure::new(
            ErrorCode::TokenUnreadable,
            format!("the token in {} cannot be read: {error}", path.display()),
        )
    })?;
    Ok(text.trim().to_owned())
}
