//! What stands between a verifier and an executor, and answers as the test wants.

use reqwest::Method;
use tokio::runtime::Handle;

use crate::common::service::Service;
use crate::web::{Asked, Web};

/// Answers what `answer` returns, and the service's own answer where that is `None`.
pub(crate) fn before(
    service: &Service,
    answer: impl Fn(&Asked) -> Option<(u16, Vec<u8>)> + Send + 'static,
) -> Web {
    let (base, handle) = (service.base.clone(), Handle::current());
    let http = sre_http::http_client().build().expect("a client");
    Web::answering(move |asked| {
        answer(asked).unwrap_or_else(|| {
            let method = if asked.body.is_empty() {
                Method::GET
            } else {
                Method::POST
            };
            let request = http
                .request(method, format!("{base}{}", asked.path))
                .body(asked.body.clone());
            let request = request.header("content-type", "application/json");
            handle.block_on(async {
                match request.send().await {
                    Ok(answer) => (
                        answer.status().as_u16(),
                        answer.bytes().await.unwrap_or_default().to_vec(),
                    ),
                    Err(_) => (502, Vec::new()),
                }
            })
        })
    })
}

/// An answer that says nothing.
pub(crate) fn failing() -> (u16, Vec<u8>) {
    (500, Vec::new())
}
