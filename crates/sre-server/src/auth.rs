//! Who calls, and whether they may.

use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::header::{AUTHORIZATION, HOST, ORIGIN};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use sre_core::ErrorCode;
use sre_service::{Caller, Scope};

use crate::{App, Problem, large_answer};

/// What a route asks of its callers: any one of these scopes.
#[derive(Clone)]
pub(crate) struct Gate {
    pub(crate) app: Arc<App>,
    pub(crate) scopes: &'static [Scope],
}

/// Lets callers with a right token through, as [`Caller`] in the request's extensions.
pub(crate) async fn authenticate(
    State(gate): State<Gate>,
    mut request: Request,
    next: Next,
) -> Response {
    let caller = match identify(&gate.app, request.method(), request.headers()) {
        Ok(caller) => caller,
        Err(problem) => return problem.into_response(),
    };
    let admitted = caller
        .require(gate.scopes)
        .and_then(|()| gate.app.service.admit(&caller));
    if let Err(error) = admitted {
        return Problem::from(error).into_response();
    }
    tracing::Span::current().record("caller", caller.name());
    let name = caller.name().to_owned();
    request.extensions_mut().insert(caller);
    large_answer::bounded(&gate.app, &name, next.run(request).await)
}

fn identify(app: &App, method: &Method, headers: &HeaderMap) -> Result<Caller, Problem> {
    let tokens = &app.tokens;
    if !tokens.are_required() {
        // No tokens: only programs of this machine reach the service. A browser of this machine could
        // still make requests for a page of another site, with that site's name in the header.
        let host = headers
            .get(HOST)
            .and_then(|host| host.to_str().ok())
            .unwrap_or_default();
        if !is_loopback(host) {
            let detail = "without tokens the service answers to loopback names only; make one with `sre token new`";
            return Err(Problem::new(ErrorCode::HostRefused, detail));
        }
        if !method.is_safe() && is_of_another_site(headers) {
            let detail = "without tokens the service does nothing for web pages of other sites; make one with `sre token new`";
            return Err(Problem::new(ErrorCode::OriginRefused, detail));
        }
        return Ok(Caller::local());
    }
    let refuse = |detail: &str| Err(Problem::new(ErrorCode::TokenInvalid, detail));
    let Some(value) = headers.get(AUTHORIZATION) else {
        return refuse("a token is needed: Authorization: Bearer sre_…");
    };
    let value = value.to_str().unwrap_or_default();
    let secret = match value.split_once(' ') {
        Some((scheme, secret)) if scheme.eq_ignore_ascii_case("bearer") => secret.trim(),
        _ => return refuse("the Authorization header is not of the form: Bearer sre_…"),
    };
    match tokens.find(secret) {
        Some((name, scopes)) => Ok(Caller::new(name, scopes)),
        None => refuse("the token is not known; it may have been revoked"),
    }
}

/// Whether a browser says that a page of another site asks. A request without a body needs no leave
/// of ours to be sent.
fn is_of_another_site(headers: &HeaderMap) -> bool {
    let text = |name| {
        headers
            .get(name)
            .map(|value: &HeaderValue| value.to_str().unwrap_or("?"))
    };
    // `Origin: null` is a page of unknown origin.
    let is_foreign = |origin: &str| {
        !origin
            .split_once("://")
            .is_some_and(|(_, host)| is_loopback(host))
    };
    text(ORIGIN).is_some_and(is_foreign)
        || text(HeaderName::from_static("sec-fetch-site"))
            .is_some_and(|site| matches!(site, "cross-site" | "?"))
}

/// Whether a Host header names this machine's loopback.
fn is_loopback(host: &str) -> bool {
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => host.split(':').next().unwrap_or_default(),
    };
    name.eq_ignore_ascii_case("localhost")
        || name
            .parse()
            .is_ok_and(|address: IpAddr| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::is_loopback;

    #[test]
    fn only_loopback_names_are_ours() {
        for host in [
            "localhost",
            "LOCALHOST:80",
            "127.0.0.1:7710",
            "127.8.8.8",
            "[::1]:7710",
        ] {
            assert!(is_loopback(host), "{host}");
        }
        for host in [
            "",
            "example.org",
            "localhost.example.org",
            "127.0.0.1.example.org",
            "[::2]:1",
            "10.0.0.1",
        ] {
            assert!(!is_loopback(host), "{host}");
        }
    }
}
