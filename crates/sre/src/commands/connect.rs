//! Reaching a service: what the flags and the environment say about it, and what its errors mean
//! for a command.

use std::path::{Path, PathBuf};
use std::time::Duration;

use reqwest::StatusCode;
use sre_client::{
    Address, AddressError, Client, ClientError, HttpLog, Problem, Sources, Token, is_url,
};
use sre_core::ErrorCode;

use crate::cli::ClientArgs;
use crate::exit::Exit;
use crate::failure::Failure;

/// How long one answer may take in all, besides the time a command asks the service to wait.
const TIME_LIMIT: Duration = Duration::from_secs(90);
/// How long the answer of a place that is one of several may take.
const SOURCE_TIME_LIMIT: Duration = Duration::from_secs(30);

/// Said where another node refuses.
pub const READ_TOKEN_HINT: &str =
    "--token-file or SRE_TOKEN gives the token, which needs the scope `read`";

/// The service that the arguments name.
///
/// # Errors
/// A malformed address or token; a token file that cannot be read.
pub fn service(args: &ClientArgs) -> Result<Client, Failure> {
    let address = Address::parse(&args.server)
        .map_err(|error| Failure::new(ErrorCode::Usage, format!("--server: {error}")))?;
    let token = token(args.token_file.as_deref())?;
    Client::new(address, token, TIME_LIMIT).map_err(|error| {
        let detail = format!("no HTTP client can be made: {error}");
        Failure::new(ErrorCode::HttpFailed, detail)
    })
}

/// Another node, by its address.
///
/// # Errors
/// A malformed address; TLS that cannot be set up.
pub fn node(address: &str, token: Option<Token>) -> Result<Client, Failure> {
    Client::new(Address::parse(address)?, token, SOURCE_TIME_LIMIT).map_err(no_client)
}

/// A log, by the address its checkpoint is below.
///
/// # Errors
/// As [`node`].
pub fn log(address: &str) -> Result<HttpLog, Failure> {
    HttpLog::new(Address::parse(address)?).map_err(no_client)
}

/// TLS that cannot be set up.
pub fn no_client(error: reqwest::Error) -> Failure {
    Failure::new(ErrorCode::ClientUnavailable, error.to_string())
}

/// The token in `file`, or else in the environment.
///
/// # Errors
/// A file that cannot be read; a text that cannot be a token.
pub fn token(file: Option<&Path>) -> Result<Option<Token>, Failure> {
    let (text, place) = match file {
        Some(path) => (read_token(path)?, path.display().to_string()),
        None => match std::env::var("SRE_TOKEN") {
            Ok(text) if !text.is_empty() => (text, String::from("SRE_TOKEN")),
            _ => return Ok(None),
        },
    };
    let token = Token::parse(&text).map_err(|error| {
        Failure::new(
            ErrorCode::TokenUnreadable,
            format!("the token in {place} {error}"),
        )
    })?;
    Ok(Some(token))
}

fn read_token(path: &Path) -> Result<String, Failure> {
    let text = std::fs::read_to_string(path).map_err(|error| {
        let detail = format!("the token in {} cannot be read: {error}", path.display());
        Failure::new(ErrorCode::TokenUnreadable, detail)
    })?;
    Ok(text.trim().to_owned())
}

/// Also reads blobs from `place`: the address of a service, a data folder, or a folder of files
/// named by their digest.
///
/// # Errors
/// A place of another kind. No folder is made.
pub fn add_source(sources: &mut Sources, place: &str) -> Result<(), Failure> {
    if is_url(place) {
        sources.add_service(node(place, own_token(place)?)?);
        return Ok(());
    }
    if !Path::new(place).is_dir() {
        let detail = format!("{place} is neither an http(s) address nor a folder");
        return Err(Failure::new(ErrorCode::SourceUnknown, detail));
    }
    add_folder(sources, Path::new(place))
}

/// Also reads blobs from this data folder, or folder of files named by their digest.
///
/// # Errors
/// A store in it that cannot be opened.
pub fn add_folder(sources: &mut Sources, folder: &Path) -> Result<(), Failure> {
    sources
        .add_folder(folder)
        .map_err(|error| Failure::new(ErrorCode::StoreFailed, error.to_string()))
}

/// The token of the environment, only for the service that SRE_SERVER names: no other service may
/// learn it.
fn own_token(place: &str) -> Result<Option<Token>, Failure> {
    let own = std::env::var("SRE_SERVER").unwrap_or_default();
    if own.trim_end_matches('/') != place.trim_end_matches('/') {
        return Ok(None);
    }
    let file = std::env::var_os("SRE_TOKEN_FILE").map(PathBuf::from);
    token(file.as_deref())
}

impl From<AddressError> for Failure {
    fn from(error: AddressError) -> Self {
        let failure = Self::new(ErrorCode::UrlInvalid, error.to_string());
        match error {
            AddressError::Credentials => failure.hint("--token-file or SRE_TOKEN gives a token"),
            _ => failure,
        }
    }
}

impl From<ClientError> for Failure {
    fn from(error: ClientError) -> Self {
        match error {
            ClientError::Unreachable(detail) => Self::new(ErrorCode::ServiceUnreachable, detail)
                .hint("--server or SRE_SERVER names the service; `sre serve` starts one"),
            ClientError::Invalid(detail) => Self::new(ErrorCode::AnswerInvalid, detail),
            ClientError::Refused(problem) => refused(&problem),
        }
    }
}

/// The service's refusal as the command's own failure.
fn refused(problem: &Problem) -> Failure {
    let Problem {
        status,
        code,
        detail,
    } = problem;
    let status = StatusCode::from_u16(*status).unwrap_or_default();
    let exit = if status.is_client_error() && status != StatusCode::TOO_MANY_REQUESTS {
        Exit::Usage
    } else {
        Exit::Operating
    };
    let Some(code) = code else {
        let detail = format!("the service answered {status}");
        return Failure::new(ErrorCode::Refused, detail).with_exit(exit);
    };
    // A code of a later version is shown, and not passed on as one of ours.
    let known = code.parse().unwrap_or(ErrorCode::Refused);
    let failure = Failure::new(known, format!("{detail} ({code})")).with_exit(exit);
    match status {
        StatusCode::UNAUTHORIZED => {
            failure.hint("put the token into SRE_TOKEN, or its file's name into SRE_TOKEN_FILE")
        }
        StatusCode::TOO_MANY_REQUESTS => {
            failure.hint("the service is busy; the same command can be repeated")
        }
        _ => failure,
    }
}
